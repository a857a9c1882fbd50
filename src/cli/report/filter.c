#include "filter.h"

#include "cli/ground/memory.h"
#include "cli/ground/name_text.h"

#include <regex.h>
#include <stdlib.h>

/* Functions that allocate because somebody asked them to. Searched in names without return type
   and parameters. */
static const char SKIPPED[] =
    /* malloc and its kin: libc's, other allocators', and the wrappers programs have (xmalloc, zmalloc) */
    "^_*(GI_+)?((libc|je|tc|mi|rust|rdl|rg|do|try)_|do_x|g_(try_)?|q|x|z|ztry)?"
    "(malloc|malloc0|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|"
    "pvalloc|"
    "zalloc|alloc_zeroed|mallocx|rallocx)(_n|0_n)?(_usable|_usable_internal|_internal|_checked|_"
    "num)?$"
    "|^_*(GI_+)?(x|g_|mem|libc_)?(strdup|strndup|wcsdup|memdup|memdup2|memdupz|dupz)$|^g_strdup_v?"
    "printf$"
    "|^_*(GI_+)?v?asprintf(_chk|_internal)?$|^g_slice_(alloc|alloc0|copy)$|^_*(rust|rdl|rg)_(alloc|"
    "realloc)$"
    "|^_*(GI_+)?(mmap|mmap64|mremap|sbrk|brk|shmat)$"
    /* programs and libraries that have layers of their own */
    "|^_?Py(Mem|Object)_(Raw)?(Malloc|Calloc|Realloc)$|^_PyMem_(Raw|Debug)[A-Za-z]*$"
    "|^sqlite3(Db|Mem)?(Malloc|Realloc)(Raw|RawNN|Zero)?$|^sqlite3_(malloc|realloc)(64)?$"
    "|^(dbMallocRawFinish|mallocWithAlarm)$|^Perl_(safesys|my_)?(malloc|calloc|realloc)$"
    "|^CRYPTO_(malloc|zalloc|realloc|strdup|memdup)$|^ruby_x(malloc|calloc|realloc)2?$"
    "|^objspace_x[a-z0-9_]*$|^os::(malloc|realloc)$|^AllocateHeap$|^tcmalloc::|^tc_new|^heapdiff_"
    /* C++ */
    "|^operator new|^(std|__gnu_cxx|__cxxabiv1)::|^<?std::__"
    /* Rust: its libraries, also where they are implemented for a type of the program */
    "|^(<(&mut "
    ")?)?(alloc|hashbrown)::|^<?core::(array|cell|clone|convert|fmt|iter|mem|ops|option|ptr|result|"
    "slice|str)::"
    "|^<.* as alloc::(borrow|collections|raw_vec|slice|string|vec)::"
    "|^<[[&]*[a-z0-9]+(; [0-9]+)?]? as (alloc|core|std)::"
    /* Go, where it calls C's mmap */
    "|^(x_cgo_mmap|runtime\\.(callCgoMmap|mmap(\\.func1)?|sys(Alloc|Map|Reserve)(OS|Aligned)?))$";

/* What runs a program or a thread before any of its own functions. */
static const char STARTERS[] =
    "^(_*libc_start_(call_)?main[a-z0-9_]*|_start|_dl_start_user|start_thread|_*(GI_+)?clone3?|"
    "runtime\\.(goexit|main))$|^std::(rt|sys|sys_common|thread)::|^core::ops::function::FnOnce::";

struct filter {
    regex_t focus, ignore, skip, known, starters;
    bool has_focus, has_ignore, has_skip, has_known, has_starters;
    bool *focused, *ignored; /* by location */
    bool *skipped, *starter; /* by function */
};

static bool compile(regex_t *expression, bool *has, const char *text, const char *option,
                    char **message)
{
    if (!text || *message)
        return !*message;
    int status = regcomp(expression, text, REG_EXTENDED | REG_NOSUB);
    *has = status == 0;
    if (status != 0) {
        char why[200];
        regerror(status, expression, why, sizeof why);
        *message = memory_format("%s '%s': %s", option, text, why);
    }
    return *has;
}

