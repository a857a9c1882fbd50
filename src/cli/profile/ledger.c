#include "ledger.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "format/pprof.h"

#include <stdlib.h>
#include <string.h>

/* Names. */

static const struct {
    const char *title, *key;
} kinds[LEDGER_KINDS] = {
    [LEDGER_LIVE] = {"live", "live"},
    [LEDGER_SLACK] = {"slack", "slack"},
    [LEDGER_PINNED] = {"pinned", "pinned"},
    [LEDGER_HUGE] = {"huge pages", "huge"},
    [LEDGER_IDLE] = {"idle", "idle"},
    [LEDGER_METADATA] = {"allocator's own", "metadata"},
    [LEDGER_MAPPED] = {"mmap", "mapped"},
    [LEDGER_FILE] = {"files", "files"},
    [LEDGER_STACK] = {"stacks", "stacks"},
    [LEDGER_DATA] = {"bss, data", "data"},
    [LEDGER_KERNEL] = {"vdso", "kernel"},
    [LEDGER_OWN] = {"heapdiff", "heapdiff"},
    [LEDGER_OTHER] = {"unattributed", "unattributed"},
    [LEDGER_HEAP] = {"heap", "heap"},
    [LEDGER_ANONYMOUS] = {"anonymous", "anonymous"},
};

/* In the order of enum ledger_beside; its keys are the facts'. */
static const char *const beside_facts[LEDGER_BESIDES] = {
    PPROF_FACT_RSS_PEAK,    PPROF_FACT_SWAP,         PPROF_FACT_PSS,       PPROF_FACT_USS,
    PPROF_FACT_PAGE_TABLES, PPROF_FACT_HUGETLB,      PPROF_FACT_LAZY_FREE, PPROF_FACT_HUGE_PAGES,
    PPROF_FACT_CGROUP,      PPROF_FACT_CGROUP_LIMIT, PPROF_FACT_TRIM,      PPROF_FACT_PURGE,
};

static const char *const source_keys[LEDGER_SOURCES] = LEDGER_SOURCE_NAMES;

const char *ledger_kind_title(int kind)
{
    return kinds[kind].title;
}

const char *ledger_kind_key(int kind)
{
    return kinds[kind].key;
}

const char *ledger_beside_key(enum ledger_beside beside)
{
    return beside_facts[beside];
}

const char *ledger_source_key(enum ledger_source source)
{
    return source_keys[source];
}

/* Whether pages are told apart within mappings: outside of the process nobody does. */
static bool has_blocks(const struct ledger_book *book)
{
    return book->kinds[LEDGER_LIVE] != 0 || book->kinds[LEDGER_PINNED] != 0 ||
           book->kinds[LEDGER_IDLE] != 0 || book->kinds[LEDGER_MAPPED] != 0;
}

const char *ledger_source_title(const struct ledger_book *book)
{
    static const char *const titles[LEDGER_SOURCES] = {
        "residency could not be read",
        "page by page (PAGEMAP_SCAN)",
        "page by page (pagemap)",
        "mapping by mapping (smaps)",
    };
    if (book->source == LEDGER_SMAPS && has_blocks(book))
        return "mapping by mapping (smaps): which pages of one are resident is a guess";
    return titles[book->source];
}

/* Lines. */

/* "[file: NAME]" and "[stack: NAME]" are NAME under a kind that says the rest; malloc'd. */
static char *bare_name(const char *name)
{
    static const char *const heads[] = {
        "file: ", "stack: ", "data: ", "bss: ", "kernel: ", "allocator: ", "heapdiff: "};
    size_t length = strlen(name);
    if (length < 2 || name[0] != '[' || name[length - 1] != ']')
        return memory_text(name, length);
    name++;
    length -= 2;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t head = strlen(heads[i]);
        if (length > head && strncmp(name, heads[i], head) == 0)
            return memory_text(name + head, length - head);
    }
    return memory_text(name, length);
}

void ledger_add_sites(struct ledger_book *book, int kind, int64_t bytes)
{
    book->kinds[kind] = value_sum(book->kinds[kind], bytes);
    book->sum_bytes = value_sum(book->sum_bytes, bytes);
}

