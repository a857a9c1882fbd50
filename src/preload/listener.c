#include "listener.h"

#include "arena.h"
#include "growth.h"
#include "guard.h"
#include "options.h"
#include "permit.h"
#include "process.h"
#include "real.h"
#include "spin.h"
#include "sys.h"

enum {
    LISTENER_ROUNDS_MAX = 16 /* snapshots that one signal may cost its thread, in a storm of them */
};

enum writing { WRITING_NOT, WRITING, WRITING_AND_AGAIN };

static struct {
    int signal;       /* 0: none */
    struct spin lock; /* keeps `program` and `spawning`; held with all signals blocked */
    struct sigaction program;
    uint32_t spawning; /* threads that start a program by what libc does inside */
    uint32_t writing;  /* enum writing: whether a thread is at it, and shall write once more */
} state;

bool listener_owns(int signal)
{
    return signal != 0 && signal == state.signal;
}

static uint64_t block_all(void)
{
    uint64_t all = ~0ull, before = 0;
    if (permit_has(PERMIT_SIGNALS))
        sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, sizeof(all));
    return before;
}

static void restore(uint64_t before)
{
    if (permit_has(PERMIT_SIGNALS))
        sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before));
}

static bool is_handler(const struct sigaction *action)
{
    /* sa_handler and sa_sigaction share their place. */
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* The program's action as of this signal; SA_RESETHAND takes effect. */
static struct sigaction program_action(void)
{
    uint64_t before = block_all();
    spin_lock(&state.lock);
    struct sigaction action = state.program;
    if (is_handler(&action) && action.sa_flags & (int)SA_RESETHAND)
        state.program.sa_handler = SIG_DFL;
    spin_unlock(&state.lock);
    restore(before);
    return action;
}

/* Calls the program's handler with the mask that the kernel would have set for it. */
static void call_program(const struct sigaction *action, int signal, siginfo_t *info, void *context)
{
    uint64_t mask;
    __builtin_memcpy(&mask, &action->sa_mask, sizeof(mask));
    if (permit_has(PERMIT_SIGNALS))
        sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&mask, 0, sizeof(mask));
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(signal, info, context);
    else
        action->sa_handler(signal);
}

/* Whether it is up to the caller to write; if not, the thread that is writing does so once more. */
static bool ask(void)
{
    uint32_t now = WRITING_NOT;
    for (;;) {
        uint32_t next = now == WRITING_NOT ? WRITING : WRITING_AND_AGAIN;
        /* pairs: settle() */
        if (__atomic_compare_exchange_n(&state.writing, &now, next, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return now == WRITING_NOT;
    }
}

/* Whether the writer is done; if not, somebody has asked since it began. */
static bool settle(void)
{
    uint32_t alone = WRITING;
    /* pairs: ask() */
    if (__atomic_compare_exchange_n(&state.writing, &alone, WRITING_NOT, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return true;
    __atomic_store_n(&state.writing, WRITING, __ATOMIC_RELEASE);
    return false;
}

/* A storm of signals must not keep its thread for ever: the rest waits for the thread's next event. */
static void write_asked(void)
{
    for (int round = 0; round < LISTENER_ROUNDS_MAX; round++) {
        growth_snapshot("signal", NULL);
        if (settle())
            return;
    }
    __atomic_store_n(&state.writing, WRITING_NOT, __ATOMIC_RELEASE);
    guard_want(GUARD_WANT_SNAPSHOT);
}

void listener_snapshot(void)
{
    /* No handler may jump out of this: nobody would ever write again. */
    uint64_t before = block_all();
    if (ask())
        write_asked();
    restore(before);
}

static void snapshot_here(void)
{
    if (!guard_process.recording || !permit_has(PERMIT_FILES))
        return;
    if (!guard_counts())
        guard_notice();                 /* a forked child's first event */
    if (sys_pid() != arena.header->pid) /* a vfork child, on its parent's memory */
        return;
    if (guard_state() == GUARD_RECORDING)
        guard_want(GUARD_WANT_SNAPSHOT);
    else
        listener_snapshot();
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    snapshot_here();
    struct sigaction action = program_action();
    if (is_handler(&action))
        call_program(&action, signal, info, context);
}

/* Our handler, with the flags that the program's handler relies on. */
static void install(void)
{
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    if (is_handler(&state.program))
        ours.sa_flags |= state.program.sa_flags & (SA_RESTART | SA_ONSTACK | SA_NODEFER);
    else
        ours.sa_flags |= SA_RESTART | SA_ONSTACK;
    real.sigaction(state.signal, &ours, NULL);
    if (!process_is_ours()) /* a child that is not recorded: the box is its parent's */
        return;
    if (is_handler(&state.program))
        __atomic_fetch_or(&arena.header->flags, BOX_FLAG_APP_HANDLER, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&arena.header->flags, ~(uint32_t)BOX_FLAG_APP_HANDLER, __ATOMIC_RELAXED);
}

int listener_action(const struct sigaction *act, struct sigaction *old)
{
    struct sigaction fresh = {0};
    if (act)
        fresh = *act; /* a bad pointer faults here, as it would have in libc */
    uint64_t before = block_all();
    spin_lock(&state.lock);
    struct sigaction previous = state.program;
    if (act) {
        state.program = fresh;
        install();
    }
    spin_unlock(&state.lock);
    restore(before);
    if (old)
        *old = previous;
    return 0;
}

void listener_fork(void)
{
    spin_reset(&state.lock);
    state.spawning = 0;
    state.writing = WRITING_NOT;
}

static void ignore(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    real.sigaction(state.signal, &action, NULL);
}

void listener_exec(void)
{
    if (state.signal != 0 && state.program.sa_handler == SIG_IGN)
        ignore();
}

void listener_exec_failed(void)
{
    if (state.signal != 0 && state.program.sa_handler == SIG_IGN && state.spawning == 0)
        install();
}

bool listener_spawn(void)
{
    if (state.signal == 0 || state.program.sa_handler != SIG_IGN)
        return false;
    uint64_t before = block_all();
    spin_lock(&state.lock);
    bool ignores = state.program.sa_handler == SIG_IGN;
    if (ignores && state.spawning++ == 0)
        ignore();
    spin_unlock(&state.lock);
    restore(before);
    return ignores;
}

void listener_spawned(void)
{
    uint64_t before = block_all();
    spin_lock(&state.lock);
    if (--state.spawning == 0)
        install();
    spin_unlock(&state.lock);
    restore(before);
}

void listener_listens(void)
{
    if (state.signal != 0)
        __atomic_fetch_or(&arena.header->flags, BOX_FLAG_LISTENS, __ATOMIC_RELAXED);
}

void listener_init(void)
{
    if (options.signal == 0 || real.sigaction(options.signal, NULL, &state.program) != 0)
        return;
    state.signal = options.signal;
    arena.header->signal = options.signal;
    listener_listens();
    install();
}
