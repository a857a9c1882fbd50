#include "render.h"

#include "collection_json.h"
#include "estimate.h"
#include "json.h"
#include "ledger_json.h"
#include "summary.h"
#include "value.h"
#include "cli/ground/memory.h"
#include "format/pprof.h"

#include <stdlib.h>
#include <string.h>

enum {
    SCHEMA = 1, /* raised when a member changes its meaning or goes away; new ones may come */
    SCHEMA_LINES_DEPTH = 2
};

static void put_fact_text(struct json *json, const char *key, const char *text)
{
    if (text && text[0])
        json_text(json, key, text);
}

static void put_known(struct json *json, const char *key, int64_t number)
{
    if (number != 0)
        json_number(json, key, number);
}

/* Of an estimate: half the width of its 95 % interval. */
static void put_interval(struct json *json, const char *key, double variance)
{
    if (variance > 0)
        json_number(json, key, estimate_interval(variance));
}

struct side {
    const char *path;
    const struct profile *profile, *named; /* the same, with names where there are any */
    const struct ledger_book *ledger;
    const struct collection_book *book;
};

/* Everything about one side but its sites. */
static void put_side(struct json *json, const char *key, const struct side *side)
{
    const struct profile *profile = side->profile;
    struct summary summary = summary_of(profile);
    json_open(json, key, '{');
    json_text(json, "file", side->path);
    put_fact_text(json, "program", summary.program);
    put_known(json, "pid", summary.pid);
    put_known(json, "forked_from", summary.parent_pid);
    put_fact_text(json, "command_line", summary.command_line);
    put_fact_text(json, "host", summary.host);
    put_fact_text(json, "allocator", summary.allocator);
    put_fact_text(json, "source", summary.source);
    put_known(json, "threads", summary.threads);
    put_known(json, "start_time_ns", summary.start_time_ns);
    put_known(json, "snapshot_time_ns", summary.time_ns);
    put_known(json, "collection_time_ns", summary.collection_time_ns);
    put_known(json, "sample_period_bytes", summary.period_bytes);
    put_fact_text(json, "truth", summary.truth);
    if (summary.has_live)
        json_number(json, "live_bytes", summary.live_bytes);
    put_interval(json, "live_bytes_interval", summary.live_variance);
    if (summary.live_objects >= 0)
        json_number(json, "live_objects", summary.live_objects);
    if (summary.has_live && summary.has_kinds) {
        json_number(json, "malloc_bytes", summary.malloc_bytes);
        json_number(json, "mmap_bytes", summary.mmap_bytes);
    }
    put_known(json, "rss_bytes", summary.rss_bytes);
    put_known(json, "rss_peak_bytes", summary.rss_peak_bytes);
    put_known(json, "own_bytes", summary.own_bytes);
    put_known(json, "unwind_checked", summary.unwind_checked);
    struct summary_loss losses[SUMMARY_LOSSES_MAX];
    size_t count = summary_losses(NULL, profile, losses);
    json_open(json, "lost", '{');
    for (size_t i = 0; i < count; i++)
        json_number(json, losses[i].key, losses[i].count);
    json_close(json, '}');
    ledger_json_book(json, side->ledger);
    collection_json_book(json, side->book, side->named);
    json_close(json, '}');
}

static void put_types(struct json *json, const struct report *report)
{
    json_open(json, "sample_types", '[');
    for (size_t i = 0; i < report->shown->type_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "type", report->shown->types[i].type);
        json_text(json, "unit", report->shown->types[i].unit);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_text(json, "sample_type", report_type(report)->type);
    json_text(json, "unit", report_type(report)->unit);
}

static void put_values(struct json *json, const char *key, const struct report *report,
                       const int64_t *values)
{
    json_open(json, key, '{');
    for (size_t i = 0; i < report->shown->type_count; i++)
        json_number(json, report->shown->types[i].type, values[i]);
    json_close(json, '}');
}

