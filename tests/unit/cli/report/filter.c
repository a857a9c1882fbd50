#include "cli/report/filter.h"
#include "text_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool asks(const char *name, struct filter_options options,
                 bool (*question)(const struct filter *, int))
{
    struct profile *profile = profile_new();
    struct function function = {name, name, "", 0};
    profile->functions = &function;
    profile->function_count = 1;
    char *message;
    struct filter *filter = filter_new(&options, &message);
    assert_non_null(filter);
    filter_mark(filter, profile);
    bool answer = question(filter, 0);
    filter_free(filter);
    profile_free(profile);
    return answer;
}

static bool skips(const char *name, struct filter_options options)
{
    return asks(name, options, filter_skips);
}

static bool starts(const char *name)
{
    return asks(name, (struct filter_options){0}, filter_starts);
}

static void knows_allocating_functions(void **state)
{
    (void)state;
    static const char *const allocators[] = {
        "malloc",
        "__libc_calloc",
        "je_malloc",
        "reallocarray",
        "posix_memalign",
        "mmap64",
        "xmalloc",
        "do_xmalloc",
        "zmalloc",
        "ztrymalloc_usable_internal",
        "zcalloc_num",
        "g_malloc0_n",
        "g_slice_alloc",
        "g_strdup",
        "xstrdup",
        "strndup",
        "__GI___strdup",
        "__GI___libc_malloc",
        "__GI___mmap64",
        "__vasprintf_internal",
        "_PyMem_RawMalloc",
        "PyObject_Malloc",
        "sqlite3MemMalloc",
        "sqlite3DbMallocRawNN",
        "sqlite3Malloc",
        "Perl_safesysrealloc",
        "operator new(unsigned long)",
        "operator new[](unsigned long, std::nothrow_t const&)",
        "__gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*)",
        "std::vector<int, std::allocator<int> >::push_back(int const&)",
        "void std::vector<foo>::_M_realloc_insert<foo>(__gnu_cxx::__normal_iterator<foo*>, foo&&)",
        "__rust_alloc",
        "alloc::raw_vec::RawVec<T,A>::reserve_for_push",
        "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
        "<u8 as alloc::vec::spec_from_elem::SpecFromElem>::from_elem",
        "<app::Item as alloc::slice::hack::ConvertVec>::to_vec",
        "<u64 as core::fmt::Display>::fmt",
        "<&mut alloc::string::String as core::fmt::Write::write_fmt::SpecWriteFmt>::spec_write_fmt",
        "<[u8; 4] as core::fmt::Debug>::fmt",
        "core::iter::traits::iterator::Iterator::collect",
        "x_cgo_mmap",
        "runtime.mmap.func1",
        "heapdiff_preload_snapshot",
    };
    for (size_t i = 0; i < sizeof allocators / sizeof allocators[0]; i++)
        if (!skips(allocators[i], (struct filter_options){0}))
            fail_msg("%s is not folded over", allocators[i]);
}

static void leaves_the_programs_functions(void **state)
{
    (void)state;
    static const char *const others[] = {
        "main",
        "malloc_small",
        "grow",
        "allocate_table",
        "my_strings",
        "sdsnewlen",
        "dictExpand",
        "alloc",
        "mymalloc",
        "std_init",
        "main.fill",
        "std::string f<int>(int)",
        "app::std::run(int)",
        "PyList_Append",
        "sqlite3BtreeOpen",
        "runtime.malg",
        "<app::Item as core::fmt::Display>::fmt",
        "<app::Item as core::clone::Clone>::clone",
        "app::main::{{closure}}",
        "core::engine_start",
        "strdupcase",
        "std::vector<int> make<int>(int)",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (skips(others[i], (struct filter_options){0}))
            fail_msg("%s is folded over", others[i]);
}

static void takes_more_and_fewer(void **state)
{
    (void)state;
    assert_true(skips("my_pool_get", (struct filter_options){.skip = "^my_pool_"}));
    assert_true(skips("malloc", (struct filter_options){.skip = "^my_pool_"}));
    assert_false(skips("malloc", (struct filter_options){.no_skip = true}));
    assert_true(skips("my_pool_get", (struct filter_options){.skip = "pool", .no_skip = true}));
}

static void assert_keeps(const struct filter_options *options, bool first, bool second)
{
    struct profile *profile =
        text_profile(&(struct text_profile){.stacks = "main;load;read 1 10\nmain;draw 1 5\n"});
    char *message;
    struct filter *filter = filter_new(options, &message);
    filter_mark(filter, profile);
    assert_int_equal(filter_keeps(filter, &profile->samples[0]), first);
    assert_int_equal(filter_keeps(filter, &profile->samples[1]), second);
    filter_free(filter);
    profile_free(profile);
}

static void focuses_and_ignores(void **state)
{
    (void)state;
    assert_keeps(&(struct filter_options){0}, true, true);
    assert_keeps(&(struct filter_options){.focus = "loa"}, true, false);
    assert_keeps(&(struct filter_options){.focus = "draw\\.c$"}, false, true);
    assert_keeps(&(struct filter_options){.focus = "/bin/app"}, true, true);
    assert_keeps(&(struct filter_options){.ignore = "^read$"}, false, true);
    assert_keeps(&(struct filter_options){.focus = "main", .ignore = "draw|nothing"}, true, false);
    assert_keeps(&(struct filter_options){.focus = "nothing"}, false, false);
}

static void knows_where_stacks_begin(void **state)
{
    (void)state;
    static const char *const starters[] = {"_start",
                                           "__libc_start_call_main",
                                           "__libc_start_main_impl",
                                           "start_thread",
                                           "clone",
                                           "__clone3",
                                           "__GI___clone3",
                                           "std::rt::lang_start::{{closure}}",
                                           "core::ops::function::FnOnce::call_once",
                                           "runtime.main",
                                           "runtime.goexit"};
    for (size_t i = 0; i < sizeof starters / sizeof starters[0]; i++)
        if (!starts(starters[i]))
            fail_msg("%s does not start", starters[i]);
    assert_false(starts("main"));
    assert_false(starts("start"));
    assert_false(starts("thread_start"));
    assert_false(starts("std::vector::push_back"));
}

static void says_what_is_wrong_with_an_expression(void **state)
{
    (void)state;
    char *message;
    assert_null(filter_new(&(struct filter_options){.ignore = "(["}, &message));
    assert_non_null(strstr(message, "--ignore '(['"));
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_allocating_functions),
        cmocka_unit_test(leaves_the_programs_functions),
        cmocka_unit_test(takes_more_and_fewer),
        cmocka_unit_test(focuses_and_ignores),
        cmocka_unit_test(knows_where_stacks_begin),
        cmocka_unit_test(says_what_is_wrong_with_an_expression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
