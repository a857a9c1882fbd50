#include "render_go.h"

#include "summary.h"
#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"
#include "cli/ground/value.h"
#include "format/pprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_COLUMNS = 24, FIGURE_COLUMNS = 12, TEXT_COLUMNS = 40, SITES_SHOWN = 10 };

static void put_row(const struct page *page, const struct number_style *style, const char *label,
                    int64_t bytes, const char *note)
{
    page_put(page, PAINT_PLAIN, "  ");
    page_left(page, PAINT_PLAIN, label, LABEL_COLUMNS);
    page_right(page, PAINT_PLAIN, number_text(bytes, style).text, FIGURE_COLUMNS);
    page_format(page, PAINT_DIM, "%s%s\n", note[0] ? "  " : "", note);
}

static void put_rate(const struct page *page, const struct go_facts *facts)
{
    struct name_text name = name_plain_fitted(facts->version ? facts->version : "Go", TEXT_COLUMNS);
    const char *version = name.text;
    char *text;
    page_put(page, PAINT_PLAIN, "\n");
    if (facts->rate == 0)
        text = memory_format("%s's own heap profile: none, as nothing in the program asks for it "
                             "(MemProfileRate is 0)",
                             version);
    else if (facts->rate == 1)
        text = memory_format(
            "%s's own heap profile: exact, of every allocation (MemProfileRate is 1)", version);
    else
        text = memory_format("%s's own heap profile: sampled, one in %s bytes; estimates, scaled "
                             "as pprof does",
                             version, number_count(facts->rate, false).text);
    page_wrapped(page, PAINT_PLAIN, text, 2);
    free(text);
}

/* "as of collection 41, 3.2 s ago (42 if by runtime.GC())" */
static char *as_of_text(int64_t number, int64_t age_ns, int64_t or_number)
{
    char other[64] = "";
    if (or_number > 0)
        snprintf(other, sizeof(other), " (%" PRId64 " if by runtime.GC())", or_number);
    if (age_ns > 0)
        return memory_format("as of collection %" PRId64 ", %s ago%s", number,
                             number_duration(age_ns).text, other);
    return memory_format("as of collection %" PRId64 "%s", number, other);
}

/* 0: not known. */
static int64_t age_of(int64_t time_ns, int64_t now_ns)
{
    return time_ns > 0 && now_ns > time_ns ? now_ns - time_ns : 0;
}

static void put_published(const struct page *page, const struct number_style *style,
                          const struct go_facts *facts, int64_t now_ns)
{
    char *text = as_of_text(facts->published_collection, age_of(facts->published_ns, now_ns),
                            facts->or_later ? facts->collections : 0);
    if (facts->rate > 0)
        put_row(page, style, "pprof says", facts->published_bytes,
                facts->published_collection > 0 ? text : "no collection yet");
    free(text);
    text = as_of_text(facts->collections, age_of(facts->last_ns, now_ns), 0);
    if (facts->marked_bytes > 0)
        put_row(page, style, "marked live", facts->marked_bytes, text);
    free(text);
}

static void put_spans(const struct page *page, const struct number_style *style,
                      const struct go_facts *facts)
{
    int64_t system_bytes = value_sum(facts->in_use_bytes, facts->idle_bytes);
    if (system_bytes <= 0)
        return;
    put_row(page, style, "HeapSys", system_bytes, "in spans:");
    put_row(page, style, "  in use", facts->in_use_bytes, "");
    put_row(page, style, "  idle", value_difference(facts->idle_bytes, facts->released_bytes),
            "kept for later; resident if ever written");
    put_row(page, style, "  released", facts->released_bytes, "given back to the kernel");
}

void render_go_facts(const struct page *page, const struct go_facts *facts, int64_t now_ns,
                     const struct number_style *style)
{
    if (!facts->known)
        return;
    put_rate(page, facts);
    put_published(page, style, facts, now_ns);
    if (facts->allocated_bytes > 0)
        put_row(page, style, "HeapAlloc", facts->allocated_bytes,
                "live, or dead and not swept yet");
    if (facts->goal_bytes > 0)
        put_row(page, style, "next collection at", facts->goal_bytes, "");
    put_spans(page, style, facts);
    if (facts->sweeping)
        page_wrapped(page, PAINT_WARNING,
                     "sweeping is under way: not all that the last collection found dead is "
                     "counted yet, sites may show more at it than was live",
                     2);
}

void render_go_head(const struct page *page, const struct profile *profile,
                    const struct number_style *style)
{
    struct go_facts facts = go_facts_of(profile);
    render_go_facts(page, &facts, summary_of(profile).time_ns, style);
}

/* Sites. */

