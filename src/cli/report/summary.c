#include "summary.h"

#include "cli/ground/value.h"
#include "cli/profile/estimate.h"
#include "format/box.h"
#include "format/ledger.h"
#include "format/pprof.h"

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
    return profile->mapping_count ? basename(profile->mappings[0].filename) : "";
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
        summary->has_kinds |= kind && strcmp(kind, LEDGER_MEM_KIND) != 0;
        summary->live_bytes = value_sum(summary->live_bytes, bytes);
        *part = value_sum(*part, bytes);
    }
}

/* Of sites. Who writes profiles with another period, or none, has not said. */
static const char *truth_of(const struct profile *profile)
{
    static const char *const truths[] = PPROF_TRUTHS;
    const char *go_rate = profile_fact(profile, PPROF_FACT_GO_RATE);
    bool ours = profile_fact(profile, PPROF_FACT_VERSION) || profile->period == 1;
    if (estimate_period(profile) > 0)
        return truths[BOX_TRUTH_SAMPLED];
    if (go_rate && strcmp(go_rate, "0") == 0)
        return truths[BOX_TRUTH_TOTALS];
    return ours ? truths[BOX_TRUTH_EXACT] : NULL;
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
        .unwind_checked = fact(profile, PPROF_FACT_UNWIND_CHECKED),
        .collection_time_ns = fact(profile, PPROF_FACT_COLLECTION_TIME),
        .period_bytes = estimate_period(profile),
        .truth = truth_of(profile),
    };
    if (summary.time_ns == 0)
        summary.time_ns = profile->time_nanos;
    add_live(&summary, profile);
    if (summary.has_live)
        summary.live_variance =
            estimate_profile_variance(profile, profile_type(profile, "inuse_space"));
    return summary;
}

/* Memory that did not fit into the black box is lost to who reads the box, not to the process. */
static int64_t loss(const struct profile *profile, const char *key)
{
    const char *source = profile ? profile_fact(profile, PPROF_FACT_SOURCE) : NULL;
    bool of_box = strcmp(key, PPROF_FACT_SPILLED) == 0;
    if (!profile || (of_box && !(source && strcmp(source, "black box") == 0)))
        return 0;
    return fact(profile, key);
}

size_t summary_losses(const struct profile *base, const struct profile *profile,
                      struct summary_loss losses[SUMMARY_LOSSES_MAX])
{
    static const struct {
        const char *key, *text;
    } known[] = {
        {PPROF_FACT_LOST_BLOCKS, "allocations that found no room in the tables"},
        {PPROF_FACT_LOST_RANGES, "mmap records that found no room in the tables"},
        {PPROF_FACT_LOST_NESTED, "events in signal handlers that interrupted heapdiff"},
        {PPROF_FACT_LOST_CUT, "outer frames of stacks deeper than 256"},
        {PPROF_FACT_LOST_UNWIND, "outer frames of stacks whose unwind information ends early"},
        {PPROF_FACT_UNWIND_DIFFER, "stacks that differ from libunwind's (unwind=check)"},
        {PPROF_FACT_LOST_SNAPSHOTS, "snapshots that could not be written"},
        {PPROF_FACT_LOST_HISTORIES, "marks without room for the figures of some sites"},
        {PPROF_FACT_UNCLEAN_CUTS, "moments at which a busy thread could not be waited for"},
        {PPROF_FACT_SPILLED, "parts of the tables that found no room in the black box"},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const char *key = known[i].key;
        struct summary_loss found = {key, known[i].text, loss(base, key), loss(profile, key)};
        if (found.base != 0 || found.count != 0)
            losses[count++] = found;
    }
    return count;
}
