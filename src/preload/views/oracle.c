#include "oracle.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/options.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/tables/stack.h"

#include <pthread.h>
#include <time.h>

enum {
    TURNS_MAX = 1000, /* of a capture, which can do without */
    FORK_TURNS_MAX = 10000,
    FORK_NAP_NS = 50000 /* libunwind takes a microsecond a frame, more where it looks for rules */
};

static struct {
    struct spin inside; /* libunwind; also held across a fork: its own locks know of none */
    uint32_t forks;     /* threads that want to fork, and go first; atomic */
    bool lost;          /* libunwind's locks may be held by nobody: it is not entered any more */
    bool told;          /* the first difference */
} state;

static __thread bool entered_for_fork; /* by this thread, which forks */

/*
 * False when somebody else is in libunwind for long: who waits for the loader's lock, which this thread
 * may hold (dlopen allocates).
 */
static bool enter_libunwind(void)
{
    if (spin_is_mine(&state.inside)) /* left by a jump; libunwind's own locks never are */
        return true;
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        if (__atomic_load_n(&state.lost, __ATOMIC_RELAXED))
            return false;
        if (__atomic_load_n(&state.forks, __ATOMIC_RELAXED) == 0 && spin_try(&state.inside))
            return true;
        sys_call1(SYS_sched_yield, 0);
    }
    return false;
}

static bool enter_for_fork(void)
{
    static const struct timespec nap = {.tv_nsec = FORK_NAP_NS};
    for (int turn = 0; turn < FORK_TURNS_MAX && !state.lost; turn++) {
        if (spin_try(&state.inside))
            return true;
        sys_call2(SYS_nanosleep, (long)&nap, 0);
    }
    /* The child has libunwind's locks as they are, and nobody who would free them. */
    state.lost = true;
    return false;
}

static void before_fork(void)
{
    __atomic_fetch_add(&state.forks, 1, __ATOMIC_RELAXED);
    /* A handler that has interrupted libunwind has the lock already, and leaves it as it is. */
    if (!spin_is_mine(&state.inside) && enter_for_fork())
        entered_for_fork = true;
}

static void after_fork(void)
{
    if (__atomic_load_n(&state.forks, __ATOMIC_RELAXED) > 0) /* 0: a handler forked meanwhile */
        __atomic_fetch_sub(&state.forks, 1, __ATOMIC_RELAXED);
    if (entered_for_fork)
        spin_escape(&state.inside);
    entered_for_fork = false;
}

static void after_fork_child(void)
{
    state.forks = 0; /* the others are not here */
    after_fork();
}

/* Libunwind blocks signals while it holds a lock, but not the one that cancels a thread. */
void oracle_inherit(uint32_t holder)
{
    if (!spin_inherit(&state.inside, holder))
        return;
    state.lost = true;
    spin_unlock(&state.inside);
}

static bool open_reference(void)
{
    return unwind_reference_open() &&
           pthread_atfork(before_fork, after_fork, after_fork_child) == 0;
}

void oracle_init(void)
{
    if (HEAPDIFF_SELF_CHECK && options.unwind == OPTIONS_UNWIND_RULES)
        options.unwind = OPTIONS_UNWIND_CHECK;
    if (options.unwind == OPTIONS_UNWIND_RULES || open_reference())
        return;
    options.unwind = OPTIONS_UNWIND_RULES;
    sys_say("unwind: libunwind.so.8 cannot be loaded; stacks by heapdiff's own rules");
}

/* The first frame, from the leaf, in which two stacks differ; the depth of both when in none. */
static uint32_t first_difference(const struct capture *a, const struct capture *b)
{
    uint32_t at = 0;
    while (at < a->depth && at < b->depth && a->pcs[at] == b->pcs[at])
        at++;
    return at;
}

/* The same frames. Where the way ends for both, libunwind takes code without rules for the outermost
   frame at times; to take the outermost frame for one would be a difference. */
static bool capture_equal(const struct capture *ours, const struct capture *reference)
{
    return ours->depth == reference->depth && (ours->ended || !reference->ended) &&
           first_difference(ours, reference) == ours->depth;
}

