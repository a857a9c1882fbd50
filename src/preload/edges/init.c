#include "init.h"

#include "environment.h"
#include "hook.h"
#include "hooks_runtime.h"
#include "listener.h"
#include "process.h"
#include "real.h"
#include "preload/ground/arena.h"
#include "preload/ground/facts.h"
#include "preload/ground/guard.h"
#include "preload/ground/inner.h"
#include "preload/ground/module.h"
#include "preload/ground/options.h"
#include "preload/ground/sample.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/ledger/tcache.h"
#include "preload/runtime/boehm.h"
#include "preload/runtime/boehm_heap.h"
#include "preload/runtime/runtime.h"
#include "preload/tables/block.h"
#include "preload/tables/mapping.h"
#include "preload/tables/thread.h"
#include "preload/tables/usable.h"
#include "preload/unwind/unwind.h"
#include "preload/views/collection.h"
#include "preload/views/escape.h"
#include "preload/views/gate.h"
#include "preload/views/growth.h"
#include "preload/views/oracle.h"
#include "preload/views/pattern.h"
#include "preload/views/snapshot.h"
#include "preload/views/trace.h"
#include "preload/views/tracker.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static struct {
    bool tried;
    char directory[BOX_TEXT_BYTES_MAX]; /* where the program was started */
    struct box_header facts;            /* gathered before there is a box to hold them */
} state;

static const struct relink_group *const relinked[] = {&hooks_boehm, &hooks_jemalloc, &hooks_lua,
                                                      &hooks_ruby, NULL};

static void serve(uint32_t wanted)
{
    if (wanted & GUARD_WANT_MARK && process_is_ours())
        collection_mark(&(struct collection_event){.source = "handler"});
    if (wanted & GUARD_WANT_SNAPSHOT && process_is_ours())
        listener_snapshot();
    if (wanted & GUARD_WANT_CHECK && process_is_ours())
        growth_check();
    if (wanted & GUARD_WANT_LOOK && process_is_ours())
        runtime_look();
    if (wanted & GUARD_WANT_ASK)
        runtime_ask();
}

/* The directory that profiles will be written to. */
static void profile_directory(char *directory, size_t room_bytes)
{
    struct pattern_values values = {.name = state.facts.name, .host = state.facts.host};
    if (!pattern_expand(directory, room_bytes, state.facts.pattern, &values))
        directory[0] = '\0';
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
}

static bool open_private(void)
{
    long error;
    return arena_open(NULL, state.facts.name, state.facts.pid, &error);
}

/* The box where the options want it, else where there is room, else in memory. */
static bool open_box(void)
{
    char beside[ARENA_PATH_BYTES_MAX];
    long error = 0;
    const char *wanted = options.blackbox;
    if (strcmp(wanted, "off") == 0)
        return open_private();
    if (arena_open(*wanted ? wanted : "/dev/shm", state.facts.name, state.facts.pid, &error))
        return true;
    profile_directory(beside, sizeof(beside));
    if (*wanted == '\0' && arena_open(beside, state.facts.name, state.facts.pid, &error))
        return true;
    sys_say(
        "no black box can be made: tables stay in memory, nothing can be recovered after a kill");
    return open_private();
}

/* Moves the facts into the box, around what arena_open() has laid out there. */
static void fill_header(void)
{
    struct box_header *header = arena.header;
    memcpy(state.facts.magic, header->magic, sizeof(header->magic));
    state.facts.version = header->version;
    state.facts.header_bytes = header->header_bytes;
    state.facts.flags = header->flags;
    memcpy(state.facts.tables, header->tables, sizeof(header->tables));
    state.facts.sample_period_bytes = sample.period_bytes ? sample.period_bytes : 1;
    if (sample.period_bytes)
        state.facts.flags |= BOX_FLAG_SAMPLED;
    strcpy(state.facts.allocator, real_allocator());
    strcpy(state.facts.options, options.text);
    *header = state.facts;
    __atomic_store_n(&header->state, BOX_STATE_RUNNING, __ATOMIC_RELEASE);
}

/* free() looks twice at our boot memory and at what lies near sampled blocks; else at everything. */
static void start_sampling(void)
{
    if (options.sample_bytes <= 1)
        return;
    boot_watch(sample_watch);
    sample_start(options.sample_bytes, options.seed);
    hooks_malloc_pass();
}

static bool has_boehm(void)
{
    return runtime_is_on(&runtime_boehm) && boehm_resolve();
}

static bool is_glibc(void)
{
    return strcmp(real_allocator(), "glibc") == 0;
}

static size_t usable_of_any(void *address)
{
    size_t usable_bytes = boehm_heap_usable(address);
    return usable_bytes ? usable_bytes : real.malloc_usable_size(address);
}

/* Objects of the Boehm collector are as small as 16 bytes. */
static unsigned granule_bits(bool collected)
{
    if (!is_glibc())
        return BLOCK_GRANULE_BITS_ANY;
    return collected ? BLOCK_GRANULE_BITS_MIXED : BLOCK_GRANULE_BITS_GLIBC;
}

static void start_blocks(void)
{
    bool collected = has_boehm(); /* looks through all libraries */
    block_init(granule_bits(collected));
    usable_init(collected ? usable_of_any : real.malloc_usable_size, is_glibc() && !collected);
}

static bool start_tables(void)
{
    if (!open_box() || !snapshot_init())
        return false;
    guard_init(process_forked, serve);
    start_sampling();
    fill_header();
    gate_init();
    start_blocks();
    mapping_init(state.facts.executable, state.directory);
    tracker_init();
    escape_init();
    inner_init(*(void **)&real.malloc);
    guard_process.escaped = escape_happened;
    guard_process.left = escape_end;
    guard_process.inherit = escape_inherit;
    guard_process.usual = options.sample_bytes <= 1 && options.every_percent == 0 &&
                          options.interval_ns == 0 && options.unwind == OPTIONS_UNWIND_RULES &&
                          !HEAPDIFF_SELF_CHECK;
    guard_process.plain = guard_process.usual && is_glibc();
    guard_process.checking = options.every_percent > 0 || options.interval_ns > 0;
    return true;
}

