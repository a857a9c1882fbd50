#include "preload/tables/block.h"

#include "plate_pages.h"
#include "sanitizer.h"

#include "preload/tables/block_birth.h"

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
    NARROW = BLOCK_WIDE,  /* the first lot that needs high bits */
    FAR_BYTES = 64 << 20, /* apart enough to share no page of the shadow */
    PAGE_REACH = BLOCK_PAGE_CELLS << UNIT_GRANULE_BITS,
    GRANULE = 1 << UNIT_GRANULE_BITS,
    ROUNDS = 200000,
    GRAINS = 4096, /* of the random test's address space, 64 bytes each */
    THREADS = 8
};

static const uintptr_t base = 0x700000000000;

/* Small blocks have a lot, whoever made it. */
static struct block block_with(uint32_t site, uint32_t epoch, uint64_t size_bytes)
{
    return (struct block){.site = site,
                          .lot = size_bytes < BLOCK_LARGE_BYTES ? lot_intern(site, size_bytes) : 0,
                          .epoch = epoch,
                          .size_bytes = size_bytes};
}

static struct block block_of(uint32_t site, uint64_t size_bytes)
{
    return block_with(site, 0, size_bytes);
}

static void put(uintptr_t address, uint32_t site, uint64_t size_bytes)
{
    struct block block = {.site = site, .size_bytes = size_bytes};
    assert_true(block_put(address, &block));
}

static void assert_same(const struct block *a, const struct block *b)
{
    assert_int_equal(a->site, b->site);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->lot, b->lot);
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
    assert_unknown(((uintptr_t)1 << 63) + 16);
    assert_unknown(UINTPTR_MAX - 15);
    assert_int_equal(block_take_lot((uintptr_t)1 << 49), 0);
    assert_int_equal(block_take_lot(UINTPTR_MAX - 15), 0);
}

static const uint64_t sizes[] = {0,
                                 1,
                                 1022,
                                 1023,
                                 1024,
                                 1025,
                                 (1ull << 28) - 1,
                                 1ull << 28,
                                 (1ull << 28) + 1,
                                 (1ull << 32) - 1,
                                 1ull << 32,
                                 (1ull << 34) + 12345,
                                 (1ull << 47) - 16,
                                 (1ull << 48) - 1};
enum { SIZES = sizeof(sizes) / sizeof(*sizes) };

static void test_every_field_at_its_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        struct block block = block_with(1, 0, sizes[i]);
        round_trip(base + 0x3f0, &block);
        round_trip(16, &block);
        block = block_with(BLOCK_SITE_MAX, 15, sizes[i]);
        round_trip(base, &block);
        block = block_with(0, 0, sizes[i]);
        if (sizes[i] >= BLOCK_LARGE_BYTES)
            round_trip(base, &block);
    }
}

/* A large block of a lot; the lot says all, whatever else the caller has filled in. */
static void test_lots_of_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES && sizes[i] <= UINT32_MAX; i++) {
        struct block want = {1, lot_intern(1, sizes[i]), 9, sizes[i]};
        assert_int_not_equal(want.lot, 0);
        round_trip(base + 0x3f0, &want);
        struct block bare = {.lot = want.lot, .epoch = 9}, got;
        assert_true(block_put(base, &bare));
        assert_true(block_take(base, &got));
        assert_same(&got, &want);
    }
}

/* Makes what a high lot, and births in different epochs, need where the address is. */
static void widen(uintptr_t address)
{
    static struct block wide = {.epoch = 1};
    for (uint32_t i = 0; wide.lot < NARROW; i++) {
        wide.site = 20000 + i / 1000;
        wide.size_bytes = i % 1000;
        wide.lot = lot_intern(wide.site, wide.size_bytes);
    }
    wide.epoch = 3 - wide.epoch;
    round_trip(address, &wide);
    wide.epoch = 3 - wide.epoch;
    round_trip(address, &wide);
}

