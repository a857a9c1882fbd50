/* The kernel is the judge: filters are installed in children, which then make the call. */
#include "preload/ground/seccomp_filter.h"

#include "sanitizer.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { LENGTH_MAX = 24, FILTERS = 300, MODE_FILTER = 2 };

#define KILL  0x80000000u
#define TRAP  0x00030000u
#define ERRNO 0x00050000u
#define ALLOW 0x7fff0000u

static struct seccomp_instruction code[LENGTH_MAX];
static struct seccomp_program program = {0, code};

static void put(unsigned opcode, unsigned if_true, unsigned if_false, uint32_t k)
{
    code[program.length++] =
        (struct seccomp_instruction){(uint16_t)opcode, (uint8_t)if_true, (uint8_t)if_false, k};
}

/* The call that is judged, with arguments that are numbers in each half. */
static const struct seccomp_call call = {.number = SYS_getpgid,
                                         .arguments = {0, 7, 0x100000002ull, ~0ull, 5, 9}};

/* In a child: 1 when the call came back under the program, 0 when it killed, -1 when it is none. */
static int judge(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSYS, SIG_DFL);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, MODE_FILTER, &program) != 0)
            syscall(SYS_exit_group, 2);
        const uint64_t *a = call.arguments;
        syscall(call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
        syscall(SYS_exit_group, 1);
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return 0;
    return WEXITSTATUS(status) == 1 ? 1 : -1;
}

/* Lets everything pass that is not the call: the child must be able to say how it went. */
static void begin(void)
{
    program.length = 0;
    put(0x20, 0, 0, 0);
    put(0x15, 1, 0, (uint32_t)call.number);
    put(0x06, 0, 0, ALLOW);
}

static void assert_judged(void)
{
    int judged = judge();
    if (judged < 0)
        skip(); /* filters cannot be installed here */
    assert_int_equal(seccomp_filter_passes(&program, &call), judged);
}

static void test_actions(void **state)
{
    static const uint32_t actions[] = {KILL,      0,          TRAP,  ERRNO | EPERM,
                                       ERRNO | 1, 0x7ffc0000, ALLOW, 0x7ff00000};
    (void)state;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        begin();
        put(0x06, 0, 0, actions[i]);
        if (actions[i] ==
            0x7ff00000) /* a tracer's: fails here where there is none, but might not */
            assert_false(seccomp_filter_passes(&program, &call));
        else
            assert_judged();
    }
}

static void test_pretended_success_is_none(void **state)
{
    (void)state;
    begin();
    put(0x06, 0, 0, ERRNO);
    assert_false(seccomp_filter_passes(&program, &call));
}

static void test_what_the_kernel_refuses(void **state)
{
    (void)state;
    program.length = 0;
    assert_false(seccomp_filter_passes(&program, &call));
    put(0x20, 0, 0, 1 << 20); /* beyond the call */
    put(0x06, 0, 0, ALLOW);
    assert_false(seccomp_filter_passes(&program, &call));
    code[0] = (struct seccomp_instruction){0x05, 0, 0, UINT32_MAX}; /* a jump to nowhere */
    assert_false(seccomp_filter_passes(&program, &call));
}

static void put_random(void)
{
    static const uint16_t opcodes[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c,
                                       0x44, 0x4c, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c,
                                       0x80, 0x81, 0x84, 0xa4, 0xac, 0x07, 0x87, 0x20, 0x34};
    uint16_t opcode = opcodes[(size_t)rand() % (sizeof opcodes / sizeof opcodes[0])];
    uint32_t k = (uint32_t)rand() % 4; /* also a cell: those that have been filled */
    if (opcode == 0x20)
        k = (uint32_t)rand() % 14 * 4;
    if (opcode == 0x20 &&
        k >= 8) /* but not the instruction pointer, which the judge has another of */
        k += 8;
    if (opcode == 0x34) /* a division by 0 is refused */
        k++;
    put(opcode, 0, 0, k);
}

/* Calculates this and that, jumps about a little, and kills or not by the result. */
static void test_random_filters(void **state)
{
    static const uint16_t jumps[] = {0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d};
    (void)state;
    for (int i = 0; i < FILTERS; i++) {
        begin();
        for (uint32_t cell = 0; cell < 4; cell++) {
            put(0x20, 0, 0, 16 + 4 * cell);
            put(0x02, 0, 0, cell);
        }
        while (program.length < LENGTH_MAX - 6) {
            put(jumps[rand() % 8], (unsigned)rand() % 2, (unsigned)rand() % 2,
                (uint32_t)rand() % 8);
            put(0x00, 0, 0, (uint32_t)rand() % 8);
            put_random();
        }
        put(0x45, 0, 1, (uint32_t)rand() % 8);
        put(0x06, 0, 0, KILL);
        put(0x06, 0, 0, ALLOW);
        assert_judged();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_pretended_success_is_none),
        cmocka_unit_test(test_what_the_kernel_refuses),
        cmocka_unit_test(test_random_filters),
    };
    if (SANITIZER_THREAD)
        return 77; /* a child may inherit the runtime's locks from its own thread, and wait for ever */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
