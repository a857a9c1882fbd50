/* Where Ruby comes up: what is told of its collections can be asked for as soon as there is an interpreter. */
#include "hook.h"

#include "preload/runtime/ruby.h"

#include <dlfcn.h>

int ruby_setup(void);
void ruby_init(void);

HOOK int ruby_setup(void)
{
    int (*next)(void) = real_meant("ruby_setup", __builtin_return_address(0));
    int status = next ? next() : -1;
    if (status == 0)
        ruby_began(*(void **)&next);
    return status;
}

HOOK void ruby_init(void)
{
    void (*next)(void) = real_meant("ruby_init", __builtin_return_address(0));
    if (!next)
        return;
    next();
    ruby_began(*(void **)&next);
}
