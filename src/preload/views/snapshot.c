#include "snapshot.h"

#include "age.h"
#include "cut.h"
#include "pattern.h"
#include "standstill.h"
#include "preload/ground/arena.h"
#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/options.h"
#include "preload/ground/permit.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/ledger/ledger.h"
#include "preload/tables/block.h"
#include "preload/tables/lot.h"
#include "preload/tables/range.h"
#include "preload/tables/site.h"
#include "preload/tables/thread.h"
#include "preload/unwind/unwind.h"

#include "format/box_profile.h"
#include "format/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

enum {
    SNAPSHOT_STACK_BYTES = 64 << 10,
    SNAPSHOT_NAME_TRIES = 100000, /* counters passed over because their names are taken */
    SNAPSHOT_RENAME_NOREPLACE = 1 /* renameat2(2) */
};

struct snapshot_memory {
    unsigned char stack[SNAPSHOT_STACK_BYTES]; /* page aligned: this is a mapping of its own */
    unsigned char buffer[GZIP_BUFFER_BYTES_BEST];
    char path[ARENA_PATH_BYTES_MAX];
    char temporary[ARENA_PATH_BYTES_MAX + 32];
};

/* What has been written, to delete the oldest by keep=. */
struct written {
    uint64_t counter;
    uint64_t time_s;
};

static struct {
    struct spin lock; /* one writer at a time; held with all signals blocked */
    struct snapshot_memory *memory;
    uint64_t counter;
    uint64_t kept;      /* files written by the pattern so far */
    const char *source; /* of the last of them; NULL: none */
    struct written written[OPTIONS_KEEP_MAX];
} state;

/* One request, handed over to the writer's stack. */
struct request {
    const char *source;
    const char *path;
    int result;
};

struct fd_sink {
    struct sink sink; /* first: a struct fd_sink is a sink */
    int fd;
    long error;
};

bool snapshot_init(void)
{
    cut_init();
    state.memory = sys_pages(sizeof(struct snapshot_memory));
    return state.memory != NULL;
}

unsigned long snapshot_own_bytes(void)
{
    return sizeof(struct snapshot_memory);
}

void snapshot_fork(void)
{
    spin_reset(&state.lock);
    state.counter = state.kept = 0;
    state.source = NULL;
}

static bool fd_sink_write(struct sink *sink, const void *bytes, size_t size_bytes)
{
    struct fd_sink *self = (struct fd_sink *)sink;
    long result = sys_write_all(self->fd, bytes, size_bytes);
    if (result < 0)
        self->error = result;
    return result == 0;
}

static uint64_t own_bytes(void)
{
    return arena_own_bytes() + site_own_bytes() + block_own_bytes() + range_own_bytes() +
           snapshot_own_bytes() + thread_own_bytes() + lot_own_bytes() + unwind_own_bytes();
}

/* What is found out at the cut's moment. */
struct moment {
    struct ledger_run *run; /* or NULL */
    struct age_run age;
    bool aged;     /* there are ages, or are to be */
    bool scanned;  /* the ledger has what it needs */
    bool still;    /* all other threads stood still, if that is confirmed */
    bool measured; /* the kernel's own figure too */
    bool refused;  /* not to be asked for again */
};

static bool moment_scan(struct moment *moment)
{
    bool still = !moment->refused && standstill_begin();
    bool whole = ledger_scan(moment->run);
    if (!still)
        moment->refused = true;
    else if (!whole)
        standstill_end();
    else
        ledger_measure(moment->run);
    moment->measured = still && whole;
    moment->still = moment->measured && standstill_scanned();
    return whole;
}

static void moment_prepare(void *context)
{
    struct moment *moment = context;
    if (moment->run)
        ledger_prepare(moment->run);
}

/* Blocks first: who only wants the gate to open need not be stopped for that. */
static bool moment_take(void *context)
{
    struct moment *moment = context;
    bool walked = !moment->aged || age_take(&moment->age);
    moment->scanned = !walked || !moment->run || moment_scan(moment);
    return walked && moment->scanned;
}

static bool moment_again(void *context)
{
    struct moment *moment = context;
    if (!moment->scanned)
        return ledger_enlarge(moment->run);
    moment->aged = age_enlarge(&moment->age);
    return true;
}

static void moment_taken(void *context)
{
    struct moment *moment = context;
    age_taken(&moment->age);
    if (!moment->run)
        return;
    if (moment->measured && standstill_end() && moment->still)
        ledger_stood_still(moment->run);
    ledger_list(moment->run);
    if (!moment->measured)
        ledger_measure(moment->run);
}

static struct moment moment_open(void)
{
    struct moment moment = {.run = options.ledger ? ledger_open(arena.header->threads) : NULL};
    moment.aged = age_open(&moment.age);
    return moment;
}

