#include "preload/block.h"

#include "fake_pages.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    LEAF_BYTES = 64 << 20,
    ROUNDS = 200000,
    GRAINS = 4096, /* of the random test's address space, 64 bytes each */
    THREADS = 8
};

static const uintptr_t base = 0x700000000000;

static struct block block_of(uint32_t site, uint64_t size_bytes)
{
    return (struct block){.site = site, .size_bytes = size_bytes};
}

static void put(uintptr_t address, uint32_t site, uint64_t size_bytes)
{
    struct block block = block_of(site, size_bytes);
    assert_true(block_put(address, &block));
}

static void assert_same(const struct block *a, const struct block *b)
{
    assert_int_equal(a->site, b->site);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->size_bytes, b->size_bytes);
}

static void assert_found(uintptr_t address, uint32_t site, uint64_t size_bytes)
{
    struct block want = block_of(site, size_bytes), block;
    assert_true(block_find(address, &block));
    assert_same(&block, &want);
}

static void assert_unknown(uintptr_t address)
{
    const struct block none = {0};
    struct block block;
    memset(&block, 0xa5, sizeof(block));
    assert_false(block_find(address, &block));
    assert_same(&block, &none);
    memset(&block, 0xa5, sizeof(block));
    assert_false(block_take(address, &block));
    assert_same(&block, &none);
}

static void assert_taken(uintptr_t address, uint32_t site, uint64_t size_bytes)
{
    struct block want = block_of(site, size_bytes), block;
    assert_true(block_take(address, &block));
    assert_same(&block, &want);
    assert_unknown(address);
}

static void round_trip(uintptr_t address, const struct block *block)
{
    struct block got;
    assert_true(block_put(address, block));
    assert_true(block_find(address, &got));
    assert_same(&got, block);
    assert_true(block_take(address, &got));
    assert_same(&got, block);
    assert_unknown(address);
}

static void test_unknown_addresses(void **state)
{
    (void)state;
    assert_unknown(base);
    assert_unknown(0);
    assert_unknown(16);
    assert_unknown((uintptr_t)1 << 48);
    assert_unknown(UINTPTR_MAX - 15);
}

static void test_every_field_at_its_limits(void **state)
{
    (void)state;
    const uint64_t sizes[] = {0,
                              1,
                              1023,
                              1024,
                              1025,
                              (1ull << 28) - 1,
                              1ull << 28,
                              (1ull << 28) + 1,
                              (1ull << 34) + 12345,
                              (1ull << 47) - 16,
                              (1ull << 48) - 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        round_trip(base + 0x3f0, &(struct block){1, 0, 0, sizes[i]});
        round_trip(base, &(struct block){BLOCK_SITE_MAX, 15, 1, sizes[i]});
        round_trip(16, &(struct block){0, 0, 1, sizes[i]});
        round_trip(base, &(struct block){0, 0, 0, sizes[i]});
    }
}

static void test_beyond_48_bits_is_refused(void **state)
{
    (void)state;
    struct block block = block_of(1, 16);
    assert_true(block_put(((uintptr_t)1 << 48) - 16, &block));
    assert_taken(((uintptr_t)1 << 48) - 16, 1, 16);
    assert_false(block_put((uintptr_t)1 << 48, &block));
    assert_false(block_put(UINTPTR_MAX - 15, &block));
}

/* A large block starts in the same KiB as small ones, before and after it. */
static void test_one_kib_shared(void **state)
{
    (void)state;
    put(base, 1, 16);
    put(base + 0x3e0, 2, 16);
    put(base + 0x3f0, 3, 5000);
    assert_found(base, 1, 16);
    assert_found(base + 0x3e0, 2, 16);
    assert_found(base + 0x3f0, 3, 5000);
    assert_unknown(base + 0x10);
    assert_taken(base + 0x3f0, 3, 5000);
    assert_taken(base + 0x3e0, 2, 16);
    assert_taken(base, 1, 16);
}

static void test_unseen_free_is_replaced(void **state)
{
    (void)state;
    put(base, 1, 100);
    put(base, 2, 200);
    assert_found(base, 2, 200);
    put(base, 3, 3000);
    assert_taken(base, 3, 3000);
    put(base, 4, 1ull << 40);
    put(base, 5, 4000);
    assert_taken(base, 5, 4000);
}

