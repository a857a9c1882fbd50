#include "preload/ground/facts.h"

#include "child.h"
#include "scratch.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "emulator.h"

enum { GROWTH_BYTES = 64 << 20, MORE_THREADS = 3, GROUPS = 3000 };

static struct box_header header;

static int before_each(void **state)
{
    (void)state;
    memset(&header, 0, sizeof(header));
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Where this program lies. */
static const char *own_path(char *path)
{
    ssize_t length = readlink("/proc/self/exe", path, SCRATCH_PATH_BYTES_MAX - 1);
    assert_true(length > 0);
    path[length] = '\0';
    return path;
}

static void test_identity(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], host[256];
    uint64_t before = now_ns();
    facts_identify(&header);
    assert_int_equal(header.pid, getpid());
    assert_int_equal(header.parent_pid, 0);
    assert_int_equal(header.page_bytes, sysconf(_SC_PAGESIZE));
    assert_string_equal(header.executable, own_path(path));
    assert_string_equal(header.name, strrchr(path, '/') + 1);
    assert_non_null(strstr(header.command_line, header.name));
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    assert_int_equal(strncmp(header.host, host, sizeof(header.host) - 1), 0);
    assert_in_range(header.start_time_ns, before, now_ns());
}

/* Field 22, when the name in field 2 has no blanks. */
static uint64_t stat_ticks(void)
{
    unsigned long long ticks = 0;
    FILE *stat = fopen("/proc/self/stat", "r");
    assert_non_null(stat);
    assert_int_equal(fscanf(stat,
                            "%*d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                            "%*s %*s %*s %*s %*s %llu",
                            &ticks),
                     1);
    fclose(stat);
    return ticks;
}

static void test_start_ticks(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "a b", "a) S 1 (", ") ) )", "((("};
    char before[16];
    prctl(PR_GET_NAME, before);
    prctl(PR_SET_NAME, "plain");
    uint64_t want = stat_ticks();
    assert_int_not_equal(want, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        prctl(PR_SET_NAME, names[i]);
        facts_identify(&header);
        assert_int_equal(header.start_ticks, want);
    }
    prctl(PR_SET_NAME, before);
}

