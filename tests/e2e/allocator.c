/*
 * allocator.c - what programs may expect of an allocator, and what allocators differ in.
 *
 * Prints a line for each behaviour: with and without the preload, on one allocator, the output is the same. Addresses
 * are not printed, only what holds of them. Any argument: the allocator has no pvalloc().
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, THREADS = 8, ROUNDS = 2000, FORKS = 40, SIZES = 40 };

static void *volatile sink;
static volatile size_t huge = PTRDIFF_MAX; /* hidden from the compiler */

static bool is_filled(const void *block, unsigned char byte, size_t size)
{
    const unsigned char *at = block;

    for (size_t i = 0; i < size; i++)
        if (at[i] != byte)
            return false;
    return true;
}

static bool is_aligned(const void *block, size_t alignment)
{
    return (uintptr_t)block % alignment == 0;
}

/* Says how a call that should fail has failed. */
static void say_failure(const char *what, const void *block)
{
    printf("%s: %s, errno %d\n", what, block ? "a block" : "none", block ? 0 : errno);
    errno = 0;
}

static void too_large(void)
{
    size_t sizes[] = {huge, huge + 1, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - PAGE, huge - PAGE};
    char what[64];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *made = NULL, *volatile kept = malloc(100);
        memset(kept, 7, 100);
        errno = 0;
        snprintf(what, sizeof what, "malloc of %zx", sizes[i]);
        say_failure(what, malloc(sizes[i]));
        say_failure("calloc", calloc(1, sizes[i]));
        say_failure("realloc", realloc(kept, sizes[i]));
        say_failure("reallocarray", reallocarray(kept, 1, sizes[i]));
        say_failure("memalign", memalign(64, sizes[i]));
        say_failure("aligned_alloc", aligned_alloc(64, sizes[i] & ~(size_t)63));
        say_failure("valloc", valloc(sizes[i]));
        printf("posix_memalign: %d\n", posix_memalign(&made, 64, sizes[i]));
        printf("untouched %d %d\n", made == NULL, is_filled(kept, 7, 100));
        free(kept);
    }
}

static void overflow(void)
{
    volatile size_t half = (size_t)1 << (sizeof(size_t) * 4);
    void *volatile kept = malloc(10);

    errno = 0;
    memcpy(kept, "123456789", 10);
    say_failure("calloc", calloc(half, half));
    say_failure("calloc", calloc(huge, 3));
    say_failure("calloc", calloc(3, huge));
    say_failure("reallocarray", reallocarray(kept, half, half));
    say_failure("reallocarray", reallocarray(NULL, huge / 2, 5));
    printf("kept %s\n", (char *)kept);
    free(kept);
}

static void errno_is_kept(void)
{
    void *small = malloc(10), *large = malloc(10 << 20), *aligned = memalign(PAGE, 3 * PAGE);

    errno = 1234;
    free(small);
    free(large);
    free(aligned);
    free(NULL);
    printf("errno after free %d\n", errno);
    small = malloc(20);
    large = calloc(3, 1 << 20);
    small = realloc(small, 200);
    printf("errno after success %d\n", errno);
    printf("usable %d, errno %d\n", malloc_usable_size(small) >= 200, errno);
    free(small);
    free(large);
}

static void zero_sizes(void)
{
    void *a = malloc(0), *b = malloc(0), *c = calloc(0, 10), *d = calloc(10, 0);
    void *e = realloc(NULL, 0), *f = reallocarray(NULL, 0, 8), *g = NULL;

    printf("malloc(0) %d, different %d\n", a != NULL, a != b);
    printf("calloc(0) %d %d, different %d\n", c != NULL, d != NULL, c != d);
    printf("realloc(NULL, 0) %d %d\n", e != NULL, f != NULL);
    printf("posix_memalign of 0: %d\n", posix_memalign(&g, 64, 0));
    printf("usable %d\n", malloc_usable_size(NULL) == 0);
    void *h = realloc(a, 0);
    printf("realloc(block, 0) %d\n", h != NULL);
    free(b);
    free(c);
    free(d);
    free(e);
    free(f);
    free(g);
    free(h);
    a = malloc(100);
    h = reallocarray(a, 0, 100);
    printf("reallocarray(block, 0, 100) %d\n", h != NULL);
    free(h);
}

/* One that does what it may not with an alignment that is none is not asked: some allocators abort. */
static void alignments(void)
{
    static const size_t odd[] = {0, 1, 2, 3, 4, 7, 12, 24, 48, 100, sizeof(void *) + 1};
    void *made;

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        made = &made;
        int result = posix_memalign(&made, odd[i], 100);
        printf("posix_memalign to %zu: %d, untouched %d\n", odd[i], result, made == &made);
        if (result == 0)
            free(made);
    }
    for (size_t alignment = 8; alignment <= 1 << 22; alignment *= 2)
        for (size_t size = 1; size <= 300000; size = size * 7 + 1) {
            void *a = memalign(alignment, size), *b = aligned_alloc(alignment, size), *c = NULL;
            int result = posix_memalign(&c, alignment, size);
            if (!is_aligned(a, alignment) || !is_aligned(b, alignment) ||
                !is_aligned(c, alignment) || !a || !b || result != 0)
                printf("%zu of %zu: wrong\n", alignment, size);
            memset(a, 1, size);
            memset(b, 2, size);
            memset(c, 3, size);
            if (!is_filled(a, 1, size) || !is_filled(b, 2, size) || !is_filled(c, 3, size))
                printf("%zu of %zu: overlap\n", alignment, size);
            void *moved = realloc(a, size * 2);
            if (!is_filled(moved, 1, size))
                printf("%zu of %zu: lost\n", alignment, size);
            free(moved);
            free(b);
            free(c);
        }
    puts("aligned");
}