/* The rest of a huge size lies in the next leaf, which does not exist yet. */
static void test_huge_size_across_leaves(void **state)
{
    (void)state;
    uintptr_t address = base + 9ul * LEAF_BYTES - 1024;
    put(address, 7, (1ull << 35) + 77);
    assert_unknown(address + 1024);
    assert_found(address, 7, (1ull << 35) + 77);
    assert_taken(address, 7, (1ull << 35) + 77);
}

struct seen {
    uintptr_t address[16];
    struct block block[16];
    size_t count;
};

static void see(uintptr_t address, const struct block *block, void *context)
{
    struct seen *seen = context;
    assert_true(seen->count < 16);
    seen->address[seen->count] = address;
    seen->block[seen->count++] = *block;
}

static void test_each_in_order(void **state)
{
    (void)state;
    put(base + 3ul * LEAF_BYTES, 4, 1024);
    put(base + 3ul * LEAF_BYTES + 1024, 2, 1);
    put(base + LEAF_BYTES - 16, 1, 15);
    put(base + 0x3f0, 3, 1ull << 36);
    put(0x10, 9, 0);
    struct seen seen = {.count = 0};
    block_each(see, &seen);
    const uintptr_t order[] = {0x10, base + LEAF_BYTES - 16, base + 3ul * LEAF_BYTES + 1024,
                               base + 0x3f0, base + 3ul * LEAF_BYTES};
    const struct block blocks[] = {block_of(9, 0), block_of(1, 15), block_of(2, 1),
                                   block_of(3, 1ull << 36), block_of(4, 1024)};
    assert_int_equal(seen.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(seen.address[i], order[i]);
        assert_same(&seen.block[i], &blocks[i]);
        assert_taken(order[i], blocks[i].site, blocks[i].size_bytes);
    }
}

static void test_own_bytes_grow_by_page(void **state)
{
    (void)state;
    uintptr_t address = base + 20ul * LEAF_BYTES;
    uint64_t before = block_own_bytes();
    put(address, 1, 16);
    uint64_t first = block_own_bytes();
    assert_in_range(first - before, 4096, 2 * 4096); /* the root's page may be there already */
    put(address + 8176, 1, 16);                      /* 512 entries later: the same page */
    assert_int_equal(block_own_bytes(), first);
    put(address + 8192, 1, 16);
    assert_int_equal(block_own_bytes(), first + 4096);
    for (uintptr_t at = 0; at <= 8192; at += 16)
        block_take(address + at, &(struct block){0});
    assert_int_equal(block_own_bytes(), first + 4096);
}

/* The naive model: what lives at each grain; size 0 with site 0 is nothing. */
static struct block model[GRAINS];
static size_t model_seen;

static void model_see(uintptr_t address, const struct block *block, void *context)
{
    (void)context;
    uintptr_t grain = (address - base) / 64;
    assert_true(grain < GRAINS);
    assert_same(block, &model[grain]);
    model_seen++;
}

static size_t model_live(void)
{
    size_t live = 0;
    for (size_t i = 0; i < GRAINS; i++)
        live += model[i].site != 0;
    return live;
}

/* A size that ends before the next live grain; large ones leave the KiB rule unbroken. */
static uint64_t model_size(size_t grain)
{
    size_t room = 1;
    while (room < 64 && grain + room < GRAINS && !model[grain + room].site)
        room++;
    return 1 + (uint64_t)rand() % (room * 64);
}

static bool model_covered(size_t grain)
{
    for (size_t i = 0; i < 64 && i <= grain; i++)
        if (model[grain - i].site && model[grain - i].size_bytes > i * 64)
            return true;
    return false;
}

