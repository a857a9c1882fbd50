/* What truth_musl.h declares, and the sites that only musl has. */
#include "truth.h"
#include "preload/ground/sys.h"

#include <errno.h>
#include <malloc.h>

#undef realloc
#undef sbrk
#undef brk

static struct {
    void (*body)(void);
    char *end; /* of the program break, as the program believes */
} state;

void *pvalloc(size_t bytes)
{
    return memalign(4096, bytes);
}

void truth_make_context(ucontext_t *context, void (*body)(void))
{
    (void)context;
    state.body = body;
}

static void run_body(void *unused)
{
    (void)unused;
    state.body();
}

int truth_swap_context(ucontext_t *context)
{
    sys_on_stack((char *)context->uc_stack.ss_sp + context->uc_stack.ss_size, run_body, NULL);
    return 0;
}

void *truth_sbrk(intptr_t bytes)
{
    truth_check(bytes == 0 || (sbrk(bytes) == (void *)-1 && errno == ENOMEM), "sbrk fails in musl");
    char *before = state.end;
    state.end += bytes;
    return before;
}

int truth_brk(void *end)
{
    return brk(end) == -1 ? 0 : -1;
}

/* musl's realloc(p, 0) gives a block of no bytes. */
SITE_FUNCTION static void realloc_to_nothing(void)
{
    volatile size_t none = 0;
    truth_check(truth_kept(realloc(malloc(50), none)) != NULL, "realloc to nothing");
}

void truth_cxx(void)
{
    realloc_to_nothing();
}
