/*
 * What a native extension does with malloc, for any language that can call a C function: each call is a round of a
 * leak, a plateau and a sawtooth. Its argument is nobody's business: it may be a state of Lua. It also is a module
 * of CPython and one of Ruby, both of which have round(). No header of a runtime's is needed.
 */
#include "shapes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#pragma GCC visibility push(default)

int native_round(void *unused);
void *PyInit_native(void);
void Init_native(void);

static void *volatile kept; /* else nobody would see the blocks, and they could go */

static __attribute__((noinline)) void leak_site(void)
{
    for (int i = 0; i < LEAKS; i++)
        kept = malloc(BLOCK_BYTES);
}

int native_round(void *unused)
{
    static int round;
    (void)unused;
    leak_site();
    plateau_site(round);
    sawtooth_site(round);
    round++;
    return 0;
}

/* import native; native.round() */

/* PyMethodDef, and PyModuleDef with its head. */
struct method {
    const char *name;
    void *(*call)(void *self, void *arguments);
    int flags;
    const char *documentation;
};

struct definition {
    intptr_t references;
    void *head[4];
    const char *name, *documentation;
    ptrdiff_t state_bytes;
    struct method *methods;
    void *rest[4];
};

enum { ABI_VERSION = 1013, NO_ARGUMENTS = 4 };

void *PyModule_Create2(struct definition *definition, int version) __attribute__((weak));
void *PyLong_FromLong(long value) __attribute__((weak));

static void *round_of_python(void *self, void *arguments)
{
    (void)self, (void)arguments;
    native_round(NULL);
    return PyLong_FromLong(0);
}

void *PyInit_native(void)
{
    static struct method methods[2] = {{"round", round_of_python, NO_ARGUMENTS, NULL}};
    static struct definition definition = {
        .references = 1, .name = "native", .state_bytes = -1, .methods = methods};
    return PyModule_Create2(&definition, ABI_VERSION);
}

/* require 'native'; Native.round */

enum { RUBY_FALSE = 0 };

uintptr_t rb_define_module(const char *name) __attribute__((weak));
void rb_define_module_function(uintptr_t module, const char *name,
                               uintptr_t (*call)(uintptr_t self), int arguments)
    __attribute__((weak));

static uintptr_t round_of_ruby(uintptr_t self)
{
    (void)self;
    native_round(NULL);
    return RUBY_FALSE;
}

void Init_native(void)
{
    rb_define_module_function(rb_define_module("Native"), "round", round_of_ruby, 0);
}