struct order {
    const struct profile *profile;
    int type;
};

static int by_value(const void *left, const void *right, void *context)
{
    const struct order *order = context;
    const struct sample *samples = order->profile->samples;
    size_t i = *(const size_t *)left, j = *(const size_t *)right;
    int64_t a = samples[i].values[order->type], b = samples[j].values[order->type];
    if (a != b)
        return a < b ? 1 : -1;
    return (i > j) - (i < j);
}

static void put_name(const struct page *page, const struct profile *profile,
                     const struct sample *sample)
{
    if (sample->depth == 0)
        return;
    const struct location *location = &profile->locations[sample->locations[0]];
    if (location->line_count == 0)
        return;
    const struct function *function = &profile->functions[location->lines[0].function];
    const char *slash = strrchr(function->filename, '/');
    page_format(page, PAINT_PLAIN, "  %s", name_plain_fitted(function->name, TEXT_COLUMNS).text);
    if (function->filename[0])
        page_format(page, PAINT_DIM, "  %s:%" PRId64,
                    name_plain(slash ? slash + 1 : function->filename).text,
                    location->lines[0].line);
}

/* What Go's own profile says: the first of the figures that the site's fact has. */
static int64_t published_of(const struct profile *profile, const struct sample *sample)
{
    char key[48];
    snprintf(key, sizeof(key), PPROF_FACT_SITE "%zu", (size_t)(sample - profile->samples));
    const char *fact = profile_fact(profile, key), *marks = fact ? strstr(fact, "h=") : NULL;
    return marks ? strtoll(marks + strlen("h="), NULL, 10) : 0;
}

static void put_site(const struct page *page, const struct profile *profile,
                     const struct sample *sample, const struct number_style *style)
{
    static const int types[] = {PPROF_COLLECTED_SPACE, PPROF_SINCE_SPACE, PPROF_INUSE_SPACE};
    page_right(page, PAINT_PLAIN, number_text(published_of(profile, sample), style).text,
               FIGURE_COLUMNS);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        page_right(page, PAINT_PLAIN, number_text(sample->values[types[i]], style).text,
                   FIGURE_COLUMNS);
    put_name(page, profile, sample);
    page_put(page, PAINT_PLAIN, "\n");
}

static void put_sites(const struct page *page, const struct profile *profile,
                      const struct number_style *style)
{
    struct order order = {profile, PPROF_INUSE_SPACE};
    size_t *indexes = memory_zeroed(profile->sample_count + 1, sizeof(*indexes));
    for (size_t i = 0; i < profile->sample_count; i++)
        indexes[i] = i;
    qsort_r(indexes, profile->sample_count, sizeof(*indexes), by_value, &order);
    page_put(page, PAINT_PLAIN, "\n");
    page_right(page, PAINT_DIM, "pprof says", FIGURE_COLUMNS);
    page_right(page, PAINT_DIM, "at the last", FIGURE_COLUMNS);
    page_right(page, PAINT_DIM, "+ since", FIGURE_COLUMNS);
    page_right(page, PAINT_DIM, "= now", FIGURE_COLUMNS);
    page_put(page, PAINT_DIM, "  site\n");
    for (size_t i = 0; i < profile->sample_count && i < SITES_SHOWN; i++) {
        const struct sample *sample = &profile->samples[indexes[i]];
        if (sample->values[PPROF_INUSE_SPACE] > 0)
            put_site(page, profile, sample, style);
    }
    free(indexes);
}

/* What the figures say of RSS, where they say something. */
static void put_gap(const struct page *page, const struct profile *profile,
                    const struct number_style *style)
{
    struct summary summary = summary_of(profile);
    struct go_facts facts = go_facts_of(profile);
    page_format(page, PAINT_BOLD, "\n  RSS %s", number_text(summary.rss_bytes, style).text);
    if (facts.rate > 0)
        page_format(page, PAINT_BOLD, "; pprof would say %s, and live now %s at most",
                    number_text(facts.published_bytes, style).text,
                    number_text(summary.live_bytes, style).text);
    page_put(page, PAINT_PLAIN, "\n");
}

void render_go(const struct page *page, const struct profile *profile,
               const struct number_style *style)
{
    struct summary summary = summary_of(profile);
    page_put(page, PAINT_BOLD, name_plain_fitted(summary.program, page->columns / 2).text);
    page_format(page, PAINT_PLAIN, "  pid %" PRId64 "\n  %s\n", summary.pid,
                number_time(summary.time_ns).text);
    render_go_head(page, profile, style);
    put_gap(page, profile, style);
    if (go_facts_of(profile).rate > 0)
        put_sites(page, profile, style);
}