static void odd_alignments_of_memalign(void)
{
    static const size_t odd[] = {0, 1, 3, 24, 100};

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        errno = 0;
        void *block = memalign(odd[i], 50);
        printf("memalign to %zu: %d, errno %d\n", odd[i], block != NULL, errno);
        free(block);
        errno = 0;
        block = aligned_alloc(odd[i], 50);
        printf("aligned_alloc to %zu: %d, errno %d\n", odd[i], block != NULL, errno);
        free(block);
    }
}

/* Whole pages; an allocator without pvalloc() leaves it to libc's, and then cannot free that. */
static void pages(bool has_pvalloc)
{
    void *page = valloc(1), *whole = has_pvalloc ? pvalloc(1) : NULL;

    printf("valloc %d\n", is_aligned(page, PAGE));
    if (whole)
        printf("pvalloc %d, usable %d\n", is_aligned(whole, PAGE),
               malloc_usable_size(whole) >= PAGE);
    free(page);
    free(whole);
    for (size_t i = 0; i < 3 && has_pvalloc; i++) {
        size_t sizes[] = {SIZE_MAX, SIZE_MAX - PAGE + 2, huge};
        errno = 0;
        say_failure("pvalloc", pvalloc(sizes[i])); /* rounded up it would be nothing */
    }
}

static void usable_sizes(void)
{
    int wrong = 0;

    for (size_t size = 1; size < 3 << 20; size += 1 + size / 5) {
        unsigned char *block = malloc(size);
        size_t usable = malloc_usable_size(block);
        wrong += usable < size;
        memset(block, 0xa5, usable); /* all of it may be used */
        block = realloc(block, usable + 1);
        wrong += !is_filled(block, 0xa5, usable);
        block = realloc(block, size / 2 + 1);
        wrong += !is_filled(block, 0xa5, size / 2 + 1);
        free(block);
    }
    printf("usable: %d wrong\n", wrong);
}

static void zeroed(void)
{
    void *dirty[64], *clean[64];
    int wrong = 0;

    for (size_t size = 1; size <= 1 << 18; size = size * 3 + 1) {
        for (int i = 0; i < 64; i++) {
            dirty[i] = malloc(size);
            memset(dirty[i], 0xff, size);
        }
        for (int i = 0; i < 64; i++)
            free(dirty[i]);
        for (int i = 0; i < 64; i++) {
            clean[i] = calloc(1, size);
            wrong += !is_filled(clean[i], 0, size);
            memset(clean[i], 0xff, size);
        }
        for (int i = 0; i < 64; i++)
            free(clean[i]);
    }
    printf("calloc: %d not zeroed\n", wrong);
}

static void *churn_main(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    void *blocks[SIZES] = {NULL};

    for (int i = 0; i < ROUNDS; i++) {
        void **slot = &blocks[rand_r(&seed) % SIZES];
        free(*slot);
        *slot = rand_r(&seed) % 3 ? malloc((size_t)rand_r(&seed) % 5000)
                                  : memalign(64, (size_t)rand_r(&seed) % 5000);
    }
    return memcpy(malloc(sizeof blocks), blocks, sizeof blocks); /* freed by another thread */
}

static int free_all(void *left)
{
    void **blocks = left;

    for (int i = 0; i < SIZES; i++)
        free(blocks[i]);
    free(blocks);
    return 1;
}

static void threads_exit(void)
{
    pthread_t threads[THREADS];
    int freed = 0;

    for (int round = 0; round < 10; round++) {
        void *left;
        for (uintptr_t i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, churn_main, (void *)(i + 1));
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], &left);
            freed += free_all(left);
        }
    }
    printf("threads ended %d\n", freed);
}

static volatile bool stop;

static void *restless_main(void *unused)
{
    while (!stop)
        free(malloc(100));
    return unused;
}

/* The child allocates, whatever the other thread held when it was forked. */
static void forks(void)
{
    pthread_t thread;
    int good = 0, status;

    pthread_create(&thread, NULL, restless_main, NULL);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (int k = 0; k < 100; k++)
                sink = realloc(malloc((size_t)k * 100), (size_t)k * 50 + 1);
            _exit(3);
        }
        good +=
            waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3;
    }
    stop = true;
    pthread_join(thread, NULL);
    printf("children %d\n", good);
}

/* Later blocks are where earlier ones were: what is freed is free. */
static void reused(void)
{
    void *first = malloc(1000);
    uintptr_t at = (uintptr_t)first;
    bool again = false;

    free(first);
    for (int i = 0; i < 100 && !again; i++) {
        void *block = malloc(1000);
        again = (uintptr_t)block == at;
        free(block);
    }
    printf("reused %d\n", again);
}

int main(int count, char **arguments)
{
    (void)arguments;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    too_large();
    overflow();
    errno_is_kept();
    zero_sizes();
    alignments();
    odd_alignments_of_memalign();
    pages(count == 1);
    usable_sizes();
    zeroed();
    fflush(stdout);
    threads_exit();
    fflush(stdout);
    forks();
    reused();
    return 0;
}