static void test_largest_lot(void **state)
{
    (void)state;
    assert_true(block_put_lot(base, lot_intern(1, 8), 0) ||
                block_put(base, &(struct block){.lot = lot_intern(1, 8)}));
    assert_int_equal(block_take_lot(base), lot_intern(1, 8));
    widen(base);
    assert_true(block_put_lot(base + 16, LOT_MAX, 15));
    assert_int_equal(block_take_lot(base + 16), LOT_MAX);
    assert_true(block_put_lot(base, LOT_MAX, 15));
    assert_int_equal(block_take_lot(base), LOT_MAX);
    assert_unknown(base);
}

/* Lots of one cell and of two, in turn at the same addresses, with every epoch. */
static void test_narrow_and_wide_lots(void **state)
{
    (void)state;
    static const uint32_t lots[] = {
        1,          NARROW - 1,     NARROW,     NARROW + 1, 2 * NARROW - 1,
        2 * NARROW, 5 * NARROW - 1, 5 * NARROW, 0x123456,   LOT_MAX};
    uintptr_t address = base + 30ul * FAR_BYTES;
    put(address, 1, 8);
    assert_taken(address, 1, 8);
    assert_false(block_put_lot(address, NARROW, 0)); /* no high bits yet */
    assert_unknown(address);
    assert_false(block_put_lot(address, NARROW, 1)); /* nor births of different epochs */
    assert_unknown(address);
    widen(address);
    for (uintptr_t round = 0; round < 2000; round++) {
        uint32_t lot = lots[round * 7 % (sizeof(lots) / sizeof(*lots))];
        uintptr_t at = address + round % 5 * 48;
        assert_true(block_put_lot(at, lot, (uint32_t)(round / 3 % BLOCK_EPOCHS)));
        struct block_place place = block_place(at);
        assert_int_equal(block_birth(place), round / 3 % BLOCK_EPOCHS);
        assert_int_equal(block_take_lot(at), lot);
        assert_int_equal(block_take_lot(at), 0);
        /* its ghost knows it */
        assert_int_equal(block_lot(block_content(place), place), lot);
    }
}

/* As a hook does, with glibc's malloc. */
static bool put_plain(uintptr_t address, uint32_t lot)
{
    struct block_place place = block_place_plain(address);
    return block_begin_plain(place) && block_set_lot(place, address, lot);
}

static void test_epoch_that_it_is(void **state)
{
    (void)state;
    struct block block;
    if (GRANULE == 16)
        return;
    put(base, 1, 8);
    assert_taken(base, 1, 8);
    for (uint64_t epoch = 0; epoch < 2 * BLOCK_EPOCHS; epoch++) {
        block_set_epoch(epoch);
        while (!put_plain(base, lot_intern(1, 8))) /* the births */
            round_trip(base, &(struct block){1, lot_intern(1, 8), block_epoch(), 8});
        assert_true(block_take(base, &block));
        assert_int_equal(block.epoch, epoch == 0 ? 0 : 1 + (epoch - 1) % (BLOCK_EPOCHS - 1));
        assert_int_equal(block_age(block.epoch), 0);
        assert_int_equal(block.lot, lot_intern(1, 8));
    }
    block_set_epoch(0);
}

static unsigned age_at(uintptr_t address)
{
    struct block block;
    assert_true(block_find(address, &block));
    return block_age(block.epoch);
}

/* One block is born in each of 100 epochs: small ones, large ones with a lot, and those without. */
static void test_ages_never_wrap(void **state)
{
    (void)state;
    enum { EPOCHS = 100, STEP = 4096, OLD = 8 };
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        block_set_epoch(epoch);
        if (epoch % 7 == 0)
            block_redate(epoch);
        struct block born = {.site = 1, .epoch = block_epoch(), .size_bytes = 40};
        uintptr_t at = base + epoch * STEP;
        assert_true(block_put(at, &born));
        born.size_bytes = 1200;
        born.lot = lot_intern(1, 1200);
        assert_true(block_put(at + 1024, &born));
        born.lot = 0;
        assert_true(block_put(at + 3072, &born));
        for (uint64_t birth = 0; birth <= epoch; birth++) {
            unsigned age = epoch - birth < OLD ? (unsigned)(epoch - birth) : OLD;
            assert_int_equal(age_at(base + birth * STEP), age);
            assert_int_equal(age_at(base + birth * STEP + 1024), age);
            assert_int_equal(age_at(base + birth * STEP + 3072), age);
        }
    }
    struct block block;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++)
        for (unsigned i = 0; i < 4; i++)
            if (i != 2)
                assert_true(block_take(base + epoch * STEP + i * 1024, &block));
    block_set_epoch(0);
}