static void text_put_hex(struct text *text, uint64_t number)
{
    char digits[16];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[number % 16];
        number /= 16;
    } while (number != 0);
    text_put(text, "0x");
    text_put_bytes(text, digits + at, sizeof(digits) - at);
}

static void put_frame(struct text *text, const struct capture *capture, uint32_t at)
{
    if (at < capture->depth)
        text_put_hex(text, capture->pcs[at]);
    else
        text_put(text, capture->ended ? "lost" : "the end");
}

/* "unwind: stacks differ at frame 7 after 0x55..: 0x7f.., by CALLED the end" */
static void tell(const struct capture *ours, const struct capture *other, const char *called)
{
    char line[256];
    struct text text = text_on(line, sizeof(line));
    uint32_t at = first_difference(ours, other);
    if (__atomic_exchange_n(&state.told, true, __ATOMIC_RELAXED))
        return;
    text_put(&text, "unwind: stacks differ at frame ");
    text_put_number(&text, at);
    text_put(&text, " after ");
    text_put_hex(&text, at > 0 ? ours->pcs[at - 1] : 0);
    text_put(&text, ": by rules ");
    put_frame(&text, ours, at);
    text_put(&text, ", by ");
    text_put(&text, called);
    text_put(&text, " ");
    put_frame(&text, other, at);
    sys_say(line);
}

/* libunwind maps memory for itself: not an event that was missed. */
static bool reference_capture(struct capture *capture, const struct unwind_start *start)
{
    enum guard_state before = guard_state();
    guard_self()->asking = true;
    guard_set(GUARD_CALLING);
    bool taken = false;
    if (enter_libunwind()) {
        taken = unwind_reference(capture, start);
        spin_unlock(&state.inside);
    }
    guard_set(before);
    guard_self()->asking = false;
    return taken;
}

/* Code without rules on the way to frame `end`: libunwind, too, can only guess how it goes on there. */
static bool has_unruled(const struct capture *capture, uint32_t end)
{
    for (uint32_t i = 0; i < end; i++)
        if (!unwind_has_rules(capture->pcs[i]))
            return true;
    return false;
}

static bool reference_agrees(const struct capture *capture, const struct unwind_start *start)
{
    struct capture reference;
    if (!reference_capture(&reference, start))
        return true;
    __atomic_fetch_add(&arena.header->unwind_checked, 1, __ATOMIC_RELAXED);
    if (capture_equal(capture, &reference) ||
        has_unruled(capture, first_difference(capture, &reference)))
        return true;
    tell(capture, &reference, "libunwind");
    return false;
}

static bool node_agrees(uint32_t node, const struct capture *capture)
{
    struct capture kept;
    if (node == BOX_NONE || stack_equal(node, capture))
        return true;
    stack_read(node, &kept);
    tell(capture, &kept, "the memo");
    return false;
}

static void count_difference(void)
{
    __atomic_fetch_add(&arena.header->unwind_differences, 1, __ATOMIC_RELAXED);
}

/* Out of line: the usual way needs none of this room on the stack. */
static __attribute__((noinline)) void capture_otherwise(struct capture *capture,
                                                        const struct unwind_start *start,
                                                        uintptr_t stack_top)
{
    if (options.unwind == OPTIONS_UNWIND_LIBUNWIND && reference_capture(capture, start))
        return;
    unwind_capture(capture, start, stack_top);
    if (options.unwind == OPTIONS_UNWIND_CHECK && !reference_agrees(capture, start))
        count_difference();
}

void oracle_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top)
{
    if (__builtin_expect(options.unwind == OPTIONS_UNWIND_RULES, true))
        unwind_capture(capture, start, stack_top);
    else
        capture_otherwise(capture, start, stack_top);
}

__attribute__((noinline)) void oracle_check(uint32_t node, const struct unwind_start *start,
                                            uintptr_t stack_top)
{
    struct capture capture;
    unwind_capture(&capture, start, stack_top);
    bool agreed = node_agrees(node, &capture);
    if (!reference_agrees(&capture, start) || !agreed)
        count_difference();
}
