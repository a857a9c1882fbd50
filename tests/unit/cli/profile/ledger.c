#include "cli/profile/ledger.h"
#include "ledger_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char all_kinds[] = "m;serve 100 90 malloc\n"
                                "m;pool 8192 4096 mmap\n"
                                "m;serve;[slack] 0 10 ledger\n"
                                "m;serve;[pinned] 0 1000 ledger\n"
                                "m;serve;[huge page] 0 2000 ledger\n"
                                "[allocator: idle];m;serve 0 300 ledger\n"
                                "[allocator: idle] 0 33 ledger\n"
                                "[allocator: metadata] 0 40 ledger\n"
                                "[allocator: metadata];[allocator: not told apart] 0 41 ledger\n"
                                "[files];[file: libc.so.6 text] 0 50 ledger\n"
                                "[files];[file: app text] 0 60 ledger\n"
                                "[stacks];[stack: thread worker] 0 70 ledger\n"
                                "[data];[data: app bss] 0 80 ledger\n"
                                "[kernel] 0 90 ledger\n"
                                "[heapdiff] 0 11 ledger\n"
                                "[unattributed] 0 12 ledger\n";
enum { ALL_KINDS_SUM = 7983 };

static const char *measured[] = {"heapdiff.ledger_source: pagemap",
                                 "heapdiff.ledger_rss_bytes: 8000", "heapdiff.ledger_stopped: 1",
                                 "heapdiff.swap_bytes: 5", "heapdiff.trim_bytes: 77"};

static const struct ledger_entry *line_of(const struct ledger_book *book, int kind,
                                          const char *name)
{
    for (size_t i = 0; i < book->count; i++)
        if (book->entries[i].kind == kind && strcmp(book->entries[i].name, name) == 0)
            return &book->entries[i];
    return NULL;
}

static void has_each_kind_and_adds_up(void **state)
{
    (void)state;
    static const int64_t want[LEDGER_KINDS] = {
        [LEDGER_LIVE] = 90,  [LEDGER_SLACK] = 10,    [LEDGER_PINNED] = 1000, [LEDGER_HUGE] = 2000,
        [LEDGER_IDLE] = 333, [LEDGER_METADATA] = 40, [LEDGER_HEAP] = 41,     [LEDGER_MAPPED] = 4096,
        [LEDGER_FILE] = 110, [LEDGER_STACK] = 70,    [LEDGER_DATA] = 80,     [LEDGER_KERNEL] = 90,
        [LEDGER_OWN] = 11,   [LEDGER_OTHER] = 12};
    struct profile *profile = ledger_facts(ledger_profile(all_kinds), measured, 5);
    struct ledger_book book = ledger_of_profile(profile);
    assert_true(book.known && book.asked && book.stopped && !book.sampled);
    assert_int_equal(book.source, LEDGER_PAGEMAP);
    for (int kind = 0; kind < LEDGER_KINDS; kind++)
        assert_int_equal(book.kinds[kind], want[kind]);
    assert_int_equal(book.sum_bytes, ALL_KINDS_SUM);
    assert_int_equal(book.rss_bytes, 8000);
    assert_int_equal(book.drift_bytes, 8000 - ALL_KINDS_SUM);
    assert_int_equal(book.beside[LEDGER_SWAP], 5);
    assert_int_equal(book.beside[LEDGER_TRIM], 77);
    ledger_clear(&book);
    profile_free(profile);
}

static void lines_are_named_and_sorted(void **state)
{
    (void)state;
    struct profile *profile = ledger_facts(ledger_profile(all_kinds), measured, 5);
    struct ledger_book book = ledger_of_profile(profile);
    assert_int_equal(book.count, 10); /* what has no site */
    for (size_t i = 1; i < book.count; i++)
        assert_true(book.entries[i - 1].bytes >= book.entries[i].bytes);
    assert_int_equal(line_of(&book, LEDGER_FILE, "libc.so.6 text")->bytes, 50);
    assert_int_equal(line_of(&book, LEDGER_STACK, "thread worker")->bytes, 70);
    assert_int_equal(line_of(&book, LEDGER_DATA, "app bss")->bytes, 80);
    assert_int_equal(line_of(&book, LEDGER_IDLE, "")->bytes, 33);
    assert_int_equal(line_of(&book, LEDGER_HEAP, "not told apart")->bytes, 41);
    assert_null(line_of(&book, LEDGER_LIVE, ""));
    ledger_clear(&book);
    profile_free(profile);
}

static void is_not_known_without_its_facts(void **state)
{
    (void)state;
    const char *refused[] = {"heapdiff.ledger_source: none"};
    struct profile *profile = ledger_profile(all_kinds);
    assert_false(ledger_of_profile(profile).asked);
    ledger_facts(profile, refused, 1);
    assert_false(ledger_of_profile(profile).known);
    assert_true(ledger_of_profile(profile).asked);
    ledger_facts(profile, measured, 5);
    profile->types[1].type = "space"; /* no resident_space: somebody else's */
    assert_false(ledger_of_profile(profile).asked);
    profile_free(profile);
}

