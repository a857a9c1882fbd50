#include "render.h"

#include "collection_json.h"
#include "interval_json.h"
#include "ledger_json.h"
#include "site_json.h"
#include "summary.h"
#include "cli/ground/memory.h"
#include "format/pprof.h"

#include <stdlib.h>

enum {
    SCHEMA = 1, /* raised when a member changes its meaning or goes away; new ones may come */
    SCHEMA_LINES_DEPTH = 2
};

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
    json_text_known(json, "program", summary.program);
    json_number_known(json, "pid", summary.pid);
    json_number_known(json, "forked_from", summary.parent_pid);
    json_text_known(json, "command_line", summary.command_line);
    json_text_known(json, "host", summary.host);
    json_text_known(json, "allocator", summary.allocator);
    json_text_known(json, "source", summary.source);
    json_number_known(json, "threads", summary.threads);
    json_number_known(json, "start_time_ns", summary.start_time_ns);
    json_number_known(json, "snapshot_time_ns", summary.time_ns);
    json_number_known(json, "collection_time_ns", summary.collection_time_ns);
    json_number_known(json, "sample_period_bytes", summary.period_bytes);
    json_text_known(json, "truth", summary.truth);
    if (summary.has_live)
        json_number(json, "live_bytes", summary.live_bytes);
    interval_json_put(json, "live_bytes_interval", summary.live_variance);
    if (summary.live_objects >= 0)
        json_number(json, "live_objects", summary.live_objects);
    if (summary.has_live && summary.has_kinds) {
        json_number(json, "malloc_bytes", summary.malloc_bytes);
        json_number(json, "mmap_bytes", summary.mmap_bytes);
    }
    json_number_known(json, "rss_bytes", summary.rss_bytes);
    json_number_known(json, "rss_peak_bytes", summary.rss_peak_bytes);
    json_number_known(json, "own_bytes", summary.own_bytes);
    json_number_known(json, "unwind_checked", summary.unwind_checked);
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
    interval_json_put(json, "flat_interval", variance);
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
    const struct choice *choice = report->choice;
    bool top = choice->view == VIEW_TOP;
    struct tree_options tree = {.granularity = top ? GRANULARITY_FUNCTIONS : GRANULARITY_SITES,
                                .type = report->type,
                                .split_kinds = !top,
                                .fold = !top || choice->filter.skip,
                                .relative = choice->relative,
                                .total_of_kept = choice->total_of_kept,
                                .filter = report->filter};
    if (choice->granularity_given)
        tree.granularity = choice->granularity;
    return tree;
}

/* All rows with a flat value; for -top also those with a cum value alone. */
static void put_rows(struct json *json, const struct report *report, const struct tree *tree)
{
    size_t count;
    enum tree_order order = report->choice->by_cum ? TREE_BY_CUM : TREE_BY_FLAT;
    uint32_t *sorted = tree_sorted(tree, order, &count);
    long left = report->choice->limit > 0 ? report->choice->limit : -1;
    json_open(json, "rows", '[');
    for (size_t i = 0; i < count && left != 0; i++) {
        if (report->choice->view == VIEW_SITES && tree->nodes[sorted[i]].flat == 0)
            continue;
        put_row(json, report, tree, sorted[i]);
        left--;
    }
    json_close(json, ']');
    free(sorted);
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
    const struct side fresh = {.path = report->choice->profile_path,
                               .profile = report->fresh,
                               .named = report->base ? report->fresh : report->shown,
                               .ledger = &report->ledger->fresh,
                               .book = report->book};
    put_side(&json, "profile", &fresh);
    if (report->base) {
        const struct side base = {.path = report->choice->base_path,
                                  .profile = report->base,
                                  .named = report->base,
                                  .ledger = &report->ledger->base,
                                  .book = report->base_book};
        put_side(&json, "base", &base);
        json_text(&json, "matched_by", match_name(report->match));
    }
    json_number(&json, "total", tree.kept);
    interval_json_put(&json, "total_interval", tree_kept_variance(&tree));
    json_number(&json, "percent_of", tree.total);
    ledger_json_pair(&json, report->ledger);
    put_rows(&json, report, &tree);
    site_json_put(&json, report);
    json_close(&json, '}');
    tree_clear(&tree);
}
