/* Explicit purges of the allocator: passed on, and a mark when they are done. What decays by itself is not one. */
#include "hook.h"

#include "hooks_runtime.h"
#include "process.h"
#include "preload/ground/facts.h"
#include "preload/ground/sys.h"
#include "preload/views/collection.h"

#include <string.h>

int malloc_trim(size_t pad_bytes);

/* A purge under way. */
struct purge {
    struct guard_thread *own; /* NULL: nothing is recorded of it */
    uint64_t start_ns;
    uint64_t rss_bytes;
};

/* What the allocator does inside is no event of the program's. */
static struct purge purge_begin(void)
{
    struct purge purge = {.own = hook_enter()};
    if (!purge.own || !guard_record(purge.own)) /* perhaps a forked child's first event */
        return purge;
    guard_set(GUARD_CALLING);
    purge.rss_bytes = facts_rss_bytes();
    purge.start_ns = sys_uptime_ns();
    return purge;
}

static void purge_end(const struct purge *purge, const char *source, const char *reason)
{
    if (!purge->own)
        return;
    if (source && purge->start_ns != 0 && process_is_ours()) {
        const struct collection_event event = {.source = source,
                                               .reason = reason,
                                               .pause_ns = sys_uptime_ns() - purge->start_ns,
                                               .rss_before_bytes = purge->rss_bytes};
        collection_mark(&event);
    }
    guard_leave(purge->own);
}

HOOK int malloc_trim(size_t pad_bytes)
{
    struct purge purge = purge_begin();
    int released = real_resolve() && real.malloc_trim ? real.malloc_trim(pad_bytes) : 0;
    purge_end(&purge, "malloc_trim", NULL);
    return released;
}

/* arena.N.purge, arena.N.decay */
static bool is_purge(const char *name)
{
    if (!name || strncmp(name, "arena.", 6) != 0)
        return false;
    const char *last = strrchr(name, '.');
    return strcmp(last, ".purge") == 0 || strcmp(last, ".decay") == 0;
}

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);

static uintptr_t real_mallctl;

static int hook_mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
{
    if (!is_purge(name))
        return ((mallctl_fn)real_mallctl)(name, old, old_bytes, new, new_bytes);
    struct purge purge = purge_begin();
    int result = ((mallctl_fn)real_mallctl)(name, old, old_bytes, new, new_bytes);
    purge_end(&purge, result == 0 ? "jemalloc" : NULL, name);
    return result;
}

static const struct relink_name names[] = {{"mallctl", (void *)hook_mallctl, &real_mallctl},
                                           {NULL, NULL, NULL}};

const struct relink_group hooks_jemalloc = {names, NULL, RELINK_FIRST};
