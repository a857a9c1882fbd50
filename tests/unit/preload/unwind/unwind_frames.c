/* Frames that compilers do not make: hand-written, wrong, or of generated code. x86_64. */
#include "preload/unwind/unwind.h"
#include "preload/unwind/unwind_switch.h"

#include "stack_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

typedef void (*leaf_fn)(void);

void frame_other_base(leaf_fn leaf);
void frame_saved_stack(leaf_fn leaf);
void frame_moved_fp(leaf_fn leaf);
void frame_computed_fp(leaf_fn leaf);
void frame_switched(leaf_fn leaf, void *stack);
void frame_unknown(leaf_fn leaf);
void frame_unknown_fp(leaf_fn leaf, uintptr_t fp);
void frame_wrong_fp(leaf_fn leaf, uintptr_t fp);
void frame_outermost(leaf_fn leaf);
void frame_mover(leaf_fn leaf, void *stack);
void frame_moves(void);
void frame_moves_end(void);

#define FUNCTION(name) ".globl " #name "\n.type " #name ", @function\n" #name ":\n"
#define END(name)      ".size " #name ", . - " #name "\n"

/* The CFA hangs on a register that the fast walk does not follow. */
__asm__(".text\n" FUNCTION(
    frame_other_base) ".cfi_startproc\n"
                      "pushq %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"
                      "movq %rsp, %rbx\n.cfi_def_cfa_register %rbx\n"
                      "subq $200, %rsp\nandq $-64, %rsp\n"
                      "call *%rdi\n"
                      "movq %rbx, %rsp\n.cfi_def_cfa_register %rsp\n"
                      "popq %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\n"
                      "ret\n.cfi_endproc\n" END(frame_other_base));

/* The old stack pointer is stored in the frame, as in libcrypto: CFA = *(rsp + 8) + 8. */
__asm__(
    ".text\n" FUNCTION(frame_saved_stack) ".cfi_startproc\n"
                                          "movq %rsp, %rax\n.cfi_def_cfa_register %rax\n"
                                          "subq $64, %rsp\nandq $-64, %rsp\n"
                                          "movq %rax, 8(%rsp)\n"
                                          ".cfi_escape 0x0f, 0x05, 0x77, 0x08, 0x06, 0x23, 0x08\n"
                                          "call *%rdi\n"
                                          "movq 8(%rsp), %rsp\n.cfi_def_cfa %rsp, 8\n"
                                          "ret\n.cfi_endproc\n" END(frame_saved_stack));

/* The caller's frame pointer is kept in another register. */
__asm__(".text\n" FUNCTION(
    frame_moved_fp) ".cfi_startproc\n"
                    "pushq %r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r12, 0\n"
                    "movq %rbp, %r12\n.cfi_register %rbp, %r12\n"
                    "movl $1, %ebp\n"
                    "call *%rdi\n"
                    "movq %r12, %rbp\n.cfi_restore %rbp\n"
                    "popq %r12\n.cfi_adjust_cfa_offset -8\n.cfi_restore %r12\n"
                    "ret\n.cfi_endproc\n" END(frame_moved_fp));

/* The caller's frame pointer was stored with 5 added: a value expression takes it off again. */
__asm__(".text\n" FUNCTION(
    frame_computed_fp) ".cfi_startproc\n"
                       "pushq %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbp, 0\n"
                       "addq $5, (%rsp)\n"
                       ".cfi_escape 0x16, 0x06, 0x05, 0x77, 0x00, 0x06, 0x35, 0x1c\n"
                       "call *%rdi\n"
                       "subq $5, (%rsp)\n.cfi_rel_offset %rbp, 0\n"
                       "popq %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbp\n"
                       "ret\n.cfi_endproc\n" END(frame_computed_fp));

/* The callee runs on another stack, which may lie anywhere. */
__asm__(
    ".text\n" FUNCTION(frame_switched) ".cfi_startproc\n"
                                       "pushq %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset %rbp, -16\n"
                                       "movq %rsp, %rbp\n.cfi_def_cfa_register %rbp\n"
                                       "movq %rsi, %rsp\n"
                                       "call *%rdi\n"
                                       "movq %rbp, %rsp\npopq %rbp\n.cfi_def_cfa %rsp, 8\n"
                                       "ret\n.cfi_endproc\n" END(frame_switched));

/* No rules, but a frame pointer. */
__asm__(".text\n" FUNCTION(frame_unknown) "pushq %rbp\nmovq %rsp, %rbp\n"
                                          "call *%rdi\n"
                                          "popq %rbp\nret\nnop\n" END(frame_unknown));

/* No rules, and something else in the frame pointer. */
__asm__(".text\n" FUNCTION(frame_unknown_fp) "pushq %rbp\nmovq %rsi, %rbp\n"
                                             "call *%rdi\n"
                                             "popq %rbp\nret\nnop\n" END(frame_unknown_fp));

/* Rules that are wrong: there is no frame pointer, they say. */
__asm__(
    ".text\n" FUNCTION(frame_wrong_fp) ".cfi_startproc\n"
                                       "pushq %rbp\n.cfi_def_cfa %rbp, 16\n.cfi_offset %rbp, -16\n"
                                       "movq %rsi, %rbp\n"
                                       "call *%rdi\n"
                                       "popq %rbp\n.cfi_def_cfa %rsp, 8\n"
                                       "ret\n.cfi_endproc\n" END(frame_wrong_fp));

__asm__(".text\n" FUNCTION(frame_outermost) ".cfi_startproc\n.cfi_undefined %rip\n"
                                            "pushq %rbp\n"
                                            "call *%rdi\n"
                                            "popq %rbp\nret\n.cfi_endproc\n" END(frame_outermost));

