#include "preload/tables/stack.h"

#include "preload/ground/arena.h"
#include "preload/tables/mapping.h"

#include "child.h"
#include "sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "plugin.h"
#include "emulator.h"

enum { RANDOM_STACKS = 20000, RANDOM_DEPTH = 12, RANDOM_PCS = 6 };

static int before_all(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app", "/");
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

static uint32_t nodes(void)
{
    return arena.tables[BOX_NODES].count;
}

static uint32_t pcs(void)
{
    return arena.tables[BOX_PCS].count;
}

static struct capture capture_of(uint32_t depth, const uint64_t *addresses)
{
    struct capture capture = {.depth = depth};
    memcpy(capture.pcs, addresses, depth * sizeof(*addresses));
    return capture;
}

#define CAPTURE(...) \
    capture_of(sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (uint64_t[]){__VA_ARGS__})

static const struct box_node *node_at(uint32_t index)
{
    assert_true(index < nodes());
    return arena_entry(BOX_NODES, index);
}

static const struct box_pc *pc_at(uint32_t node)
{
    return arena_entry(BOX_PCS, node_at(node)->pc);
}

static void test_leaf_first(void **state)
{
    (void)state;
    struct capture capture = CAPTURE(0x1003, 0x1002, 0x1001);
    uint32_t node = stack_intern(&capture);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(pc_at(node)->address, 0x1003 - i);
        assert_int_equal(pc_at(node)->flags, 0);
        assert_int_equal(pc_at(node)->mapping, 0);
        node = node_at(node)->parent;
    }
    assert_int_equal(node, BOX_NONE);
}

static void test_same_stack_same_node(void **state)
{
    (void)state;
    struct capture capture = CAPTURE(0x2003, 0x2002, 0x2001), copy = capture;
    uint32_t node = stack_intern(&capture), count = nodes();
    memset(copy.pcs + 3, 0xa5, sizeof(copy.pcs) - 3 * sizeof(copy.pcs[0])); /* beyond: any bytes */
    assert_int_not_equal(node, 0);
    assert_int_equal(stack_intern(&copy), node);
    assert_int_equal(stack_find_all(&copy), node);
    assert_true(stack_equal(node, &copy));
    assert_int_equal(nodes(), count);
}

/* Two stacks with two common callers are four nodes. */
static void test_prefixes_are_shared(void **state)
{
    (void)state;
    struct capture one = CAPTURE(0x3003, 0x3002, 0x3001), other = CAPTURE(0x3004, 0x3002, 0x3001);
    struct capture callers = CAPTURE(0x3002, 0x3001);
    uint32_t had_nodes = nodes(), had_pcs = pcs();
    uint32_t a = stack_intern(&one), b = stack_intern(&other);
    assert_int_not_equal(a, b);
    assert_int_equal(nodes() - had_nodes, 4);
    assert_int_equal(pcs() - had_pcs, 4);
    assert_int_equal(node_at(a)->parent, node_at(b)->parent);
    assert_int_equal(stack_intern(&callers), node_at(a)->parent);
    assert_int_equal(nodes() - had_nodes, 4);
}

/* The same addresses in another order, or as often as not, are other stacks of the same pcs. */
static void test_order_and_recursion(void **state)
{
    (void)state;
    struct capture stacks[] = {CAPTURE(0x4001, 0x4002), CAPTURE(0x4002, 0x4001),
                               CAPTURE(0x4001, 0x4001), CAPTURE(0x4001, 0x4001, 0x4001)};
    uint32_t had = pcs(), found[4];
    for (int i = 0; i < 4; i++)
        found[i] = stack_intern(&stacks[i]);
    assert_int_equal(pcs() - had, 2);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            assert_int_equal(stack_equal(found[i], &stacks[j]), i == j);
            assert_int_equal(stack_find_all(&stacks[j]) == found[i], i == j);
        }
}

