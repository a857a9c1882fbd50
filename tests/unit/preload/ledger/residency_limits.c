/* Where the best source is not to be had: what the next one says, and that a scan without any says so. */
#include "preload/ledger/residency.h"

#include "preload/ground/permit.h"

#include "child.h"
#include "smaps_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "emulator.h"
#include "sanitizer.h"

enum { PAGE = 4096, MAPPINGS = 17000, NOBODY = 65534, TIMES = 20 };

static struct residency residency;

static bool agrees(enum ledger_source source)
{
    smaps_check_scan(&residency); /* a child has no pages of code but those it runs */
    return child_expect(smaps_check_scan(&residency) == RESIDENCY_DONE) &&
           child_expect(residency.source == source) && child_expect(smaps_check_agrees(&residency));
}

static bool knows_nothing(void)
{
    struct residency_region region;
    struct residency_cursor at = {0};
    return child_expect(residency_scan(&residency) == RESIDENCY_UNKNOWN) &&
           child_expect(residency.source == LEDGER_NOT_MEASURED) &&
           child_expect(residency.resident_bytes == 0) &&
           child_expect(!residency_next(&residency, &at, &region)) &&
           child_expect(residency.vmas.count == 0);
}

/* What this machine's kernel has, when nothing forbids it. */
static enum ledger_source usual_source(void)
{
    struct residency usual;
    enum ledger_source source = LEDGER_NOT_MEASURED;
    if (residency_open(&usual, false) && residency_scan(&usual) == RESIDENCY_DONE)
        source = usual.source;
    residency_close(&usual);
    return source;
}

static bool without_right(void)
{
    bool ok = child_expect(setgid(NOBODY) == 0) && child_expect(setuid(NOBODY) == 0) &&
              child_expect(prctl(PR_SET_DUMPABLE, 0) == 0) &&
              child_expect(residency_open(&residency, false)) && agrees(LEDGER_SMAPS);
    residency_close(&residency);
    return ok;
}

static void test_not_dumpable(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    assert_true(child_run(without_right));
}

/* The right is lost after the scan was prepared. */
static bool without_right_in_between(void)
{
    bool ok = child_expect(residency_open(&residency, false)) &&
              child_expect(setuid(NOBODY) == 0) && child_expect(prctl(PR_SET_DUMPABLE, 0) == 0);
    ok = ok && agrees(LEDGER_SMAPS);
    residency_close(&residency);
    return ok;
}

static void test_right_lost(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    assert_true(child_run(without_right_in_between));
}

static bool without_descriptors(void)
{
    struct rlimit usual, none;
    if (!child_expect(residency_open(&residency, false)) ||
        !child_expect(getrlimit(RLIMIT_NOFILE, &usual) == 0))
        return false;
    enum ledger_source source = usual_source();
    none = (struct rlimit){0, usual.rlim_max};
    bool ok = child_expect(setrlimit(RLIMIT_NOFILE, &none) == 0) && knows_nothing();
    residency_measure(&residency);
    ok = ok && child_expect(!residency.figures.known) &&
         child_expect(setrlimit(RLIMIT_NOFILE, &usual) == 0);
    ok = ok && agrees(source);
    residency_close(&residency);
    return ok;
}

static void test_no_descriptors(void **state)
{
    (void)state;
    assert_true(child_run(without_descriptors));
}

static bool opened_without_descriptors(void)
{
    struct rlimit none = {0, 0};
    bool ok = child_expect(setrlimit(RLIMIT_NOFILE, &none) == 0) &&
              child_expect(residency_open(&residency, false)) && knows_nothing();
    residency_close(&residency);
    return ok;
}

static void test_opened_without_descriptors(void **state)
{
    (void)state;
    assert_true(child_run(opened_without_descriptors));
}

static char empty_root[] = "/tmp/residency-XXXXXX";

static bool in_an_empty_root(void)
{
    bool ok = child_expect(residency_open(&residency, false)) &&
              child_expect(chroot(empty_root) == 0) && knows_nothing();
    residency_close(&residency);
    ok = ok && child_expect(residency_open(&residency, false)) && knows_nothing();
    residency_close(&residency);
    return ok;
}

