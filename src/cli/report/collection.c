#include "collection.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"

#include "format/pprof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text of a fact whose key is `key` and a number; NULL: another one. */
static const char *numbered_fact(const char *comment, const char *key, uint64_t *number)
{
    size_t prefix = strlen(PPROF_FACT_PREFIX), length = strlen(key);
    if (strncmp(comment, PPROF_FACT_PREFIX, prefix) != 0 ||
        strncmp(comment + prefix, key, length) != 0)
        return NULL;
    const char *digits = comment + prefix + length;
    char *end;
    if (*digits < '0' || *digits > '9')
        return NULL;
    *number = strtoull(digits, &end, 10);
    return strncmp(end, ": ", 2) == 0 ? end + 2 : NULL;
}

/* One number of KEY=VALUE words. */
static int64_t word_number(const char *text, const char *key)
{
    char wanted[24];
    snprintf(wanted, sizeof wanted, "%s=", key);
    const char *end = strstr(text, "reason=");
    for (const char *at = text; (at = strstr(at, wanted)) && (!end || at < end); at++)
        if (at == text || at[-1] == ' ')
            return strtoll(at + strlen(wanted), NULL, 10);
    return 0;
}

static void word_text(char *to, size_t room_bytes, const char *text, const char *key)
{
    char wanted[24];
    snprintf(wanted, sizeof wanted, "%s=", key);
    const char *at = strstr(text, wanted);
    to[0] = '\0';
    if (!at)
        return;
    at += strlen(wanted);
    bool is_last = strcmp(key, "reason") == 0 || strcmp(key, "state") == 0;
    size_t length = is_last ? strlen(at) : strcspn(at, " ");
    snprintf(to, room_bytes, "%.*s", (int)(length < room_bytes ? length : room_bytes), at);
}

static struct collection read_collection(uint64_t number, const char *text)
{
    char kind[8];
    struct collection item = {.number = (int64_t)number,
                              .time_ns = word_number(text, "time_ns"),
                              .mark = word_number(text, "mark"),
                              .before_bytes = word_number(text, "before"),
                              .after_bytes = word_number(text, "after"),
                              .rss_before_bytes = word_number(text, "rss_before"),
                              .rss_bytes = word_number(text, "rss"),
                              .goal_bytes = word_number(text, "goal"),
                              .pause_ns = word_number(text, "pause_ns")};
    word_text(item.source, sizeof item.source, text, "source");
    word_text(item.truth, sizeof item.truth, text, "truth");
    word_text(item.reason, sizeof item.reason, text, "reason");
    word_text(kind, sizeof kind, text, "kind");
    item.is_full = strcmp(kind, "minor") != 0;
    /* Where sites are known 0 is what was left, else it is not known. */
    item.has_after = (item.is_full && strcmp(item.truth, "totals") != 0) || item.after_bytes != 0;
    return item;
}

/* The sample types that this is about. */
struct types {
    int live, then, since, survived;
};

static bool has_types(const struct profile *profile, struct types *types)
{
    types->live = profile_type(profile, "inuse_space");
    types->then = profile_type(profile, "collected_space");
    types->since = profile_type(profile, "since_space");
    types->survived = profile_type(profile, "survived_space");
    return types->live != PROFILE_NONE && types->then != PROFILE_NONE &&
           types->since != PROFILE_NONE && types->survived != PROFILE_NONE;
}

static void add_suspect(struct collection_book *book, uint64_t index, int64_t live_bytes)
{
    const struct collection_past *past = &book->pasts[index];
    book->suspects =
        memory_resized(book->suspects, book->suspect_count + 1, sizeof *book->suspects);
    book->suspects[book->suspect_count++] = (struct collection_suspect){
        .sample = index,
        .live_bytes = live_bytes,
        .old_bytes = past->ages[AGE_OLD],
        .grown_bytes = value_difference(past->marks[COLLECTION_INTERVALS], past->marks[0]),
        .growths = collection_past_growths(past)};
}

static void add_site(struct collection_book *book, const struct profile *profile,
                     const struct types *types, uint64_t index, const char *text)
{
    struct collection_past past;
    if (index >= profile->sample_count || book->pasts[index].known ||
        !collection_past_read(&past, text))
        return;
    const int64_t *values = profile->samples[index].values;
    if (!collection_past_fits(&past, values[types->live], values[types->then]))
        return;
    book->pasts[index] = past;
    if (collection_past_is_suspect(&past))
        add_suspect(book, index, values[types->live]);
}

static void add_collection(struct collection_book *book, const struct collection *item)
{
    book->items = memory_resized(book->items, book->count + 1, sizeof *book->items);
    book->items[book->count++] = *item;
}