static void model_step(void)
{
    size_t grain = (size_t)rand() % GRAINS;
    struct block block;
    if (model[grain].site) {
        assert_true(block_take(base + grain * 64, &block));
        assert_same(&block, &model[grain]);
        model[grain] = (struct block){0};
    } else if (!model_covered(grain)) {
        assert_false(block_take(base + grain * 64, &block));
        model[grain] = (struct block){.site = 1 + (uint32_t)rand() % BLOCK_SITE_MAX,
                                      .epoch = (uint32_t)rand() % 16,
                                      .first = rand() % 2,
                                      .size_bytes = model_size(grain)};
        assert_true(block_put(base + grain * 64, &model[grain]));
    }
}

static void test_random_against_model(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        model_step();
        if (round % (ROUNDS / 8) == 0) {
            model_seen = 0;
            block_each(model_see, NULL);
            assert_int_equal(model_seen, model_live());
        }
    }
    for (size_t i = 0; i < GRAINS; i++)
        block_take(base + i * 64, &(struct block){0});
}

static void put_neighbour(void)
{
    put(base + 30ul * LEAF_BYTES + 16, 2, 20);
}

static void test_another_thread_makes_the_leaf_first(void **state)
{
    (void)state;
    fake_pages_meanwhile = put_neighbour;
    put(base + 30ul * LEAF_BYTES, 1, 10);
    assert_taken(base + 30ul * LEAF_BYTES, 1, 10);
    assert_taken(base + 30ul * LEAF_BYTES + 16, 2, 20);
}

/* Every eighth slot of 32 bytes is a thread's own; a few of its blocks are large. */
static void *worker(void *argument)
{
    uintptr_t mine = base + 40ul * LEAF_BYTES + (uintptr_t)argument * 32;
    uint32_t site = 1 + (uint32_t)(uintptr_t)argument;
    size_t wrong = 0;
    for (int round = 0; round < 20; round++) {
        for (uintptr_t at = 0; at < 4ul * LEAF_BYTES; at += LEAF_BYTES / 256) {
            bool large = site == 1 && at % (LEAF_BYTES / 64) == 0;
            struct block block = block_of(site, large ? 2048 : 24);
            wrong += !block_put(mine + at, &block);
        }
        for (uintptr_t at = 0; at < 4ul * LEAF_BYTES; at += LEAF_BYTES / 256) {
            struct block block;
            wrong += !block_take(mine + at, &block) || block.site != site;
        }
    }
    return (void *)wrong;
}

static void test_threads_on_disjoint_addresses(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static int child_of_fork(void)
{
    struct block block;
    if (!block_take(base, &block) || block.site != 5 || block.size_bytes != 50)
        return 1;
    block = block_of(6, 6000);
    return block_put(base + 4096, &block) ? 0 : 2;
}

static void test_fork_copies(void **state)
{
    (void)state;
    put(base, 5, 50);
    pid_t child = fork();
    if (child == 0)
        _exit(child_of_fork());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_taken(base, 5, 50);
    assert_unknown(base + 4096);
}

/* Must be the first: the root is not there yet. */
static void test_no_memory(void **state)
{
    (void)state;
    struct block block = block_of(1, 16), huge = block_of(1, 1ull << 40);
    fake_pages_left = 0;
    assert_false(block_put(base, &block));
    assert_unknown(base);
    fake_pages_left = 1;
    assert_false(block_put(base, &block));
    fake_pages_left = 1;
    assert_true(block_put(base + LEAF_BYTES - 1024, &block));
    assert_taken(base + LEAF_BYTES - 1024, 1, 16);
    assert_false(block_put(base + LEAF_BYTES - 1024, &huge));
    assert_unknown(base + LEAF_BYTES - 1024);
    fake_pages_left = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_unknown_addresses),
        cmocka_unit_test(test_every_field_at_its_limits),
        cmocka_unit_test(test_beyond_48_bits_is_refused),
        cmocka_unit_test(test_one_kib_shared),
        cmocka_unit_test(test_unseen_free_is_replaced),
        cmocka_unit_test(test_huge_size_across_leaves),
        cmocka_unit_test(test_each_in_order),
        cmocka_unit_test(test_own_bytes_grow_by_page),
        cmocka_unit_test(test_random_against_model),
        cmocka_unit_test(test_another_thread_makes_the_leaf_first),
        cmocka_unit_test(test_threads_on_disjoint_addresses),
        cmocka_unit_test(test_fork_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
