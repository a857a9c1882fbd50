#include "format/box_stack.h"

#include "box_sample.h"
#include "format/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LOST = 100000, RANDOM_SITES = 20000 };

struct scene {
    struct box_sample sample;
    struct box_view view;
    struct box_stack stack;
};

static void scene_open(struct scene *scene)
{
    box_sample_open(&scene->sample);
}

/* Once all entries are there. */
static void scene_ready(struct scene *scene, uint64_t location_count)
{
    assert_null(box_view_open(&scene->view, scene->sample.bytes, BOX_SAMPLE_BYTES));
    box_stack_open(&scene->stack, &scene->view, location_count);
    scene->stack.lost_location = LOST;
}

static uint32_t add_node(struct scene *scene, uint32_t parent, uint32_t pc)
{
    return box_sample_add(&scene->sample, BOX_NODES, &(struct box_node){parent, pc});
}

/* What the stack says, decoded; returns the depth. */
static size_t decode(const struct box_stack *stack, uint32_t ids[BOX_DEPTH_MAX])
{
    struct wire_in in;
    size_t depth = 0;
    uint64_t id;
    in.at = box_stack_bytes(stack, &in.left_bytes);
    while (in.left_bytes > 0) {
        assert_true(depth < BOX_DEPTH_MAX);
        assert_true(wire_take_varint(&in, &id));
        ids[depth++] = (uint32_t)id;
    }
    return depth;
}

/* The same, frame by frame and from nothing. */
static size_t walk(const struct scene *scene, uint32_t node, uint32_t ids[BOX_DEPTH_MAX])
{
    size_t depth = 0;
    do {
        const struct box_node *entry = node ? box_view_entry(&scene->view, BOX_NODES, node) : NULL;
        bool known = entry && entry->pc && entry->pc <= scene->stack.location_count;
        ids[depth++] = known ? entry->pc : LOST;
        node = entry ? entry->parent : 0;
    } while (node && depth < BOX_DEPTH_MAX);
    return depth;
}

static void assert_same(struct scene *scene, uint32_t node)
{
    uint32_t expected[BOX_DEPTH_MAX], ids[BOX_DEPTH_MAX];
    assert_true(box_stack_take(&scene->stack, node));
    size_t depth = walk(scene, node, expected);
    assert_int_equal(decode(&scene->stack, ids), depth);
    assert_memory_equal(ids, expected, depth * sizeof ids[0]);
}

static void shares_what_it_can(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    uint32_t root = add_node(&scene, 0, 300), middle = add_node(&scene, root, 2);
    uint32_t left = add_node(&scene, middle, 40000), right = add_node(&scene, middle, 4);
    uint32_t deep = add_node(&scene, right, 5);
    scene_ready(&scene, 50000);
    uint32_t order[] = {left, left, right, deep, right, middle, deep,
                        root, left, 0,     left, 999,   root};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        assert_same(&scene, order[i]);
    box_sample_free(&scene.sample);
}

/* Stacks around the depth limit, one after another in both orders. */
static void cuts_at_the_root(void **state)
{
    (void)state;
    struct scene scene;
    uint32_t nodes[BOX_DEPTH_MAX + 8] = {0}, count = BOX_DEPTH_MAX + 8;
    scene_open(&scene);
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = add_node(&scene, i > 0 ? nodes[i - 1] : 0, i + 1);
    scene_ready(&scene, count);
    for (uint32_t i = 0; i < count; i++)
        assert_same(&scene, nodes[i]);
    for (uint32_t i = count; i > 0; i--)
        assert_same(&scene, nodes[i - 1]);
    assert_same(&scene, nodes[count - 1]);
    assert_same(&scene, nodes[10]);
    box_sample_free(&scene.sample);
}

/* A node that is its own parent, after the deepest stack that is whole: there is no room beside it. */
static void survives_a_loop_beside_a_full_stack(void **state)
{
    (void)state;
    struct scene scene;
    uint32_t node = 0;
    scene_open(&scene);
    for (uint32_t i = 0; i < BOX_DEPTH_MAX; i++)
        node = add_node(&scene, node, i + 1);
    uint32_t loop = add_node(&scene, node + 1, 7);
    assert_int_equal(loop, node + 1);
    scene_ready(&scene, BOX_DEPTH_MAX);
    assert_same(&scene, node);
    assert_same(&scene, loop);
    assert_same(&scene, node);
    box_sample_free(&scene.sample);
}

/* Parents at random: older ones, as they should be, and, where `damaged`, any. */
static void agrees_with_a_plain_walk(bool damaged)
{
    enum { NODES = 3000 };
    struct scene scene;
    scene_open(&scene);
    srand(1);
    for (uint32_t i = 1; i <= NODES; i++) {
        uint32_t near = i > 8 ? i - 1 - (uint32_t)rand() % 8 : 0; /* deep: past the limit too */
        add_node(&scene, damaged && rand() % 4 == 0 ? (uint32_t)rand() % (NODES + 9) : near,
                 (uint32_t)rand() % 40000);
    }
    scene_ready(&scene, 39000);
    for (int i = 0; i < RANDOM_SITES; i++)
        assert_same(&scene, (uint32_t)rand() % (NODES + 9));
    box_sample_free(&scene.sample);
}

static void agrees(void **state)
{
    (void)state;
    agrees_with_a_plain_walk(false);
}

static void agrees_on_a_damaged_trie(void **state)
{
    (void)state;
    agrees_with_a_plain_walk(true);
}

static void asks_for_a_lost_location(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    uint32_t root = add_node(&scene, 0, 1), unknown = add_node(&scene, root, 77);
    scene_ready(&scene, 10);
    scene.stack.lost_location = 0;
    assert_true(box_stack_take(&scene.stack, root));
    assert_false(box_stack_take(&scene.stack, unknown));
    scene.stack.lost_location = LOST;
    assert_same(&scene, unknown);
    assert_same(&scene, root);
    box_sample_free(&scene.sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_what_it_can),
        cmocka_unit_test(cuts_at_the_root),
        cmocka_unit_test(survives_a_loop_beside_a_full_stack),
        cmocka_unit_test(agrees),
        cmocka_unit_test(agrees_on_a_damaged_trie),
        cmocka_unit_test(asks_for_a_lost_location),
    };
    return cmocka_run_group_tests_name("format/box_stack", tests, NULL, NULL);
}
