#include "summary.h"

#include "format/pprof.h"
#include "name_text.h"
#include "value.h"

#include <string.h>

static int64_t fact(const struct profile *profile, const char *key)
{
    return profile_fact_number(profile, key, 0);
}

static const char *program_of(const struct profile *profile)
{
    const char *program = profile_fact(profile, PPROF_FACT_PROGRAM);
    if (program)
        return program;
    return profile->mapping_count ? name_base(profile->mappings[0].filename) : "";
}

static void add_live(struct summary *summary, const struct profile *profile)
{
    int space = profile_type(profile, "inuse_space"),
        objects = profile_type(profile, "inuse_objects");
    summary->has_live = space != PROFILE_NONE && strcmp(profile->types[space].unit, "bytes") == 0;
    summary->live_objects = objects == PROFILE_NONE ? -1 : 0;
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct sample *sample = &profile->samples[i];
        const char *kind = sample_label(sample, PPROF_LABEL_MEM_KIND);
        if (objects != PROFILE_NONE)
            summary->live_objects = value_sum(summary->live_objects, sample->values[objects]);
        if (!summary->has_live)
            continue;
        int64_t bytes = sample->values[space];
        int64_t *part =
            kind && strcmp(kind, "mmap") == 0 ? &summary->mmap_bytes : &summary->malloc_bytes;
        summary->has_kinds |= kind != NULL;
        summary->live_bytes = value_sum(summary->live_bytes, bytes);
        *part = value_sum(*part, bytes);
    }
}

struct summary summary_of(const struct profile *profile)
{
    struct summary summary = {
        .program = program_of(profile),
        .command_line = profile_fact(profile, PPROF_FACT_COMMAND_LINE),
        .host = profile_fact(profile, PPROF_FACT_HOST),
        .allocator = profile_fact(profile, PPROF_FACT_ALLOCATOR),
        .source = profile_fact(profile, PPROF_FACT_SOURCE),
        .pid = fact(profile, PPROF_FACT_PID),
        .parent_pid = fact(profile, PPROF_FACT_PARENT),
        .threads = fact(profile, PPROF_FACT_THREADS),
        .time_ns = fact(profile, PPROF_FACT_SNAPSHOT_TIME),
        .start_time_ns = fact(profile, PPROF_FACT_START_TIME),
        .rss_bytes = fact(profile, PPROF_FACT_RSS),
        .rss_peak_bytes = fact(profile, PPROF_FACT_RSS_PEAK),
        .own_bytes = fact(profile, PPROF_FACT_OWN),
        .collection_time_ns = fact(profile, PPROF_FACT_COLLECTION_TIME),
    };
    if (summary.time_ns == 0)
        summary.time_ns = profile->time_nanos;
    add_live(&summary, profile);
    return summary;
}

size_t summary_losses(const struct profile *profile, struct summary_loss losses[SUMMARY_LOSSES_MAX])
{
    static const struct summary_loss known[] = {
        {PPROF_FACT_LOST_BLOCKS, 0, "%s allocations were not recorded: no room in the tables"},
        {PPROF_FACT_LOST_RANGES, 0, "%s mmap records were not kept: no room in the tables"},
        {PPROF_FACT_LOST_NESTED, 0,
         "%s events were not recorded: a signal handler's, while it interrupted heapdiff"},
        {PPROF_FACT_LOST_CUT, 0, "%s stacks were deeper than 256 frames: their root side is cut"},
        {PPROF_FACT_LOST_UNWIND, 0, "%s stacks ended early: no unwind information"},
        {PPROF_FACT_UNWIND_DIFFER, 0, "%s stacks differ from libunwind's (unwind=check)"},
        {PPROF_FACT_LOST_SNAPSHOTS, 0, "%s snapshots could not be written"},
        {PPROF_FACT_SPILLED, 0,
         "the black box is incomplete (%s): a part did not fit into its file"},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct summary_loss loss = known[i];
        loss.count = profile_fact_number(profile, loss.key, 0);
        if (loss.count != 0)
            losses[count++] = loss;
    }
    return count;
}