/* No rules, a stack of its own, and the caller's frame pointer left alone: as Go calls C. */
__asm__(".text\n" FUNCTION(
    frame_mover) "pushq %rbp\nmovq %rsp, %rbp\n"
                 "call frame_moves\n"
                 "popq %rbp\nret\n" END(frame_mover) FUNCTION(
                     frame_moves) "pushq %rbx\nmovq %rsp, %rbx\n"
                                  "movq %rsi, %rsp\ncall *%rdi\n"
                                  "movq %rbx, %rsp\npopq %rbx\nret\n" END(frame_moves)
                                      FUNCTION(frame_moves_end) "nop\n" END(frame_moves_end));

/* Called through a frame, so that a frame beyond the odd one proves it was passed. */
static __attribute__((noinline)) void call(void (*frame)(leaf_fn))
{
    frame(stack_probe);
    __asm__ volatile("" : : "r"(&frame) : "memory");
}

static void assert_passed(void (*frame)(leaf_fn))
{
    call(frame);
    assert_int_equal(stack_probe_find(frame), 0);
    assert_int_equal(stack_probe_find(call), 1);
    stack_probe_assert_agreed(1);
}

static void test_a_cfa_in_another_register(void **state)
{
    (void)state;
    uint64_t before = unwind_full_count();
    assert_passed(frame_other_base);
    assert_true(unwind_full_count() > before);
}

static void test_a_cfa_in_the_frame(void **state)
{
    (void)state;
    uint64_t before = unwind_full_count();
    assert_passed(frame_saved_stack);
    assert_int_equal(unwind_full_count(), before);
}

static void test_a_frame_pointer_in_another_register(void **state)
{
    (void)state;
    assert_passed(frame_moved_fp);
}

static void test_a_frame_pointer_by_expression(void **state)
{
    (void)state;
    assert_passed(frame_computed_fp);
}

static void test_frames_on_another_stack(void **state)
{
    (void)state;
    enum { STACK_BYTES = 256 << 10 };
    char *stack = malloc(STACK_BYTES);
    void *top = stack + STACK_BYTES - 64;
    frame_switched(stack_probe, (void *)((uintptr_t)top & ~15ul));
    assert_int_equal(stack_probe_find(frame_switched), 0);
    assert_int_equal(stack_probe_find(test_frames_on_another_stack), 1);
    free(stack);
    stack_probe_assert_agreed(1);
}

static void test_code_without_rules_by_its_frame_pointer(void **state)
{
    (void)state;
    assert_passed(frame_unknown);
}

static void probe_with_top(void)
{
    stack_probe_alone(stack_probe_top());
}

/* The record beyond the switch is that of the mover: its caller comes next. */
static void test_a_runtime_s_switch_of_stacks(void **state)
{
    (void)state;
    enum { STACK_BYTES = 256 << 10 };
    char *stack = malloc(STACK_BYTES);
    void *top = (void *)((uintptr_t)(stack + STACK_BYTES - 64) & ~15ul);
    frame_mover(probe_with_top, top);
    assert_true(stack_probe_capture.ended);
    assert_int_equal(stack_probe_find(test_a_runtime_s_switch_of_stacks), -1);
    switch_add((uintptr_t)frame_moves, (uintptr_t)frame_moves_end);
    unwind_forget();
    frame_mover(probe_with_top, top);
    assert_false(stack_probe_capture.ended);
    assert_int_equal(stack_probe_find(test_a_runtime_s_switch_of_stacks),
                     stack_probe_find(frame_moves) + 1);
    free(stack);
}

static void probe_without_top(void)
{
    stack_probe_alone(0);
}

static void test_no_guess_when_the_stack_is_not_known(void **state)
{
    (void)state;
    frame_unknown(probe_without_top);
    assert_true(stack_probe_capture.ended);
    assert_true(stack_probe_find(frame_unknown) >= 0);
}

static void test_an_outermost_frame_ends_the_stack(void **state)
{
    (void)state;
    frame_outermost(stack_probe);
    assert_int_equal(stack_probe_capture.depth, 1);
    stack_probe_assert_agreed(1);
}

/* What may stand in the frame pointer: each must end the stack, none may fault. */
static void test_wild_frame_pointers(void **state)
{
    (void)state;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t hole = (uintptr_t)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uintptr_t wild[] = {1,
                              8,
                              here + 1,
                              here - 4096,
                              hole,
                              hole + 8,
                              stack_probe_top(),
                              stack_probe_top() - 8,
                              here & ~0xfffffffful,
                              UINTPTR_MAX,
                              UINTPTR_MAX - 7,
                              1ul << 63,
                              0x7fffffffffff8,
                              here + (64 << 10)};
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        frame_unknown_fp(probe_with_top, wild[i]);
        frame_unknown_fp(probe_without_top, wild[i]);
        frame_wrong_fp(probe_with_top, wild[i]);
        frame_wrong_fp(probe_without_top, wild[i]);
        assert_true(stack_probe_capture.depth >= 1);
    }
    munmap((void *)hole, 4096);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, stack_probe_open)
    const struct CMUnitTest tests[] = {
        TEST(test_a_cfa_in_another_register),
        TEST(test_a_cfa_in_the_frame),
        TEST(test_a_frame_pointer_in_another_register),
        TEST(test_a_frame_pointer_by_expression),
        TEST(test_frames_on_another_stack),
        TEST(test_code_without_rules_by_its_frame_pointer),
        TEST(test_a_runtime_s_switch_of_stacks),
        TEST(test_no_guess_when_the_stack_is_not_known),
        TEST(test_an_outermost_frame_ends_the_stack),
        TEST(test_wild_frame_pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