/*
 * Asked once before the program does: tcmalloc makes an object then, by operator new, and the first block of all makes
 * an allocator map its own memory, which is its claim by then.
 */
static void start_allocator(void)
{
    enum guard_state before = guard_state();
    if (usable.formula)
        return;
    guard_set(GUARD_CALLING);
    void *first = real.malloc(1);
    if (first) {
        real.malloc_usable_size(first);
        real.free(first);
    }
    guard_set(before);
}

/* Step one: everything that needs no libc. */
static void start(void)
{
    facts_identify(&state.facts);
    facts_directory(state.directory, sizeof(state.directory));
    if (!pattern_absolute(state.facts.pattern, sizeof(state.facts.pattern), state.directory,
                          options.out)) {
        sys_say("out: the path is too long; running unprofiled");
        return;
    }
    trace_init(state.directory);
    if (!start_tables()) {
        sys_say("no memory for the tables; running unprofiled");
        return;
    }
    if (guard_process.checking)
        growth_restart();
    guard_process.recording = true;
    start_allocator();
}

/* Programs built with one of these have a malloc of their own, and check each access to what it gave. */
void __asan_init(void) __attribute__((weak));
void __hwasan_init(void) __attribute__((weak));
void __msan_init(void) __attribute__((weak));
void __tsan_init(void) __attribute__((weak));

static bool has_sanitizer(void)
{
    void (*volatile found[])(void) = {__asan_init, __hwasan_init, __msan_init, __tsan_init};
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        if (found[i])
            return true;
    return false;
}

/* Valgrind's tools that watch memory have a malloc in front of ours, and report how we look around. */
static bool has_watcher(void)
{
    const char *preload = environment_get("LD_PRELOAD");
    while (preload && (preload = strstr(preload, "vgpreload_")) != NULL) {
        preload += strlen("vgpreload_");
        if (strncmp(preload, "core", strlen("core")) != 0)
            return true;
    }
    return false;
}

static void try_start(void)
{
    enum guard_state before = guard_state();
    state.tried = true;
    guard_set(GUARD_RECORDING);
    sys_say_init();
    if (has_sanitizer())
        sys_say(INIT_SANITIZED);
    else if (has_watcher())
        sys_say("this program runs under valgrind: running unprofiled");
    else if (options_read(environment_get("HEAPDIFF")) == OPTIONS_OK && options.only[0] == '\0')
        start();
    guard_set(before);
}

void init_first_event(void)
{
    /* With more rights than whoever set the environment (setuid, by /etc/ld.so.preload): never. */
    if (!state.tried && environment_ready() && !getauxval(AT_SECURE))
        try_start();
}

/* only=: needs libc's regular expressions, hence the constructor. */
static bool is_wanted(void)
{
    regex_t only;
    if (regcomp(&only, options.only, REG_EXTENDED | REG_NOSUB) != 0) {
        sys_say("HEAPDIFF: bad value for only; running unprofiled");
        return false;
    }
    facts_identify(&state.facts);
    bool wanted = regexec(&only, state.facts.name, 0, NULL, 0) == 0 ||
                  regexec(&only, text_base_name(program_invocation_name), 0, NULL, 0) == 0;
    regfree(&only);
    return wanted;
}

/* allocator=: the other allocator must be in the search order before anything is allocated. */
static void switch_allocator(void)
{
    const char *preload = environment_get("LD_PRELOAD");
    if (options.allocator[0] == '\0' || strcmp(real_allocator(), options.allocator) == 0)
        return;
    if (preload && !strstr(preload, "libjemalloc.so.2")) {
        arena_unlink();
        environment_restart_with("libjemalloc.so.2");
    }
    sys_say(
        "allocator=jemalloc: libjemalloc.so.2 cannot be loaded; on the program's own allocator");
}

/* Whose malloc comes before ours never calls ours. */
static void warn_about_other_malloc(void)
{
    char line[256];
    const char *before = real_before();
    if (!before)
        return;
    if (*before == '\0') {
        sys_say("this program defines malloc itself: only its mmap calls can be recorded");
        return;
    }
    struct text text = text_on(line, sizeof(line));
    text_put(&text, text_base_name(before));
    text_put(&text,
             " comes before heapdiff: only mmap calls can be recorded. Put libheapdiff.so first "
             "in LD_PRELOAD");
    sys_say(line);
}

__attribute__((constructor)) static void start_up(void)
{
    real_resolve();
    hooks_cxx_init();
    hooks_loader_init();
    init_first_event();
    real_found_all();
    if (options.only[0] != '\0' && is_wanted())
        start();
    if (!guard_process.recording) {
        state.tried = true;
        hooks_malloc_end();
        return;
    }
    switch_allocator();
    enum guard_state before = guard_state();
    guard_set(GUARD_CALLING); /* what the loader and libc allocate for us is not the program's */
    thread_init();
    unwind_init();
    oracle_init();
    pthread_atfork(process_before_fork, process_after_fork, process_after_fork_child);
    warn_about_other_malloc();
    listener_init();
    if (usable.formula && sample.period_bytes == 0)
        tcache_learn(real.malloc, real.free);
    runtime_init();
    relink_init(relinked);
    guard_set(before);
    if (!options.children)
        environment_hide();
}

__attribute__((destructor)) static void shut_down(void)
{
    process_finish("exit");
}
