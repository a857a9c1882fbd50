/*
 * python_api.h - what we call of CPython, and what it calls of ours.
 *
 * What it is: its functions as the object has them that it was met in, in the words of its headers, which are not needed.
 * Owns: nothing. Context: as CPython's own rules are: with its lock, but where it is said otherwise.
 * Not here: what versions differ in (python.c), the collector's lists (python_hook.h).
 */
#ifndef HEAPDIFF_PRELOAD_PYTHON_API_H
#define HEAPDIFF_PRELOAD_PYTHON_API_H

#include <stddef.h>

struct object;      /* PyObject */
struct interpreter; /* PyInterpreterState */
struct state;       /* PyThreadState */

typedef int (*pending_fn)(void *argument);

/* PyMemAllocatorEx */
struct allocator {
    void *context;
    void *(*malloc)(void *context, size_t bytes);
    void *(*calloc)(void *context, size_t count, size_t bytes);
    void *(*realloc)(void *context, void *address, size_t bytes);
    void (*free)(void *context, void *address);
};
enum { DOMAIN_RAW = 0, DOMAIN_OBJECT = 2 };

/* PyMethodDef */
struct method {
    const char *name;
    struct object *(*call)(struct object *self, struct object *arguments);
    int flags;
    const char *documentation;
};
enum { METHOD_VARARGS = 1 };

/* X(result, name, parameters): what every version has. */
#define PYTHON_FUNCTIONS(X)                                                                     \
    X(int, Py_AddPendingCall, (pending_fn call, void *argument))                                \
    X(int, Py_IsInitialized, (void))                                                            \
    X(const char *, Py_GetVersion, (void))                                                      \
    X(struct state *, PyGILState_GetThisThreadState, (void))                                    \
    X(struct object *, PyImport_ImportModuleLevel,                                              \
      (const char *name, void *globals, void *locals, void *from, int level))                   \
    X(struct object *, PySys_GetObject, (const char *name))                                     \
    X(struct object *, PyObject_GetAttrString, (struct object *, const char *name))             \
    X(struct object *, PyList_New, (ptrdiff_t length))                                          \
    X(int, PyList_Append, (struct object *, struct object *))                                   \
    X(ptrdiff_t, PyList_Size, (struct object *))                                                \
    X(struct object *, PyList_GetItem, (struct object *, ptrdiff_t index))                      \
    X(struct object *, PyTuple_GetItem, (struct object *, ptrdiff_t index))                     \
    X(int, PyDict_Next,                                                                         \
      (struct object *, ptrdiff_t * at, struct object * *key, struct object * *value))          \
    X(ptrdiff_t, PyDict_Size, (struct object *))                                                \
    X(struct object *, PyDict_GetItemString, (struct object *, const char *))                   \
    X(int, PyDict_SetItemString, (struct object *, const char *, struct object *))              \
    X(long, PyLong_AsLong, (struct object *))                                                   \
    X(int, PyUnicode_CompareWithASCIIString, (struct object *, const char *))                   \
    X(struct object *, PyCapsule_New, (void *, const char *name, void (*end)(struct object *))) \
    X(void *, PyCapsule_GetPointer, (struct object *, const char *name))                        \
    X(struct object *, PyCFunction_NewEx,                                                       \
      (struct method *, struct object * self, struct object * module))                          \
    X(struct object *, PyObject_CallObject, (struct object *, struct object *))                 \
    X(void, PyObject_GC_UnTrack, (void *))                                                      \
    X(void, PyMem_GetAllocator, (int domain, struct allocator *))                               \
    X(void, PyErr_Clear, (void))                                                                \
    X(void, PyErr_WriteUnraisable, (struct object *))                                           \
    X(void, Py_IncRef, (struct object *))                                                       \
    X(void, Py_DecRef, (struct object *))

/* ... and what only some have. */
#define PYTHON_OTHERS(X)                                                      \
    X(struct state *, _PyThreadState_UncheckedGet, (void)) /* to 3.12 */      \
    X(struct state *, PyThreadState_GetUnchecked, (void))  /* from 3.13 on */ \
    X(struct interpreter *, PyInterpreterState_Main, (void))                  \
    X(struct interpreter *, PyThreadState_GetInterpreter, (struct state *))   \
    X(struct object *, PyInterpreterState_GetDict, (struct interpreter *))    \
    X(int, _PyEval_AddPendingCall, (struct interpreter *, pending_fn, void *argument, int flags))

#define PYTHON_FIELD(result, name, parameters) result(*name) parameters;

/* In the order of python.c's list of names. */
struct python_api {
    PYTHON_FUNCTIONS(PYTHON_FIELD)
    struct object *none;
    PYTHON_OTHERS(PYTHON_FIELD)
    char *runtime;
};

extern struct python_api python_api __attribute__((visibility("hidden")));

#endif
