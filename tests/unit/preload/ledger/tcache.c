/* What glibc's threads keep for themselves, found by nothing but two freed blocks. */
#include "preload/ledger/tcache.h"

#include "recorder.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "emulator.h"
#include "sanitizer.h"

enum { KEPT = 5, SIZE_BYTES = 700 };

static pthread_barrier_t turn;
static void *volatile blocks[2 * KEPT];
static uint32_t lot;

static void free_some(void *volatile *kept)
{
    for (int i = 0; i < KEPT; i++)
        kept[i] = malloc(SIZE_BYTES + (size_t)i * 16);
    for (int i = 0; i < KEPT; i++)
        free(kept[i]);
}

static void *other_thread(void *argument)
{
    assert_true(recorder_alloc(lot));
    free_some(blocks + KEPT);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return argument;
}

/* How many of the blocks are listed, each as long as it is. */
static int listed(const struct tcache_list *list)
{
    int found = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct tcache_chunk *chunk = &list->chunks[i];
        assert_true(i == 0 || chunk[-1].start < chunk->start);
        for (int block = 0; block < 2 * KEPT; block++)
            if (chunk->start == (uint64_t)blocks[block]) {
                uint64_t asked_bytes = SIZE_BYTES + (uint64_t)(block % KEPT) * 16;
                assert_int_equal(chunk->usable_end - chunk->start,
                                 (asked_bytes + 8 + 15) / 16 * 16 - 8);
                found++;
            }
    }
    return found;
}

static int gathered(void)
{
    struct tcache_list list;
    tcache_gather(&list);
    assert_true(list.whole);
    int found = listed(&list);
    tcache_list_free(&list);
    return found;
}

static void test_nothing_is_known(void **state)
{
    struct tcache_list list;
    (void)state;
    tcache_gather(&list);
    assert_false(list.whole);
    assert_int_equal(list.count, 0);
    tcache_list_free(&list);
}

static void test_blocks_are_found(void **state)
{
    pthread_t thread;
    (void)state;
    if (SANITIZER_ADDRESS || SANITIZER_THREAD) /* whose malloc is another */
        skip();
    if (emulator_lacks("process_vm_readv"))
        skip();
    tcache_learn(malloc, free);
    assert_true(recorder_start());
    lot = recorder_lots(1, 16);
    assert_true(recorder_alloc(lot));
    pthread_barrier_init(&turn, NULL, 2);
    free_some(blocks);
    assert_int_equal(gathered(), KEPT);
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_barrier_wait(&turn);
    assert_int_equal(gathered(), 2 * KEPT);
    pthread_barrier_wait(&turn);
    pthread_join(thread, NULL);
    for (int i = 0; i < KEPT; i++)
        blocks[i] = malloc(SIZE_BYTES + (size_t)i * 16); /* out of the cache again */
    for (int i = KEPT; i < 2 * KEPT; i++)
        blocks[i] = NULL;
    assert_int_equal(gathered(), 0);
    for (int i = 0; i < KEPT; i++)
        free(blocks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_known),
                                       cmocka_unit_test(test_blocks_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
