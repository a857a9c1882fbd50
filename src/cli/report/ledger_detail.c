#include "ledger_detail.h"

#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_COLUMNS = 40 };

static bool is_path_kind(int kind)
{
    return kind == LEDGER_FILE || kind == LEDGER_DATA;
}

struct name_text ledger_detail_name(const struct ledger_detail *detail)
{
    const char *name = detail->name;
    if (!detail->is_path)
        return name_text_fitted(name, NAME_COLUMNS);
    const char *text = strchr(name, ' '); /* what comes behind may have a slash */
    const char *slash = name;
    for (const char *at = name; (at = strchr(at, '/')) && (!text || at < text); at++)
        slash = at + 1;
    return name_plain_fitted(slash, NAME_COLUMNS);
}

static int compare_details(const void *left, const void *right)
{
    const struct ledger_detail *a = left, *b = right;
    int64_t x = value_magnitude(a->bytes), y = value_magnitude(b->bytes);
    if (x != y)
        return x < y ? 1 : -1;
    return strcmp(a->name, b->name);
}

static size_t site_details(const struct ledger_sites *sites, int kind,
                           struct ledger_detail *details, size_t room)
{
    const struct ledger_holder *top[LEDGER_DETAILS_MAX];
    size_t count = sites ? ledger_sites_top(sites, kind, top, room) : 0;
    if (count > room)
        count = room;
    for (size_t i = 0; i < count; i++)
        details[i] = (struct ledger_detail){ledger_holder_name(top[i]), false,
                                            ledger_holder_bytes(top[i], kind)};
    return count;
}

/* Of the lines without a site; idle memory whose owner is not known is worth saying so. */
static size_t line_details(const struct ledger_change *changes, size_t change_count, int kind,
                           struct ledger_detail *details, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < change_count && count < room; i++) {
        const struct ledger_change *change = &changes[i];
        int64_t bytes = value_difference(change->fresh, change->base);
        const char *name = change->name;
        if (kind == LEDGER_IDLE && !name[0])
            name = "owner not known";
        if (change->kind == kind && bytes != 0 && name[0])
            details[count++] = (struct ledger_detail){name, is_path_kind(kind), bytes};
    }
    return count;
}

size_t ledger_details_of(const struct ledger_sites *sites, const struct ledger_change *changes,
                         size_t change_count, int kind,
                         struct ledger_detail details[LEDGER_DETAILS_MAX])
{
    enum { SIDE = LEDGER_DETAILS_MAX / 2 };
    size_t count = kind < LEDGER_CATEGORIES ? site_details(sites, kind, details, SIDE) : 0;
    count += line_details(changes, change_count, kind, details + count, SIDE);
    qsort(details, count, sizeof *details, compare_details);
    return count;
}
