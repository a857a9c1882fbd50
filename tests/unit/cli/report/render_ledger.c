#include "cli/report/render_ledger.h"

#include "cli/ground/character.h"
#include "cli/report/ledger_phrase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20 };

static struct number_style style_of_bytes(void)
{
    struct number_style style;
    number_style_choose(&style, "bytes", "auto");
    return style;
}

/* As a process looks from outside: no sites. */
static struct ledger_book book_of(int64_t live, int64_t pinned, int64_t idle, int64_t drift)
{
    struct ledger_book book = {.known = true, .source = LEDGER_SMAPS};
    ledger_add_sites(&book, LEDGER_LIVE, live);
    ledger_add_sites(&book, LEDGER_PINNED, pinned);
    ledger_add(&book, LEDGER_IDLE, "", idle);
    ledger_add(&book, LEDGER_FILE, "[file: /usr/lib/libc.so.6 text]", MIB);
    ledger_add(&book, LEDGER_FILE, "[file: /opt/a/very/long/path/app text]", 2 * MIB);
    ledger_finish(&book, live + pinned + idle + 3 * MIB + drift);
    return book;
}

/* What `view` looks like on a page; malloc'd. */
static char *shown(const struct ledger_view *view, size_t columns, bool unicode)
{
    char *text;
    size_t size_bytes;
    struct page page = {open_memstream(&text, &size_bytes), columns, false, unicode};
    render_ledger(&page, view);
    fclose(page.out);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    bool has = text && strstr(text, part);
    if (!has)
        print_error("no \"%s\" in:\n%s", part, text ? text : "");
    assert_true(has);
}

static void assert_lacks(const char *text, const char *part)
{
    bool lacks = text && !strstr(text, part);
    if (!lacks)
        print_error("\"%s\" in:\n%s", part, text ? text : "");
    assert_true(lacks);
}

/* No line wider than the page, none that ends in blanks. */
static void assert_fits(char *text, size_t columns)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (character_text_columns(line) > columns || line[strlen(line) - 1] == ' ')
            fail_msg("%zu columns: \"%s\"", character_text_columns(line), line);
    }
}

static void a_table_ends_in_the_kernels_figure(void **state)
{
    (void)state;
    struct ledger_book book = book_of(10 * MIB, 40 * MIB, 20 * MIB, 0);
    struct ledger_view view = {.fresh = &book, .style = style_of_bytes()};
    char *text = shown(&view, 100, false);
    assert_true(strstr(text, "  pinned") < strstr(text, "  idle"));
    assert_true(strstr(text, "  idle") < strstr(text, "  files"));
    assert_has(text, "RSS                 73.0 MiB  100.00%  76,546,048 bytes, by the kernel\n");
    assert_has(text, "app text 2.0 MiB, libc.so.6 text 1.0 MiB\n");
    assert_has(text, "############");
    assert_has(text, "which pages of one are resident is a guess");
    assert_lacks(text, "drift");
    assert_lacks(text, "beside it");
    free(text);
    ledger_clear(&book);
}

static void drift_has_a_line(void **state)
{
    (void)state;
    struct ledger_book book = book_of(MIB, 0, 0, -4096);
    struct ledger_view view = {.fresh = &book, .style = style_of_bytes()};
    char *text = shown(&view, 100, false);
    assert_has(text, "  drift               -4.0 KiB   -0.10%  came or went meanwhile\n");
    assert_has(text, "4,190,208 bytes");
    free(text);
    ledger_clear(&book);
}

static void lines_fit_any_page(void **state)
{
    (void)state;
    struct ledger_book base = book_of(10 * MIB, MIB, 20 * MIB, 4096);
    struct ledger_book fresh = book_of(1000ll * MIB * MIB, 40 * MIB, 7, -1);
    for (int i = 0; i < LEDGER_BESIDES; i++)
        fresh.beside[i] = 1000 * MIB + i;
    fresh.sampled = fresh.stopped = true;
    for (size_t columns = 80; columns <= 160; columns += 20) {
        struct ledger_view view = {.fresh = &fresh, .style = style_of_bytes()};
        for (int compared = 0; compared < 2; compared++) {
            view.base = compared ? &base : NULL;
            char *text = shown(&view, columns, compared == 0);
            assert_fits(text, columns);
            free(text);
        }
    }
    ledger_clear(&base);
    ledger_clear(&fresh);
}

static void bars_are_drawn_in_eighths(void **state)
{
    (void)state;
    struct ledger_book book = book_of(96 * MIB, 1 * MIB, 48 * MIB, 0);
    struct ledger_view view = {.fresh = &book, .style = style_of_bytes()};
    char *text = shown(&view, 96, true); /* a bar has 12 columns: a MiB is an eighth of one */
    assert_has(text,
               "  \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\n");
    assert_has(text, "  \u258f\n");
    assert_lacks(text, "#");
    free(text);
    ledger_clear(&book);
}