static uint32_t epoch_at(uintptr_t address)
{
    struct block block;
    assert_true(block_find(address, &block));
    return block.epoch;
}

/* Blocks of one page, whose first one says its epoch for all, until one of another epoch comes. */
static void test_births_of_one_page(void **state)
{
    (void)state;
    uint32_t lot = lot_intern(1, 8);
    uintptr_t address = base + 50ul * FAR_BYTES;
    assert_true(block_put(address, &(struct block){.lot = lot, .epoch = 5}));
    assert_true(block_put_lot(address + 64, lot, 5));
    uint64_t own_bytes = block_own_bytes();
    for (uintptr_t i = 2; i < 10; i++)
        assert_true(block_put_lot(address + i * 64, lot, 5));
    assert_int_equal(block_own_bytes(), own_bytes);
    assert_false(block_put_lot(address + 640, lot, 6));
    assert_true(block_put(address + 640, &(struct block){.lot = lot, .epoch = 6}));
    assert_true(block_put_lot(address + 704, lot, 7));
    for (uintptr_t i = 0; i < 12; i++)
        assert_int_equal(epoch_at(address + i * 64), i < 10 ? 5 : i - 4);
    block_redate(13); /* 6 and later are kept */
    for (uintptr_t i = 0; i < 12; i++)
        assert_int_equal(epoch_at(address + i * 64), i < 10 ? 0 : i - 4);
    for (uintptr_t i = 0; i < 12; i++)
        assert_int_equal(block_take_lot(address + i * 64), lot);
}

/* No block of a page has an epoch of its own: they are re-dated all at once. */
static void test_births_of_a_whole_page(void **state)
{
    (void)state;
    uint32_t lot = lot_intern(1, 8);
    uintptr_t address = base + 52ul * FAR_BYTES;
    assert_true(block_put(address, &(struct block){.lot = lot, .epoch = 5}));
    block_redate(12); /* 5 and later are kept */
    assert_int_equal(epoch_at(address), 5);
    block_redate(13);
    assert_int_equal(epoch_at(address), 0);
    assert_true(block_put_lot(address + 32, lot, 0));
    assert_true(block_put(address + 64, &(struct block){.lot = lot, .epoch = 13}));
    assert_int_equal(epoch_at(address), 0);
    assert_int_equal(epoch_at(address + 32), 0);
    assert_int_equal(epoch_at(address + 64), 13);
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(block_take_lot(address + i * 32), lot);
}

static void test_fast_and_slow_are_one(void **state)
{
    (void)state;
    uint32_t lot = lot_intern(6, 60);
    uintptr_t address = base + 11ul * FAR_BYTES;
    struct block want = {6, lot, 3, 60}, got;
    assert_int_equal(block_take_lot(address), 0);
    assert_false(block_put_lot(address, lot, 3)); /* no page yet */
    assert_true(block_put(address, &want));
    assert_false(block_put_lot(address, lot, 3)); /* taken */
    assert_int_equal(block_take_lot(address), lot);
    assert_int_equal(block_take_lot(address), 0);
    assert_true(block_put_lot(address, lot, 3));
    assert_true(block_take(address, &got));
    assert_same(&got, &want);
    assert_unknown(address);
}

static void test_unaligned_is_refused(void **state)
{
    (void)state;
    put(base, 1, 16);
    assert_false(block_put(base + 8, &(struct block){.site = 1, .size_bytes = 8}));
    assert_false(block_put_lot(base + 40, lot_intern(1, 8), 0));
    assert_unknown(base + 8);
    assert_taken(base, 1, 16);
}