struct filter *filter_new(const struct filter_options *options, char **message)
{
    struct filter *filter = memory_zeroed(1, sizeof *filter);
    const char *known = options->no_skip ? NULL : SKIPPED;
    const char *starters = options->no_skip ? NULL : STARTERS;
    *message = NULL;
    if (compile(&filter->focus, &filter->has_focus, options->focus, "--focus", message) &&
        compile(&filter->ignore, &filter->has_ignore, options->ignore, "--ignore", message) &&
        compile(&filter->skip, &filter->has_skip, options->skip, "--skip", message) &&
        compile(&filter->known, &filter->has_known, known, "known allocators", message) &&
        compile(&filter->starters, &filter->has_starters, starters, "starters", message))
        return filter;
    filter_free(filter);
    return NULL;
}

static void forget_marks(struct filter *filter)
{
    free(filter->focused);
    free(filter->ignored);
    free(filter->skipped);
    free(filter->starter);
}

void filter_free(struct filter *filter)
{
    if (!filter)
        return;
    forget_marks(filter);
    if (filter->has_focus)
        regfree(&filter->focus);
    if (filter->has_ignore)
        regfree(&filter->ignore);
    if (filter->has_skip)
        regfree(&filter->skip);
    if (filter->has_known)
        regfree(&filter->known);
    if (filter->has_starters)
        regfree(&filter->starters);
    free(filter);
}

static bool matches(const regex_t *expression, const char *text)
{
    return regexec(expression, text, 0, NULL, 0) == 0;
}

/* As pprof: any function name or source file of the location, or its mapping's file. */
static bool location_matches(const regex_t *expression, const struct profile *profile,
                             const struct location *location)
{
    for (size_t i = 0; i < location->line_count; i++) {
        const struct function *function = &profile->functions[location->lines[i].function];
        if (matches(expression, function->name) || matches(expression, function->filename))
            return true;
    }
    return location->mapping != PROFILE_NONE &&
           matches(expression, profile->mappings[location->mapping].filename);
}

static void mark_locations(struct filter *filter, const struct profile *profile)
{
    for (size_t i = 0; i < profile->location_count; i++) {
        const struct location *location = &profile->locations[i];
        filter->focused[i] =
            !filter->has_focus || location_matches(&filter->focus, profile, location);
        filter->ignored[i] =
            filter->has_ignore && location_matches(&filter->ignore, profile, location);
    }
}

static void mark_functions(struct filter *filter, const struct profile *profile)
{
    for (size_t i = 0; i < profile->function_count; i++) {
        struct name_text name = name_text(profile->functions[i].name);
        filter->skipped[i] = (filter->has_known && matches(&filter->known, name.text)) ||
                             (filter->has_skip && matches(&filter->skip, name.text));
        filter->starter[i] = filter->has_starters && matches(&filter->starters, name.text);
    }
}

void filter_mark(struct filter *filter, const struct profile *profile)
{
    forget_marks(filter);
    filter->focused = memory_zeroed(profile->location_count, sizeof *filter->focused);
    filter->ignored = memory_zeroed(profile->location_count, sizeof *filter->ignored);
    filter->skipped = memory_zeroed(profile->function_count, sizeof *filter->skipped);
    filter->starter = memory_zeroed(profile->function_count, sizeof *filter->starter);
    mark_locations(filter, profile);
    mark_functions(filter, profile);
}

/* Without --focus a sample without a stack counts too. */
bool filter_keeps(const struct filter *filter, const struct sample *sample)
{
    bool focused = !filter->has_focus;
    for (size_t i = 0; i < sample->depth; i++) {
        if (filter->ignored[sample->locations[i]])
            return false;
        focused |= filter->focused[sample->locations[i]];
    }
    return focused;
}

bool filter_skips(const struct filter *filter, int function)
{
    return filter->skipped[function];
}

bool filter_starts(const struct filter *filter, int function)
{
    return filter->starter[function];
}
