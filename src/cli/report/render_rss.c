#include "render_rss.h"

#include "render_go.h"
#include "render_ledger.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    LABEL_COLUMNS = 34,
    FIGURE_COLUMNS = 12,
    PERCENT_COLUMNS = 9,
    REST_LEAST_INVERSE = 100, /* what is below a 100th of RSS is summed up in the sentence */
    NOTE_COLUMN = 2 + 34 + 12 + 9 + 2,
    MAPPING_FIGURES = 5
};

static struct number_text bytes_text(const struct rss_report *report, int64_t bytes)
{
    return number_text(bytes, &report->style);
}

/* Who and when. */

static void put_head(const struct page *page, const struct rss_look *look)
{
    page_put(page, PAINT_BOLD, name_plain_fitted(look->name, page->columns / 2).text);
    page_format(page, PAINT_PLAIN, "  pid %d, %zu thread%s\n", look->process.pid,
                look->scene.threads.count, look->scene.threads.count == 1 ? "" : "s");
    page_format(page, PAINT_PLAIN, "  %s", number_time(look->time_ns).text);
    if (look->start_ns < look->time_ns)
        page_format(page, PAINT_PLAIN, ", %s after the start",
                    number_duration(look->time_ns - look->start_ns).text);
    page_put(page, PAINT_PLAIN, " (from /proc)\n");
    if (look->stopped_ns > 0)
        page_format(page, PAINT_PLAIN, "  --exact: its threads stood still for %s\n",
                    number_duration(look->stopped_ns).text);
    if (look->restless_count > 0)
        page_format(page, PAINT_WARNING,
                    "  %zu threads waited in the kernel and could not be stopped\n",
                    look->restless_count);
}

/* Each mapping. */

static void put_mapping(const struct page *page, const struct rss_report *report, size_t index)
{
    static const enum smaps_field fields[MAPPING_FIGURES] = {SMAPS_SIZE, SMAPS_RSS, SMAPS_PSS,
                                                             SMAPS_PRIVATE_DIRTY, SMAPS_SWAP};
    const struct smaps_vma *vma = &report->look->scene.smaps.vmas[index];
    struct vma_label label = vma_label_of(&report->look->scene, index);
    char address[48];
    snprintf(address, sizeof(address), "%08" PRIx64 "-%08" PRIx64, vma->start, vma->end);
    page_left(page, PAINT_PLAIN, address, 29);
    page_format(page, PAINT_PLAIN, " %c%c%c%c", vma->read ? 'r' : '-', vma->write ? 'w' : '-',
                vma->execute ? 'x' : '-', vma->shared ? 's' : 'p');
    for (int i = 0; i < MAPPING_FIGURES; i++)
        page_right(page, PAINT_PLAIN, bytes_text(report, (int64_t)vma->bytes[fields[i]]).text,
                   FIGURE_COLUMNS);
    page_format(page, PAINT_PLAIN, "  %s\n", name_plain(vma->name).text);
    for (size_t i = 0; i < 2; i++)
        if (label.parts[i].bytes > 0)
            page_format(page, PAINT_DIM, "    %s  %s: %s\n",
                        bytes_text(report, (int64_t)label.parts[i].bytes).text,
                        ledger_kind_title(label.parts[i].kind),
                        name_plain(label.parts[i].name).text);
    vma_label_free(&label);
}

static void put_mappings(const struct page *page, const struct rss_report *report)
{
    static const char *const titles[MAPPING_FIGURES] = {"size", "RSS", "PSS", "dirty", "swap"};
    page_put(page, PAINT_PLAIN, "\n");
    page_left(page, PAINT_DIM, "mapping", 34);
    for (int i = 0; i < MAPPING_FIGURES; i++)
        page_right(page, PAINT_DIM, titles[i], FIGURE_COLUMNS);
    page_put(page, PAINT_PLAIN, "\n");
    for (size_t i = 0; i < report->look->scene.smaps.count; i++)
        put_mapping(page, report, i);
}

/* Against a profile. */

static const char *heap_title(const struct rss_gap *gap)
{
    return gap->is_go ? "Go heap, not in the profile" : "heap, anonymous, not in it";
}

static const char *heap_reason(const struct rss_gap *gap)
{
    return gap->is_go ? "allocated since, garbage, free spans, goroutines' stacks"
                      : "allocated since, freed and kept, rounded up, not recorded";
}

static const char *rest_title(const struct rss_gap *gap, int kind)
{
    if (gap->is_go && kind == LEDGER_ANONYMOUS)
        return "anonymous (Go's runtime, mmap)";
    return ledger_kind_title(kind);
}

static void put_gap_row(const struct page *page, const struct rss_report *report, const char *label,
                        int64_t bytes, const char *note)
{
    page_spaces(page, 2);
    page_left(page, PAINT_PLAIN, label, LABEL_COLUMNS);
    page_right(page, PAINT_PLAIN, bytes_text(report, bytes).text, FIGURE_COLUMNS);
    page_right(page, PAINT_PLAIN, number_percent(bytes, report->look->book.rss_bytes).text,
               PERCENT_COLUMNS);
    size_t room = page->columns > NOTE_COLUMN ? page->columns - NOTE_COLUMN : 0;
    page_format(page, PAINT_DIM, "%s%s\n", note[0] ? "  " : "", name_plain_fitted(note, room).text);
}