static void test_empty_root(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    assert_non_null(mkdtemp(empty_root));
    bool ok = child_run(in_an_empty_root);
    assert_int_equal(rmdir(empty_root), 0);
    assert_true(ok);
}

/* /proc is another file system, and then one with the list of somebody else. */
static bool with_another_proc(void)
{
    static const char list[] = "1000-2000 rw-p 00000000 00:00 0 \n";
    bool ok = child_expect(residency_open(&residency, false)) &&
              child_expect(mount("none", "/proc", "tmpfs", 0, NULL) == 0) && knows_nothing() &&
              child_expect(mkdir("/proc/self", 0755) == 0);
    int file = open("/proc/self/maps", O_WRONLY | O_CREAT, 0644);
    ok = ok && child_expect(write(file, list, sizeof(list) - 1) == (ssize_t)sizeof(list) - 1) &&
         knows_nothing();
    close(file);
    residency_close(&residency);
    return ok;
}

/* In a chroot the root is no mount that could be made private. */
static bool can_mount(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool hidden_proc(void)
{
    return child_expect(can_mount()) && with_another_proc();
}

static void test_hidden_proc(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    if (!child_run(can_mount))
        skip();
    assert_true(child_run(hidden_proc));
}

static bool forbidden(void)
{
    permit_revoke(PERMIT_PAGEMAP);
    bool ok = child_expect(residency_open(&residency, false)) && agrees(LEDGER_SMAPS);
    residency_close(&residency);
    permit_revoke(PERMIT_FILES);
    ok = ok && child_expect(residency_open(&residency, false)) && knows_nothing();
    residency_close(&residency);
    return ok;
}

static void test_forbidden(void **state)
{
    (void)state;
    assert_true(child_run(forbidden));
}

/* A filter that refuses what tells single pages, and does not kill. */
static bool refused(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
    bool ok = child_expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) &&
              child_expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0) &&
              child_expect(residency_open(&residency, false)) && agrees(LEDGER_SMAPS);
    residency_close(&residency);
    return ok;
}

static void test_refused(void **state)
{
    (void)state;
    assert_true(child_run(refused));
}

