#include "python_hook.h"

#include "python_api.h"

#include "preload/ground/facts.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/views/collection.h"

#include <stdint.h>
#include <string.h>

enum {
    INTERPRETERS_MAX = 64, /* those beyond are not noticed */
    GENERATION_FULL = 2,
    MINOR_NS = 1000000, /* a minor collection is told of from here on; others are counted */
    WINDOW_BYTES_OLD =
        1024, /* of the state in which the two lists are: 3.7 has them at 648 at most ... */
    WINDOW_BYTES = 2048,     /* ... 3.12 at 864 at most ... */
    WINDOW_BYTES_NEW = 16384 /* ... 3.13 at 7616 */
};

/* What an interpreter has of ours; under its lock. */
struct place {
    struct interpreter *interpreter; /* NULL: unused; atomic */
    struct object **
        callbacks; /* the collector's pointer; NULL: there is none, or we are in the program's list */
    struct object *ours;
    struct object *programs;          /* its gc.callbacks */
    uint64_t start_ns;                /* 0: no collection has begun */
    uint64_t before_bytes, rss_bytes; /* of one that is full; 0: not known */
    uint64_t minors;                  /* since the last full one, not told of */
    uint8_t truth;                    /* enum box_truth */
};

static struct place places[INTERPRETERS_MAX];

static struct place *place_of(const struct interpreter *interpreter)
{
    for (unsigned i = 0; i < INTERPRETERS_MAX; i++) {
        struct place *place = &places[i];
        /* Another one may be at the same address by now: it has a list of its own. */
        if (__atomic_load_n(&place->interpreter, __ATOMIC_ACQUIRE) == interpreter &&
            (!place->callbacks || *place->callbacks == place->ours))
            return place;
    }
    return NULL;
}