static void test_granules(void **state)
{
    (void)state;
    assert_int_equal(block_bytes_min(), GRANULE == 16 ? 16 : 0);
    for (uintptr_t at = 0; at < 3ul * PAGE_REACH; at += GRANULE)
        put(base + at, 1 + (at / GRANULE) % 5, at % 1000);
    for (uintptr_t at = 0; at < 3ul * PAGE_REACH; at += GRANULE) {
        if (GRANULE == 32)
            assert_unknown(base + at + 16);
        assert_taken(base + at, 1 + (at / GRANULE) % 5, at % 1000);
    }
}

/* glibc's blocks begin at odd multiples of 16 too. */
static void test_either_half_of_a_granule(void **state)
{
    (void)state;
    for (uintptr_t at = 16; at < 4096; at += 48)
        put(base + at, 2, at % 1000);
    for (uintptr_t at = 16; at < 4096; at += 48) {
        assert_int_equal(block_take_lot((base + at) ^ 16), 0);
        assert_taken(base + at, 2, at % 1000);
    }
}

static void test_beyond_48_bits_is_refused(void **state)
{
    (void)state;
    struct block block = block_of(1, 16), huge = block_of(1, 1ull << 40);
    assert_true(block_put(((uintptr_t)1 << 48) - 32, &block));
    assert_taken(((uintptr_t)1 << 48) - 32, 1, 16);
    assert_false(block_put((uintptr_t)1 << 48, &block));
    assert_false(block_put(UINTPTR_MAX - 15, &block));
    assert_false(block_put((uintptr_t)1 << 48, &huge));
}

