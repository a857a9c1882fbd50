/* Every stack, as pprof's -traces has them. */
#include "render.h"

#include "pprof_table.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"
#include "cli/profile/estimate.h"

#include <stdlib.h>

static void put_labels(const struct pprof_table *table, const struct sample *sample)
{
    const struct page *page = table->page;
    for (size_t i = 0; i < sample->label_count; i++) {
        const struct label *label = &sample->labels[i];
        page_right(page, PAINT_DIM, name_plain(label->key).text, table->value_columns);
        if (label->text)
            page_format(page, PAINT_PLAIN, ":  %s\n", name_plain(label->text).text);
        else
            page_format(page, PAINT_PLAIN, ":  %lld %s\n", (long long)label->number,
                        name_plain(label->unit).text);
    }
}

/* In the way of a label. */
static void put_interval(const struct pprof_table *table, const struct sample *sample)
{
    struct estimate estimate = estimate_of(table->tree.profile, table->report->type);
    double variance = estimate_variance(&estimate, sample);
    struct interval_text interval =
        report_interval(table->report, sample->values[table->report->type], variance);
    if (!interval.text[0])
        return;
    page_right(table->page, PAINT_DIM, "estimate", table->value_columns);
    page_format(table->page, PAINT_PLAIN, ": %s\n", interval.text);
}

static void put_frame(const struct page *page, const struct tree_frame *frame)
{
    if (!frame->function) {
        page_format(page, PAINT_PLAIN, "   0x%llx\n", (unsigned long long)frame->location->address);
        return;
    }
    page_format(page, PAINT_PLAIN, "   %s", name_text(frame->function->name).text);
    if (frame->function->filename[0])
        page_format(page, PAINT_DIM, "  %s:%lld", name_plain(frame->function->filename).text,
                    (long long)frame->line->line);
    page_put(page, PAINT_DIM, frame->inlined ? " (inline)\n" : "\n");
}

static void put_trace(const struct pprof_table *table, size_t index)
{
    const struct page *page = table->page;
    const struct sample *sample = &table->tree.profile->samples[index];
    pprof_table_rule(table);
    put_labels(table, sample);
    put_interval(table, sample);
    pprof_table_value(table, sample->values[table->report->type]);
    struct tree_walk walk = tree_walk_begin(&table->tree, index);
    bool first = true;
    for (struct tree_frame frame; tree_walk_next(&walk, &frame); first = false) {
        if (!first)
            page_spaces(page, table->value_columns);
        put_frame(page, &frame);
    }
    if (first)
        page_put(page, PAINT_PLAIN, "   (no stack)\n");
}

struct trace {
    size_t sample;
    int64_t magnitude;
};

static int compare_traces(const void *left, const void *right)
{
    const struct trace *a = left, *b = right;
    if (a->magnitude != b->magnitude)
        return a->magnitude < b->magnitude ? 1 : -1;
    return (a->sample > b->sample) - (a->sample < b->sample);
}

void render_traces(const struct page *page, const struct report *report)
{
    struct pprof_table table;
    pprof_table_open(&table, page, report, false);
    const struct profile *profile = report->shown;
    struct trace *traces = memory_zeroed(profile->sample_count, sizeof *traces);
    size_t count = 0;
    for (size_t i = 0; i < profile->sample_count; i++) {
        int64_t value = profile->samples[i].values[report->type];
        if (value != 0 && filter_keeps(report->filter, &profile->samples[i]))
            traces[count++] = (struct trace){i, value_magnitude(value)};
    }
    qsort(traces, count, sizeof *traces, compare_traces);
    if (report->choice->limit > 0 && count > (size_t)report->choice->limit)
        count = (size_t)report->choice->limit;
    page_put(page, PAINT_PLAIN, "\n");
    for (size_t i = 0; i < count; i++)
        put_trace(&table, traces[i].sample);
    pprof_table_rule(&table);
    free(traces);
    pprof_table_close(&table);
}
