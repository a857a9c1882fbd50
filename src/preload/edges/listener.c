#include "listener.h"

#include "process.h"
#include "real.h"
#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/options.h"
#include "preload/ground/permit.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/views/collection.h"
#include "preload/views/growth.h"

enum {
    LISTENER_ROUNDS_MAX = 16 /* snapshots that one signal may cost its thread, in a storm of them */
};

enum writing { WRITING_NOT, WRITING, WRITING_AND_AGAIN };

/* One signal that we share. */
struct listener {
    int signal; /* 0: none */
    /* To a program that wants the signal for itself: nobody has asked for it by name. */
    bool yields;
    struct spin lock; /* keeps `program` and `spawning`; held with all signals blocked */
    struct sigaction program;
    uint32_t spawning;  /* threads that start a program by what libc does inside */
    void (*heed)(void); /* outside GUARD_RECORDING */
    uint32_t want;      /* GUARD_WANT_*: what it is when it cannot be done at once */
};

static struct {
    struct listener snapshot, mark;
    uint32_t writing; /* enum writing: whether a thread is at it, and shall write once more */
} state;

static struct listener *const listeners[] = {&state.snapshot, &state.mark};
enum { LISTENERS = sizeof(listeners) / sizeof(listeners[0]) };

/* Whose signal it is, or NULL. */
static struct listener *listener_of(int signal)
{
    for (int i = 0; i < LISTENERS; i++)
        if (signal != 0 && signal == listeners[i]->signal)
            return listeners[i];
    return NULL;
}

bool listener_owns(int signal)
{
    return listener_of(signal) != NULL;
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
static struct sigaction program_action(struct listener *listener)
{
    uint64_t before = block_all();
    spin_lock(&listener->lock);
    struct sigaction action = listener->program;
    if (is_handler(&action) && action.sa_flags & (int)SA_RESETHAND)
        listener->program.sa_handler = SIG_DFL;
    spin_unlock(&listener->lock);
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

static void mark_asked(void)
{
    collection_mark(&(struct collection_event){.source = "signal"});
}

static void heed_here(const struct listener *listener)
{
    if (!guard_process.recording || !permit_has(PERMIT_FILES))
        return;
    if (!guard_counts())
        guard_notice();                 /* a forked child's first event */
    if (sys_pid() != arena.header->pid) /* a vfork child, on its parent's memory */
        return;
    if (guard_state() == GUARD_RECORDING || guard_is_apart())
        guard_want(listener->want);
    else
        listener->heed();
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    struct listener *listener = listener_of(signal);
    heed_here(listener);
    struct sigaction action = program_action(listener);
    if (is_handler(&action))
        call_program(&action, signal, info, context);
}

/* Our handler, with the flags that the program's handler relies on. */
static void install(struct listener *listener)
{
    const struct sigaction *program = &listener->program;
    struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    if (listener->yields && program->sa_handler != SIG_DFL)
        ours = *program;
    else if (is_handler(program))
        ours.sa_flags |= program->sa_flags & (SA_RESTART | SA_ONSTACK | SA_NODEFER);
    else
        ours.sa_flags |= SA_RESTART | SA_ONSTACK;
    real.sigaction(listener->signal, &ours, NULL);
    if (!process_is_ours() ||
        listener != &state.snapshot) /* a child that is not recorded: the box is its parent's */
        return;
    if (is_handler(program))
        __atomic_fetch_or(&arena.header->flags, BOX_FLAG_APP_HANDLER, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&arena.header->flags, ~(uint32_t)BOX_FLAG_APP_HANDLER, __ATOMIC_RELAXED);
}

int listener_action(int signal, const struct sigaction *act, struct sigaction *old)
{
    struct listener *listener = listener_of(signal);
    struct sigaction fresh = {0};
    if (act)
        fresh = *act; /* a bad pointer faults here, as it would have in libc */
    uint64_t before = block_all();
    spin_lock(&listener->lock);
    struct sigaction previous = listener->program;
    if (act) {
        listener->program = fresh;
        install(listener);
    }
    spin_unlock(&listener->lock);
    restore(before);
    if (old)
        *old = previous;
    return 0;
}

void listener_fork(void)
{
    for (int i = 0; i < LISTENERS; i++) {
        spin_reset(&listeners[i]->lock);
        listeners[i]->spawning = 0;
    }
    state.writing = WRITING_NOT;
}

static void ignore(const struct listener *listener)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    real.sigaction(listener->signal, &action, NULL);
}

/* Ours stands where the program ignores the signal. */
static bool hides_ignored(const struct listener *listener)
{
    return listener->signal != 0 && listener->program.sa_handler == SIG_IGN;
}

void listener_exec(void)
{
    for (int i = 0; i < LISTENERS; i++)
        if (hides_ignored(listeners[i]))
            ignore(listeners[i]);
}

void listener_exec_failed(void)
{
    for (int i = 0; i < LISTENERS; i++)
        if (hides_ignored(listeners[i]) && listeners[i]->spawning == 0)
            install(listeners[i]);
}

static bool spawn(struct listener *listener)
{
    if (!hides_ignored(listener))
        return false;
    uint64_t before = block_all();
    spin_lock(&listener->lock);
    bool ignores = listener->program.sa_handler == SIG_IGN;
    if (ignores && listener->spawning++ == 0)
        ignore(listener);
    spin_unlock(&listener->lock);
    restore(before);
    return ignores;
}

static void spawned(struct listener *listener)
{
    uint64_t before = block_all();
    spin_lock(&listener->lock);
    if (--listener->spawning == 0)
        install(listener);
    spin_unlock(&listener->lock);
    restore(before);
}

unsigned listener_spawn(void)
{
    unsigned ignored = 0;
    for (int i = 0; i < LISTENERS; i++)
        ignored |= (unsigned)spawn(listeners[i]) << i;
    return ignored;
}

void listener_spawned(unsigned ignored)
{
    for (int i = 0; i < LISTENERS; i++)
        if (ignored >> i & 1)
            spawned(listeners[i]);
}

void listener_listens(void)
{
    if (state.snapshot.signal != 0)
        __atomic_fetch_or(&arena.header->flags, BOX_FLAG_LISTENS, __ATOMIC_RELAXED);
}

static void start(struct listener *listener, int signal)
{
    if (signal == 0 || real.sigaction(signal, NULL, &listener->program) != 0)
        return;
    listener->signal = signal;
    install(listener);
}

void listener_init(void)
{
    state.snapshot = (struct listener){.heed = listener_snapshot, .want = GUARD_WANT_SNAPSHOT};
    state.mark = (struct listener){
        .heed = mark_asked, .want = GUARD_WANT_MARK, .yields = !options.collect_signal_wanted};
    start(&state.snapshot, options.signal);
    arena.header->signal = state.snapshot.signal;
    listener_listens();
    if (options.collect_signal != options.signal)
        start(&state.mark, options.collect_signal);
}
