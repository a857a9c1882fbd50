/* The ledger that a profile carries. */
#include "ledger.h"

#include "estimate.h"
#include "cli/ground/value.h"
#include "format/pprof.h"

#include <string.h>

enum { ALTERED_LEAST_INVERSE = 100 /* of RSS */ };

static const char *const frames[LEDGER_CATEGORIES] = LEDGER_FRAMES;

static const char *frame_name(const struct profile *profile, uint32_t location)
{
    const struct location *at = &profile->locations[location];
    return at->line_count > 0 ? profile->functions[at->lines[0].function].name : "";
}

/* The kind that a frame names, or LEDGER_KINDS. */
static int category_of_frame(const char *name)
{
    int category = 0;
    if (strcmp(name, LEDGER_FRAME_HEAP) == 0)
        return LEDGER_HEAP;
    if (strcmp(name, LEDGER_FRAME_ANONYMOUS) == 0)
        return LEDGER_ANONYMOUS;
    while (category < LEDGER_CATEGORIES &&
           (!frames[category][0] || strcmp(frames[category], name) != 0))
        category++;
    return category < LEDGER_CATEGORIES ? category : LEDGER_KINDS;
}

static bool is_leaf_category(int category)
{
    return category == LEDGER_SLACK || category == LEDGER_PINNED || category == LEDGER_HUGE;
}

int ledger_kind_of(const struct profile *profile, const struct sample *sample, const char **name,
                   bool *of_site)
{
    const char *kind = sample_label(sample, PPROF_LABEL_MEM_KIND);
    *name = "";
    *of_site = !kind || strcmp(kind, LEDGER_MEM_KIND) != 0;
    if (*of_site)
        return kind && strcmp(kind, "mmap") == 0 ? LEDGER_MAPPED : LEDGER_LIVE;
    if (sample->depth == 0)
        return LEDGER_OTHER;
    const char *leaf = frame_name(profile, sample->locations[0]);
    int category = category_of_frame(leaf);
    *of_site = sample->depth > 1;
    if (is_leaf_category(category))
        return category;
    category = category_of_frame(frame_name(profile, sample->locations[sample->depth - 1]));
    *of_site &= category == LEDGER_IDLE;
    if (!*of_site && sample->depth > 1)
        *name = leaf;
    if (category == LEDGER_METADATA && strcmp(*name, LEDGER_NOT_TOLD_APART) == 0)
        return LEDGER_HEAP; /* blocks may well lie there */
    return category == LEDGER_KINDS || is_leaf_category(category) ? LEDGER_OTHER : category;
}

static void add_samples(struct ledger_book *book, const struct profile *profile, int type)
{
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct sample *sample = &profile->samples[i];
        const char *name;
        bool of_site;
        if (sample->values[type] == 0)
            continue;
        int kind = ledger_kind_of(profile, sample, &name, &of_site);
        if (of_site)
            ledger_add_sites(book, kind, sample->values[type]);
        else
            ledger_add(book, kind, name, sample->values[type]);
    }
}

static enum ledger_source source_of(const char *name)
{
    enum ledger_source source = LEDGER_SOURCES;
    while (--source > LEDGER_NOT_MEASURED && strcmp(ledger_source_key(source), name) != 0)
        continue;
    return source;
}

/* Merged, subtracted or cut by some tool: facts are copied then, samples are not. Where the tables were not
   whole when it was written, sites may be missing: that is still a ledger. */
static bool is_altered(const struct ledger_book *book, const struct profile *profile)
{
    if (!profile_fact(profile, PPROF_FACT_LEDGER_DRIFT))
        return false;
    int64_t drift = profile_fact_number(profile, PPROF_FACT_LEDGER_DRIFT, 0);
    int64_t off = value_magnitude(value_difference(book->drift_bytes, drift));
    return off > value_magnitude(book->rss_bytes) / ALTERED_LEAST_INVERSE;
}

struct ledger_book ledger_of_profile(const struct profile *profile)
{
    struct ledger_book book = {.known = false};
    const char *source = profile_fact(profile, PPROF_FACT_LEDGER_SOURCE);
    int type = profile_type(profile, "resident_space");
    if (!source || type == PROFILE_NONE)
        return book;
    book.asked = true;
    book.source = source_of(source);
    book.known = book.source != LEDGER_NOT_MEASURED;
    if (!book.known)
        return book;
    book.stopped = profile_fact_number(profile, PPROF_FACT_LEDGER_STOPPED, 0) != 0;
    const char *asker = profile_fact(profile, PPROF_FACT_SOURCE);
    book.outside = asker && strcmp(asker, "attach") == 0;
    book.sampled = estimate_period(profile) != 0;
    book.trim_is_limit = profile_fact_number(profile, PPROF_FACT_TRIM_LIMIT, 0) != 0;
    for (int i = 0; i < LEDGER_BESIDES; i++)
        book.beside[i] = profile_fact_number(profile, ledger_beside_key((enum ledger_beside)i), 0);
    add_samples(&book, profile, type);
    ledger_finish(&book, profile_fact_number(profile, PPROF_FACT_LEDGER_RSS, 0));
    book.altered = is_altered(&book, profile);
    book.known = !book.altered;
    return book;
}
