/* The kernel's list of threads, and that nothing of the program's own is taken for it. */
#include "preload/ground/task.h"

#include "emulator.h"
#include "sanitizer.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    THREADS = 700,                       /* more than the kernel hands over at once */
    ALL = THREADS + 1 + SANITIZER_THREAD /* that sanitizer has one of its own */
};

static pthread_barrier_t barrier;
static size_t seen, named;

static void *wait_here(void *unused)
{
    pthread_barrier_wait(&barrier); /* all are there */
    pthread_barrier_wait(&barrier); /* all have been seen */
    return unused;
}

static void see(const struct task_list *list, int32_t tid, void *context)
{
    char name[64];
    assert_ptr_equal(context, &seen);
    seen++;
    named += task_read(list, tid, "comm", name, sizeof(name)) && strcmp(name, "worker\n") == 0;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    pthread_attr_t small;
    struct task_list list;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], &small, wait_here, NULL), 0);
        pthread_setname_np(threads[i], "worker");
    }
    pthread_barrier_wait(&barrier);
    assert_true(task_open(&list));
    assert_true(list.count == ALL || list.count == 0);
    seen = named = 0;
    task_each(&list, see, &seen);
    assert_int_equal(seen, ALL);
    assert_int_equal(named, THREADS);
    task_close(&list);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* The program closes all descriptors, and gets the number for a directory of its own. */
static void test_number_of_another(void **state)
{
    (void)state;
    struct task_list list;
    char name[64];
    assert_true(task_open(&list));
    int number = list.directory.fd, another = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    assert_true(another >= 0);
    assert_int_equal(dup2(another, number), number);
    seen = 0;
    task_each(&list, see, &seen);
    assert_int_equal(seen, 0);
    assert_int_equal(lseek(another, 0, SEEK_CUR), 0);
    assert_false(task_read(&list, getpid(), "comm", name, sizeof(name)));
    task_close(&list);
    assert_true(fcntl(number, F_GETFD) >= 0);
    close(number);
    close(another);
}

static void test_no_such_thread(void **state)
{
    (void)state;
    struct task_list list;
    char name[64];
    assert_true(task_open(&list));
    assert_false(task_read(&list, INT32_MAX, "comm", name, sizeof(name)));
    assert_false(task_read(&list, getpid(), "no such file", name, sizeof(name)));
    assert_true(task_read(&list, getpid(), "comm", name, 2));
    assert_int_equal(strlen(name), 1);
    task_close(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_number_of_another),
                                       cmocka_unit_test(test_no_such_thread)};
    if (emulator_lacks("list of threads"))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
