#include "cli/process/smaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As recorded from Linux 6.18, shortened. */
static const char RECORDED[] =
    "564da9287000-564da9289000 r--p 00000000 fe:00 247498                     /usr/bin/head\n"
    "Size:                  8 kB\n"
    "KernelPageSize:        4 kB\n"
    "Rss:                   8 kB\n"
    "Pss:                   3 kB\n"
    "Pss_Dirty:             0 kB\n"
    "Private_Clean:         8 kB\n"
    "THPeligible:           0\n"
    "VmFlags: rd mr mw me \n"
    "7f9398000000-7f9398021000 rw-s 00002000 00:01 12 \n"
    "Rss:                   4 kB\n"
    "Anonymous:             4 kB\n"
    "Swap:                 12 kB\n"
    "VmFlags: rd wr mr mw me nr nh ht\n"
    "7ffc15f93000-7ffc15fb4000 rw-p 00000000 00:00 0                          [stack]\n"
    "Rss:                  16 kB\n";

static const char *parse(struct smaps *smaps, const char *text, size_t size_bytes)
{
    char *copy = malloc(size_bytes + 1);
    assert_non_null(copy);
    memcpy(copy, text, size_bytes);
    copy[size_bytes] = '\0';
    return smaps_parse(smaps, copy, size_bytes);
}

static void mappings_are_read(void **state)
{
    (void)state;
    struct smaps smaps;
    assert_null(parse(&smaps, RECORDED, sizeof(RECORDED) - 1));
    assert_int_equal(smaps.count, 3);
    const struct smaps_vma *head = &smaps.vmas[0], *shared = &smaps.vmas[1];
    assert_int_equal(head->start, 0x564da9287000);
    assert_int_equal(head->end, 0x564da9289000);
    assert_int_equal(head->inode, 247498);
    assert_int_equal(head->device_major, 0xfe);
    assert_string_equal(head->name, "/usr/bin/head");
    assert_true(head->read && !head->write && !head->execute && !head->shared && !head->hugetlb);
    assert_int_equal(head->bytes[SMAPS_RSS], 8192);
    assert_int_equal(head->bytes[SMAPS_PSS], 3072);
    assert_string_equal(shared->name, "");
    assert_int_equal(shared->offset, 0x2000);
    assert_true(shared->shared && shared->write && shared->hugetlb && shared->no_huge &&
                shared->no_reserve);
    assert_string_equal(smaps.vmas[2].name, "[stack]");
    assert_int_equal(smaps.total[SMAPS_RSS], 28 * 1024);
    assert_int_equal(smaps.total[SMAPS_SWAP], 12 * 1024);
    smaps_free(&smaps);
    smaps_free(&smaps);
}

/* Cut anywhere, it is read or refused. */
static void cut_texts_are_legal(void **state)
{
    (void)state;
    struct smaps smaps;
    for (size_t size_bytes = 0; size_bytes < sizeof(RECORDED); size_bytes++)
        if (parse(&smaps, RECORDED, size_bytes) == NULL) {
            assert_true(smaps.count <= 3 && smaps.total[SMAPS_RSS] <= 28 * 1024);
            smaps_free(&smaps);
        }
}

static void refuse(const char *text)
{
    struct smaps smaps;
    if (parse(&smaps, text, strlen(text)) == NULL)
        fail_msg("taken: %s", text);
    assert_null(smaps.vmas);
    assert_null(smaps.text);
}

static void others_are_refused(void **state)
{
    (void)state;
    refuse("Rss: 4 kB\n");
    refuse("\n");
    refuse("1000-");
    refuse("1000-2000 rw-p 0 0:0\n");
    refuse("1000-2000 rw 0 0:0 0\n");
    refuse("2000-1000 rw-p 0 0:0 0\n");
}

static void hostile_texts_do_no_harm(void **state)
{
    (void)state;
    static const char text[] =
        "1000-2000 rw-p 0 0:0 0 /srv/a\\012Rss: 8 kB (deleted)\n"
        "Rss: 99999999999999999999 kB\nPss: -1 kB\nSwap:\nRss\n:\nVmFlags:ht  nh\n\n"
        "3000-4000 rw-p 0 0:0 0 [anon:1000-2000 rw-p]\nRss: 99999999999999999999 kB\n";
    struct smaps smaps;
    assert_null(parse(&smaps, text, sizeof(text) - 1));
    assert_int_equal(smaps.count, 2);
    assert_string_equal(smaps.vmas[0].name, "/srv/a\\012Rss: 8 kB (deleted)");
    assert_string_equal(smaps.vmas[1].name, "[anon:1000-2000 rw-p]");
    assert_true(smaps.vmas[0].hugetlb && smaps.vmas[0].no_huge);
    assert_int_equal(smaps.total[SMAPS_RSS], UINT64_C(1) << 53);
    smaps_free(&smaps);
    assert_null(parse(&smaps, "", 0));
    assert_int_equal(smaps.count, 0);
    smaps_free(&smaps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_are_read),
        cmocka_unit_test(cut_texts_are_legal),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(hostile_texts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
