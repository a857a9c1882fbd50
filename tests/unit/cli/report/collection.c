#include "cli/report/collection.h"
#include "cli/report/render_collection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TYPES = 4, SAMPLES = 4, COMMENTS = 12 };

/* Samples: a leak, a plateau, a sawtooth, and one whose facts are another's. */
static const int64_t values[SAMPLES][TYPES] = {
    /* inuse, collected, since, survived */
    {2000, 1900, 150, 1850},
    {300, 300, 0, 300},
    {100, 100, 0, 100},
    {2000, 1900, 100, 1900}};

static struct profile *make(const char *const *comments, size_t count)
{
    static const char *const names[TYPES] = {"inuse_space", "collected_space", "since_space",
                                             "survived_space"};
    struct profile *profile = profile_new();
    profile->types = profile_alloc(profile, TYPES, sizeof *profile->types);
    profile->type_count = TYPES;
    for (int i = 0; i < TYPES; i++)
        profile->types[i] = (struct value_type){names[i], "bytes"};
    profile->samples = profile_alloc(profile, SAMPLES, sizeof *profile->samples);
    profile->sample_count = SAMPLES;
    for (int i = 0; i < SAMPLES; i++) {
        profile->samples[i].values = profile_alloc(profile, TYPES, sizeof(int64_t));
        memcpy(profile->samples[i].values, values[i], sizeof values[i]);
    }
    profile->comments = profile_alloc(profile, count, sizeof *profile->comments);
    profile->comment_count = count;
    for (size_t i = 0; i < count; i++)
        profile->comments[i] = comments[i];
    return profile;
}

#define FACTS                                                                          \
    "heapdiff.collections: 10", "heapdiff.ages: 1", "heapdiff.snapshot_time_ns: 5000", \
        "heapdiff.collection_time_ns: 3000"

static void test_only_the_leak_is_suspected(void **state)
{
    (void)state;
    static const char *const facts[] = {
        FACTS,
        "heapdiff.site.0: 0=150 1=150 8=1700 h=1200,1300,1400,1500,1600,1700,1800,1900 p=1900",
        "heapdiff.site.1: 1=30 8=270 h=300x8 p=300",
        "heapdiff.site.1: 1=30 8=270 h=1,2,3,4,5,6,7,300", /* who says more of the same is not heard */
        "heapdiff.site.2: 1=50 2=50 h=150,0,50,100,150,0,50,100 p=100",
        "heapdiff.site.3: 8=2001 h=1,2,3,4,5,6,7,1900", /* not its sum */
        "heapdiff.site.77: 8=1 h=1,2,3,4,5,6,7,8"};
    struct profile *profile = make(facts, sizeof facts / sizeof facts[0]);
    struct collection_book book = collection_book_of(profile);
    assert_int_equal(book.suspect_count, 1);
    assert_int_equal(book.suspects[0].sample, 0);
    assert_int_equal(book.suspects[0].old_bytes, 1700);
    assert_int_equal(book.suspects[0].grown_bytes, 700);
    assert_int_equal(book.suspects[0].growths, 7);
    assert_int_equal(book.age_ns, 2000);
    assert_true(book.pasts[1].known && !book.pasts[3].known);
    assert_int_equal(book.pasts[1].ages[8], 270);
    assert_int_equal(book.pasts[1].marks[0], 300);
    assert_int_equal(book.pasts[0].peak_bytes, 1900);
    assert_int_equal(book.then_bytes + book.since_bytes - book.freed_bytes, book.live_bytes);
    assert_int_equal(book.freed_bytes, 50);
    collection_book_free(&book);
    profile_free(profile);
}