/* Its own from before, when it has one. */
static struct place *place_for(struct interpreter *interpreter)
{
    for (unsigned i = 0; i < INTERPRETERS_MAX; i++) {
        struct interpreter *expected = NULL;
        struct place *place = &places[i];
        if (__atomic_compare_exchange_n(&place->interpreter, &expected, interpreter, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ||
            expected == interpreter)
            return place;
    }
    return NULL;
}

/* Blocks of the interpreter's own allocator are within a few of malloc's, which say nothing. */
enum box_truth python_hook_truth(void)
{
    struct allocator raw, object;
    python_api.PyMem_GetAllocator(DOMAIN_RAW, &raw);
    python_api.PyMem_GetAllocator(DOMAIN_OBJECT, &object);
    return raw.malloc == object.malloc ? BOX_TRUTH_EXACT : BOX_TRUTH_TOTALS;
}

/* Told of: called by the collector, in the thread that collects. */

static void put_reason(struct text *reason, uint64_t minors)
{
    if (minors == 0)
        return;
    text_put(reason, "after ");
    text_put_number(reason, minors);
    text_put(reason, " minor");
}

static void tell(struct place *place, bool is_minor, uint64_t pause_ns)
{
    char room[BOX_REASON_BYTES_MAX];
    struct text reason = text_on(room, sizeof(room));
    if (is_minor && pause_ns < MINOR_NS) {
        place->minors++;
        return;
    }
    put_reason(&reason, place->minors);
    place->minors = 0;
    const struct collection_event event = {.source = "python",
                                           .reason = room,
                                           .is_minor = is_minor,
                                           .truth = place->truth,
                                           .pause_ns = pause_ns,
                                           .before_bytes = place->before_bytes,
                                           .rss_before_bytes = place->rss_bytes};
    collection_mark(&event);
}

static bool is_text(struct object *object, const char *text)
{
    return python_api.PyUnicode_CompareWithASCIIString(object, text) == 0;
}

/* {"generation": 2, ...}; nothing may be allocated here that counts. */
static long generation_of(struct object *info)
{
    struct object *key, *value;
    ptrdiff_t at = 0;
    while (python_api.PyDict_Next(info, &at, &key, &value))
        if (is_text(key, "generation"))
            return python_api.PyLong_AsLong(value);
    return -1;
}

/* As the collector does it. */
static void pass_on(const struct place *place, struct object *arguments)
{
    const struct python_api *api = &python_api;
    for (ptrdiff_t i = 0; i < api->PyList_Size(place->programs); i++) {
        struct object *callback = api->PyList_GetItem(place->programs, i);
        api->Py_IncRef(callback);
        struct object *result = api->PyObject_CallObject(callback, arguments);
        if (result)
            api->Py_DecRef(result);
        else
            api->PyErr_WriteUnraisable(callback);
        api->Py_DecRef(callback);
    }
}

static void begins(struct place *place, bool is_minor)
{
    bool is_known = !is_minor && place->truth == BOX_TRUTH_EXACT;
    place->before_bytes = is_known ? collection_live_bytes() : 0;
    place->rss_bytes = is_minor ? 0 : facts_rss_bytes();
    place->start_ns = sys_uptime_ns();
}

static void has_ended(struct place *place, bool is_minor)
{
    uint64_t pause_ns = place->start_ns ? sys_uptime_ns() - place->start_ns : 0;
    place->start_ns = 0;
    tell(place, is_minor, pause_ns);
}

static struct object *on_collection(struct object *self, struct object *arguments)
{
    struct place *place = python_api.PyCapsule_GetPointer(self, NULL);
    bool ends = is_text(python_api.PyTuple_GetItem(arguments, 0), "stop");
    bool is_minor = generation_of(python_api.PyTuple_GetItem(arguments, 1)) != GENERATION_FULL;
    if (ends)
        has_ended(place, is_minor);
    if (place->callbacks && place->programs)
        pass_on(place, arguments);
    if (!ends)
        begins(place, is_minor);
    python_api.Py_IncRef(python_api.none);
    return python_api.none;
}

/* Getting in: called by the interpreter between two instructions of its main thread. */

/* The interpreter ends. What is left of ours is no object's any more. */
static void on_end(struct object *capsule)
{
    struct place *place = python_api.PyCapsule_GetPointer(capsule, NULL);
    struct object *programs = place->programs;
    place->programs = NULL;
    python_api.Py_DecRef(programs);
}

static struct object *make_callback(struct place *place)
{
    static struct method method = {"collected", on_collection, METHOD_VARARGS, NULL};
    struct object *capsule = python_api.PyCapsule_New(place, NULL, NULL);
    return capsule ? python_api.PyCFunction_NewEx(&method, capsule, NULL) : NULL;
}

/* The program's own list goes when the interpreter does, as it would without us. */
static void expect_end(struct place *place)
{
    const struct python_api *api = &python_api;
    struct object *dictionary = api->PyInterpreterState_GetDict
                                    ? api->PyInterpreterState_GetDict(place->interpreter)
                                    : NULL;
    struct object *capsule = dictionary ? api->PyCapsule_New(place, NULL, on_end) : NULL;
    if (!capsule)
        return;
    api->PyDict_SetItemString(dictionary, "heapdiff", capsule);
    api->Py_DecRef(capsule);
}

/* The collector's pointer to the second of two lists; NULL: it is not where it should be, or not only there. */
static struct object **find_pointer(char *state, size_t bytes, struct object *const lists[2])
{
    struct object **found = NULL;
    for (size_t at = 0; at + 2 * sizeof(*found) <= bytes; at += sizeof(*found)) {
        if (memcmp(state + at, lists, 2 * sizeof(*found)) != 0)
            continue;
        if (found)
            return NULL;
        found = (struct object **)(void *)(state + at) + 1;
    }
    return found;
}

static struct object **find_callbacks(struct interpreter *interpreter, unsigned minor,
                                      struct object *const lists[2])
{
    if (minor < 7)
        return NULL;
    if (minor < 9)
        return find_pointer(python_api.runtime, WINDOW_BYTES_OLD, lists);
    return find_pointer((char *)interpreter, minor < 13 ? WINDOW_BYTES : WINDOW_BYTES_NEW, lists);
}

/* A list that only the collector knows; never freed, nor is the callback: who is not tracked must not be. */
static bool hide(struct place *place, struct object **callbacks, struct object *callback)
{
    const struct python_api *api = &python_api;
    struct object *ours = api->PyList_New(0);
    if (!ours || api->PyList_Append(ours, callback) != 0)
        return false;
    api->PyObject_GC_UnTrack(ours);
    api->PyObject_GC_UnTrack(callback);
    api->Py_IncRef(callback);
    api->Py_IncRef(ours);
    place->ours = ours;
    place->programs = *callbacks; /* the collector's reference is ours now */
    place->callbacks = callbacks;
    *callbacks = ours;
    return true;
}

/* True also where nobody is told: a subinterpreter of 3.9 has the main one's lists, and its collector has none. */
static bool join(struct place *place, unsigned minor, bool is_main, struct object *const lists[2])
{
    struct object **callbacks = find_callbacks(place->interpreter, minor, lists);
    place->start_ns = place->minors = 0;
    place->callbacks = NULL;
    if (!callbacks && !is_main)
        return true;
    struct object *callback = make_callback(place);
    bool joined = callback && (callbacks ? hide(place, callbacks, callback)
                                         : python_api.PyList_Append(lists[1], callback) == 0);
    if (callbacks && joined && minor >= 9)
        expect_end(place);
    python_api.Py_DecRef(callback);
    return joined;
}

/*
 * Up to 3.11 a thread that is about to take the lock of a module has noted that, and takes the note away when it has
 * it; an import in between, which is what ours would be, takes it away before, and the program's fails.
 */
static bool may_import(unsigned minor)
{
    const struct python_api *api = &python_api;
    struct object *modules = api->PySys_GetObject("modules");
    struct object *machinery =
        modules ? api->PyDict_GetItemString(modules, "_frozen_importlib") : NULL;
    if (!machinery || minor >= 12 || api->PyDict_GetItemString(modules, "gc"))
        return machinery != NULL;
    struct object *notes = api->PyObject_GetAttrString(machinery, "_blocking_on");
    bool none = notes && api->PyDict_Size(notes) == 0;
    api->Py_DecRef(notes);
    return none;
}

static bool join_lists(struct place *place, unsigned minor, bool is_main)
{
    const struct python_api *api = &python_api;
    struct object *module =
        may_import(minor) ? api->PyImport_ImportModuleLevel("gc", NULL, NULL, NULL, 0) : NULL;
    struct object *garbage = module ? api->PyObject_GetAttrString(module, "garbage") : NULL;
    struct object *programs = garbage ? api->PyObject_GetAttrString(module, "callbacks") : NULL;
    struct object *const lists[2] = {garbage, programs};
    bool joined = programs && join(place, minor, is_main, lists);
    api->Py_DecRef(programs);
    api->Py_DecRef(garbage);
    api->Py_DecRef(module);
    return joined;
}

bool python_hook_is_in(const struct interpreter *interpreter)
{
    return place_of(interpreter) != NULL;
}

bool python_hook_join(struct interpreter *interpreter, unsigned minor, bool is_main)
{
    struct place *place = place_of(interpreter) ? NULL : place_for(interpreter);
    if (!place)
        return true;
    place->truth = (uint8_t)python_hook_truth();
    bool joined = join_lists(place, minor, is_main);
    if (!joined)
        __atomic_store_n(&place->interpreter, NULL, __ATOMIC_RELEASE);
    return joined;
}
