/* Fibers whose caller is found by a link on their own stack, and may be another one each time. x86_64. */
#include "memo_probe.h"

#include "preload/tables/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>

enum { STACK_BYTES = 64 << 10 };

typedef void (*leaf_fn)(void);

/* Calls `leaf` on `stack`, where the first word then leads back. */
void fiber_call(leaf_fn leaf, void *stack);
__asm__(".text\n.globl fiber_call\n.type fiber_call, @function\nfiber_call:\n.cfi_startproc\n"
        "pushq %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset %rbp, -16\n"
        "movq %rsp, (%rsi)\n"
        "movq %rsi, %rsp\n"
        ".cfi_escape 0x0f, 0x05, 0x77, 0x00, 0x06, 0x23, 0x10\n" /* *(rsp) + 16 */
        "call *%rdi\n"
        "movq (%rsp), %rsp\n.cfi_def_cfa %rsp, 16\n"
        "popq %rbp\n.cfi_def_cfa_offset 8\n.cfi_restore %rbp\n"
        "ret\n.cfi_endproc\n.size fiber_call, . - fiber_call\n");

/* Calls `leaf` in a frame that ends where `end` is, and seems to have been called from `caller`. */
void edge_call(leaf_fn leaf, void *end, const void *caller);
__asm__(".text\n.globl edge_call\n.type edge_call, @function\nedge_call:\n.cfi_startproc\n"
        "pushq %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset %rbp, -16\n"
        "movq %rsp, %rbp\n.cfi_def_cfa_register %rbp\n"
        "leaq -16(%rsi), %rsp\n"
        "movq %rdx, 8(%rsp)\n"
        ".cfi_remember_state\n.cfi_def_cfa %rsp, 16\n.cfi_same_value %rbp\n"
        "call *%rdi\n"
        ".cfi_restore_state\n"
        "movq %rbp, %rsp\n"
        "popq %rbp\n.cfi_def_cfa %rsp, 8\n.cfi_restore %rbp\n"
        "ret\n.cfi_endproc\n.size edge_call, . - edge_call\n");

/* Such callers: the outermost one, and one with a frame above the end. */
extern const char edge_outermost[], edge_above[];
__asm__(".text\n.cfi_startproc\n.cfi_undefined %rip\n"
        "nop\nedge_outermost:\nnop\n.cfi_endproc\n"
        ".cfi_startproc\n.cfi_def_cfa_offset 32\n"
        "nop\nedge_above:\nnop\n.cfi_endproc\n");

static void *fiber;
static ucontext_t here, there;

static void *map_stack(void)
{
    void *stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(stack != MAP_FAILED);
    return stack;
}

static void resume(void)
{
    fiber_call(memo_probe, (char *)fiber + STACK_BYTES - 64);
    fiber_call(memo_probe, (char *)fiber + STACK_BYTES - 64);
}

static void resume_from(void *stack)
{
    getcontext(&there);
    there.uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
    there.uc_link = &here;
    makecontext(&there, resume, 0);
    swapcontext(&here, &there);
}

/* The fiber has not changed but for its link, which is looked at before what it led to. */
static void test_the_last_caller_is_gone(void **state)
{
    (void)state;
    fiber = map_stack();
    void *first = map_stack(), *second = map_stack();
    resume_from(first);
    munmap(first, STACK_BYTES);
    resume_from(second);
    munmap(second, STACK_BYTES);
    munmap(fiber, STACK_BYTES);
    assert_int_equal(memo_probes.taken, 4);
    assert_int_equal(memo_probes.different, 0);
}

static uintptr_t edge_end;

static __attribute__((noinline)) void capture_at_the_edge(void)
{
    struct unwind_start start = UNWIND_HERE();
    memo_probe_leaf = memo_capture(&memo_probe_memo, &start, edge_end);
    unwind_capture(&memo_probe_capture, &start, edge_end);
    memo_probes.different += !stack_equal(memo_probe_leaf->node, &memo_probe_capture);
}

/* Above the top of a stack nothing is read unasked. */
static void test_frames_end_at_the_top(void **state)
{
    (void)state;
    fiber = map_stack();
    mprotect((char *)fiber + STACK_BYTES / 2, STACK_BYTES / 2, PROT_NONE);
    edge_end = (uintptr_t)fiber + STACK_BYTES / 2;
    edge_call(capture_at_the_edge, (void *)edge_end, edge_outermost);
    assert_int_equal(memo_probe_capture.depth, 2);
    assert_false(memo_probe_capture.ended);
    edge_call(capture_at_the_edge, (void *)edge_end, edge_above);
    assert_int_equal(memo_probe_capture.depth, 2);
    assert_true(memo_probe_capture.ended);
    assert_int_equal(memo_probes.different, 0);
    munmap(fiber, STACK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_last_caller_is_gone, memo_probe_reset),
        cmocka_unit_test_setup(test_frames_end_at_the_top, memo_probe_reset),
    };
    return cmocka_run_group_tests(tests, memo_probe_open, NULL);
}
