#include "go_facts.h"

#include "format/box.h"
#include "format/pprof.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t pause_end(const struct go_figures *figures, uint64_t number)
{
    return figures->pause_end_ns[(number - 1) % GO_PAUSES];
}

static void put_collection(struct fact_list *list, const struct go_figures *figures,
                           uint64_t number, const char *truth)
{
    char key[48], text[256];
    bool is_last = number == figures->collections;
    int length = snprintf(text, sizeof(text),
                          "source=go kind=full truth=%s time_ns=%" PRIu64 " mark=%" PRIu64
                          " pause_ns=%" PRIu64,
                          is_last ? truth : "totals", pause_end(figures, number), number,
                          figures->pause_ns[(number - 1) % GO_PAUSES]);
    if (is_last && figures->marked_bytes > 0)
        length += snprintf(text + length, sizeof(text) - (size_t)length,
                           " before=%" PRIu64 " after=%" PRIu64, figures->before_bytes,
                           figures->marked_bytes);
    if (is_last && figures->goal_bytes > 0)
        snprintf(text + length, sizeof(text) - (size_t)length, " goal=%" PRIu64,
                 figures->goal_bytes);
    snprintf(key, sizeof(key), PPROF_FACT_COLLECTION "%" PRIu64, number);
    fact_list_put(list, key, "%s", text);
}

static void put_history(struct fact_list *list, const struct go_figures *figures, const char *truth)
{
    uint64_t last = figures->collections;
    uint64_t first = last > BOX_COLLECTIONS_KEPT ? last - BOX_COLLECTIONS_KEPT : 0;
    for (uint64_t i = 0; i < last - first; i++)
        if (pause_end(figures, first + 1 + i) != 0)
            put_collection(list, figures, first + 1 + i, truth);
}

void go_facts_put(struct fact_list *list, const struct go_figures *figures, const char *truth)
{
    fact_list_put(list, PPROF_FACT_GO_RATE, "%" PRId64, figures->rate);
    fact_list_put(list, PPROF_FACT_COLLECTIONS, "%" PRIu64, figures->collections);
    fact_list_put_known(list, PPROF_FACT_COLLECTION_TIME, (int64_t)figures->last_ns);
    fact_list_put_known(list, PPROF_FACT_GO_MARKED, (int64_t)figures->marked_bytes);
    fact_list_put_known(list, PPROF_FACT_GO_ALLOCATED, (int64_t)figures->allocated_bytes);
    fact_list_put_known(list, PPROF_FACT_GO_IN_USE, (int64_t)figures->in_use_bytes);
    fact_list_put_known(list, PPROF_FACT_GO_IDLE, (int64_t)figures->idle_bytes);
    fact_list_put_known(list, PPROF_FACT_GO_RELEASED, (int64_t)figures->released_bytes);
    fact_list_put_known(list, PPROF_FACT_GO_GOAL, (int64_t)figures->goal_bytes);
    put_history(list, figures, truth);
}

static int64_t number(const struct profile *profile, const char *key)
{
    return profile_fact_number(profile, key, 0);
}

struct go_facts go_facts_of(const struct profile *profile)
{
    struct go_facts facts = {.known = profile_fact(profile, PPROF_FACT_GO_RATE) != NULL};
    if (!facts.known)
        return facts;
    facts.version = profile_fact(profile, PPROF_FACT_GO_VERSION);
    facts.rate = number(profile, PPROF_FACT_GO_RATE);
    facts.collections = number(profile, PPROF_FACT_COLLECTIONS);
    facts.last_ns = number(profile, PPROF_FACT_COLLECTION_TIME);
    facts.published_ns = number(profile, PPROF_FACT_GO_AS_OF_TIME);
    facts.published_bytes = number(profile, PPROF_FACT_GO_PUBLISHED);
    facts.published_collection = number(profile, PPROF_FACT_GO_AS_OF);
    facts.marked_bytes = number(profile, PPROF_FACT_GO_MARKED);
    facts.allocated_bytes = number(profile, PPROF_FACT_GO_ALLOCATED);
    facts.in_use_bytes = number(profile, PPROF_FACT_GO_IN_USE);
    facts.idle_bytes = number(profile, PPROF_FACT_GO_IDLE);
    facts.released_bytes = number(profile, PPROF_FACT_GO_RELEASED);
    facts.goal_bytes = number(profile, PPROF_FACT_GO_GOAL);
    int64_t forced = number(profile, PPROF_FACT_GO_FORCED);
    facts.or_later = forced > 0 && facts.published_collection < facts.collections;
    facts.sweeping = number(profile, PPROF_FACT_GO_SWEEPING) != 0;
    return facts;
}