static double percent_of(int64_t part, int64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

/* Rows: sites folded and added up, as in the text. */

static void put_place(struct json *json, const struct tree *tree, const struct tree_node *node)
{
    struct tree_frame frame = {NULL, NULL, NULL, false};
    if (node->heaviest != TREE_NONE) {
        struct tree_walk walk = tree_walk_begin(tree, node->heaviest);
        tree_walk_next(&walk, &frame);
    }
    json_text(json, "function", node->name);
    json_text(json, "file", frame.function ? frame.function->filename : node->filename);
    json_number(json, "line", frame.line ? frame.line->line : node->line);
    json_text(json, "mapping",
              frame.location && frame.location->mapping != PROFILE_NONE
                  ? tree->profile->mappings[frame.location->mapping].filename
                  : "");
}

static void put_row(struct json *json, const struct report *report, const struct tree *tree,
                    uint32_t index)
{
    const struct tree_node *node = &tree->nodes[index];
    double variance = tree_node_variance(tree, node);
    json_open(json, NULL, '{');
    put_place(json, tree, node);
    json_text(json, "kind", node->kind);
    json_number(json, "flat", node->flat);
    put_interval(json, "flat_interval", variance);
    if (report->base && variance > 0)
        json_truth(json, "within_noise", estimate_is_noise(node->flat, variance));
    json_real(json, "flat_percent", percent_of(node->flat, tree->total));
    json_number(json, "cum", node->cum);
    json_real(json, "cum_percent", percent_of(node->cum, tree->total));
    if (report->base) {
        json_number(json, "flat_base", node->flat_base);
        json_number(json, "cum_base", node->cum_base);
    }
    json_number(json, "stacks", (int64_t)node->samples);
    json_close(json, '}');
}

static struct tree_options rows_options(const struct report *report)
{
    const struct options *options = report->options;
    bool top = options->view == VIEW_TOP;
    struct tree_options tree = {.granularity = top ? GRANULARITY_FUNCTIONS : GRANULARITY_SITES,
                                .type = report->type,
                                .split_kinds = !top,
                                .fold = !top || options->filter.skip,
                                .relative = options->relative,
                                .total_of_kept = options->total_of_kept,
                                .filter = report->filter};
    if (options->granularity_given)
        tree.granularity = options->granularity;
    return tree;
}

/* All rows with a flat value; for -top also those with a cum value alone. */
static void put_rows(struct json *json, const struct report *report, const struct tree *tree)
{
    size_t count;
    enum tree_order order = report->options->by_cum ? TREE_BY_CUM : TREE_BY_FLAT;
    uint32_t *sorted = tree_sorted(tree, order, &count);
    long left = report->options->limit > 0 ? report->options->limit : -1;
    json_open(json, "rows", '[');
    for (size_t i = 0; i < count && left != 0; i++) {
        if (report->options->view == VIEW_SITES && tree->nodes[sorted[i]].flat == 0)
            continue;
        put_row(json, report, tree, sorted[i]);
        left--;
    }
    json_close(json, ']');
    free(sorted);
}

/* Sites: every stack by itself, in full; its frames are named by their index, as they are shared. */

static void put_line(struct json *json, const struct profile *profile, const struct line *line)
{
    const struct function *function = &profile->functions[line->function];
    json_text(json, "function", function->name);
    json_text(json, "file", function->filename);
    json_number(json, "line", line->line);
}

/* One return address: the function whose frame it is, and what was inlined into it there. */
static void put_frame(struct json *json, const struct profile *profile,
                      const struct location *location)
{
    json_open(json, NULL, '{');
    if (location->line_count > 0)
        put_line(json, profile, &location->lines[location->line_count - 1]);
    json_number(json, "address", (int64_t)location->address);
    if (location->mapping != PROFILE_NONE) {
        const struct mapping *mapping = &profile->mappings[location->mapping];
        json_text(json, "mapping", mapping->filename);
        json_text(json, "build_id", mapping->build_id);
        json_number(json, "offset",
                    (int64_t)(location->address - mapping->start + mapping->offset));
    }
    if (location->line_count > 1) {
        json_open(json, "inlined", '[');
        for (size_t i = 0; i + 1 < location->line_count; i++) {
            json_open(json, NULL, '{');
            put_line(json, profile, &location->lines[i]);
            json_close(json, '}');
        }
        json_close(json, ']');
    }
    json_close(json, '}');
}

/* Of the types that are estimates. */
static void put_intervals(struct json *json, const struct profile *profile,
                          const struct sample *sample)
{
    bool open = false;
    if (estimate_period(profile) == 0 && !sample->variances)
        return;
    for (size_t i = 0; i < profile->type_count; i++) {
        struct estimate estimate = estimate_of(profile, (int)i);
        double variance = estimate_variance(&estimate, sample);
        if (variance > 0 && !open)
            json_open(json, "intervals", '{');
        open |= variance > 0;
        put_interval(json, profile->types[i].type, variance);
    }
    if (open)
        json_close(json, '}');
}

static void put_labels(struct json *json, const struct sample *sample)
{
    json_open(json, "labels", '{');
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        if (label->text)
            json_text(json, label->key, label->text);
        else
            json_number(json, label->key, label->number);
    }
    json_close(json, '}');
}