/* A large block starts in the same KiB as small ones, before and after it. */
static void test_one_kib_shared(void **state)
{
    (void)state;
    put(base, 1, 16);
    put(base + 0x3f0 - GRANULE, 2, 16);
    put(base + 0x3f0, 3, 5000);
    assert_found(base, 1, 16);
    assert_found(base + 0x3f0 - GRANULE, 2, 16);
    assert_found(base + 0x3f0, 3, 5000);
    assert_unknown(base + 0x10);
    assert_taken(base + 0x3f0, 3, 5000);
    assert_taken(base + 0x3f0 - GRANULE, 2, 16);
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

static void assert_evicted(uintptr_t address, uint64_t size_bytes, uint32_t site, uint64_t had)
{
    struct block want = block_of(site, had), got;
    assert_true(block_evict(address, size_bytes, &got));
    assert_same(&got, &want);
}

static void test_evict(void **state)
{
    (void)state;
    const struct block none = {0};
    struct block got;
    assert_false(block_evict(base, 16, &got));
    assert_same(&got, &none);
    put(base + 16, 2, 2000);
    put(base + 16, 1, 100); /* hides the large one */
    assert_evicted(base + 16, 16, 1, 100);
    assert_evicted(base + 16, 16, 2, 2000);
    put(base + 16, 2, 1ull << 41);
    assert_false(block_evict(base, 16, &got)); /* may live, as far as a small one can tell */
    assert_evicted(base, 5000, 2, 1ull << 41);
    put(base + 16, 3, 33);
    if (GRANULE == 32)
        assert_evicted(base, 16, 3, 33);
    else
        assert_taken(base + 16, 3, 33);
    assert_false(block_evict(base, 5000, &got));
    assert_false(block_evict(UINTPTR_MAX - 15, 5000, &got));
    assert_unknown(base);
    assert_unknown(base + 16);
}

/* The rest of a huge size lies on the next page, which does not exist yet. */
static void test_huge_size_across_pages(void **state)
{
    (void)state;
    uintptr_t address = base + 9ul * FAR_BYTES - 1024;
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
    put(base + 3ul * FAR_BYTES, 4, 1024);
    put(base + 3ul * FAR_BYTES + 1024, 2, 1);
    put(base + FAR_BYTES - 16, 1, 15);
    put(base + 0x3f0, 3, 1ull << 36);
    put(0x20, 9, 0);
    struct seen seen = {.count = 0};
    block_each(see, &seen);
    const uintptr_t order[] = {0x20, base + FAR_BYTES - 16, base + 3ul * FAR_BYTES + 1024,
                               base + 0x3f0, base + 3ul * FAR_BYTES};
    const struct block blocks[] = {block_of(9, 0), block_of(1, 15), block_of(2, 1),
                                   block_of(3, 1ull << 36), block_of(4, 1024)};
    assert_int_equal(seen.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(seen.address[i], order[i]);
        assert_same(&seen.block[i], &blocks[i]);
        assert_taken(order[i], blocks[i].site, blocks[i].size_bytes);
    }
}

static void test_own_bytes(void **state)
{
    (void)state;
    if (SANITIZER_THREAD) /* a minute, of one thread */
        skip();
    uintptr_t address = base + 20ul * FAR_BYTES;
    uint64_t before = block_own_bytes();
    for (uintptr_t at = 0; at < FAR_BYTES; at += GRANULE)
        put(address + at, 1, 16);
    uint64_t dense = block_own_bytes() - before;
    uint64_t exact = FAR_BYTES / GRANULE * 2;
    assert_in_range(dense, exact - exact / 8, exact + exact / 6);
    for (uintptr_t at = 0; at < FAR_BYTES; at += GRANULE)
        block_take(address + at, &(struct block){0});
    assert_int_equal(block_own_bytes() - before, dense);
    /* What needs more than a cell has more where it is: a 16th of the room. */
    for (uintptr_t at = 0; at < FAR_BYTES / 16; at += GRANULE)
        round_trip(address + at, &(struct block){1, lot_intern(1, 16), 3, 16});
    uint64_t more = block_own_bytes() - before - dense;
    assert_in_range(more, 0, exact / 16 + exact / 8);
    block_init(GRANULE == 16 ? 5 : 4); /* too late */
    assert_int_equal(block_bytes_min(), GRANULE == 16 ? 16 : 0);
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
        model[grain] =
            block_with(1 + (uint32_t)rand() % 99, (uint32_t)rand() % 16, model_size(grain));
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
    put(base + ((uintptr_t)1 << 40) + 32, 2, 20);
}

/* Both of them make the shelf and the page. */
static void test_another_thread_makes_the_page_first(void **state)
{
    (void)state;
    lot_intern(1, 10);
    lot_intern(2, 20);
    plate_pages_meanwhile = put_neighbour;
    put(base + ((uintptr_t)1 << 40), 1, 10);
    assert_null(plate_pages_meanwhile);
    assert_taken(base + ((uintptr_t)1 << 40), 1, 10);
    assert_taken(base + ((uintptr_t)1 << 40) + 32, 2, 20);
}

/* Every eighth slot of 32 bytes is a thread's own; a few of its blocks are large. */
static void *worker(void *argument)
{
    uintptr_t mine = base + 40ul * FAR_BYTES + (uintptr_t)argument * 32;
    uint32_t site = 1 + (uint32_t)(uintptr_t)argument;
    size_t wrong = 0;
    for (int round = 0; round < 20; round++) {
        for (uintptr_t at = 0; at < 4ul * FAR_BYTES; at += FAR_BYTES / 256) {
            bool big = site == 1 && at % (FAR_BYTES / 64) == 0;
            struct block block = {.site = site, .size_bytes = big ? 2048 : at / (FAR_BYTES / 256)};
            uint32_t epoch = at / (FAR_BYTES / 256) % 2; /* now in a cell, now in two */
            wrong += !block_put_lot(mine + at, lot_intern(site, 24), epoch) &&
                     !block_put(mine + at, &block);
        }
        for (uintptr_t at = 0; at < 4ul * FAR_BYTES; at += FAR_BYTES / 256) {
            struct block block;
            wrong += block_take_lot(mine + at) == 0 &&
                     (!block_take(mine + at, &block) || block.site != site);
        }
    }
    return (void *)wrong;
}

static void see_sane(uintptr_t address, const struct block *block, void *context)
{
    uintptr_t slot = (address - base) / 32 % 8;
    *(size_t *)context += block->site != 1 + slot || block->epoch > 1 || block->size_bytes > 2048;
}

static void test_threads_on_disjoint_addresses(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, (void *)i), 0);
    size_t insane = 0;
    for (int i = 0; i < 50; i++)
        block_each(see_sane, &insane);
    assert_int_equal(insane, 0);
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
    block = (struct block){.site = 6, .size_bytes = 6000};
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