void ledger_add(struct ledger_book *book, int kind, const char *name, int64_t bytes)
{
    if (bytes == 0)
        return;
    ledger_add_sites(book, kind, bytes);
    book->entries =
        memory_grown(book->entries, book->count, &book->capacity, sizeof *book->entries);
    book->entries[book->count++] = (struct ledger_entry){kind, bare_name(name ? name : ""), bytes};
}

static int compare_names(const void *left, const void *right)
{
    const struct ledger_entry *a = left, *b = right;
    return a->kind != b->kind ? a->kind - b->kind : strcmp(a->name, b->name);
}

static int compare_bytes(const void *left, const void *right)
{
    const struct ledger_entry *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return compare_names(left, right);
}

static void sort_entries(struct ledger_book *book, int (*compare)(const void *, const void *))
{
    if (book->count > 0)
        qsort(book->entries, book->count, sizeof *book->entries, compare);
}

static void merge_equal(struct ledger_book *book)
{
    size_t kept = 0;
    sort_entries(book, compare_names);
    for (size_t i = 0; i < book->count; i++) {
        struct ledger_entry *last = kept > 0 ? &book->entries[kept - 1] : NULL;
        if (!last || compare_names(last, &book->entries[i]) != 0) {
            book->entries[kept++] = book->entries[i];
            continue;
        }
        last->bytes = value_sum(last->bytes, book->entries[i].bytes);
        free((char *)book->entries[i].name);
    }
    book->count = kept;
}

void ledger_finish(struct ledger_book *book, int64_t rss_bytes)
{
    merge_equal(book);
    sort_entries(book, compare_bytes);
    book->rss_bytes = rss_bytes;
    book->drift_bytes = value_difference(rss_bytes, book->sum_bytes);
    int64_t *peak = &book->beside[LEDGER_RSS_PEAK];
    if (*peak != 0 && *peak < rss_bytes)
        *peak = rss_bytes; /* the kernel brings its own up to date now and then */
}

void ledger_clear(struct ledger_book *book)
{
    for (size_t i = 0; i < book->count; i++)
        free((char *)book->entries[i].name);
    free(book->entries);
    *book = (struct ledger_book){0};
}

/* Two books. */

static int compare_lines(const void *left, const void *right)
{
    const struct ledger_change *a = left, *b = right;
    return a->kind != b->kind ? a->kind - b->kind : strcmp(a->name, b->name);
}

static int compare_changes(const void *left, const void *right)
{
    const struct ledger_change *a = left, *b = right;
    int64_t x = value_magnitude(value_difference(a->fresh, a->base));
    int64_t y = value_magnitude(value_difference(b->fresh, b->base));
    if (x != y)
        return x < y ? 1 : -1;
    return compare_lines(left, right);
}

struct ledger_change *ledger_changes(const struct ledger_book *base,
                                     const struct ledger_book *fresh, size_t *count)
{
    size_t all = fresh->count + (base ? base->count : 0), kept = 0;
    struct ledger_change *changes = memory_zeroed(all, sizeof *changes);
    for (size_t i = 0; i < all; i++) {
        bool of_base = i >= fresh->count;
        const struct ledger_entry *entry =
            of_base ? &base->entries[i - fresh->count] : &fresh->entries[i];
        changes[i] = (struct ledger_change){entry->kind, entry->name, of_base ? entry->bytes : 0,
                                            of_base ? 0 : entry->bytes};
    }
    qsort(changes, all, sizeof *changes, compare_lines);
    for (size_t i = 0; i < all; i++) {
        struct ledger_change *last = kept > 0 ? &changes[kept - 1] : NULL;
        if (!last || compare_lines(last, &changes[i]) != 0) {
            changes[kept++] = changes[i];
            continue;
        }
        last->base = value_sum(last->base, changes[i].base);
        last->fresh = value_sum(last->fresh, changes[i].fresh);
    }
    qsort(changes, kept, sizeof *changes, compare_changes);
    *count = kept;
    return changes;
}