/* The kinds of `rest` that have something, largest first; returns how many. */
static size_t sorted_rest(const struct rss_gap *gap, int kinds[LEDGER_KINDS])
{
    size_t count = 0;
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        if (gap->rest[kind] == 0)
            continue;
        size_t at = count++;
        for (; at > 0 && gap->rest[kinds[at - 1]] < gap->rest[kind]; at--)
            kinds[at] = kinds[at - 1];
        kinds[at] = kind;
    }
    return count;
}

/* What the profile cannot be about: what is worth a word each, and the sum of the rest. */
static void put_rest(FILE *out, const struct rss_report *report, const char *before)
{
    const struct rss_gap *gap = report->gap;
    int kinds[LEDGER_KINDS];
    size_t count = sorted_rest(gap, kinds);
    int64_t others = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t bytes = gap->rest[kinds[i]];
        if (bytes < report->look->book.rss_bytes / REST_LEAST_INVERSE) {
            others = value_sum(others, bytes);
            continue;
        }
        fprintf(out, "%s%s %s", before, bytes_text(report, bytes).text, rest_title(gap, kinds[i]));
        before = ", ";
    }
    if (others > 0)
        fprintf(out, "%s%s of other kinds", before, bytes_text(report, others).text);
}

/* "the profile names 1.9 GiB of 3.2 GiB; it is 42 s old; the rest: ..." */
static char *gap_sentence(const struct rss_report *report)
{
    const struct rss_gap *gap = report->gap;
    size_t size_bytes;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size_bytes);
    if (!out)
        return memory_format("%s", "");
    fprintf(out, "the profile names %s of %s", bytes_text(report, gap->covered_bytes).text,
            bytes_text(report, report->look->book.rss_bytes).text);
    if (gap->truth)
        fprintf(out, " (%s)", gap->truth);
    if (gap->absent_bytes > 0)
        fprintf(out, " (and %s that are not resident: never written, swapped out, or freed since)",
                bytes_text(report, gap->absent_bytes).text);
    if (gap->age_ns >= 0)
        fprintf(out, "; it is %s old", number_duration(gap->age_ns).text);
    else if (gap->go.published_ns > 0 && gap->go.published_ns < report->look->time_ns)
        fprintf(out, "; what it names is as of collection %" PRId64 ", %s ago",
                gap->go.published_collection,
                number_duration(report->look->time_ns - gap->go.published_ns).text);
    else
        fputs("; it does not say when it was taken", out);
    const char *before = "; the rest: ";
    if (gap->unnamed_bytes > 0) {
        fprintf(out, "%s%s of %s that it does not name (%s)", before,
                bytes_text(report, gap->unnamed_bytes).text,
                gap->is_go ? "Go's heap" : "heap and anonymous memory", heap_reason(gap));
        before = ", ";
    }
    put_rest(out, report, before);
    fclose(out);
    return text;
}

static void put_gap(const struct page *page, const struct rss_report *report)
{
    const struct rss_gap *gap = report->gap;
    int kinds[LEDGER_KINDS];
    size_t count = sorted_rest(gap, kinds);
    char *sentence = gap_sentence(report);
    page_put(page, PAINT_PLAIN, "\n");
    page_wrapped(page, PAINT_BOLD, sentence, 2);
    free(sentence);
    if (gap->too_old)
        page_put(page, PAINT_WARNING,
                 "  it was taken before this process began: it is another's\n");
    else if (gap->other_program)
        page_put(page, PAINT_WARNING, "  it names a program that this process does not run\n");
    page_put(page, PAINT_PLAIN, "\n");
    put_gap_row(page, report, "in the profile (inuse_space)", gap->covered_bytes, "");
    put_gap_row(page, report, heap_title(gap), gap->unnamed_bytes, heap_reason(gap));
    for (size_t i = 0; i < count; i++)
        put_gap_row(page, report, rest_title(gap, kinds[i]), gap->rest[kinds[i]], "");
    if (report->look->book.drift_bytes != 0)
        put_gap_row(page, report, "drift", report->look->book.drift_bytes, "");
    put_gap_row(page, report, "RSS", report->look->book.rss_bytes, "");
    render_go_facts(page, &gap->go, report->look->time_ns, &report->style);
    if (gap->is_go)
        page_wrapped(page, PAINT_DIM,
                     "a heap profile of Go's is of the collection before the last one: what was "
                     "allocated since is not in it",
                     2);
}

void render_rss(const struct page *page, const struct rss_report *report)
{
    put_head(page, report->look);
    render_ledger(page,
                  &(struct ledger_view){.fresh = &report->look->book, .style = report->style});
    if (report->gap)
        put_gap(page, report);
    if (report->mappings)
        put_mappings(page, report);
}
