#include "standstill.h"

#include "gate.h"
#include "preload/ground/arena.h"
#include "preload/ground/permit.h"
#include "preload/ground/sys.h"

#include <time.h>

enum {
    STANDSTILL_NAP_NS = 100000,
    STANDSTILL_ANSWER_NS = 500000000, /* who stands by looks every few milliseconds */
    /* Then it stops threads; one that waits for a disk comes late. */
    STANDSTILL_STOP_NS = 2000000000,
    STANDSTILL_CONFIRM_NS = 2000000000
};

static struct {
    uint32_t round; /* the word, in state OPEN, of the round that is on */
} state;

static uint32_t word_now(void)
{
    /* pairs: change() in cli/process/standby.c */
    return __atomic_load_n(&arena.header->standstill.word, __ATOMIC_ACQUIRE);
}

static bool change(enum box_standstill_state from, enum box_standstill_state to)
{
    uint32_t word = state.round + from;
    /* pairs: word_now() in cli/process/standby.c */
    return __atomic_compare_exchange_n(&arena.header->standstill.word, &word, state.round + to,
                                       false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static bool somebody_stands_by(void)
{
    uint64_t until_ns = __atomic_load_n(&arena.header->standstill.until_ns, __ATOMIC_RELAXED);
    if (until_ns == 0)
        return false;
    uint64_t now_ns = sys_time_ns();
    return until_ns > now_ns && until_ns - now_ns <= BOX_STANDSTILL_LEASE_MS * 1000000ull;
}

/* The state that follows `now`, or `now` itself when it lasts for `span_ns`. */
static uint32_t wait_while(enum box_standstill_state now, uint64_t span_ns)
{
    const struct timespec nap = {0, STANDSTILL_NAP_NS};
    uint64_t end_ns = sys_uptime_ns() + span_ns;
    uint32_t word;
    while ((word = word_now()) == state.round + now && sys_uptime_ns() < end_ns)
        sys_call2(SYS_nanosleep, (long)&nap, 0);
    return word - state.round; /* anything else when somebody else writes to it */
}

/* Whatever has become of the round, it is over. */
static void give_up(void)
{
    __atomic_store_n(&arena.header->standstill.word, state.round, __ATOMIC_RELEASE);
}

bool standstill_begin(void)
{
    if (!permit_has(PERMIT_WAITING | PERMIT_NUMBERS) || !somebody_stands_by())
        return false;
    uint32_t round = word_now() / BOX_STANDSTILL_STATES + 1;
    state.round = round * BOX_STANDSTILL_STATES;
    arena.header->standstill.thread = sys_tid();
    gate_extend();
    /* pairs: word_now() in cli/process/standby.c */
    __atomic_store_n(&arena.header->standstill.word, state.round + BOX_STANDSTILL_ASKED,
                     __ATOMIC_RELEASE);
    uint32_t answer = wait_while(BOX_STANDSTILL_ASKED, STANDSTILL_ANSWER_NS);
    if (answer == BOX_STANDSTILL_STOPPING)
        answer = wait_while(BOX_STANDSTILL_STOPPING, STANDSTILL_STOP_NS);
    if (answer == BOX_STANDSTILL_STOPPED)
        return true;
    give_up();
    return false;
}

bool standstill_scanned(void)
{
    return change(BOX_STANDSTILL_STOPPED, BOX_STANDSTILL_SCANNED);
}

bool standstill_end(void)
{
    uint32_t answer = wait_while(BOX_STANDSTILL_SCANNED, STANDSTILL_CONFIRM_NS);
    give_up();
    return answer == BOX_STANDSTILL_CONFIRMED;
}

void standstill_fork(void)
{
    arena.header->standstill = (struct box_standstill){0};
}