/* More mappings than there was room for; each second page is one of its own. */
static void test_many_mappings(void **state)
{
    (void)state;
    assert_true(residency_open(&residency, false));
    char *area = mmap(NULL, (size_t)MAPPINGS * 2 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(area, MAP_FAILED);
    for (size_t i = 0; i < MAPPINGS; i++) {
        char *page = area + 2 * i * PAGE;
        assert_int_equal(mprotect(page, PAGE, PROT_READ), 0);
        page[PAGE] = 1;
    }
    assert_int_equal(residency_scan(&residency), RESIDENCY_FULL);
    enum residency_result result = RESIDENCY_FULL;
    for (int i = 0; i < 8 && result == RESIDENCY_FULL; i++) {
        assert_true(residency_enlarge(&residency));
        result = smaps_check_scan(&residency);
    }
    assert_int_equal(result, RESIDENCY_DONE);
    assert_true(residency.vmas.count >= 2 * MAPPINGS);
    assert_true(smaps_check_agrees(&residency));
    assert_int_equal(smaps_check_bytes(&residency, area, (size_t)MAPPINGS * 2 * PAGE, 0, 0),
                     (uint64_t)MAPPINGS * PAGE);
    munmap(area, (size_t)MAPPINGS * 2 * PAGE);
    residency_close(&residency);
}

/* A mapping too large to be read page by page: how much of it is resident is known all the same. */
static void test_too_sparse(void **state)
{
    (void)state;
    const size_t size_bytes = (size_t)1 << 40;
    char *area = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        skip();
    madvise(area, size_bytes, MADV_NOHUGEPAGE);
    area[size_bytes / 2] = 1;
    for (enum ledger_source best = LEDGER_PAGEMAP_SCAN; best < LEDGER_SOURCES; best++) {
        assert_true(residency_open_at(&residency, best));
        assert_int_equal(smaps_check_scan(&residency), RESIDENCY_DONE);
        assert_true(smaps_check_agrees(&residency));
        uint32_t guess = residency.source == LEDGER_PAGEMAP_SCAN ? 0 : RESIDENCY_GUESS;
        assert_int_equal(smaps_check_bytes(&residency, area, size_bytes, RESIDENCY_GUESS, guess),
                         PAGE);
        residency_close(&residency);
    }
    munmap(area, size_bytes);
}

/* Many that are large together: entries are read for so long, no longer. */
static void test_sparse_together(void **state)
{
    (void)state;
    enum { AREAS = 5 };
    const size_t size_bytes = (size_t)15 << 30; /* 64 GiB in all are read */
    char *areas[AREAS];
    for (int i = 0; i < AREAS; i++) {
        areas[i] = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (areas[i] == MAP_FAILED)
            skip();
        madvise(areas[i], size_bytes, MADV_NOHUGEPAGE);
        mprotect(areas[i] + size_bytes - PAGE, PAGE, PROT_NONE); /* no two are one mapping */
        areas[i][size_bytes / 2] = 1;
    }
    assert_true(residency_open_at(&residency, LEDGER_PAGEMAP));
    assert_int_equal(smaps_check_scan(&residency), RESIDENCY_DONE);
    assert_true(smaps_check_agrees(&residency));
    unsigned guessed = 0;
    for (int i = 0; i < AREAS; i++) {
        assert_int_equal(smaps_check_bytes(&residency, areas[i], size_bytes, 0, 0), PAGE);
        guessed += smaps_check_bytes(&residency, areas[i], size_bytes, RESIDENCY_GUESS,
                                     RESIDENCY_GUESS) != 0;
        munmap(areas[i], size_bytes);
    }
    assert_int_equal(guessed, 1);
    residency_close(&residency);
}

/* The list of mappings that was read with the gate open is taken as long as memory is as large. */
static void test_prepared(void **state)
{
    (void)state;
    const size_t size_bytes = (size_t)MAPPINGS * 2 * PAGE;
    char *area = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(area, MAP_FAILED);
    for (size_t i = 0; i < MAPPINGS; i++)
        assert_int_equal(mprotect(area + 2 * i * PAGE, PAGE, PROT_READ), 0);
    assert_true(residency_open(&residency, false));
    for (int changed = 0; changed < 2; changed++) {
        residency_prepare(&residency);
        char *more = changed ? mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)
                             : NULL;
        strcpy(residency.vmas.text, "here before"); /* until it is read again */
        assert_int_equal(smaps_check_scan(&residency), RESIDENCY_DONE);
        assert_int_equal(strcmp(residency.vmas.text, "here before") == 0, !changed);
        assert_true(smaps_check_agrees(&residency));
        if (changed)
            munmap(more, PAGE);
    }
    munmap(area, size_bytes);
    residency_close(&residency);
}

/* As often as one likes, nothing is left behind. */
static void test_nothing_is_left(void **state)
{
    (void)state;
    assert_true(residency_open(&residency, false));
    size_t before = residency.vmas.count;
    for (int i = 0; i < TIMES; i++) {
        struct residency more;
        assert_true(residency_open(&more, false));
        assert_true(residency_own_bytes(&more) < 256 << 10);
        residency_close(&more);
    }
    assert_int_equal(residency_scan(&residency), RESIDENCY_DONE);
    assert_true(residency.vmas.count <= before);
    int file = open("/dev/null", O_RDONLY);
    residency_close(&residency);
    assert_true(file < 10);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_dumpable),    cmocka_unit_test(test_right_lost),
        cmocka_unit_test(test_no_descriptors),  cmocka_unit_test(test_opened_without_descriptors),
        cmocka_unit_test(test_empty_root),      cmocka_unit_test(test_hidden_proc),
        cmocka_unit_test(test_forbidden),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_many_mappings),   cmocka_unit_test(test_too_sparse),
        cmocka_unit_test(test_sparse_together), cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_nothing_is_left),
    };
    if (emulator_lacks("page tables") || sysconf(_SC_PAGESIZE) != PAGE)
        return 77;
    if (SANITIZER_ADDRESS || SANITIZER_THREAD) /* whose shadow becomes resident as the scan runs */
        return 77;
    smaps_check_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
