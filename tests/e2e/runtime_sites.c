/*
 * A native library for programs on a virtual machine, by the ways they have to call one: JNI, N-API and P/Invoke. A round
 * leaks, keeps a plateau and a sawtooth, by known figures. No header of a runtime's is needed.
 */
#include "shapes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#pragma GCC visibility push(default)

enum { ROUNDS_MAX = 64 };

static void *volatile held[ROUNDS_MAX * LEAKS];
static unsigned held_count;

__attribute__((noinline)) static void leak_site(void)
{
    for (int i = 0; i < LEAKS; i++)
        held[held_count++] = malloc(BLOCK_BYTES);
}

void sites_round(int round);
void sites_churn(int count);
void sites_abort(void);
void sites_wait(int count);
void Java_Sites_round(void *env, void *class, int round);
void Java_Sites_await(void *env, void *class, int count);
void Java_Sites_abort(void *env, void *class);

void sites_round(int round)
{
    leak_site();
    plateau_site(round);
    sawtooth_site(round);
}

/* What other threads do meanwhile: `count` blocks of ever other sizes. */
void sites_churn(int count)
{
    for (int i = 0; i < count; i++) {
        char *volatile block = malloc((size_t)(16 + i % 3000));
        block[0] = 1;
        free(block);
    }
}

void sites_abort(void)
{
    abort();
}

/* Lines of the file SITES_TRACE that are of full collections. */
static int full_count(const char *path)
{
    static char text[1 << 16];
    int file = open(path, O_RDONLY), count = 0;
    long bytes = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
    if (file >= 0)
        close(file);
    text[bytes > 0 ? bytes : 0] = '\0';
    for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        count += strstr(at, "(minor)") == NULL;
    }
    return count;
}

/* Until `count` full collections have been noticed; not at all without SITES_TRACE. */
void sites_wait(int count)
{
    const char *path = getenv("SITES_TRACE");
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; path && i < 20000 && full_count(path) < count; i++)
        nanosleep(&pause, NULL);
}

/* JNI: class Sites { static native void round(int), await(int), abort(); } */

void Java_Sites_round(void *env, void *class, int round)
{
    (void)env, (void)class;
    sites_round(round);
}

void Java_Sites_await(void *env, void *class, int count)
{
    (void)env, (void)class;
    sites_wait(count);
}

void Java_Sites_abort(void *env, void *class)
{
    (void)env, (void)class;
    sites_abort();
}

/* N-API: exports.round(), which counts for itself. */

typedef void *(*napi_callback)(void *env, void *info);
int napi_create_function(void *env, const char *name, size_t length, napi_callback callback,
                         void *data, void **result) __attribute__((weak));
int napi_set_named_property(void *env, void *object, const char *name, void *value)
    __attribute__((weak));
void *napi_register_module_v1(void *env, void *exports);

static void *round_of_node(void *env, void *info)
{
    static int round;
    (void)env, (void)info;
    sites_round(round++);
    return NULL;
}

void *napi_register_module_v1(void *env, void *exports)
{
    void *function;
    if (napi_create_function(env, "round", 5, round_of_node, NULL, &function) == 0)
        napi_set_named_property(env, exports, "round", function);
    return exports;
}
