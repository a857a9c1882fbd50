#include "runtime.h"

#include "helper.h"
#include "relink.h"
#include "symbol.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/options.h"
#include "preload/ground/permit.h"
#include "preload/ground/sample.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"

#include <string.h>

enum { MS_NS = 1000000, NAMES_BYTES = 256 };

/* One that was met. */
struct met {
    const struct runtime *runtime; /* NULL: unused */
    struct runtime_found found;
    enum box_runtime_state state;
    uint32_t place;   /* in header.runtimes */
    uint32_t wait_ms; /* until the next try */
    bool polled;
};

static struct {
    struct spin lock;   /* for all below; taken by nobody who waits for a runtime */
    uint32_t met_count; /* atomic: entries are filled in before they count */
    struct met met[BOX_RUNTIMES_MAX];
    uint64_t mappings_seen; /* of BOX_MAPPINGS */
    bool is_up;
} state;

/* runtimes= */

static bool names_has(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = names; at; at = strchr(at, '+')) {
        at += *at == '+';
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == '+'))
            return true;
    }
    return false;
}

bool runtime_is_on(const struct runtime *runtime)
{
    bool is_profiled =
        arena.header != NULL; /* not where HEAPDIFF= is wrong, or there is no memory */
    return is_profiled &&
           (strcmp(options.runtimes, "all") == 0 || names_has(options.runtimes, runtime->name));
}

static bool is_known_name(const char *name, size_t length)
{
    for (int i = 0; runtime_table[i]; i++)
        if (strlen(runtime_table[i]->name) == length &&
            strncmp(runtime_table[i]->name, name, length) == 0)
            return true;
    return (length == 3 && strncmp(name, "all", 3) == 0) ||
           (length == 4 && strncmp(name, "none", 4) == 0);
}

/* A name that is nobody's would turn off all the others, and nobody would know why. */
static void check_names(void)
{
    char line[NAMES_BYTES];
    for (const char *at = options.runtimes; at; at = strchr(at, '+')) {
        at += *at == '+';
        size_t length = strcspn(at, "+");
        if (is_known_name(at, length))
            continue;
        struct text text = text_on(line, sizeof(line));
        text_put(&text, "HEAPDIFF: runtimes: there is no ");
        text_put_bytes(&text, at, length);
        text_put(&text, "; there are");
        for (int i = 0; runtime_table[i]; i++) {
            text_put(&text, i > 0 ? ", " : " ");
            text_put(&text, runtime_table[i]->name);
        }
        sys_say(line);
    }
}

/* What was met. */

static void publish(struct met *met)
{
    struct box_runtime *entry = &arena.header->runtimes[met->place];
    memcpy(entry->version, met->found.version, sizeof(entry->version));
    entry->version[sizeof(entry->version) - 1] = '\0';
    bool is_sampled = sample.period_bytes != 0 && met->found.truth == BOX_TRUTH_EXACT;
    entry->truth = is_sampled ? BOX_TRUTH_SAMPLED : met->found.truth;
    __atomic_store_n(&entry->state, met->state, __ATOMIC_RELEASE);
}

static struct met *met_find(const struct runtime *runtime)
{
    uint32_t count = __atomic_load_n(&state.met_count, __ATOMIC_ACQUIRE); /* pairs: met_add() */
    for (uint32_t i = 0; i < count; i++)
        if (state.met[i].runtime == runtime)
            return &state.met[i];
    return NULL;
}

/* Or NULL: there are too many. */
static struct met *met_add(const struct runtime *runtime)
{
    uint32_t place = state.met_count;
    if (place == BOX_RUNTIMES_MAX)
        return NULL;
    struct met *met = &state.met[place];
    *met = (struct met){.runtime = runtime,
                        .found.truth = runtime->truth,
                        .state = BOX_RUNTIME_WAITING,
                        .place = place,
                        .wait_ms = RUNTIME_WAIT_MS};
    struct text text =
        text_on(arena.header->runtimes[place].name, sizeof(arena.header->runtimes[place].name));
    text_put(&text, runtime->name);
    __atomic_store_n(&state.met_count, place + 1, __ATOMIC_RELEASE); /* pairs: met_find() */
    return met;
}

static void settle(struct met *met, enum box_runtime_state outcome)
{
    met->polled = outcome == BOX_RUNTIME_WATCHED && met->runtime->poll;
    __atomic_store_n(&met->state, outcome, __ATOMIC_RELEASE);
    publish(met);
}