static void test_equal_compares_every_frame(void **state)
{
    (void)state;
    struct capture capture = CAPTURE(0x5003, 0x5002, 0x5001);
    struct capture others[] = {
        CAPTURE(0x5003, 0x5002),         CAPTURE(0x5003, 0x5002, 0x5001, 0x5000),
        CAPTURE(0x5004, 0x5002, 0x5001), CAPTURE(0x5003, 0x5002, 0x5004),
        CAPTURE(0x5003, 0x5004, 0x5001), CAPTURE(0x5002, 0x5001)};
    uint32_t node = stack_intern(&capture);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(stack_equal(node, &others[i]));
    assert_true(stack_equal(node, &capture));
    assert_false(stack_equal(BOX_NONE, &capture));
}

/* An interrupted instruction and a return address, though at the same place. */
static void test_exact_addresses(void **state)
{
    (void)state;
    struct capture called = CAPTURE(0x6001), interrupted = CAPTURE(0x6001 | UNWIND_EXACT);
    uint32_t a = stack_intern(&called), b = stack_intern(&interrupted);
    assert_int_not_equal(a, b);
    assert_int_equal(pc_at(b)->address, 0x6001);
    assert_int_equal(pc_at(b)->flags, BOX_PC_EXACT);
    assert_true(stack_equal(b, &interrupted));
    assert_false(stack_equal(b, &called));
    assert_false(stack_equal(a, &interrupted));
}

static void test_empty_and_deepest(void **state)
{
    (void)state;
    struct capture empty = {0}, deep = {.depth = BOX_DEPTH_MAX};
    assert_int_equal(stack_intern(&empty), BOX_NONE);
    assert_true(stack_equal(BOX_NONE, &empty));
    for (uint32_t i = 0; i < BOX_DEPTH_MAX; i++)
        deep.pcs[i] = 0x7000 + i;
    uint32_t node = stack_intern(&deep);
    assert_true(stack_equal(node, &deep));
    deep.pcs[BOX_DEPTH_MAX - 1]++;
    assert_false(stack_equal(node, &deep));
}

/* A return address at the very end of a function that ends its file belongs to that file. */
static void test_mappings(void **state)
{
    (void)state;
    uint32_t mapping = mapping_intern((uint64_t)&stack_intern);
    const struct box_mapping *program = arena_entry(BOX_MAPPINGS, mapping);
    struct capture last = CAPTURE(program->limit), first = CAPTURE(program->start | UNWIND_EXACT);
    assert_int_equal(pc_at(stack_intern(&last))->mapping, mapping);
    assert_int_equal(pc_at(stack_intern(&first))->mapping, mapping);
}

static uint32_t intern_path(const struct capture *capture)
{
    uint32_t found[BOX_DEPTH_MAX];
    struct stack_path path = {.count = capture->depth, .pcs = capture->pcs, .nodes = found};
    assert_true(stack_find_path(&path) || stack_add_path(&path));
    return found[0];
}

/* The address whose stack_hash(), as an outermost frame, is `hash`. */
static uint64_t pc_of_hash(uint64_t hash)
{
    uint64_t factor = stack_hash(0, 1), inverse = factor;
    for (int i = 0; i < 6; i++)
        inverse *= 2 - factor * inverse;
    return hash * inverse;
}

/* Two stacks of one hash and one leaf, the second of which is part of a third and no leaf so far. */
static void test_paths_of_one_hash(void **state)
{
    (void)state;
    uint64_t outer = 0xa001, pc;
    while ((pc = pc_of_hash(stack_hash(stack_hash(0, outer), 0xa002))) & UNWIND_EXACT)
        outer++;
    struct capture other = CAPTURE(0xa003, pc), inside = CAPTURE(0xa003, 0xa002, outer);
    struct capture whole = CAPTURE(0xa004, 0xa003, 0xa002, outer);
    assert_int_equal(stack_hash(0, pc), stack_hash(stack_hash(0, outer), 0xa002));
    assert_true(stack_equal(intern_path(&other), &other));
    assert_true(stack_equal(intern_path(&whole), &whole));
    assert_true(stack_equal(intern_path(&inside), &inside));
    assert_true(stack_equal(intern_path(&inside), &inside));
    assert_true(stack_equal(intern_path(&other), &other));
}