/* The program asked to run itself by one of the names below says who it thinks it is. */
static int tell(void)
{
    facts_identify(&header);
    printf("%s|%s|%s", header.name, header.executable, header.command_line);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* Runs this program as `path`, or by descriptor; what it tells. */
static const char *told_by(const char *path, bool by_descriptor)
{
    static char text[3 * SCRATCH_PATH_BYTES_MAX];
    const char *arguments[] = {"called so", "tell", "two words", "", "three", NULL};
    int out[2], status;
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], 1);
        if (by_descriptor)
            fexecve(open(path, O_RDONLY), (char **)arguments, environ);
        else
            execv(path, (char **)arguments);
        _exit(9);
    }
    close(out[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(out[0], text + length, sizeof(text) - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return text;
}

static void test_name_and_command_line(void **state)
{
    (void)state;
    if (emulator_lacks("exec of what it emulates"))
        skip();
    char own[SCRATCH_PATH_BYTES_MAX], link[SCRATCH_PATH_BYTES_MAX];
    char want[3 * SCRATCH_PATH_BYTES_MAX];
    own_path(own);
    const char *line = "called so tell two words  three", *name = strrchr(own, '/') + 1;
    snprintf(want, sizeof(want), "%s|%s|%s", name, own, line);
    assert_string_equal(told_by(own, false), want);
    assert_string_equal(told_by(own, true), want); /* not the descriptor's number */
    scratch_make();
    assert_int_equal(symlink(own, scratch_path(link, "another-name")), 0);
    snprintf(want, sizeof(want), "another-name|%s|%s", own, line);
    assert_string_equal(told_by(link, false), want);
    scratch_remove();
}

static bool fork_facts_are_right(void)
{
    uint64_t before = now_ns();
    facts_fork(&header, getppid());
    return child_expect(header.pid == getpid()) && child_expect(header.parent_pid == getppid()) &&
           child_expect(header.start_time_ns >= before && header.start_time_ns <= now_ns()) &&
           child_expect(header.start_ticks == stat_ticks()) && child_expect(header.name[0] != '\0');
}

static void test_fork(void **state)
{
    (void)state;
    facts_identify(&header);
    assert_true(child_run(fork_facts_are_right));
}

static void *wait_for(void *barrier)
{
    pthread_barrier_wait(barrier);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_barrier_t barrier;
    pthread_t threads[1 + MORE_THREADS];
    pthread_barrier_init(&barrier, NULL, 2 + MORE_THREADS);
    assert_int_equal(pthread_create(&threads[0], NULL, wait_for, &barrier), 0);
    facts_measure(&header); /* only now: a sanitizer adds one of its own to the first */
    uint32_t before = header.threads;
    assert_true(before >= 2);
    for (int i = 1; i <= MORE_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for, &barrier), 0);
    facts_measure(&header);
    assert_int_equal(header.threads, before + MORE_THREADS);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i <= MORE_THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* What is mapped and touched is resident, and was, when it is gone. */
static void test_sizes(void **state)
{
    (void)state;
    if (emulator_lacks("MAP_POPULATE"))
        skip();
    uint64_t start = facts_rss_bytes();
    assert_in_range(start, 256 << 10, 1ull << 40);
    void *pages = mmap(NULL, GROWTH_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_true(pages != MAP_FAILED);
    facts_measure(&header);
    uint64_t grown = header.rss_bytes;
    assert_in_range(grown, start + GROWTH_BYTES * 9ull / 10, start + GROWTH_BYTES * 3ull / 2);
    assert_in_range(facts_rss_bytes(), grown / 10 * 9, grown / 10 * 11);
    munmap(pages, GROWTH_BYTES);
    facts_measure(&header);
    assert_true(header.rss_bytes + GROWTH_BYTES / 2 < grown);
    assert_true(header.rss_peak_bytes >= grown / 10 * 9);
    assert_in_range(header.update_time_ns, now_ns() - 10000000000u, now_ns());
}

/* The kernel lists the groups first. */
static bool sizes_are_right(void)
{
    static gid_t groups[GROUPS];
    for (int i = 0; i < GROUPS; i++)
        groups[i] = 1000000000 + (gid_t)i;
    if (setgroups(GROUPS, groups) != 0)
        return true; /* only root may */
    uint64_t want = facts_rss_bytes();
    facts_measure(&header);
    return child_expect(header.rss_bytes > want / 2 && header.rss_bytes < want * 2) &&
           child_expect(header.rss_peak_bytes >= want / 2) && child_expect(header.threads >= 1);
}

static void test_many_groups(void **state)
{
    (void)state;
    assert_true(child_run(sizes_are_right));
}

static void test_directory(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_BYTES_MAX], want[SCRATCH_PATH_BYTES_MAX];
    assert_non_null(getcwd(want, sizeof(want)));
    facts_directory(path, sizeof(path));
    assert_string_equal(path, want);
    facts_directory(path, (unsigned)strlen(want)); /* one byte short */
    assert_string_equal(path, "/");
}

static bool deleted_directory_is_the_root(void)
{
    char path[SCRATCH_PATH_BYTES_MAX] = "";
    const char *directory = scratch_make();
    if (!child_expect(chdir(directory) == 0 && rmdir(directory) == 0))
        return false;
    facts_directory(path, sizeof(path));
    return child_expect(strcmp(path, "/") == 0);
}

static void test_deleted_directory(void **state)
{
    (void)state;
    assert_true(child_run(deleted_directory_is_the_root));
}

#define TEST(function) cmocka_unit_test_setup(function, before_each)

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity),    TEST(test_start_ticks), TEST(test_name_and_command_line),
        TEST(test_fork),        TEST(test_threads),     TEST(test_sizes),
        TEST(test_many_groups), TEST(test_directory),   TEST(test_deleted_directory),
    };
    if (count > 1 && strcmp(arguments[1], "tell") == 0)
        return tell();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
