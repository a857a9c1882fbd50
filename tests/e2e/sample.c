/*
 * sample.c - known amounts of very different sizes, for estimates to be compared with (sample.py).
 *
 *     sample [few] [fork|kill|snapshot|nothing]
 *     sample mixed [BYTES COUNT]...
 *
 * Each site_*() allocates and frees some at once, and keeps the rest; the amounts are sample.py's table.
 *   few       of each kind no more than twice what is kept
 *   fork      a child frees every other kept string and allocates pages of its own
 *   kill      ends by SIGKILL
 *   snapshot  raises SIGUSR1 when half is done
 *   nothing   frees whatever was kept before it ends
 *   mixed     does nothing else: one site asks for COUNT times BYTES, and frees every third of each
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STRINGS = 11200000, /* of 48 bytes */
    STRINGS_KEPT = 700000,
    RECORDS = 600000, /* of 1000 bytes, by calloc */
    RECORDS_KEPT = 40000,
    PAGES = 132000, /* of 4 KiB */
    PAGES_KEPT = 8400,
    BUFFERS = 2000, /* of 300 KiB */
    BUFFERS_KEPT = 200,
    IMAGES = 100, /* of 2 MiB */
    IMAGES_KEPT = 10,
    CHAINS = 100000, /* of 100, then 3000, then 20000, then 500 bytes */
    CHAINS_KEPT = 5000,
    THREADS = 4,
    GIFTS = 540000, /* of 256 bytes, by each thread; another frees all but the kept */
    GIFTS_KEPT = 35000,
    MAPPINGS = 5, /* of 64 KiB */
    MAPPINGS_KEPT = 3,
    CHILD_PAGES = 8400,
    KEPT_MAX = 1000000
};

static void *kept[KEPT_MAX];
static int kept_count, kept_strings, few;

static int count_of(int count, int count_kept)
{
    return few && count > 2 * count_kept ? 2 * count_kept : count;
}

/* Keeps a site's frame on the stack: no tail calls. */
static void *stay(void *block)
{
    __asm__ volatile("" : "+r"(block));
    return block;
}

/* Keeps `count_kept` of `count` blocks evenly, frees the others at once. */
static void keep(char *block, int i, int count, int count_kept)
{
    block[0] = 1;
    if ((long long)(i + 1) * count_kept / count > (long long)i * count_kept / count)
        kept[kept_count++] = block;
    else
        free(block);
}

__attribute__((noinline)) static void site_string(void)
{
    int count = count_of(STRINGS, STRINGS_KEPT);
    for (int i = 0; i < count; i++)
        keep(malloc(48), i, count, STRINGS_KEPT);
    kept_strings = kept_count;
}

__attribute__((noinline)) static void site_record(void)
{
    int count = count_of(RECORDS, RECORDS_KEPT);
    for (int i = 0; i < count; i++)
        keep(calloc(10, 100), i, count, RECORDS_KEPT);
}

__attribute__((noinline)) static void site_page(void)
{
    int count = count_of(PAGES, PAGES_KEPT);
    for (int i = 0; i < count; i++)
        keep(malloc(4096), i, count, PAGES_KEPT);
}

__attribute__((noinline)) static void site_buffer(void)
{
    int count = count_of(BUFFERS, BUFFERS_KEPT);
    for (int i = 0; i < count; i++)
        keep(malloc(300 << 10), i, count, BUFFERS_KEPT);
}

__attribute__((noinline)) static void site_image(void)
{
    int count = count_of(IMAGES, IMAGES_KEPT);
    for (int i = 0; i < count; i++)
        keep(malloc(2 << 20), i, count, IMAGES_KEPT);
}

/* Each step may be sampled or not, whatever the step before was. */
__attribute__((noinline)) static void *site_first(void)
{
    return stay(malloc(100));
}

__attribute__((noinline)) static void *site_second(void *block)
{
    return stay(realloc(block, 3000));
}

__attribute__((noinline)) static void *site_third(void *block)
{
    return stay(realloc(block, 20000));
}

__attribute__((noinline)) static void *site_last(void *block)
{
    return stay(realloc(block, 500));
}

static void run_chains(void)
{
    int count = count_of(CHAINS, CHAINS_KEPT);
    for (int i = 0; i < count; i++)
        keep(site_last(site_third(site_second(site_first()))), i, count, CHAINS_KEPT);
}

static void *gifts[THREADS][GIFTS / 10];

__attribute__((noinline)) static void site_gift(void **into)
{
    int count = count_of(GIFTS, GIFTS_KEPT) / 10;
    for (int i = 0; i < count; i++)
        into[i] = malloc(256);
    __asm__ volatile("");
}

static void *thread_main(void *argument)
{
    site_gift(argument);
    return argument;
}

static void run_threads(void)
{
    int count = count_of(GIFTS, GIFTS_KEPT) / 10;
    for (int part = 0; part < 10; part++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, thread_main, gifts[i]);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++)
            for (int at = 0; at < count; at++)
                keep(gifts[i][at], at, count, GIFTS_KEPT / 10);
    }
}

__attribute__((noinline)) static void site_mapping(void)
{
    void *blocks[MAPPINGS];
    for (int i = 0; i < MAPPINGS; i++)
        blocks[i] = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = MAPPINGS_KEPT; i < MAPPINGS; i++)
        munmap(blocks[i], 65536);
}

__attribute__((noinline)) static void site_child(void)
{
    for (int i = 0; i < kept_strings; i += 2)
        free(kept[i]);
    for (int i = 0; i < CHILD_PAGES; i++)
        *(char *)malloc(4096) = 1;
    __asm__ volatile("");
}

static int run_fork(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        site_child();
        exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static void free_kept(void)
{
    for (int i = 0; i < kept_count; i++)
        free(kept[i]);
}

static __attribute__((noinline)) void *site_mixed(size_t bytes)
{
    void *volatile block = malloc(bytes);
    return block;
}

static int run_mixed(char **arguments)
{
    for (; arguments[0] && arguments[1]; arguments += 2)
        for (long i = 0; i < atol(arguments[1]); i++) {
            void *block = site_mixed((size_t)atol(arguments[0]));
            if (i % 3 == 0)
                free(block);
        }
    return 0;
}

int main(int count, char **arguments)
{
    const char *how = count > 1 ? arguments[count - 1] : "";
    if (count > 1 && strcmp(arguments[1], "mixed") == 0)
        return run_mixed(arguments + 2);
    few = count > 1 && strcmp(arguments[1], "few") == 0;
    site_string();
    site_mapping();
    if (strcmp(how, "snapshot") == 0)
        raise(SIGUSR1);
    site_record();
    site_page();
    site_buffer();
    site_image();
    run_chains();
    run_threads();
    if (strcmp(how, "nothing") == 0)
        free_kept();
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    return strcmp(how, "fork") == 0 ? run_fork() != 0 : 0;
}