static char *phrase(const struct ledger_book *base, const struct ledger_book *fresh)
{
    return ledger_phrase(
        &(struct ledger_view){.base = base, .fresh = fresh, .style = style_of_bytes()});
}

static void a_sentence_says_what_rss_is(void **state)
{
    (void)state;
    struct ledger_book book = book_of(49 * MIB, 157 * MIB, 112 * MIB, 0);
    char *text = phrase(NULL, &book);
    assert_string_equal(text,
                        "RSS 321.0 MiB: 49.0 MiB live, 157.0 MiB pinned, 112.0 MiB idle in the "
                        "allocator");
    free(text);
    book.beside[LEDGER_TRIM] = 111 * MIB;
    text = phrase(NULL, &book);
    assert_has(text, "112.0 MiB idle that malloc_trim would return");
    free(text);
    book.beside[LEDGER_TRIM] = 50 * MIB;
    text = phrase(NULL, &book);
    assert_has(text, "112.0 MiB idle of which malloc_trim would return 50.0 MiB");
    free(text);
    book.beside[LEDGER_TRIM] = 0;
    book.beside[LEDGER_PURGE] = 60 * MIB;
    text = phrase(NULL, &book);
    assert_has(text, "112.0 MiB idle of which a purge would return at most 60.0 MiB");
    free(text);
    ledger_clear(&book);
}

static void a_sentence_says_what_a_change_is(void **state)
{
    (void)state;
    struct ledger_book base = book_of(49 * MIB, 0, 0, 0);
    struct ledger_book fresh = book_of(52 * MIB, 180 * MIB, 29 * MIB, 0);
    char *text = phrase(&base, &fresh);
    assert_string_equal(
        text,
        "RSS +212.0 MiB: +180.0 MiB pinned, +29.0 MiB idle in the allocator, live only +3.0 MiB");
    free(text);
    text = phrase(&fresh, &base);
    assert_has(text, "RSS -212.0 MiB: -180.0 MiB pinned");
    free(text);
    text = phrase(&base, &base);
    assert_string_equal(text, "RSS is what it was");
    free(text);
    ledger_clear(&base);
    ledger_clear(&fresh);
}

static void beside_the_sum_stands_the_rest(void **state)
{
    (void)state;
    struct ledger_book book = book_of(MIB, 0, 0, 0);
    book.beside[LEDGER_SWAP] = 3 * MIB;
    book.beside[LEDGER_CGROUP] = 90 * MIB;
    struct ledger_view view = {.fresh = &book, .style = style_of_bytes()};
    char *text = shown(&view, 100, false);
    assert_has(text, "beside it: swapped out 3.0 MiB\n");
    assert_has(text, "  cgroup: 90.0 MiB\n");
    free(text);
    book.beside[LEDGER_CGROUP_LIMIT] = 80 * MIB; /* it can be lowered */
    text = shown(&view, 100, false);
    assert_has(text, "cgroup: 90.0 MiB of 80.0 MiB, 0 before the OOM killer\n");
    free(text);
    ledger_clear(&book);
}

/* What a report says where the ledger is missing. */
static char *absence(struct ledger_book base, struct ledger_book fresh, bool compared)
{
    char *text;
    size_t size_bytes;
    struct ledger_pair pair = {.base = base, .fresh = fresh, .compared = compared};
    struct page page = {.out = open_memstream(&text, &size_bytes), .columns = 100};
    render_ledger_pair(&page, &pair, style_of_bytes(), true);
    fclose(page.out);
    return text;
}

static void a_missing_ledger_is_said_to_be(void **state)
{
    (void)state;
    const struct ledger_book none = {0}, refused = {.asked = true};
    const struct ledger_book altered = {.asked = true, .altered = true};
    const struct ledger_book some = {.asked = true, .known = true};
    const struct {
        struct ledger_book base, fresh;
        bool compared;
        const char *want;
    } cases[] = {
        {none, none, false, ""},
        {none, none, true, ""},
        {none, refused, false, "  no ledger of RSS: residency was not measured\n"},
        {none, altered, false,
         "  no ledger of RSS: its lines do not add up: it was merged, subtracted or cut\n"},
        {some, none, true, "  no ledger of RSS: new has none (it was recorded without one)\n"},
        {none, some, true, "  no ledger of RSS: old has none (it was recorded without one)\n"},
        {refused, some, true, "  no ledger of RSS: old has none (residency was not measured)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = absence(cases[i].base, cases[i].fresh, cases[i].compared);
        assert_string_equal(text, cases[i].want);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_ends_in_the_kernels_figure),
        cmocka_unit_test(drift_has_a_line),
        cmocka_unit_test(lines_fit_any_page),
        cmocka_unit_test(bars_are_drawn_in_eighths),
        cmocka_unit_test(a_sentence_says_what_rss_is),
        cmocka_unit_test(a_sentence_says_what_a_change_is),
        cmocka_unit_test(beside_the_sum_stands_the_rest),
        cmocka_unit_test(a_missing_ledger_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
