#include "cli/report/tree.h"
#include "text_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct tree_node *node_named(const struct tree *tree, const char *name)
{
    for (size_t i = 0; i < tree->node_count; i++)
        if (strcmp(tree->nodes[i].name, name) == 0)
            return &tree->nodes[i];
    fail_msg("no node %s", name);
    return NULL;
}

static void assert_node(const struct tree *tree, const char *name, int64_t flat, int64_t cum)
{
    const struct tree_node *node = node_named(tree, name);
    assert_int_equal(node->flat, flat);
    assert_int_equal(node->cum, cum);
}

static void adds_up_flat_and_cum(void **state)
{
    (void)state;
    struct profile *profile = text_profile(&(struct text_profile){
        .stacks = "main;run;a 1 10\nmain;a 1 5\nmain;run;b 1 -3\nmain 0 2\n"});
    struct tree tree;
    tree_build(&tree, profile, &(struct tree_options){.type = 1});
    assert_node(&tree, "main", 2, 14);
    assert_node(&tree, "run", 0, 7);
    assert_node(&tree, "a", 15, 15);
    assert_node(&tree, "b", -3, -3);
    assert_int_equal(tree.total, 20);
    assert_int_equal(tree.kept, 14);
    assert_int_equal(node_named(&tree, "a")->samples, 2);
    tree_clear(&tree);
    profile_free(profile);
}

static void counts_recursion_once(void **state)
{
    (void)state;
    struct profile *profile =
        text_profile(&(struct text_profile){.stacks = "main;f;g;f;g;f 1 10\n"});
    struct tree tree;
    tree_build(&tree, profile, &(struct tree_options){.type = 1, .edges = true});
    assert_node(&tree, "f", 10, 10);
    assert_node(&tree, "g", 0, 10);
    assert_int_equal(tree.edge_count, 3); /* main-f, f-g, g-f */
    for (size_t i = 0; i < tree.edge_count; i++)
        assert_int_equal(tree.edges[i].weight, 10);
    tree_clear(&tree);
    profile_free(profile);
}

static void sees_inlined_frames(void **state)
{
    (void)state;
    struct profile *profile = text_profile(&(struct text_profile){.stacks = "main;in/out 1 10\n"});
    struct tree tree;
    tree_build(&tree, profile, &(struct tree_options){.type = 1, .edges = true});
    assert_node(&tree, "in", 10, 10);
    assert_node(&tree, "out", 0, 10);
    assert_true(node_named(&tree, "in")->inlined);
    assert_false(node_named(&tree, "out")->inlined);
    tree_clear(&tree);
    profile_free(profile);
}

static void splits_kinds_when_asked(void **state)
{
    (void)state;
    struct profile *profile =
        text_profile(&(struct text_profile){.stacks = "main;a 1 10 malloc\nmain;a 1 4096 mmap\n"});
    struct tree tree;
    tree_build(&tree, profile, &(struct tree_options){.type = 1, .split_kinds = true});
    assert_int_equal(tree.node_count, 4);
    tree_clear(&tree);
    tree_build(&tree, profile, &(struct tree_options){.type = 1});
    assert_int_equal(tree.node_count, 2);
    assert_node(&tree, "a", 4106, 4106);
    tree_clear(&tree);
    profile_free(profile);
}

static void tells_granularities_apart(void **state)
{
    (void)state;
    struct profile *profile = text_profile(&(struct text_profile){.stacks = "main;a 1 10\n"});
    struct tree tree;
    tree_build(&tree, profile, &(struct tree_options){.type = 1, .granularity = GRANULARITY_FILES});
    assert_string_equal(tree.nodes[0].name, "");
    assert_string_equal(tree.nodes[0].filename, "/src/a.c");
    tree_clear(&tree);
    tree_build(&tree, profile, &(struct tree_options){.type = 1, .granularity = GRANULARITY_LINES});
    assert_string_equal(tree.nodes[0].filename, "/src/a.c");
    assert_int_not_equal(tree.nodes[0].line, 0);
    assert_int_equal(tree.nodes[0].address, 0);
    tree_clear(&tree);
    tree_build(&tree, profile,
               &(struct tree_options){.type = 1, .granularity = GRANULARITY_ADDRESSES});
    assert_int_not_equal(tree.nodes[0].address, 0);
    tree_clear(&tree);
    profile_free(profile);
}

static void folds_over_allocators(void **state)
{
    (void)state;
    struct profile *profile = text_profile(&(struct text_profile){
        .stacks = "main;load;std::vector<int>::push_back(int);operator new(unsigned long) 1 10\n"
                  "main;load;xmalloc 1 5\nmalloc 1 1\n"});
    char *message;
    struct filter *filter = filter_new(&(struct filter_options){0}, &message);
    struct tree tree;
    filter_mark(filter, profile);
    tree_build(&tree, profile, &(struct tree_options){.type = 1, .fold = true, .filter = filter});
    assert_node(&tree, "load", 15, 15);
    assert_node(&tree, "malloc", 1, 1); /* nobody else is there */
    tree_clear(&tree);
    filter_free(filter);
    profile_free(profile);
}

static void takes_percentages_of_what_was_asked(void **state)
{
    (void)state;
    struct profile *profile =
        text_profile(&(struct text_profile){.stacks = "main;a 1 10\nmain;b 1 -30\n"});
    int64_t bases[][2] = {{1, 100}, {1, 50}};
    profile->samples[0].base = bases[0];
    profile->samples[1].base = bases[1];
    char *message;
    struct filter *filter = filter_new(&(struct filter_options){.focus = "^a$"}, &message);
    filter_mark(filter, profile);
    struct tree_options options = {.type = 1, .filter = filter};
    struct tree tree;
    tree_build(&tree, profile, &options);
    assert_int_equal(tree.total, 40); /* also of what --focus leaves out */
    assert_int_equal(tree.kept, 10);
    tree_clear(&tree);
    options.total_of_kept = true;
    tree_build(&tree, profile, &options);
    assert_int_equal(tree.total, 10);
    tree_clear(&tree);
    options = (struct tree_options){.type = 1, .relative = true};
    tree_build(&tree, profile, &options);
    assert_int_equal(tree.total, 150);
    tree_clear(&tree);
    filter_free(filter);
    profile_free(profile);
}

static void sorts_as_pprof_does(void **state)
{
    (void)state;
    struct profile *profile = text_profile(
        &(struct text_profile){.stacks = "main;b 1 10\nmain;a 1 10\nmain;c 1 -50\nmain;z 0 0\n"});
    struct tree tree;
    size_t count;
    tree_build(&tree, profile, &(struct tree_options){.type = 1});
    uint32_t *sorted = tree_sorted(&tree, TREE_BY_FLAT, &count);
    const char *want[] = {"c", "a", "b", "main"};
    assert_int_equal(count, 4); /* z has no value */
    for (size_t i = 0; i < count; i++)
        assert_string_equal(tree.nodes[sorted[i]].name, want[i]);
    free(sorted);
    tree_clear(&tree);
    profile_free(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up_flat_and_cum),
        cmocka_unit_test(counts_recursion_once),
        cmocka_unit_test(sees_inlined_frames),
        cmocka_unit_test(splits_kinds_when_asked),
        cmocka_unit_test(tells_granularities_apart),
        cmocka_unit_test(folds_over_allocators),
        cmocka_unit_test(takes_percentages_of_what_was_asked),
        cmocka_unit_test(sorts_as_pprof_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