struct ranked {
    const struct sample *sample;
    int64_t magnitude;
};

/* The samples of the report, largest first, and the frames they have. */
struct sites {
    struct ranked *ranked;
    size_t count;
    uint32_t *frames; /* by location: its index in the output + 1; 0: it is not in it */
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? 1 : -1;
    return (a->sample > b->sample) - (a->sample < b->sample);
}

static struct sites sites_of(const struct report *report)
{
    const struct profile *profile = report->shown;
    struct sites sites = {memory_zeroed(profile->sample_count, sizeof *sites.ranked), 0,
                          memory_zeroed(profile->location_count, sizeof *sites.frames)};
    for (size_t i = 0; i < profile->sample_count; i++)
        if (filter_keeps(report->filter, &profile->samples[i]))
            sites.ranked[sites.count++] = (struct ranked){
                &profile->samples[i], value_magnitude(profile->samples[i].values[report->type])};
    qsort(sites.ranked, sites.count, sizeof *sites.ranked, compare_ranked);
    if (report->options->limit > 0 && sites.count > (size_t)report->options->limit)
        sites.count = (size_t)report->options->limit;
    return sites;
}

static void put_frames(struct json *json, const struct profile *profile, struct sites *sites)
{
    uint32_t count = 0;
    json_open(json, "frames", '[');
    for (size_t i = 0; i < sites->count; i++) {
        const struct sample *sample = sites->ranked[i].sample;
        for (size_t at = 0; at < sample->depth; at++) {
            uint32_t location = sample->locations[at];
            if (sites->frames[location] != 0)
                continue;
            sites->frames[location] = ++count;
            put_frame(json, profile, &profile->locations[location]);
        }
    }
    json_close(json, ']');
}

static void put_site(struct json *json, const struct report *report, const struct sites *sites,
                     const struct sample *sample)
{
    const char *kind = sample_label(sample, PPROF_LABEL_MEM_KIND);
    json_open(json, NULL, '{');
    json_text(json, "kind", kind ? kind : "");
    put_values(json, "values", report, sample->values);
    if (sample->base)
        put_values(json, "base", report, sample->base);
    put_intervals(json, report->shown, sample);
    put_labels(json, sample);
    if (!report->base && report->book->pasts)
        collection_json_past(json, &report->book->pasts[sample - report->shown->samples]);
    json_open(json, "stack", '[');
    for (size_t i = 0; i < sample->depth; i++)
        json_number(json, NULL, sites->frames[sample->locations[i]] - 1);
    json_close(json, ']');
    json_close(json, '}');
}

static void put_sites(struct json *json, const struct report *report)
{
    struct sites sites = sites_of(report);
    put_frames(json, report->shown, &sites);
    json_open(json, "sites", '[');
    for (size_t i = 0; i < sites.count; i++)
        put_site(json, report, &sites, sites.ranked[i].sample);
    json_close(json, ']');
    free(sites.ranked);
    free(sites.frames);
}

static const char *match_name(enum diff_match match)
{
    static const char *const names[] = {[DIFF_MATCH_ADDRESS] = "address",
                                        [DIFF_MATCH_FUNCTION] = "function",
                                        [DIFF_MATCH_MIXED] = "mixed"};
    return names[match];
}

void render_json(FILE *out, const struct report *report)
{
    struct json json = {.out = out, .lines_depth = SCHEMA_LINES_DEPTH, .empty = true};
    struct tree tree;
    struct tree_options options = rows_options(report);
    tree_build(&tree, report->shown, &options);
    json_open(&json, NULL, '{');
    json_number(&json, "schema", SCHEMA);
    json_text(&json, "heapdiff", HEAPDIFF_VERSION);
    put_types(&json, report);
    const struct side fresh = {.path = report->options->profile_path,
                               .profile = report->fresh,
                               .named = report->base ? report->fresh : report->shown,
                               .ledger = &report->ledger->fresh,
                               .book = report->book};
    put_side(&json, "profile", &fresh);
    if (report->base) {
        const struct side base = {.path = report->options->base_path,
                                  .profile = report->base,
                                  .named = report->base,
                                  .ledger = &report->ledger->base,
                                  .book = report->base_book};
        put_side(&json, "base", &base);
        json_text(&json, "matched_by", match_name(report->match));
    }
    json_number(&json, "total", tree.kept);
    put_interval(&json, "total_interval", tree_kept_variance(&tree));
    json_number(&json, "percent_of", tree.total);
    ledger_json_pair(&json, report->ledger);
    put_rows(&json, report, &tree);
    put_sites(&json, report);
    json_close(&json, '}');
    tree_clear(&tree);
}
