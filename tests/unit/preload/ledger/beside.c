#include "preload/ledger/beside.h"

#include "emulator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* "KEY: N kB" of a file of /proc, in bytes. */
static uint64_t field(const char *path, const char *key)
{
    char line[512];
    uint64_t bytes = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0)
            bytes = strtoull(line + strlen(key), NULL, 10) * 1024;
    if (file)
        fclose(file);
    return bytes;
}

static struct residency residency; /* stays: its pages have page tables */

static struct ledger measured(void)
{
    struct ledger ledger = {0};
    assert_true(residency.scratch || residency_open(&residency, true));
    for (int i = 0; i < 2; i++) /* all that it touches is there the second time */
        residency_scan(&residency);
    residency_measure(&residency);
    assert_true(residency.figures.known && residency.figures.summed);
    beside_measure(&residency, &ledger);
    return ledger;
}

static void test_sizes(void **state)
{
    (void)state;
    field("/proc/self/status", "VmPTE:"); /* stdio's memory is there from now on */
    struct ledger ledger = measured();
    assert_int_equal(ledger.page_table_bytes, field("/proc/self/status", "VmPTE:"));
    assert_int_equal(ledger.swap_bytes, field("/proc/self/status", "VmSwap:"));
    assert_int_equal(ledger.hugetlb_bytes, 0);
    uint64_t rss = field("/proc/self/smaps_rollup", "Rss:");
    assert_true(ledger.uss_bytes > 0 && ledger.uss_bytes <= ledger.pss_bytes + 4096);
    assert_true(ledger.pss_bytes <= rss);
}

/* Nothing is known of memory but what status said. */
static void test_no_figures(void **state)
{
    (void)state;
    const struct residency none = {.status = {.page_table_bytes = 4096}};
    struct ledger ledger = {.pss_bytes = 7};
    beside_measure(&none, &ledger);
    assert_int_equal(ledger.pss_bytes, 7);
    assert_int_equal(ledger.page_table_bytes, 4096);
}

/* The file of the group's use, when this machine has one where it usually is: "" otherwise. */
static const char *use_path(char *path, size_t room_bytes)
{
    char line[512];
    FILE *file = fopen("/proc/self/cgroup", "r");
    path[0] = '\0';
    while (file && fgets(line, sizeof(line), file)) {
        char *memory = strstr(line, ":memory:");
        line[strcspn(line, "\n")] = '\0';
        if (memory)
            snprintf(path, room_bytes, "/sys/fs/cgroup/memory%s/memory.usage_in_bytes", memory + 8);
        else if (strncmp(line, "0::", 3) == 0 && !path[0])
            snprintf(path, room_bytes, "/sys/fs/cgroup%s/memory.current", line + 3);
    }
    if (file)
        fclose(file);
    return access(path, R_OK) == 0 ? path : "";
}

static void test_group(void **state)
{
    (void)state;
    char path[1024], text[32] = "";
    if (!*use_path(path, sizeof(path)))
        skip();
    struct ledger ledger = measured();
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    print_message("group: %lu of %lu; %s", (unsigned long)ledger.cgroup_bytes,
                  (unsigned long)ledger.cgroup_limit_bytes, text);
    assert_true(ledger.cgroup_bytes > 0);
    if (ledger.cgroup_limit_bytes ==
        0) { /* then it is the process's own group, which others change */
        double share = (double)ledger.cgroup_bytes / strtod(text, NULL);
        assert_true(share > 0.2 && share < 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_no_figures),
        cmocka_unit_test(test_group),
    };
    if (emulator_lacks("figures of its own"))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