static void moment_close(struct moment *moment)
{
    age_taken(&moment->age);
    age_close(&moment->age);
    ledger_close(moment->run);
}

/* Where memory does not do for all of it, what has been counted is what matters. */
static bool cut_with(struct cut *cut, struct moment *moment)
{
    const struct cut_moment taker = {moment_prepare, moment_take, moment_again, moment_taken,
                                     moment};
    if (cut_take(cut, &taker))
        return true;
    moment_close(moment);
    *moment = (struct moment){0};
    return cut_take(cut, NULL);
}

static bool write_profile(struct fd_sink *file, const char *source)
{
    struct box_header *header = arena.header;
    struct cut cut;
    struct gzip gzip;
    facts_measure(header);
    header->own_bytes = own_bytes();
    header->unwind_full = unwind_full_count();
    struct moment moment = moment_open();
    if (!cut_with(&cut, &moment)) {
        file->error = -ENOMEM;
        return false;
    }
    struct ledger_run *run = moment.run;
    struct box_profile_facts facts = {.time_ns = header->update_time_ns,
                                      .rss_bytes = header->rss_bytes,
                                      .rss_peak_bytes = header->rss_peak_bytes,
                                      .threads = header->threads,
                                      .source = source,
                                      .ledger = run ? ledger_settle(run, &cut.view) : NULL,
                                      .ages = age_result(&moment.age)};
    gzip_open(&gzip, &file->sink, state.memory->buffer, sizeof(state.memory->buffer));
    bool written = box_profile_write(&cut.view, &facts, &gzip.sink);
    cut_free(&cut);
    moment_close(&moment);
    return gzip_close(&gzip) && written;
}

static long create_temporary(const char *path)
{
    struct text text = text_on(state.memory->temporary, sizeof(state.memory->temporary));
    text_put(&text, path);
    text_put(&text, ".");
    text_put_number(&text, (uint64_t)arena.header->pid);
    text_put(&text, ".tmp");
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    long fd = sys_open(text.start, flags, 0644);
    if (fd != -EEXIST)
        return fd;
    sys_call3(SYS_unlinkat, AT_FDCWD, (long)text.start, 0); /* of an earlier life of this pid */
    return sys_open(text.start, flags, 0644);
}

/* Gives the finished file its name, which nobody has; else -EEXIST. */
static long settle_new(const char *path)
{
    const char *from = state.memory->temporary;
    long result = sys_call6(SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)path,
                            SNAPSHOT_RENAME_NOREPLACE, 0);
    if (result != -EINVAL && result != -ENOSYS)
        return result;
    /* A file system without it: a link never replaces either. */
    result = sys_call6(SYS_linkat, AT_FDCWD, (long)from, AT_FDCWD, (long)path, 0, 0);
    if (!sys_failed(result))
        sys_call3(SYS_unlinkat, AT_FDCWD, (long)from, 0);
    return result;
}

/* Whether a file is there, and nothing else: /dev/null stays what it is, and /dev/stdout a link. */
static bool is_file(const char *path)
{
    struct stat there;
    if (!permit_has(PERMIT_LOOKS))
        return false;
    long fd = sys_open(path, O_PATH | O_NOFOLLOW, 0);
    if (sys_failed(fd))
        return false;
    bool known = !sys_failed(sys_call2(SYS_fstat, fd, (long)&there));
    sys_close((int)fd);
    return known && S_ISREG(there.st_mode);
}

/* The same; an earlier file of that name is replaced. */
static long settle(const char *path)
{
    long result = settle_new(path);
    if (result != -EEXIST || !is_file(path))
        return result;
    return sys_call4(SYS_renameat, AT_FDCWD, (long)state.memory->temporary, AT_FDCWD, (long)path);
}

static bool name_of(char *path, uint64_t counter, uint64_t time_s)
{
    struct pattern_values values = {.name = arena.header->name,
                                    .host = arena.header->host,
                                    .pid = (uint64_t)arena.header->pid,
                                    .counter = counter,
                                    .time_s = time_s};
    return pattern_expand(path, ARENA_PATH_BYTES_MAX, arena.header->pattern, &values);
}

/* Deletes the file that keep= has no more room for, and notes the new one. */
static void keep_newest(uint64_t counter, uint64_t time_s)
{
    if (options.keep == 0)
        return;
    struct written *slot = &state.written[state.kept++ % options.keep];
    if (state.kept > options.keep && name_of(state.memory->temporary, slot->counter, slot->time_s))
        sys_call3(SYS_unlinkat, AT_FDCWD, (long)state.memory->temporary, 0);
    *slot = (struct written){.counter = counter, .time_s = time_s};
}

