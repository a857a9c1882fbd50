/* What is done with libraries at run time: code that comes, and that goes. */
#include "hook.h"

#include "preload/runtime/relink.h"
#include "preload/runtime/symbol.h"
#include "preload/tables/site.h"

#include <dlfcn.h>

typedef void *(*ask_fn)(void *, const char *);

/* We ask dlsym() ourselves, and so cannot be asked for it. */
static ask_fn real_dlsym(void)
{
    static ask_fn found;
    if (!__atomic_load_n(&found, __ATOMIC_RELAXED))
        __atomic_store_n(&found, (ask_fn)symbol_find_behind("dlsym"), __ATOMIC_RELAXED);
    return found;
}

void hooks_loader_init(void)
{
    real_dlsym();
}

/*
 * Whom RTLD_NEXT and RTLD_DEFAULT mean is known by the address that the call returns to: they are passed on by a jump. Who
 * asks one library is given what calls of its functions are bound to.
 */
HOOK void *dlsym(void *handle, const char *name)
{
    if (!guard_counts() || handle == RTLD_DEFAULT || handle == RTLD_NEXT)
        return real_dlsym()(handle, name);
    relink_handle(handle);
    return relink_answer(name, real_dlsym()(handle, name));
}

HOOK int dlclose(void *handle)
{
    real_resolve();
    int result = real.dlclose(handle);
    relink_forget();
    struct guard_thread *own = hook_enter();
    if (own) {
        if (guard_record(own)) {
            unwind_forget();
            site_sweep();
            guard_forget();
        }
        guard_leave(own);
    }
    return result;
}
