#include "memo_probe.h"

#include "preload/ground/arena.h"
#include "preload/tables/mapping.h"
#include "preload/tables/site.h"
#include "preload/tables/stack.h"

#include <pthread.h>
#include <stdio.h>

enum { PRINTED_MAX = 3 };

struct memo_probes memo_probes;
_Thread_local struct memo memo_probe_memo;
_Thread_local struct capture memo_probe_capture;
_Thread_local struct memo_leaf *memo_probe_leaf;

static _Thread_local uintptr_t stack_start, stack_top;

int memo_probe_open(void **state)
{
    (void)state;
    long error;
    mapping_init("/opt/app", "/");
    unwind_init();
    memo_probe_thread();
    return arena_open(NULL, "app", 1, &error) ? 0 : 1;
}

int memo_probe_reset(void **state)
{
    (void)state;
    memo_probes.taken = memo_probes.different = 0;
    memo_clear(&memo_probe_memo);
    return 0;
}

void memo_probe_thread(void)
{
    pthread_attr_t attributes;
    void *start;
    size_t size_bytes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &start, &size_bytes) == 0) {
        stack_start = (uintptr_t)start;
        stack_top = stack_start + size_bytes;
    }
    pthread_attr_destroy(&attributes);
}

static void print_stack(const char *title, const struct capture *capture)
{
    fprintf(stderr, "%s:", title);
    for (uint32_t i = 0; i < capture->depth; i++)
        fprintf(stderr, " %lx", (unsigned long)capture->pcs[i]);
    fprintf(stderr, "\n");
}

static void compare(void)
{
    struct capture kept;
    if (memo_probe_leaf->node != BOX_NONE &&
        stack_equal(memo_probe_leaf->node, &memo_probe_capture))
        return;
    if (memo_probes.different++ >= PRINTED_MAX)
        return;
    stack_read(memo_probe_leaf->node, &kept);
    print_stack("by the memo", &kept);
    print_stack("in full", &memo_probe_capture);
}

__attribute__((noinline)) void memo_probe(void)
{
    struct unwind_start start = UNWIND_HERE();
    uintptr_t top = start.sp > stack_start && start.sp < stack_top ? stack_top : 0;
    memo_probe_leaf = memo_capture(&memo_probe_memo, &start, top);
    if (memo_probe_leaf->site ==
        BOX_NONE) /* as the tracker does: branches are for leaves that come back */
        memo_probe_leaf->site = site_of_node(memo_probe_leaf->node, BOX_KIND_MALLOC, false);
    unwind_capture(&memo_probe_capture, &start, top);
    memo_probes.taken++;
    compare();
}