/* Settles the finished file under the first free name of the pattern. */
static long settle_by_pattern(const char *source, uint64_t time_s)
{
    bool counts = pattern_counts(arena.header->pattern);
    long result = -EEXIST;
    for (int i = 0; result == -EEXIST && i < (counts ? SNAPSHOT_NAME_TRIES : 1); i++) {
        if (!name_of(state.memory->path, ++state.counter, time_s))
            return -ENAMETOOLONG;
        result = counts ? settle_new(state.memory->path) : settle(state.memory->path);
    }
    if (!sys_failed(result) && counts) {
        keep_newest(state.counter, time_s);
        state.source = source;
    }
    return result;
}

static long write_file(const struct request *request)
{
    uint64_t time_s = sys_time_ns() / 1000000000u;
    if (!request->path && !name_of(state.memory->path, state.counter + 1, time_s))
        return -ENAMETOOLONG;
    struct fd_sink file = {.sink = {.write = fd_sink_write}};
    long fd = create_temporary(request->path ? request->path : state.memory->path);
    if (sys_failed(fd))
        return fd;
    file.fd = (int)fd;
    bool written = write_profile(&file, request->source);
    sys_close(file.fd);
    long result = written ? 0 : file.error;
    if (written)
        result = request->path ? settle(request->path) : settle_by_pattern(request->source, time_s);
    else if (result == -EFBIG) /* a write beyond RLIMIT_FSIZE */
        sys_drop_signal(SIGXFSZ, 0);
    if (sys_failed(result))
        sys_call3(SYS_unlinkat, AT_FDCWD, (long)state.memory->temporary, 0);
    return result;
}

static void complain(const char *path, long error)
{
    char line[512];
    struct text text = text_on(line, sizeof(line));
    text_put(&text, path);
    text_put(&text, ": no snapshot written (error ");
    text_put_number(&text, (uint64_t)-error);
    text_put(&text, ")");
    sys_say(line);
}

/* Runs on the writer's own stack. */
static void write_request(void *context)
{
    struct request *request = context;
    long result = write_file(request);
    if (sys_failed(result)) {
        arena_lost(&arena.header->lost.snapshots);
        complain(request->path ? request->path : state.memory->path, result);
    } else {
        __atomic_fetch_add(&arena.header->snapshots, 1, __ATOMIC_RELAXED);
    }
    request->result = (int)-result;
}

/* What the writer's lock is held with. */
struct hold {
    uint64_t signals;
    enum guard_state guard;
};

/* Waits for the lock as a hook that calls the kernel: who holds it may be waiting for the gate, and so
   for all who are recording. */
static struct hold hold_lock(void)
{
    uint64_t all = ~0ull;
    struct hold hold = {.guard = guard_state()};
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&hold.signals, sizeof(all));
    if (hold.guard == GUARD_OUTSIDE)
        guard_set(GUARD_CALLING);
    spin_lock(&state.lock);
    return hold;
}

static void free_lock(const struct hold *hold)
{
    spin_unlock(&state.lock);
    guard_set(hold->guard);
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&hold->signals, 0, sizeof(hold->signals));
}

/* Whether a thread that is stopped, perhaps by this very one, has what is needed. */
static bool is_blocked(void)
{
    bool held = range_is_locked_here();
    if (!held) {
        if (!range_lock_or_not(&held))
            arena_lost(&arena.header->lost.ranges);
        if (!held)
            return true;
        range_unlock();
    }
    if (!site_lock_or_not())
        return true;
    site_unlock();
    return false;
}

/* The writer's lock is held. */
static void take(struct request *request)
{
    if (!permit_has(PERMIT_FILES)) /* any more */
        return;
    if (!is_blocked()) {
        sys_on_stack(state.memory->stack + SNAPSHOT_STACK_BYTES, write_request, request);
        return;
    }
    guard_want(GUARD_WANT_SNAPSHOT);
    request->result = EAGAIN;
}

int snapshot_take(const char *source, const char *path)
{
    struct request request = {.source = source, .path = path, .result = EPERM};
    if (!permit_has(PERMIT_FILES) ||
        guard_is_apart()) /* then the threads to wait for are stopped */
        return request.result;
    struct hold hold = hold_lock();
    take(&request);
    free_lock(&hold);
    return request.result;
}

void snapshot_settle(void)
{
    struct hold hold = hold_lock();
    free_lock(&hold);
}

void snapshot_retract(const char *source)
{
    if (!permit_has(PERMIT_FILES))
        return;
    struct hold hold = hold_lock();
    if (state.source == source) {
        sys_call3(SYS_unlinkat, AT_FDCWD, (long)state.memory->path, 0);
        state.source = NULL;
        state.counter--;
        state.kept -= options.keep > 0;
        arena.header->snapshots--;
    }
    free_lock(&hold);
}