/* One try, by whoever may. */
static void try_to_arm(struct met *met)
{
    settle(met, met->runtime->arm(&met->found));
}

/* Looking. */

/* Its addresses are known. */
static void receive(struct met *met)
{
    if (met->runtime->meet)
        met->runtime->meet(&met->found);
    settle(met, runtime_is_on(met->runtime) ? BOX_RUNTIME_WAITING : BOX_RUNTIME_OFF);
    if (met->state == BOX_RUNTIME_WAITING && met->runtime->ask)
        guard_process.asks_runtimes = true;
}

static unsigned symbol_count(const struct runtime *runtime)
{
    unsigned count = 0;
    while (count < RUNTIME_SYMBOLS_MAX && runtime->symbols[count])
        count++;
    return count;
}

static void find_all(struct met *met, const struct module *module)
{
    met->found.module = *module;
    unsigned count = symbol_count(met->runtime);
    for (unsigned i = 0; i < count; i++)
        met->found.addresses[i] = symbol_find(module, met->runtime->symbols[i]);
}

/* Our hooks have the names of what they stand in front of. */
static bool is_ours(const struct module *module)
{
    return (uint64_t)&state >= module->start && (uint64_t)&state < module->end;
}

/* The lock is held. */
static void look_at(const struct module *module, bool is_late)
{
    if (is_ours(module))
        return;
    for (int i = 0; runtime_table[i]; i++) {
        const struct runtime *runtime = runtime_table[i];
        if (met_find(runtime) || !symbol_find(module, runtime->symbols[0]))
            continue;
        struct met *met = met_add(runtime);
        if (!met)
            return;
        find_all(met, module);
        met->found.is_late = is_late;
        receive(met);
    }
}

static void look_at_loaded(const struct module *module, void *context)
{
    (void)context;
    look_at(module, false);
}

/* Whether the program itself exports one: then it exports all that was linked into it. */
static bool is_exported(const struct module *program)
{
    for (uint32_t i = 0; i < state.met_count; i++)
        if (state.met[i].found.module.start == program->start)
            return true;
    return false;
}

/* What was linked into the program is in its file's own table, when it has not been stripped: node's takes 2 ms to read. */
static void look_at_file(void)
{
    struct symbol_wanted marks[BOX_RUNTIMES_MAX], all[RUNTIME_SYMBOLS_MAX];
    struct module program;
    size_t count = 0;
    for (; runtime_table[count] && count < BOX_RUNTIMES_MAX; count++)
        marks[count] = (struct symbol_wanted){runtime_table[count]->symbols[0],
                                              met_find(runtime_table[count]) != NULL};
    if (!module_program(&program) || is_exported(&program) ||
        symbol_read_file("/proc/self/exe", program.bias, marks, count) == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct runtime *runtime = runtime_table[i];
        struct met *met = met_find(runtime) || marks[i].address == 0 ? NULL : met_add(runtime);
        if (!met)
            continue;
        unsigned wanted = symbol_count(runtime);
        for (unsigned k = 0; k < wanted; k++)
            all[k] = (struct symbol_wanted){runtime->symbols[k], 0};
        symbol_read_file("/proc/self/exe", program.bias, all, wanted);
        met->found.module = program;
        met->found.is_static = true;
        for (unsigned k = 0; k < wanted; k++)
            met->found.addresses[k] = all[k].address;
        receive(met);
    }
}

uint64_t runtime_address(const struct runtime *runtime, const struct runtime_found *found,
                         const char *name)
{
    for (unsigned i = 0; i < RUNTIME_SYMBOLS_MAX && runtime->symbols[i]; i++)
        if (strcmp(runtime->symbols[i], name) == 0)
            return found->addresses[i];
    return 0;
}

/* What the helper thread does. */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When it is to be seen to next. */
static uint64_t work_on(struct met *met)
{
    if (met->state == BOX_RUNTIME_WAITING && met->runtime->arm) {
        try_to_arm(met);
        if (met->state == BOX_RUNTIME_WAITING) {
            uint64_t wait_ns = (uint64_t)met->wait_ms * MS_NS;
            met->wait_ms = (uint32_t)earlier(met->wait_ms * 5 / 4 + 1, RUNTIME_WAIT_MS_MAX);
            return wait_ns;
        }
    }
    if (met->polled)
        met->polled = met->runtime->poll(&met->found);
    return met->polled ? (uint64_t)met->runtime->poll_ms * MS_NS : HELPER_DONE;
}

