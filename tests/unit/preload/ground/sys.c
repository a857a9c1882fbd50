#include "preload/ground/sys.h"

#include "child.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { PAGES_BYTES = 3 * 4096 + 1, MUCH_BYTES = 1 << 20 };

static void test_errors_are_values(void **state)
{
    (void)state;
    errno = 42;
    assert_int_equal(sys_open("/nonexistent/file", O_RDONLY, 0), -ENOENT);
    assert_int_equal(sys_read(-1, NULL, 0), -EBADF);
    assert_int_equal(sys_write_all(-1, "x", 1), -EBADF);
    assert_int_equal(errno, 42);
    assert_true(sys_failed(-1) && sys_failed(-4095));
    assert_false(sys_failed(0) || sys_failed(-4096) || sys_failed((long)0x7fffffffffffffff));
}

static void test_pages(void **state)
{
    (void)state;
    unsigned char *pages = sys_pages(PAGES_BYTES);
    assert_non_null(pages);
    assert_int_equal((uintptr_t)pages % 4096, 0);
    for (size_t i = 0; i < PAGES_BYTES; i++)
        assert_int_equal(pages[i], 0);
    pages[PAGES_BYTES - 1] = 1;
    sys_pages_free(pages, PAGES_BYTES);
    assert_null(sys_pages((size_t)1 << 62));
}

static void test_identity_and_clocks(void **state)
{
    (void)state;
    assert_int_equal(sys_pid(), getpid());
    assert_int_equal(sys_tid(), gettid());
    time_t now = time(NULL);
    assert_in_range(sys_time_ns() / 1000000000u, now - 1, now + 2);
    uint64_t before = sys_uptime_ns();
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    assert_in_range(sys_uptime_ns() - before, 2000000, 60000000000u);
}

static void test_reading_files(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], buffer[8];
    scratch_make();
    scratch_write("file", "0123456");
    scratch_path(path, "file");
    assert_int_equal(sys_read_file(path, buffer, 8), 7);
    assert_string_equal(buffer, "0123456");
    assert_int_equal(sys_read_file(path, buffer, 5), 4); /* as much as there is room for */
    assert_string_equal(buffer, "0123");
    scratch_write("file", "");
    assert_int_equal(sys_read_file(path, buffer, 8), 0);
    assert_string_equal(buffer, "");
    assert_int_equal(sys_read_file(scratch_path(path, "none"), buffer, 8), -ENOENT);
    assert_int_equal(sys_read_file(scratch_path(path, "."), buffer, 8), -EISDIR);
    scratch_remove();
}

static void interrupt(int signal)
{
    (void)signal;
}

static struct {
    int ends[2];
    pthread_t writer;
} channel;

/* Reads what comes, in small pieces, up to `limit_bytes`; how much it was. */
static size_t drain(size_t limit_bytes)
{
    char buffer[1000];
    size_t sum = 0;
    for (ssize_t got = 1; got > 0 && sum < limit_bytes; sum += (size_t)got)
        got = read(channel.ends[0], buffer, sizeof(buffer));
    return sum;
}

/* A signal while the writer waits for room, and another one when it has found some. */
static void *interrupt_and_drain(void *unused)
{
    (void)unused;
    size_t sum = 0;
    for (int i = 0; i < 2; i++) {
        nanosleep(&(struct timespec){0, 30000000}, NULL);
        pthread_kill(channel.writer, SIGUSR1);
        nanosleep(&(struct timespec){0, 30000000}, NULL);
        sum += drain(i == 0 ? 3 * 4096 : SIZE_MAX);
    }
    return (void *)sum;
}

/* Short writes and interrupted ones go on. */
static void test_writing_all(void **state)
{
    (void)state;
    void *sum;
    pthread_t reader;
    struct sigaction before, action = {.sa_handler = interrupt};
    char *bytes = calloc(1, MUCH_BYTES);
    assert_int_equal(pipe(channel.ends), 0);
    long filled = fcntl(channel.ends[1], F_GETPIPE_SZ);
    assert_int_equal(sys_write_all(channel.ends[1], bytes, (size_t)filled), 0);
    sigaction(SIGUSR1, &action, &before);
    channel.writer = pthread_self();
    assert_int_equal(pthread_create(&reader, NULL, interrupt_and_drain, NULL), 0);
    assert_int_equal(sys_write_all(channel.ends[1], bytes, MUCH_BYTES), 0);
    close(channel.ends[1]);
    pthread_join(reader, &sum);
    assert_int_equal((size_t)sum, (size_t)filled + MUCH_BYTES);
    sigaction(SIGUSR1, &before, NULL);
    close(channel.ends[0]);
    free(bytes);
}

/* Another thread of the program might write to descriptor 1 at any time. */
static bool files_stay_above_the_standard_ones(void)
{
    close(0);
    close(1);
    close(2);
    long fd = sys_open("/dev/null", O_RDONLY, 0);
    return fd > 2 && fcntl(0, F_GETFD) == -1 && fcntl(1, F_GETFD) == -1 &&
           (fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
}

static void test_closed_standard_descriptors(void **state)
{
    (void)state;
    assert_true(child_run(files_stay_above_the_standard_ones));
}

static void note_stack(void *place)
{
    volatile char here = 0;
    *(uintptr_t *)place = (uintptr_t)&here;
}

static void test_another_stack(void **state)
{
    (void)state;
    uintptr_t here = 0;
    unsigned char *stack = sys_pages(64 << 10);
    sys_on_stack(stack + (64 << 10), note_stack, &here);
    assert_in_range(here, (uintptr_t)stack, (uintptr_t)stack + (64 << 10) - 1);
    sys_pages_free(stack, 64 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_values),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_identity_and_clocks),
        cmocka_unit_test(test_reading_files),
        cmocka_unit_test(test_writing_all),
        cmocka_unit_test(test_closed_standard_descriptors),
        cmocka_unit_test(test_another_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
