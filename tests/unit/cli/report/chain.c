#include "cli/report/chain.h"
#include "text_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct chain chain_for(const char *stacks, const char *site)
{
    struct profile *profile = text_profile(&(struct text_profile){.stacks = stacks});
    struct tree tree;
    struct chain chain = {.count = 0};
    tree_build(&tree, profile, &(struct tree_options){.type = 1});
    for (uint32_t i = 0; i < tree.node_count; i++)
        if (strcmp(tree.nodes[i].name, site) == 0)
            chain = chain_of(&tree, i);
    for (size_t i = 0; i < chain.count; i++) { /* the names die with the profile */
        static struct function kept[CHAIN_STEPS_MAX];
        static char names[CHAIN_STEPS_MAX][64];
        strncpy(names[i], chain.steps[i].function->name, 63);
        kept[i].name = names[i];
        chain.steps[i].function = &kept[i];
    }
    tree_clear(&tree);
    profile_free(profile);
    return chain;
}

static void follows_the_largest_share(void **state)
{
    (void)state;
    struct chain chain = chain_for("main;f;a 1 60\nmain;g;a 1 -30\nmain;h;f;a 1 10\n", "a");
    assert_int_equal(chain.count, 2);
    assert_string_equal(chain.steps[0].function->name, "f");
    assert_true(chain.steps[0].share > 0.69 && chain.steps[0].share < 0.71);
    assert_string_equal(chain.steps[1].function->name, "main");
    assert_true(chain.steps[1].share > 0.59 && chain.steps[1].share < 0.61);
    assert_false(chain.more);
}

static void counts_recursion(void **state)
{
    (void)state;
    struct chain chain = chain_for("main;f;f;f;a 1 60\n", "a");
    assert_int_equal(chain.count, 2);
    assert_int_equal(chain.steps[0].times, 3);
}

static void stops_where_a_line_ends(void **state)
{
    (void)state;
    struct chain chain = chain_for("a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q 1 60\n", "q");
    assert_int_equal(chain.count, CHAIN_STEPS_MAX);
    assert_true(chain.more);
    assert_int_equal(chain_for("a 1 60\n", "a").count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_largest_share),
        cmocka_unit_test(counts_recursion),
        cmocka_unit_test(stops_where_a_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