static uint64_t work(void)
{
    uint64_t wait_ns = HELPER_DONE;
    uint32_t count = __atomic_load_n(&state.met_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; i++)
        wait_ns = earlier(wait_ns, work_on(&state.met[i]));
    return wait_ns;
}

static bool is_work(const struct met *met)
{
    return (met->runtime->arm && met->state == BOX_RUNTIME_WAITING) || met->polled;
}

static void call_helper(void)
{
    for (uint32_t i = 0; i < state.met_count; i++)
        if (is_work(&state.met[i])) {
            helper_want();
            return;
        }
}

/* When. */

void runtime_init(void)
{
    check_names();
    helper_init(work);
    module_each(look_at_loaded, NULL);
    look_at_file();
    state.mappings_seen = arena.tables[BOX_MAPPINGS].count;
    for (uint32_t i = 0; i < state.met_count; i++)
        if (is_work(&state.met[i]) && !state.met[i].runtime->by_helper)
            try_to_arm(&state.met[i]);
    __atomic_store_n(&state.is_up, true, __ATOMIC_RELEASE);
    call_helper();
}

void runtime_ask(void)
{
    uint32_t count = __atomic_load_n(&state.met_count, __ATOMIC_ACQUIRE); /* pairs: met_add() */
    for (uint32_t i = 0; i < count; i++) {
        struct met *met = &state.met[i];
        bool is_open = met->state == BOX_RUNTIME_WAITING || met->state == BOX_RUNTIME_WATCHED;
        if (!met->runtime->ask || !is_open)
            continue;
        enum box_runtime_state outcome = met->runtime->ask(&met->found);
        if (outcome != met->state && outcome != BOX_RUNTIME_WAITING)
            settle(met, outcome);
    }
}

void runtime_look(void)
{
    struct module module;
    if (!__atomic_load_n(&state.is_up, __ATOMIC_ACQUIRE) || !spin_try(&state.lock))
        return; /* whoever has the lock sees it, or the next one does */
    uint32_t before = state.met_count;
    uint64_t count = __atomic_load_n(&arena.header->tables[BOX_MAPPINGS].count, __ATOMIC_ACQUIRE);
    for (uint64_t i = state.mappings_seen; i < count; i++) {
        const struct box_mapping *mapping = arena_entry(BOX_MAPPINGS, (uint32_t)i);
        if (!(mapping->flags & (BOX_MAPPING_MAIN | BOX_MAPPING_DEAD)) &&
            module_find(mapping->start, &module)) {
            look_at(&module, true);
            relink_late(&module);
        }
    }
    state.mappings_seen = count;
    bool fresh = state.met_count != before;
    spin_unlock(&state.lock);
    if (fresh || helper_was_here())
        call_helper();
}

void runtime_say(const struct runtime *runtime, enum box_runtime_state outcome, const char *version)
{
    spin_lock(&state.lock);
    struct met *met = met_find(runtime);
    if (!met)
        met = met_add(runtime);
    if (met) {
        struct text text = text_on(met->found.version, sizeof(met->found.version));
        text_put(&text, version ? version : "");
        settle(met, outcome);
    }
    spin_unlock(&state.lock);
}

void runtime_say_truth(const struct runtime *runtime, enum box_truth truth)
{
    spin_lock(&state.lock);
    struct met *met = met_find(runtime);
    if (met)
        met->found.truth = truth;
    spin_unlock(&state.lock);
}

void runtime_rest(void)
{
    helper_rest();
}

void runtime_resume(void)
{
    helper_resume();
}

void runtime_forbid(bool forbidden)
{
    helper_forbid(forbidden);
}

void runtime_fork(void)
{
    spin_reset(&state.lock);
    relink_fork();
    helper_fork();
}

/* What ended since the helper thread last looked is looked at now: it is not there any more. */
void runtime_finish(void)
{
    helper_rest();
    if (permit.revoked != 0)
        return;
    uint32_t count = __atomic_load_n(&state.met_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count && !helper_is_here(); i++)
        if (state.met[i].runtime->poll && is_work(&state.met[i]))
            work_on(&state.met[i]);
}