/* Must be the first: no shelf is there yet. */
static void test_no_memory(void **state)
{
    (void)state;
    struct block block = block_of(1, 16), huge = block_of(1, 1ull << 40);
    uintptr_t end = base + (1ul << 19) - 1024; /* of what a page of large entries reaches */
    plate_pages_left = 0;
    assert_false(block_put(base, &block));
    assert_false(block_put(base, &huge));
    assert_unknown(base);
    plate_pages_left = 1; /* a shelf and no page */
    assert_false(block_put(base, &block));
    assert_unknown(base);
    plate_pages_left = 1;
    assert_true(block_put(base, &block));
    assert_taken(base, 1, 16);
    plate_pages_left = 1; /* the pool still has pages: the shelf is what it takes */
    assert_true(block_put(end, &(struct block){.site = 1, .size_bytes = 1024}));
    plate_pages_left = 0;
    assert_false(block_put(base + (1ul << 40), &huge));
    while (block_put(end, &huge)) /* uses the pool up, two pages at most each */
        end += 1ul << 19;
    assert_int_equal(block_find(end, &block), end == base + (1ul << 19) - 1024);
    plate_pages_left = -1;
    for (; end > base; end -= 1ul << 19)
        block_take(end, &block);
}

/* The small block's lot cannot be made: the block is not recorded, nor the one before it lost. */
static void test_no_lot(void **state)
{
    (void)state;
    uint32_t count = arena.tables[BOX_LOTS].count;
    arena.tables[BOX_LOTS].count = LOT_MAX + 1u;
    assert_false(block_put(base, &(struct block){.site = 12345, .size_bytes = 1}));
    assert_true(block_put(base, &(struct block){.site = 12345, .size_bytes = 1024}));
    assert_taken(base, 12345, 1024);
    arena.tables[BOX_LOTS].count = count;
}

static int set_up(void **state)
{
    long error;
    (void)state;
    block_init(UNIT_GRANULE_BITS);
    return arena_open(NULL, "unit", 1, &error) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_unknown_addresses),
        cmocka_unit_test(test_every_field_at_its_limits),
        cmocka_unit_test(test_lots_of_every_size),
        cmocka_unit_test(test_largest_lot),
        cmocka_unit_test(test_narrow_and_wide_lots),
        cmocka_unit_test(test_epoch_that_it_is),
        cmocka_unit_test(test_ages_never_wrap),
        cmocka_unit_test(test_births_of_one_page),
        cmocka_unit_test(test_births_of_a_whole_page),
        cmocka_unit_test(test_fast_and_slow_are_one),
        cmocka_unit_test(test_unaligned_is_refused),
        cmocka_unit_test(test_granules),
        cmocka_unit_test(test_either_half_of_a_granule),
        cmocka_unit_test(test_beyond_48_bits_is_refused),
        cmocka_unit_test(test_one_kib_shared),
        cmocka_unit_test(test_unseen_free_is_replaced),
        cmocka_unit_test(test_evict),
        cmocka_unit_test(test_no_lot),
        cmocka_unit_test(test_huge_size_across_pages),
        cmocka_unit_test(test_each_in_order),
        cmocka_unit_test(test_own_bytes),
        cmocka_unit_test(test_random_against_model),
        cmocka_unit_test(test_another_thread_makes_the_page_first),
        cmocka_unit_test(test_threads_on_disjoint_addresses),
        cmocka_unit_test(test_fork_copies),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