/* Grew in 5 of 7, or in 4; with old bytes, or without. */
static void test_borders_of_suspicion(void **state)
{
    (void)state;
    static const struct {
        const char *fact;
        size_t suspects;
    } cases[] = {{"heapdiff.site.0: 0=1999 8=1 h=5,4,3,4,5,6,7,1900", 1},
                 {"heapdiff.site.0: 0=1999 8=1 h=5,4,3,2,5,6,7,1900", 0},
                 {"heapdiff.site.0: 0=1999 7=1 h=5,4,3,4,5,6,7,1900", 0},
                 {"heapdiff.site.0: 0=1999 8=1 h=9000,4,5,6,7,8,9,1900", 1}, /* less than it was */
                 {"heapdiff.site.0: 0=1999 8=1 h=4,5,6,7,8,9,1900", 0},      /* seven marks */
                 {"heapdiff.site.0: 0=1999 8=1 h=1,2,3,4,5,6,7,8,1900", 0},  /* nine */
                 {"heapdiff.site.0: 0=1999 8=1 h=1,2,3,4,5,6x99,7,1900", 0},
                 {"heapdiff.site.0: 0=1999 8=1 h=", 0},
                 {"heapdiff.site.0: 0=1999 8=1", 0},
                 {"heapdiff.site.0: ", 0},
                 {"heapdiff.site.x: 0=1999 8=1 h=5,4,3,4,5,6,7,1900", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const facts[] = {FACTS, cases[i].fact};
        struct profile *profile = make(facts, sizeof facts / sizeof facts[0]);
        struct collection_book book = collection_book_of(profile);
        assert_int_equal(book.suspect_count, cases[i].suspects);
        collection_book_free(&book);
        profile_free(profile);
    }
}

static void test_history(void **state)
{
    (void)state;
    static const char *const facts[] = {
        FACTS, "heapdiff.collection.9: source=go kind=minor truth=totals time_ns=7 after=5",
        ("heapdiff.collection.8: source=cpython kind=full truth=exact time_ns=5 mark=10 before=100 "
         "after=60 pause_ns=7 rss_before=8 rss=9 reason=gen2 rss=1 goal=3"),
        "heapdiff.collection.x: source=go"};
    struct profile *profile = make(facts, sizeof facts / sizeof facts[0]);
    struct collection_book book = collection_book_of(profile);
    assert_int_equal(book.count, 2);
    const struct collection *last = collection_last(&book);
    assert_int_equal(last->number, 8); /* the other one is a minor one */
    assert_false(book.plain);
    assert_string_equal(last->source, "cpython");
    assert_string_equal(last->reason, "gen2 rss=1 goal=3");
    assert_int_equal(last->before_bytes, 100);
    assert_int_equal(last->rss_before_bytes, 8);
    assert_int_equal(last->rss_bytes, 9);
    assert_int_equal(last->goal_bytes, 0); /* what a reason says is no figure */
    assert_string_equal(book.items[1].truth, "totals");
    collection_book_free(&book);
    profile_free(profile);
}

static struct number_style style_of_bytes(void)
{
    struct number_style style;
    number_style_choose(&style, "bytes", "bytes");
    return style;
}

/* NULL: there must be none. */
static void assert_verdict(const struct collection_book *book, const char *want)
{
    struct number_style style = style_of_bytes();
    char *verdict = collection_verdict(book, &style);
    if (want && verdict)
        assert_string_equal(verdict, want);
    assert_int_equal(verdict != NULL, want != NULL);
    free(verdict);
}

/* More than a quarter of what is live is missing from the last picture, or less. */
static void test_verdict_of_age(void **state)
{
    (void)state;
    struct collection_book book = {.marks = 3, .live_bytes = 4000, .since_bytes = 1200};
    book.freed_bytes = 200;
    assert_verdict(&book, NULL);
    book.freed_bytes = 199;
    assert_verdict(&book,
                   "A profile as of the last collection lacks 1,001 B of the 4,000 B that are live "
                   "now: it is too old to explain the memory in use.");
    book.plain = true;
    assert_verdict(
        &book, "A profile as of the last mark lacks 1,001 B of the 4,000 B that are live now: it "
               "is too old to explain the memory in use.");
    book.marks = 0;
    assert_verdict(&book, NULL);
    book = (struct collection_book){.marks = 1, .live_bytes = 4000, .freed_bytes = 3000};
    assert_verdict(&book, NULL);
    book = (struct collection_book){.marks = 1};
    assert_verdict(&book, NULL);
}

/* Who grew five times and shrank by more is suspected, but nothing is concluded from it. */
static void test_verdict_of_growth(void **state)
{
    (void)state;
    struct collection_suspect suspects[] = {{.old_bytes = 1700, .grown_bytes = 1, .growths = 5},
                                            {.old_bytes = 900, .grown_bytes = 0, .growths = 5}};
    struct collection_book book = {.marks = 8, .live_bytes = 4000, .suspects = suspects};
    book.suspect_count = 2;
    assert_verdict(&book,
                   "1 site grew from collection to collection and holds 1,700 B that is 8 or more "
                   "of them old: a leak, or a cache without a bound.");
    suspects[1].grown_bytes = 1;
    assert_verdict(&book,
                   "2 sites grew from collection to collection and hold 2,600 B that is 8 or more "
                   "of them old: a leak, or a cache without a bound.");
    suspects[0].grown_bytes = suspects[1].grown_bytes = -1;
    assert_verdict(&book, NULL);
}

static void test_staleness(void **state)
{
    (void)state;
    struct profile *profile = make(NULL, 0);
    assert_true(collection_add_staleness(profile));
    int type = profile_type(profile, "stale_space");
    assert_int_equal(type, TYPES);
    assert_int_equal(profile->samples[0].values[type], 100);
    assert_int_equal(profile->samples[1].values[type], 0);
    struct collection_book book = collection_book_of(profile);
    assert_int_equal(book.marks, 0);
    collection_book_free(&book);
    profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_leak_is_suspected),
        cmocka_unit_test(test_borders_of_suspicion),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_staleness),
        cmocka_unit_test(test_verdict_of_age),
        cmocka_unit_test(test_verdict_of_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