static void is_not_known_once_altered(void **state)
{
    (void)state;
    const char *facts[] = {"heapdiff.ledger_source: smaps", "heapdiff.ledger_rss_bytes: 8000",
                           "heapdiff.ledger_drift_bytes: 17"};
    struct profile *profile = ledger_facts(ledger_profile(all_kinds), facts, 3);
    struct ledger_book book = ledger_of_profile(profile);
    assert_true(book.known && !book.altered);
    ledger_clear(&book);
    profile->samples[3].values[1] *= 2; /* as if merged with another one */
    book = ledger_of_profile(profile);
    assert_true(!book.known && book.altered);
    ledger_clear(&book);
    profile_free(profile);
}

static void odd_frames_stay_in_the_sum(void **state)
{
    (void)state;
    struct profile *profile = ledger_profile("m;f 0 1 ledger\n"
                                             "[pinned] 0 2 ledger\n"
                                             "[slack];m 0 4 ledger\n"
                                             "[files] 0 8 ledger\n"
                                             "[files];a;b 0 16 ledger\n"
                                             "[files];a;b 0 16 ledger\n"
                                             "m;f 0 32\n");
    profile->samples[0].depth = 0; /* a stack of nothing */
    ledger_facts(profile, measured, 5);
    struct ledger_book book = ledger_of_profile(profile);
    assert_int_equal(book.sum_bytes, 1 + 2 + 4 + 8 + 32 + 32);
    assert_int_equal(book.kinds[LEDGER_OTHER], 1 + 4);
    assert_int_equal(book.kinds[LEDGER_PINNED], 2);
    assert_int_equal(book.kinds[LEDGER_LIVE], 32);
    assert_int_equal(line_of(&book, LEDGER_FILE, "b")->bytes, 32);
    ledger_clear(&book);
    profile_free(profile);
}

static void sums_stop_at_the_ends(void **state)
{
    (void)state;
    struct ledger_book book = {.known = true};
    for (int i = 0; i < 3; i++)
        ledger_add(&book, LEDGER_FILE, "[file: a]", INT64_MAX);
    ledger_add(&book, LEDGER_STACK, NULL, -1);
    ledger_add(&book, LEDGER_STACK, "", 0);
    book.beside[LEDGER_RSS_PEAK] = 7;
    ledger_finish(&book, 9);
    assert_int_equal(book.beside[LEDGER_RSS_PEAK], 9); /* it was that high just now */
    ledger_finish(&book, INT64_MIN);
    assert_int_equal(book.beside[LEDGER_RSS_PEAK], 9);
    assert_int_equal(book.count, 2);
    assert_int_equal(book.entries[0].bytes, INT64_MAX);
    assert_string_equal(book.entries[0].name, "a");
    assert_int_equal(book.sum_bytes, INT64_MAX - 1);
    assert_int_equal(book.drift_bytes, INT64_MIN);
    ledger_clear(&book);
}

static void changes_pair_equal_lines(void **state)
{
    (void)state;
    struct ledger_book base = {.known = true}, fresh = {.known = true};
    size_t count;
    ledger_add(&base, LEDGER_FILE, "a", 100);
    ledger_add(&base, LEDGER_FILE, "gone", 70);
    ledger_add(&fresh, LEDGER_FILE, "a", 130);
    ledger_add(&fresh, LEDGER_STACK, "a", 90);
    ledger_finish(&base, 170);
    ledger_finish(&fresh, 220);
    struct ledger_change *changes = ledger_changes(&base, &fresh, &count);
    assert_int_equal(count, 3);
    assert_int_equal(changes[0].kind, LEDGER_STACK);
    assert_string_equal(changes[1].name, "gone");
    assert_int_equal(changes[1].base - changes[1].fresh, 70);
    assert_int_equal(changes[2].base, 100);
    assert_int_equal(changes[2].fresh, 130);
    free(changes);
    changes = ledger_changes(NULL, &fresh, &count);
    assert_int_equal(count, 2);
    assert_int_equal(changes[0].fresh, 130);
    free(changes);
    ledger_clear(&base);
    ledger_clear(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_each_kind_and_adds_up),
        cmocka_unit_test(lines_are_named_and_sorted),
        cmocka_unit_test(is_not_known_without_its_facts),
        cmocka_unit_test(odd_frames_stay_in_the_sum),
        cmocka_unit_test(is_not_known_once_altered),
        cmocka_unit_test(sums_stop_at_the_ends),
        cmocka_unit_test(changes_pair_equal_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
