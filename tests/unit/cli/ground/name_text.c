#include "cli/ground/character.h"
#include "cli/ground/name_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void drops_what_nobody_reads(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"main", "main"},
        {"operator new(unsigned long)", "operator new"},
        {"void* ns::operator new[](unsigned long)", "ns::operator new[]"},
        {"void ns::insert<int>(std::pair<int, int> const&) const", "ns::insert<int>"},
        {"(anonymous namespace)::run(int)", "(anonymous namespace)::run"},
        {"ns::call::operator()(int) const", "ns::call::operator()"},
        {"ns::call::operator()", "ns::call::operator()"},
        {"std::ostream& operator<< <char>(std::ostream&)", "operator<< <char>"},
        {"main.(*Table).Put", "main.(*Table).Put"},
        {"main.Keys[...]", "main.Keys[...]"},
        {"grow(int) [clone .part.0]", "grow"},
        {"std::map<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "
         ">, "
         "int>::find(int)",
         "std::map<std::string, int>::find"},
        {"a\033[31mb\302\233c\233d", "a?[31mb?c?d"},
        {"ns::Cache<std::basic_string<char, std::char_traits<char> >, std::vector<int, "
         "std::allocator<int> > >::put",
         "ns::Cache<std::string, std::vector<int> >::put"},
        {"f<std::basic_string<char, x<y> > >()", "f<std::string>"},
        {"", ""},
        {"(", "("},
        {")", ")"},
        {"f(((", "f((("},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(name_text(names[i][0]).text, names[i][1]);
}

static void fits_names_into_columns(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t columns;
        const char *fitted;
    } cases[] = {
        {"short", 20, "short"},
        {"ns::table<ns::pair<int, long>, ns::less<int> >::insert(int)", 44,
         "ns::table<ns::pair<>, ns::less<> >::insert"},
        {"ns::table<ns::pair<int, long>, ns::less<int> >::insert(int)", 24, "ns::table<>::insert"},
        {"ns::operator< <ns::table<int, long> >(int)", 20, "ns::operator< <>"},
        {"<alloc::vec::Vec<u8> as io::Write>::write_all", 43,
         "<alloc::vec::Vec<> as io::Write>::write_all"},
        {"a_very_long_name_without_any_template", 16, "..._any_template"},
        {"grøße_grøße_grøße_grøße", 12, "...øße_grøße"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct name_text fitted = name_text_fitted(cases[i].name, cases[i].columns);
        assert_string_equal(fitted.text, cases[i].fitted);
        assert_true(character_text_columns(fitted.text) <= cases[i].columns);
    }
}

static void names_places(void **state)
{
    (void)state;
    assert_string_equal(name_place("/usr/src/dict.c", 321, 30).text, "dict.c:321");
    assert_string_equal(name_place("dict.c", 0, 30).text, "dict.c");
    assert_string_equal(name_place("", 5, 30).text, "");
    assert_true(character_text_columns(
                    name_place("/a/very_long_file_name_indeed.cpp", 123456, 16).text) <= 16);
}

/* Names longer than a line can show are cut, not overrun. */
static void bounds_every_name(void **state)
{
    (void)state;
    char name[3 * NAME_TEXT_BYTES];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(strlen(name_text(name).text), NAME_TEXT_BYTES - 1);
    memset(name, '<', sizeof name - 1);
    assert_true(character_text_columns(name_text_fitted(name, 40).text) <= 40);
    memset(name, '\xc3', sizeof name - 1);
    assert_true(character_text_columns(name_text_fitted(name, 40).text) <= 40);
    strcpy(name, "ns::T<");
    for (int i = 0; i < NAME_TEXT_BYTES / 4; i++)
        strcat(name, "int, ");
    strcat(name, "x>::grow(int)");
    assert_string_equal(name_text(name).text, "ns::T<>::grow"); /* the end is what counts */
    assert_string_equal(name_plain_fitted("/usr/bin/gr\303\274n --many words", 14).text,
                        "/usr/bin/gr...");
    assert_string_equal(name_plain_fitted("/usr/b\303\274n/x --many", 11).text,
                        "/usr/b\303\274n...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_what_nobody_reads),
        cmocka_unit_test(fits_names_into_columns),
        cmocka_unit_test(names_places),
        cmocka_unit_test(bounds_every_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
