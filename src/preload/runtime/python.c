/*
 * CPython 3.6 to 3.13: how we come to where its rules let Python code run, in the program's own threads: by
 * Py_AddPendingCall(), asked for when an event finds its thread inside the interpreter.
 */
#include "python_hook.h"

#include "python_api.h"
#include "runtime.h"

#include "preload/ground/arena.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"

#include <assert.h>
#include <string.h>

enum {
    TRIES_MAX = 1000, /* to get in; while the interpreter starts some fail */
    LOOKS_EACH = 64   /* to an interpreter that was asked already */
};

#define PYTHON_NAME(result, name, parameters) #name,
static const char *const symbols[] = {PYTHON_FUNCTIONS(PYTHON_NAME) "_Py_NoneStruct",
                                      PYTHON_OTHERS(PYTHON_NAME) "_PyRuntime", NULL};

struct python_api python_api;

static struct {
    unsigned minor; /* of the version 3.x; 0: not known yet */
    bool is_bound;
    struct interpreter *asked; /* it has a pending call of ours; atomic */
    unsigned tries, looks;
    char version[BOX_RUNTIME_VERSION_BYTES];
} python;

/* 3.6 to 3.8 have one collector for all interpreters. */
static struct interpreter *const common = (struct interpreter *)&python;

/* The thread that has the lock, as this process or (from 3.12 on) this thread sees it. */
static struct state *current(void)
{
    return python_api._PyThreadState_UncheckedGet ? python_api._PyThreadState_UncheckedGet()
                                                  : python_api.PyThreadState_GetUnchecked();
}

static struct interpreter *interpreter_of(struct state *state)
{
    return python_api.PyThreadState_GetInterpreter ? python_api.PyThreadState_GetInterpreter(state)
                                                   : common;
}

/* "3.11.2 (main, ...)"; false: not one of ours. */
static bool read_version(void)
{
    const char *text = python_api.Py_GetVersion(), *at = text;
    uint64_t major, minor;
    struct text version = text_on(python.version, sizeof(python.version));
    text_put_bytes(&version, text, strcspn(text, " "));
    if (!text_read_number(&at, &major) || *at++ != '.' || !text_read_number(&at, &minor) ||
        major != 3 || minor < 6 || minor > 13 || strstr(text, "free-threading"))
        return false;
    python.minor = (unsigned)minor;
    return true;
}

static bool is_main(struct interpreter *interpreter)
{
    return interpreter == common || interpreter == python_api.PyInterpreterState_Main();
}

/* A pending call: between two instructions of the main thread, or of the interpreter's own. */
static int get_in(void *unused)
{
    (void)unused;
    struct interpreter *interpreter = interpreter_of(current());
    if (python_hook_join(interpreter, python.minor, is_main(interpreter))) {
        runtime_say_truth(&runtime_python, python_hook_truth());
        runtime_say(&runtime_python, BOX_RUNTIME_WATCHED, python.version);
    } else {
        python_api.PyErr_Clear();
    }
    __atomic_store_n(&python.asked, NULL, __ATOMIC_RELAXED);
    return 0;
}

/*
 * Whether this thread is inside the interpreter, whose end can then not come meanwhile. Up to 3.11 a thread that runs
 * a subinterpreter is known by another state than its own; there we ask for whoever is running.
 */
static bool is_inside(struct state *state)
{
    if (!state || python.minor >= 12)
        return state;
    struct state *own = python_api.PyGILState_GetThisThreadState();
    return own && (own == state || !is_main(interpreter_of(state)));
}

/* Not twice, but again after a while: up to 3.11 only the main thread does what is pending. */
static void request(struct interpreter *interpreter)
{
    bool is_asked =
        __atomic_exchange_n(&python.asked, interpreter, __ATOMIC_RELAXED) == interpreter;
    if (python.tries == TRIES_MAX || (is_asked && ++python.looks % LOOKS_EACH != 0) ||
        sys_pid() != arena.header->pid)
        return;
    python.tries++;
    bool is_other = python.minor >= 12 && !is_main(interpreter);
    if (is_other && !python_api._PyEval_AddPendingCall)
        return;
    int failed = is_other ? python_api._PyEval_AddPendingCall(interpreter, get_in, NULL, 0)
                          : python_api.Py_AddPendingCall(get_in, NULL);
    if (failed)
        __atomic_store_n(&python.asked, NULL, __ATOMIC_RELAXED);
}

static bool bind(const struct runtime_found *found)
{
    size_t needed = offsetof(struct python_api, none) / sizeof(found->addresses[0]);
    static_assert(sizeof(struct python_api) / sizeof(void *) + 1 ==
                      sizeof(symbols) / sizeof(symbols[0]),
                  "each has its place");
    static_assert(sizeof(symbols) / sizeof(symbols[0]) <= RUNTIME_SYMBOLS_MAX, "all are looked up");
    for (size_t i = 0; i <= needed; i++)
        if (found->addresses[i] == 0)
            return false;
    memcpy(&python_api, found->addresses, sizeof(python_api));
    return python_api._PyThreadState_UncheckedGet || python_api.PyThreadState_GetUnchecked;
}

static enum box_runtime_state put_version(struct runtime_found *found, enum box_runtime_state state)
{
    memcpy(found->version, python.version, sizeof(found->version));
    return state;
}

static enum box_runtime_state ask(struct runtime_found *found)
{
    if (!python.is_bound && !bind(found))
        return BOX_RUNTIME_UNKNOWN;
    python.is_bound = true;
    if (!python_api.Py_IsInitialized())
        return BOX_RUNTIME_WAITING;
    if (python.minor == 0 && !read_version())
        return put_version(found, BOX_RUNTIME_UNKNOWN);
    struct state *state = current();
    if (!is_inside(state))
        return BOX_RUNTIME_WAITING;
    struct interpreter *interpreter = interpreter_of(state);
    if (python_hook_is_in(interpreter))
        return put_version(found, BOX_RUNTIME_WATCHED);
    request(interpreter);
    return BOX_RUNTIME_WAITING;
}

const struct runtime runtime_python = {
    .name = "python", .symbols = symbols, .truth = BOX_TRUTH_TOTALS, .ask = ask};
