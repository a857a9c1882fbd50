/* Where Ruby comes up: what is told of its collections can be asked for as soon as there is an interpreter. */
#include "hook.h"

#include "hooks_runtime.h"
#include "preload/runtime/ruby.h"

static uintptr_t first_setup, first_init;

static int hook_setup(void)
{
    uintptr_t next = real_meant("ruby_setup", __builtin_return_address(0), first_setup);
    int status = ((int (*)(void))next)();
    if (status == 0)
        ruby_began((const void *)next);
    return status;
}

static void hook_init(void)
{
    uintptr_t next = real_meant("ruby_init", __builtin_return_address(0), first_init);
    ((void (*)(void))next)();
    ruby_began((const void *)next);
}

static const struct relink_name names[] = {{"ruby_init", (void *)hook_init, &first_init},
                                           {"ruby_setup", (void *)hook_setup, &first_setup},
                                           {NULL, NULL, NULL}};

const struct relink_group hooks_ruby = {names, NULL, RELINK_ANY};
