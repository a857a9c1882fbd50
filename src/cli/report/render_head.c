#include "render.h"

#include "render_collection.h"
#include "render_figures.h"
#include "render_go.h"
#include "render_ledger.h"
#include "summary.h"
#include "cli/ground/character.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_COLUMNS = 30 };
enum { START_SLACK_NS = 1000000000 }; /* from outside it is counted from boot, in ticks */

/* Who. */

static void put_command_line(const struct page *page, const struct summary *summary)
{
    if (!summary->command_line || !summary->command_line[0])
        return;
    struct name_text line = name_plain_fitted(summary->command_line, page->columns - 2);
    page_format(page, PAINT_DIM, "  %s\n", line.text);
}

/* What follows the program's name; malloc'd. */
static char *process_text(const struct summary *summary)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);
    if (!out)
        return memory_format("%s", "");
    if (summary->pid)
        fprintf(out, "  pid %lld", (long long)summary->pid);
    if (summary->parent_pid)
        fprintf(out, " (forked from %lld)", (long long)summary->parent_pid);
    if (summary->host)
        fprintf(out, " on %s", summary->host);
    if (summary->allocator)
        fprintf(out, ", allocator %s", summary->allocator);
    if (summary->threads)
        fprintf(out, ", %lld thread%s", (long long)summary->threads,
                summary->threads == 1 ? "" : "s");
    fclose(out);
    return text;
}

static void put_process(const struct page *page, const struct summary *summary)
{
    const char *name = summary->program[0] ? summary->program : "unknown program";
    struct name_text program = name_plain_fitted(name, page->columns / 2);
    char *rest = process_text(summary);
    size_t room = page->columns - character_text_columns(program.text);
    page_put(page, PAINT_BOLD, program.text);
    page_format(page, PAINT_PLAIN, "%s\n", name_plain_fitted(rest, room).text);
    put_command_line(page, summary);
    free(rest);
}

/* When. */

/* Of sampled ones a line of its own tells. */
static bool is_exact(const struct summary *summary)
{
    return summary->truth && strcmp(summary->truth, "exact") == 0;
}

static void put_moment(const struct page *page, const char *label, const struct summary *summary,
                       bool exact)
{
    if (!summary->time_ns)
        return;
    page_format(page, PAINT_PLAIN, "  %s %s", label, number_time(summary->time_ns).text);
    if (summary->start_time_ns && summary->start_time_ns < summary->time_ns)
        page_format(page, PAINT_PLAIN, ", %s after the start",
                    number_duration(summary->time_ns - summary->start_time_ns).text);
    if (summary->source)
        page_format(page, PAINT_PLAIN, " (%s)",
                    name_plain_fitted(summary->source, SOURCE_COLUMNS).text);
    page_put(page, PAINT_PLAIN, exact ? "; exact\n" : "\n");
}

static const char *match_text(enum diff_match match)
{
    static const char *const texts[] = {
        [DIFF_MATCH_ADDRESS] = "sites matched by address in their file",
        [DIFF_MATCH_FUNCTION] = "sites matched by function, as the program was rebuilt",
        [DIFF_MATCH_MIXED] =
            ("sites matched by address in their file, by function where that was rebuilt"),
    };
    return texts[match];
}

static void put_moments(const struct page *page, const struct summary *base,
                        const struct summary *fresh, enum diff_match match)
{
    put_moment(page, "old", base, false);
    put_moment(page, "new", fresh, false);
    if (base->pid && fresh->pid &&
        (base->pid != fresh->pid ||
         value_magnitude(value_difference(base->start_time_ns, fresh->start_time_ns)) >
             START_SLACK_NS))
        page_format(page, PAINT_PLAIN, "  two processes: old is pid %lld, new is pid %lld\n",
                    (long long)base->pid, (long long)fresh->pid);
    page_put(page, PAINT_PLAIN, "  ");
    if (base->time_ns && fresh->time_ns)
        page_format(page, PAINT_PLAIN, "%s apart%s; ",
                    number_duration(value_difference(fresh->time_ns, base->time_ns)).text,
                    fresh->time_ns < base->time_ns ? ", and old is the later one" : "");
    page_put(page, PAINT_DIM, match_text(match));
    page_put(page, PAINT_PLAIN, is_exact(base) && is_exact(fresh) ? "; exact\n" : "\n");
}

