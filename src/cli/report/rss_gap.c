#include "rss_gap.h"

#include "summary.h"
#include "cli/ground/text.h"
#include "cli/ground/value.h"

#include <string.h>

static const char INUSE_SPACE[] = "inuse_space";

static int64_t sum_of(const struct profile *profile, int type)
{
    int64_t sum = 0;
    for (size_t i = 0; i < profile->sample_count; i++)
        sum = value_sum(sum, profile->samples[i].values[type]);
    return sum;
}

/* The kernel's name of a process is the first 15 bytes of its file's; who renames itself is let be. */
static bool is_other_program(const struct rss_look *look, const struct profile *profile)
{
    const char *path = profile->mapping_count > 0 ? profile->mappings[0].filename : "";
    size_t length = mapping_path_bytes(path);
    for (size_t i = 0; i < look->scene.smaps.count; i++)
        if (strncmp(text_base_name(look->scene.smaps.vmas[i].name), text_base_name(path),
                    length - (size_t)(text_base_name(path) - path)) == 0)
            return false;
    return path[0] == '/';
}

static bool is_go_line(const struct ledger_entry *entry)
{
    return entry->kind == LEDGER_HEAP && strncmp(entry->name, "Go", 2) == 0;
}

/*
 * What the profile can be about: Go's of Go's arenas, others of the heap and of anonymous memory, where
 * large blocks and other allocators' heaps are.
 */
static void take_held(struct rss_gap *gap, const struct rss_look *look)
{
    const struct ledger_book *book = &look->book;
    memcpy(gap->rest, book->kinds, sizeof(gap->rest));
    if (!gap->is_go) {
        gap->held_bytes = value_sum(book->kinds[LEDGER_HEAP], book->kinds[LEDGER_ANONYMOUS]);
        gap->rest[LEDGER_HEAP] = gap->rest[LEDGER_ANONYMOUS] = 0;
        return;
    }
    for (size_t i = 0; i < book->count; i++)
        if (is_go_line(&book->entries[i]))
            gap->held_bytes = value_sum(gap->held_bytes, book->entries[i].bytes);
    gap->rest[LEDGER_HEAP] = value_difference(book->kinds[LEDGER_HEAP], gap->held_bytes);
}

const char *rss_gap_of(struct rss_gap *gap, const struct rss_look *look,
                       const struct profile *profile)
{
    int type = profile_type(profile, INUSE_SPACE);
    *gap = (struct rss_gap){.age_ns = -1, .truth = summary_of(profile).truth};
    if (type == PROFILE_NONE)
        return "it has no inuse_space: it is no heap profile";
    gap->go = go_facts_of(profile);
    gap->go.version = NULL; /* the profile's, which does not live as long */
    gap->is_go = look->scene.go_heap != 0 && (gap->go.known || !profile_fact(profile, "pid"));
    gap->named_bytes = sum_of(profile, type);
    if (gap->named_bytes < 0)
        return "its inuse_space is below zero: it is a difference of two profiles";
    if (profile->time_nanos > 0) {
        gap->age_ns = value_difference(look->time_ns, profile->time_nanos);
        gap->too_old = profile->time_nanos < look->start_ns;
    }
    gap->other_program = is_other_program(look, profile);
    take_held(gap, look);
    bool all_there = gap->named_bytes <= gap->held_bytes;
    gap->covered_bytes = all_there ? gap->named_bytes : gap->held_bytes;
    gap->unnamed_bytes = gap->held_bytes - gap->covered_bytes;
    gap->absent_bytes = gap->named_bytes - gap->covered_bytes;
    return NULL;
}
