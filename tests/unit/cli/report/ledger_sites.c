#include "cli/report/ledger_sites.h"
#include "ledger_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct filter_options folding;

static const char stacks[] = "m;serve;malloc 100 90 malloc\n"
                             "m;serve;malloc;[slack] 0 10 ledger\n"
                             "m;serve;malloc;[pinned] 0 1000 ledger\n"
                             "m;cache;malloc;[pinned] 0 4000 ledger\n"
                             "m;cache;malloc;[huge page] 0 2000 ledger\n"
                             "[allocator: idle];m;serve;malloc 0 300 ledger\n"
                             "[allocator: idle] 0 33 ledger\n"
                             "[files];[file: app text] 0 60 ledger\n"
                             "m;pool 8192 4096 mmap\n"
                             "m;unused;malloc 5000 0 malloc\n";

static const struct ledger_holder *holder(const struct ledger_sites *sites, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "/src/%s.c", name);
    return ledger_sites_find(sites, name, file);
}

static void each_site_has_its_kinds(void **state)
{
    (void)state;
    struct profile *profile = ledger_profile(stacks);
    struct ledger_sites sites = ledger_sites_of(profile, &folding);
    assert_int_equal(sites.count, 4); /* no frame of the ledger is a site, nor is malloc */
    const struct ledger_holder *serve = holder(&sites, "serve");
    assert_int_equal(serve->bytes[LEDGER_LIVE], 90);
    assert_int_equal(serve->bytes[LEDGER_SLACK], 10);
    assert_int_equal(serve->bytes[LEDGER_PINNED], 1000);
    assert_int_equal(serve->bytes[LEDGER_IDLE], 300);
    assert_int_equal(serve->absent_bytes, 10);
    assert_int_equal(holder(&sites, "cache")->bytes[LEDGER_HUGE], 2000);
    assert_int_equal(holder(&sites, "pool")->bytes[LEDGER_MAPPED], 4096);
    assert_int_equal(holder(&sites, "unused")->absent_bytes, 5000);
    assert_int_equal(sites.absent_bytes, 10 + 4096 + 5000);
    assert_null(holder(&sites, "[pinned]"));
    ledger_sites_clear(&sites);
    profile_free(profile);
}

static void the_largest_come_first(void **state)
{
    (void)state;
    const struct ledger_holder *top[2];
    struct profile *profile = ledger_profile(stacks);
    struct ledger_sites sites = ledger_sites_of(profile, &folding);
    assert_int_equal(ledger_sites_top(&sites, LEDGER_PINNED, top, 2), 2);
    assert_string_equal(ledger_holder_name(top[0]), "cache");
    assert_string_equal(ledger_holder_name(top[1]), "serve");
    assert_int_equal(ledger_sites_top(&sites, LEDGER_CATEGORIES, top, 1), 3);
    assert_string_equal(ledger_holder_name(top[0]), "unused");
    assert_int_equal(ledger_sites_top(&sites, LEDGER_IDLE, top, 0), 1); /* counted all the same */
    assert_int_equal(ledger_sites_top(&sites, LEDGER_FILE, top, 2), 0);
    ledger_sites_clear(&sites);
    profile_free(profile);
}

static void what_skips_a_function_skips_it_here(void **state)
{
    (void)state;
    struct filter_options skip = {.skip = "^serve$", .focus = "nothing has this name"};
    struct profile *profile = ledger_profile(stacks);
    struct ledger_sites sites = ledger_sites_of(profile, &skip);
    assert_int_equal(holder(&sites, "m")->bytes[LEDGER_PINNED], 1000); /* whatever --focus says */
    assert_null(holder(&sites, "serve"));
    ledger_sites_clear(&sites);
    profile_free(profile);
}

static void a_pair_wants_both_sides(void **state)
{
    (void)state;
    const char *facts[] = {"heapdiff.ledger_source: smaps", "heapdiff.ledger_rss_bytes: 11589"};
    struct profile *fresh = ledger_facts(ledger_profile(stacks), facts, 2);
    struct profile *base = ledger_profile(stacks);
    struct ledger_pair pair = ledger_pair_of(fresh, fresh, NULL, &folding);
    assert_true(ledger_pair_known(&pair));
    assert_int_equal(pair.fresh.drift_bytes, 0);
    assert_int_equal(pair.sites.count, 4);
    ledger_pair_clear(&pair);
    pair = ledger_pair_of(fresh, fresh, base, &folding);
    assert_false(ledger_pair_known(&pair));
    assert_int_equal(pair.sites.count, 0);
    ledger_pair_clear(&pair);
    profile_free(base);
    profile_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_site_has_its_kinds),
        cmocka_unit_test(the_largest_come_first),
        cmocka_unit_test(what_skips_a_function_skips_it_here),
        cmocka_unit_test(a_pair_wants_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