/* How exact. */

/* "512 KiB": periods are round numbers more often than not. */
static struct number_text period_text(int64_t period_bytes)
{
    struct number_style style;
    number_style_choose(&style, "bytes", "auto");
    struct number_text number = number_text(period_bytes, &style);
    char *zero = strstr(number.text, ".0 ");
    if (zero)
        memmove(zero, zero + 2, strlen(zero + 2) + 1);
    return number;
}

static void put_side_period(const struct page *page, const char *side,
                            const struct summary *summary)
{
    if (summary->period_bytes)
        page_format(page, PAINT_PLAIN, "%ssampled every %s", side,
                    period_text(summary->period_bytes).text);
    else
        page_format(page, PAINT_PLAIN, "%sexact", side);
}

/* Nothing is said where everything was recorded. */
static void put_periods(const struct page *page, const struct report *report,
                        const struct summary *base, const struct summary *fresh)
{
    if (fresh->period_bytes == 0 && base->period_bytes == 0)
        return;
    page_put(page, PAINT_PLAIN, "  ");
    if (report->base && base->period_bytes != fresh->period_bytes) {
        put_side_period(page, "old ", base);
        put_side_period(page, ", new ", fresh);
    } else {
        put_side_period(page, "", fresh);
    }
    page_put(page, PAINT_PLAIN, ": estimates, +- is their 95 % interval\n");
}

/* What is missing. */

static void put_losses(const struct page *page, const struct report *report)
{
    struct summary_loss losses[SUMMARY_LOSSES_MAX];
    size_t count = summary_losses(report->base, report->fresh, losses);
    for (size_t i = 0; i < count; i++) {
        page_format(page, PAINT_WARNING, "  lost: %s: %s", losses[i].text,
                    number_count(losses[i].count, false).text);
        if (report->base)
            page_format(page, PAINT_WARNING, " (old: %s)",
                        number_count(losses[i].base, false).text);
        page_put(page, PAINT_PLAIN, "\n");
    }
}

/* The file that a profile was made of must be there when names are wanted, or names be put in. */
static void put_nameless(const struct page *page, const char *side, const struct profile *profile,
                         const char *problem)
{
    enum { LEAD_COLUMNS = 40 }; /* what else is in the line */
    if (problem)
        page_format(
            page, PAINT_WARNING, "  no names%s: %s %s\n", side,
            name_plain_fitted(profile->mappings[0].filename, page->columns - LEAD_COLUMNS).text,
            problem);
}

void render_head(const struct page *page, const struct report *report)
{
    struct summary fresh = summary_of(report->fresh), base = {0};
    put_process(page, &fresh);
    if (report->base) {
        base = summary_of(report->base);
        put_moments(page, &base, &fresh, report->match);
        if (report->choice->normalize)
            page_put(page, PAINT_DIM,
                     "  sites of the new profile scaled to the old one's totals\n");
    } else {
        put_moment(page, "at", &fresh, is_exact(&fresh));
    }
    put_periods(page, report, &base, &fresh);
    render_ledger_pair(page, report->ledger, report_bytes_style(report),
                       report->choice->view == VIEW_SITES);
    render_figures(page, report, &base, &fresh);
    struct number_style style = report_bytes_style(report);
    if (!report->base) {
        render_go_head(page, report->fresh, &style);
        render_collection_head(page, report->book, &style);
    } else {
        render_collection_sides(page, report->base_book, report->book);
    }
    if (fresh.unwind_checked)
        page_format(page, PAINT_PLAIN, "  stacks compared with libunwind's: %s\n",
                    number_count(fresh.unwind_checked, false).text);
    put_losses(page, report);
    put_nameless(page, " (old)", report->base, report->base_problem);
    put_nameless(page, report->base ? " (new)" : "", report->shown, report->problem);
}
