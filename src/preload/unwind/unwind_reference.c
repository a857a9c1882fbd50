#include "unwind.h"
#include "unwind_arch.h"
#include "unwind_walk.h"
#include "preload/ground/inner.h"
#include "preload/ground/module.h"
#include "preload/ground/own.h"

#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>

#define REFERENCE_STRING(name) #name
#define REFERENCE_NAME(name)   REFERENCE_STRING(name)

/* Its exports would take over the program's exceptions and backtrace(): never in the global scope. */
static struct {
    int (*context)(unw_context_t *context);
    int (*init)(unw_cursor_t *cursor, unw_context_t *context);
    int (*step)(unw_cursor_t *cursor);
    int (*get)(unw_cursor_t *cursor, int reg, unw_word_t *value);
    int (*is_signal)(unw_cursor_t *cursor);
    void (*flush)(unw_addr_space_t space, unw_word_t low, unw_word_t high);
    unw_addr_space_t *space;
} reference;

/* libunwind is resident for our sake, unless the program has it too. */
static void reference_own(void)
{
    struct module module;
    if (module_find((uint64_t) * (void **)&reference.step, &module))
        own_add((const void *)module.start, module.end - module.start);
}

bool unwind_reference_open(void)
{
    if (reference.space != NULL)
        return true;
    void *present = dlopen("libunwind.so.8", RTLD_LOCAL | RTLD_NOW | RTLD_NOLOAD);
    void *library = dlopen("libunwind.so.8", RTLD_LOCAL | RTLD_NOW);
    if (library == NULL)
        return false;
    *(void **)&reference.context = dlsym(library, REFERENCE_NAME(unw_tdep_getcontext));
    if (reference.context == NULL) /* aarch64: a macro, on what libc fills in just as well */
        *(void **)&reference.context = dlsym(RTLD_DEFAULT, "getcontext");
    *(void **)&reference.init = dlsym(library, REFERENCE_NAME(unw_init_local));
    *(void **)&reference.step = dlsym(library, REFERENCE_NAME(unw_step));
    *(void **)&reference.get = dlsym(library, REFERENCE_NAME(unw_get_reg));
    *(void **)&reference.is_signal = dlsym(library, REFERENCE_NAME(unw_is_signal_frame));
    *(void **)&reference.flush = dlsym(library, REFERENCE_NAME(unw_flush_cache));
    if (reference.context == NULL || reference.init == NULL || reference.step == NULL ||
        reference.get == NULL || reference.is_signal == NULL || reference.flush == NULL)
        return false;
    inner_add(*(void **)&reference.step); /* it maps memory for itself */
    if (present == NULL)
        reference_own();
    reference.space = dlsym(library, REFERENCE_NAME(unw_local_addr_space));
    return reference.space != NULL;
}

void unwind_reference_forget(void)
{
    if (reference.space != NULL)
        reference.flush(*reference.space, 0, 0);
}

static bool reference_is_at(unw_cursor_t *cursor, const struct unwind_start *start)
{
    unw_word_t pc = 0;
    unw_word_t sp = 0;
    reference.get(cursor, UNW_REG_IP, &pc);
    reference.get(cursor, UNW_REG_SP, &sp);
    return pc == start->pc && sp == start->sp;
}

/* Steps from here to the hook's caller. */
static bool reference_find(unw_cursor_t *cursor, const struct unwind_start *start)
{
    enum { OWN_FRAMES_MAX = 32 };
    for (int i = 0; i < OWN_FRAMES_MAX; i++) {
        if (reference_is_at(cursor, start))
            return true;
        if (reference.step(cursor) <= 0)
            return false;
    }
    return false;
}

static bool reference_repeats(const struct capture *capture, uint64_t pc, bool same_stack)
{
    return same_stack && capture->depth > 0 && capture->pcs[capture->depth - 1] == pc;
}

__attribute__((noinline)) bool unwind_reference(struct capture *capture,
                                                const struct unwind_start *start)
{
    unw_context_t context;
    unw_cursor_t cursor;
    *capture = (struct capture){.depth = 0};
    if (reference.space == NULL || reference.context(&context) != 0 ||
        reference.init(&cursor, &context) != 0 || !reference_find(&cursor, start))
        return false;
    int stepped;
    bool is_signal = false;
    unw_word_t last_sp = 0;
    do {
        unw_word_t pc = 0, sp = 0;
        /* On aarch64 it is told of the code that returns from the handler: one frame before. */
        bool was_signal = is_signal;
        is_signal = reference.is_signal(&cursor) > 0;
        uint64_t mark = (ARCH_LINK < 0 ? is_signal : was_signal) ? UNWIND_EXACT : 0;
        reference.get(&cursor, UNW_REG_IP, &pc);
        reference.get(&cursor, UNW_REG_SP, &sp);
        pc = arch_strip(pc);
        /* On aarch64 an outermost frame without a return address comes twice. */
        if (pc == 0 || reference_repeats(capture, pc, sp == last_sp) ||
            !capture_push(capture, pc | mark))
            return true;
        last_sp = sp;
        stepped = reference.step(&cursor);
    } while (stepped > 0);
    capture->ended = stepped < 0;
    return true;
}