static struct capture random_capture(void)
{
    struct capture capture = {.depth = 1 + (uint32_t)rand() % RANDOM_DEPTH};
    for (uint32_t i = 0; i < capture.depth; i++)
        capture.pcs[i] = 0x8000 + (uint64_t)(rand() % RANDOM_PCS);
    return capture;
}

static bool same(const struct capture *a, const struct capture *b)
{
    return a->depth == b->depth && memcmp(a->pcs, b->pcs, a->depth * sizeof(a->pcs[0])) == 0;
}

static void test_random_stacks(void **state)
{
    (void)state;
    struct capture before = random_capture();
    srand(1);
    for (int i = 0; i < RANDOM_STACKS; i++) {
        struct capture capture = random_capture();
        uint32_t node = stack_intern(&capture), count = nodes();
        assert_true(stack_equal(node, &capture));
        assert_int_equal(stack_equal(node, &before), same(&capture, &before));
        assert_int_equal(stack_intern(&capture), node);
        assert_int_equal(nodes(), count);
        before = capture;
    }
}

static void test_sweep(void **state)
{
    (void)state;
    uint64_t address;
    void *plugin = plugin_open(UNIT_PLUGIN, &address);
    struct capture through = CAPTURE(0x9001, address + 1, 0x9002), past = CAPTURE(0x9001, 0x9002);
    uint32_t a = stack_intern(&through), b = stack_intern(&past);
    plugin_close(plugin);
    assert_true(mapping_sweep(mapping_survey()));
    stack_sweep();
    assert_false(stack_equal(a, &through));
    assert_true(stack_equal(b, &past));
    assert_int_equal(pc_at(node_at(a)->parent)->flags, BOX_PC_DEAD);
    assert_int_equal(pc_at(node_at(a)->parent)->address, address + 1);
    uint32_t again = stack_intern(&through); /* other code at the same address */
    assert_int_not_equal(again, a);
    assert_true(stack_equal(again, &through));
    assert_false(stack_equal(a, &through));
}

/* Until a table cannot grow any more; what is there stays right. */
static bool intern_without_memory(void)
{
    struct capture capture = CAPTURE(0, 0xa001), known = CAPTURE(0xa000, 0xa001);
    uint32_t node = stack_intern(&known);
    uint64_t i = 0;
    setrlimit(RLIMIT_AS, &(struct rlimit){4096, 4096});
    do
        capture.pcs[0] = 0xb0000 + i;
    while (i++ < 1000000 && stack_intern(&capture) != BOX_NONE);
    return child_expect(i < 1000000) && child_expect(stack_intern(&capture) == BOX_NONE) &&
           child_expect(stack_equal(node, &known)) && child_expect(stack_intern(&known) == node);
}

static void test_no_memory(void **state)
{
    (void)state;
    if (emulator_lacks("limit of address space"))
        skip();
    if (SANITIZER_ADDRESS || SANITIZER_THREAD) {
        print_message("a sanitizer's runtime needs address space itself\n");
        skip();
    }
    assert_true(child_run(intern_without_memory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf_first),
        cmocka_unit_test(test_same_stack_same_node),
        cmocka_unit_test(test_prefixes_are_shared),
        cmocka_unit_test(test_order_and_recursion),
        cmocka_unit_test(test_equal_compares_every_frame),
        cmocka_unit_test(test_exact_addresses),
        cmocka_unit_test(test_empty_and_deepest),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_paths_of_one_hash),
        cmocka_unit_test(test_random_stacks),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, before_all, NULL);
}