static void add_runtime(struct collection_book *book, const char *text)
{
    if (book->runtime_count == COLLECTION_RUNTIMES_MAX)
        return;
    struct collection_runtime *runtime = &book->runtimes[book->runtime_count++];
    word_text(runtime->name, sizeof runtime->name, text, "name");
    word_text(runtime->version, sizeof runtime->version, text, "version");
    word_text(runtime->truth, sizeof runtime->truth, text, "truth");
    word_text(runtime->state, sizeof runtime->state, text, "state");
}

static int by_number(const void *a, const void *b)
{
    const struct collection *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static int by_old_bytes(const void *a, const void *b)
{
    const struct collection_suspect *left = a, *right = b;
    return (left->old_bytes < right->old_bytes) - (left->old_bytes > right->old_bytes);
}

static void add_sums(struct collection_book *book, const struct profile *profile,
                     const struct types *types)
{
    for (size_t i = 0; i < profile->sample_count; i++) {
        const int64_t *values = profile->samples[i].values;
        book->live_bytes = value_sum(book->live_bytes, values[types->live]);
        book->then_bytes = value_sum(book->then_bytes, values[types->then]);
        book->since_bytes = value_sum(book->since_bytes, values[types->since]);
        book->survived_bytes = value_sum(book->survived_bytes, values[types->survived]);
    }
    book->freed_bytes =
        value_difference(value_sum(book->then_bytes, book->since_bytes), book->live_bytes);
}

/* What is no runtime's collection. */
static bool is_plain(const struct collection *item)
{
    static const char *const sources[] = {"api",  "signal",      "handler",
                                          "fork", "malloc_trim", "jemalloc"};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (item && strcmp(item->source, sources[i]) == 0)
            return true;
    return !item;
}

static void sort(void *items, size_t count, size_t each_bytes,
                 int (*compare)(const void *, const void *))
{
    if (count > 1)
        qsort(items, count, each_bytes, compare);
}

static void add_fact(struct collection_book *book, const struct profile *profile,
                     const struct types *types, const char *comment)
{
    uint64_t number;
    const char *text = numbered_fact(comment, PPROF_FACT_COLLECTION, &number);
    if (text) {
        struct collection item = read_collection(number, text);
        add_collection(book, &item);
        return;
    }
    text = types ? numbered_fact(comment, PPROF_FACT_SITE, &number) : NULL;
    if (text) {
        add_site(book, profile, types, number, text);
        return;
    }
    text = numbered_fact(comment, PPROF_FACT_RUNTIME, &number);
    if (text)
        add_runtime(book, text);
}

struct collection_book collection_book_of(const struct profile *profile)
{
    struct types types;
    struct collection_book book = {.marks =
                                       profile_fact_number(profile, PPROF_FACT_COLLECTIONS, 0)};
    bool typed = has_types(profile, &types);
    if (!typed)
        book.marks = 0; /* there is a history at most */
    book.aged = profile_fact(profile, PPROF_FACT_AGES) != NULL;
    if (typed)
        book.pasts = memory_zeroed(profile->sample_count, sizeof *book.pasts);
    for (size_t i = 0; i < profile->comment_count; i++)
        add_fact(&book, profile, typed ? &types : NULL, profile->comments[i]);
    sort(book.items, book.count, sizeof *book.items, by_number);
    sort(book.suspects, book.suspect_count, sizeof *book.suspects, by_old_bytes);
    if (typed)
        add_sums(&book, profile, &types);
    book.plain = is_plain(collection_last(&book));
    int64_t then_ns = profile_fact_number(profile, PPROF_FACT_COLLECTION_TIME, 0);
    int64_t now_ns = profile_fact_number(profile, PPROF_FACT_SNAPSHOT_TIME, 0);
    if (then_ns > 0 && now_ns > then_ns)
        book.age_ns = now_ns - then_ns;
    return book;
}

void collection_book_free(struct collection_book *book)
{
    free(book->items);
    free(book->suspects);
    free(book->pasts);
    *book = (struct collection_book){0};
}

const struct collection *collection_last(const struct collection_book *book)
{
    for (size_t i = book->count; i > 0; i--)
        if (book->items[i - 1].is_full)
            return &book->items[i - 1];
    return NULL;
}

bool collection_add_staleness(struct profile *profile)
{
    int live = profile_type(profile, "inuse_space"),
        then = profile_type(profile, "collected_space");
    size_t count = profile->type_count;
    if (live == PROFILE_NONE || then == PROFILE_NONE)
        return false;
    struct value_type *types = profile_alloc(profile, count + 1, sizeof *types);
    memcpy(types, profile->types, count * sizeof *types);
    types[count] = (struct value_type){"stale_space", profile->types[live].unit};
    for (size_t i = 0; i < profile->sample_count; i++) {
        struct sample *sample = &profile->samples[i];
        int64_t *values = profile_alloc(profile, count + 1, sizeof *values);
        memcpy(values, sample->values, count * sizeof *values);
        values[count] = value_difference(values[live], values[then]);
        sample->values = values;
    }
    profile->types = types;
    profile->type_count = count + 1;
    return true;
}
