/* The adversary's frames: of every shape that compilers make, left by jumps, called back by libc. */
#include "adversary.h"

#include <search.h>
#include <setjmp.h>
#include <stdlib.h>

enum {
    JUMP_FRAMES = 20,
    LARGE_FRAMES = 12,
    LARGE_BYTES = 100 << 10, /* with the frames above: more than 1 MiB of stack */
    SMALL_FRAMES = 16 << 10  /* of 64 bytes or more: the same */
};

static __thread jmp_buf jump;
static volatile int yes = 1; /* not for the compiler to know */

/* left by longjmp, at once after the call: the return address lies behind the function */

PLACE static void jump_leaf(void)
{
    adversary_allocate();
    longjmp(jump, 1);
}

PLACE static void jump_down(int left)
{
    if (left > 0)
        jump_down(left - 1);
    else if (yes)
        jump_leaf();
    STAY();
}

PLACE static void jump_after(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void jump_run(void)
{
    if (!setjmp(jump))
        jump_down(JUMP_FRAMES);
    jump_after();
    STAY();
}

PLACE __attribute__((noreturn)) static void noreturn_leaf(void)
{
    adversary_allocate();
    longjmp(jump, 1);
}

PLACE __attribute__((noreturn)) static void noreturn_caller(void)
{
    noreturn_leaf();
}

PLACE static void noreturn_run(void)
{
    if (!setjmp(jump))
        noreturn_caller();
    STAY();
}

/* frames of no fixed size or place */

PLACE static void alloca_leaf(char *room)
{
    __asm__ volatile("" : : "r"(room) : "memory");
    adversary_allocate();
    STAY();
}

PLACE static void alloca_frame(size_t bytes)
{
    alloca_leaf(__builtin_alloca(bytes));
    STAY();
}

PLACE static void aligned_leaf(char *room, char *more)
{
    __asm__ volatile("" : : "r"(room), "r"(more) : "memory");
    adversary_allocate();
    STAY();
}

struct on_stack {
    size_t bytes
        [4]; /* an argument that is passed on the stack: the frame needs its old pointer, too */
};

PLACE static void aligned_frame(size_t bytes, struct on_stack argument)
{
    char room[64] __attribute__((aligned(4096)));
    aligned_leaf(room, __builtin_alloca(bytes + argument.bytes[bytes % 4]));
    STAY();
}

PLACE static void large_leaf(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void large_frame(int left)
{
    char room[LARGE_BYTES];
    __asm__ volatile("" : : "r"(room) : "memory");
    if (left > 0)
        large_frame(left - 1);
    else
        large_leaf();
    __asm__ volatile("" : : "r"(room) : "memory");
}

PLACE static void large_run(void)
{
    large_frame(LARGE_FRAMES);
    STAY();
}

PLACE static void small_leaf(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void small_frame(int left)
{
    char room[48];
    __asm__ volatile("" : : "r"(room) : "memory");
    if (left > 0)
        small_frame(left - 1);
    else
        small_leaf();
    __asm__ volatile("" : : "r"(room) : "memory");
}

/* frames that are gone when the callee runs, and code far from its function */

PLACE static void tail_last(int steps)
{
    adversary_allocate();
    yes = steps != 0;
    STAY();
}

PLACE static void tail_second(int steps)
{
    tail_last(steps + 1);
}

PLACE static void tail_first(int steps)
{
    tail_second(steps + 1);
}

PLACE static void tail_run(void)
{
    tail_first(yes);
    STAY();
}

PLACE __attribute__((cold)) static void cold_leaf(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void cold_split(volatile int *sum)
{
    for (int i = 0; i < 4; i++)
        *sum += i;
    if (__builtin_expect(*sum > 0, 0)) {
        *sum = 0;
        cold_leaf();
        *sum += 1;
    }
    STAY();
}

void adversary_frames(void)
{
    volatile int sum = 0;
    jump_run();
    noreturn_run();
    for (size_t bytes = 1; bytes < 20000; bytes *= 7)
        alloca_frame(bytes);
    aligned_frame(100, (struct on_stack){{1, 2, 3, 4}});
    aligned_frame(5000, (struct on_stack){{1, 2, 3, 4}});
    large_run();
    small_frame(SMALL_FRAMES);
    tail_run();
    cold_split(&sum);
    STAY();
}

/* callbacks from libc */

static __thread int compared; /* allocations of compare_items() in one sort */

PLACE static int compare_items(const void *a, const void *b)
{
    if (compared++ == 0)
        adversary_allocate();
    return *(const int *)a - *(const int *)b;
}

PLACE static void sort_run(void)
{
    int items[] = {5, 3, 9, 1, 7, 2, 8};
    compared = 0;
    qsort(items, sizeof(items) / sizeof(items[0]), sizeof(items[0]), compare_items);
    STAY();
}

PLACE static int search_item(const void *key, const void *item)
{
    adversary_allocate();
    return *(const int *)key - *(const int *)item;
}

PLACE static void search_run(void)
{
    int item = 1;
    adversary_check(bsearch(&item, &item, 1, sizeof(item), search_item) != NULL, "bsearch");
    STAY();
}

PLACE static int tree_compare(const void *a, const void *b)
{
    adversary_allocate();
    return a < b ? -1 : a > b;
}

PLACE static void tree_free(void *item)
{
    (void)item;
    adversary_allocate();
    STAY();
}

PLACE static void tree_run(void)
{
    static int items[2];
    void *root = NULL;
    tsearch(&items[0], &root, tree_compare);
    tsearch(&items[1], &root, tree_compare);
    tdestroy(root, tree_free);
    STAY();
}

void adversary_callbacks(void)
{
    sort_run();
    search_run();
    tree_run();
    STAY();
}
