#include "ledger_phrase.h"

#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PARTS_MAX = 4,
    PART_LEAST_INVERSE = 20, /* parts below a 20th of the whole are not told */
    ONLY_INVERSE = 10,       /* live memory that grew by less than a 10th of RSS is "only" that */
    NAME_COLUMNS = 40
};

/* A kind of line, and what is said of it: of RSS, or of its change. */
struct part {
    int kind;
    int64_t bytes;
};

static int64_t bytes_of(const struct ledger_view *view, int kind)
{
    int64_t base = view->base ? view->base->kinds[kind] : 0;
    return value_difference(view->fresh->kinds[kind], base);
}

static int64_t rss_of(const struct ledger_view *view)
{
    return value_difference(view->fresh->rss_bytes, view->base ? view->base->rss_bytes : 0);
}

static struct number_text amount(const struct ledger_view *view, int64_t bytes)
{
    return view->base ? number_text_signed(bytes, &view->style) : number_text(bytes, &view->style);
}

/* " by parse_request", " by 12 sites, most of it by parse_request"; "" when sites are not known. */
static void put_holders(FILE *out, const struct ledger_view *view, const struct part *part)
{
    const struct ledger_holder *top[1];
    size_t count = view->sites ? ledger_sites_top(view->sites, part->kind, top, 1) : 0;
    if (count == 0)
        return;
    struct name_text fitted = name_text_fitted(ledger_holder_name(top[0]), NAME_COLUMNS);
    int64_t most = value_magnitude(ledger_holder_bytes(top[0], part->kind));
    if (count == 1)
        fprintf(out, " by %s", fitted.text);
    else
        fprintf(out, " by %zu sites%s%s", count,
                most > value_magnitude(part->bytes) / 2 ? ", most of it by " : "",
                most > value_magnitude(part->bytes) / 2 ? fitted.text : "");
}

/* What would become of idle memory, were the allocator asked to give it back. */
static void put_idle(FILE *out, const struct ledger_view *view, const struct part *part)
{
    int64_t trim = view->fresh->beside[LEDGER_TRIM], purge = view->fresh->beside[LEDGER_PURGE];
    bool limit = view->fresh->trim_is_limit;
    fputs(" idle", out);
    if (view->base || (trim <= 0 && purge <= 0))
        fputs(" in the allocator", out);
    else if (trim > 0 && !limit && trim >= part->bytes - part->bytes / PART_LEAST_INVERSE)
        fputs(" that malloc_trim would return", out);
    else if (trim > 0)
        fprintf(out, " of which malloc_trim would return %s%s", limit ? "at most " : "",
                number_text(trim, &view->style).text);
    else
        fprintf(out, " of which a purge would return at most %s",
                number_text(purge, &view->style).text);
}

static void put_part(FILE *out, const struct ledger_view *view, const struct part *part)
{
    static const char *const texts[LEDGER_KINDS] = {
        [LEDGER_LIVE] = "live",
        [LEDGER_SLACK] = "slack (requests rounded up)",
        [LEDGER_PINNED] = "pinned",
        [LEDGER_HUGE] = "never used of huge pages, held",
        [LEDGER_METADATA] = "of the allocator's own",
        [LEDGER_MAPPED] = "mapped",
        [LEDGER_FILE] = "of files",
        [LEDGER_STACK] = "of stacks",
        [LEDGER_DATA] = "of bss and data",
        [LEDGER_KERNEL] = "of the kernel's (vdso)",
        [LEDGER_OWN] = "of heapdiff's own",
        [LEDGER_OTHER] = "unattributed",
        [LEDGER_HEAP] = "heap",
        [LEDGER_ANONYMOUS] = "anonymous",
    };
    bool only = view->base && part->kind == LEDGER_LIVE &&
                value_magnitude(part->bytes) < value_magnitude(rss_of(view)) / ONLY_INVERSE;
    fprintf(out, "%s%s", only ? "live only " : "", amount(view, part->bytes).text);
    if (only)
        return;
    if (part->kind == LEDGER_IDLE)
        put_idle(out, view, part);
    else if (part->kind == LEDGER_HEAP && view->fresh->sampled)
        fputs(" of other heap (sampled: not told apart)", out);
    else
        fprintf(out, " %s", texts[part->kind]);
    if (part->kind == LEDGER_PINNED || part->kind == LEDGER_HUGE || part->kind == LEDGER_MAPPED)
        put_holders(out, view, part);
}

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left, *b = right;
    int64_t x = value_magnitude(a->bytes), y = value_magnitude(b->bytes);
    if (x != y)
        return x < y ? 1 : -1;
    return a->kind - b->kind;
}

/* What is worth saying, largest first. Live memory always is, where heaps are told apart: it comes first
   of RSS, and where its size puts it of a change, or last. */
static size_t choose_parts(const struct ledger_view *view, struct part parts[PARTS_MAX])
{
    struct part all[LEDGER_KINDS];
    int64_t whole = 0;
    size_t count = 0;
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        all[kind] = (struct part){kind, bytes_of(view, kind)};
        whole = value_sum(whole, value_magnitude(all[kind].bytes));
    }
    struct part live = all[LEDGER_LIVE];
    bool has_live = view->fresh->kinds[LEDGER_LIVE] != 0;
    bool live_first = has_live && !view->base, live_last = has_live && view->base;
    qsort(all, LEDGER_KINDS, sizeof *all, compare_parts);
    if (live_first)
        parts[count++] = live;
    for (int i = 0; i < LEDGER_KINDS && count + live_last < PARTS_MAX; i++) {
        bool told =
            all[i].bytes != 0 && value_magnitude(all[i].bytes) >= whole / PART_LEAST_INVERSE;
        if (!told || (live_first && all[i].kind == LEDGER_LIVE))
            continue;
        live_last &= all[i].kind != LEDGER_LIVE;
        parts[count++] = all[i];
    }
    if (live_last && whole > 0)
        parts[count++] = live;
    return count;
}

char *ledger_phrase(const struct ledger_view *view)
{
    char *text = NULL;
    size_t size_bytes;
    struct part parts[PARTS_MAX];
    size_t count = choose_parts(view, parts);
    FILE *out = open_memstream(&text, &size_bytes);
    if (!out)
        return memory_format("%s", "");
    if (view->base && count == 0)
        fputs("RSS is what it was", out);
    else
        fprintf(out, "RSS %s", amount(view, rss_of(view)).text);
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? ": " : ", ", out);
        put_part(out, view, &parts[i]);
    }
    fclose(out);
    return text;
}
