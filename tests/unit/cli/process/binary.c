/* Files that another process names: in its root, and nothing but files. */
#include "cli/process/binary.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int bss[30000] = {0}; /* reaches beyond the data's last page */

/* This program's data, as the process that `dir` stands for would have it. */
static struct smaps_vma own_data(const char *name)
{
    static struct smaps smaps;
    char path[4096] = "";
    size_t size_bytes;
    struct process_dir self;
    assert_true(process_dir_open(&self, getpid()));
    char *text = process_dir_text(&self, "smaps", &size_bytes);
    assert_non_null(text);
    assert_null(smaps_parse(&smaps, text, size_bytes));
    process_dir_close(&self);
    assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
    for (size_t i = 0; i < smaps.count; i++)
        if (smaps.vmas[i].write && strcmp(smaps.vmas[i].name, path) == 0) {
            struct smaps_vma vma = smaps.vmas[i];
            vma.name = name;
            smaps_free(&smaps);
            return vma;
        }
    fail();
    return (struct smaps_vma){0};
}

static void copy_self(int directory, const char *name)
{
    char buffer[65536];
    ssize_t got;
    int from = open("/proc/self/exe", O_RDONLY);
    int to = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    while ((got = read(from, buffer, sizeof(buffer))) > 0)
        assert_int_equal(write(to, buffer, (size_t)got), got);
    close(from);
    close(to);
}

static void names_stay_in_the_root(void **state)
{
    char path[] = "/tmp/binary-test-XXXXXX", outside[64];
    (void)state;
    assert_non_null(mkdtemp(path));
    struct process_dir dir = {.fd = open(path, O_PATH | O_DIRECTORY)};
    assert_int_equal(mkdirat(dir.fd, "root", 0755), 0);
    int root = openat(dir.fd, "root", O_PATH | O_DIRECTORY);
    copy_self(root, "program");
    copy_self(dir.fd, "outside");
    snprintf(outside, sizeof(outside), "%s/outside", path);
    assert_int_equal(symlinkat("/program", root, "inner"), 0);
    assert_int_equal(symlinkat(outside, root, "outer"), 0);
    assert_int_equal(mkfifoat(root, "fifo", 0644), 0);

    struct smaps_vma data = own_data("/program");
    uint64_t end = binary_bss_end(&dir, &data);
    assert_true(end > sizeof(bss));
    assert_in_range((uintptr_t)bss, data.start, end - sizeof(bss));
    data.name = "/inner";
    assert_int_equal(binary_bss_end(&dir, &data), end);
    data.name = "/outer";
    assert_int_equal(binary_bss_end(&dir, &data), 0);
    data.name = "/fifo";
    assert_int_equal(binary_bss_end(&dir, &data), 0);
    data.name = "/nothing";
    assert_int_equal(binary_bss_end(&dir, &data), 0);

    static const char *const names[] = {"program", "inner", "outer", "fifo"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlinkat(root, names[i], 0);
    unlinkat(dir.fd, "outside", 0);
    unlinkat(dir.fd, "root", AT_REMOVEDIR);
    close(root);
    close(dir.fd);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_stay_in_the_root)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
