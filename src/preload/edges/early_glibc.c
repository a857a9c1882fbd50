/*
 * What must be done before any constructor: AddressSanitizer's own, in a library that we stand before, ends
 * the program for that. The loader asks for the address of an indirect function while it relocates us, by when
 * every library is there, but none has begun. musl's loader has no such functions.
 *
 * No function of libc is called here: they are the sanitizer's, which is not ready either.
 */
#include "init.h"
#include "preload/ground/sys.h"

#include <fcntl.h>

void __asan_init(void) __attribute__((weak));

enum {
    EARLY_BYTES_MAX = 256 << 10, /* of command line or environment */
    EARLY_WORDS_MAX = 8192
};

struct restart {
    char executable[4096];
    char arguments[EARLY_BYTES_MAX];
    char environment[EARLY_BYTES_MAX];
    char *argument_pointers[EARLY_WORDS_MAX];
    char *environment_pointers[EARLY_WORDS_MAX];
};

static const char variable[] = "LD_PRELOAD=";
static const char library[] = "libheapdiff.so";
static const char line[] = "heapdiff: " INIT_SANITIZED "\n";
enum { VARIABLE_LENGTH = sizeof(variable) - 1, LIBRARY_LENGTH = sizeof(library) - 1 };

/* Keeps the compiler from making a call of libc's out of a loop. */
static inline void no_call(void)
{
    __asm__ volatile("");
}

static bool equal(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        no_call();
        if (a[i] != b[i])
            return false;
    }
    return true;
}

/* As the kernel keeps them: NUL-separated words. */
static bool read_words(const char *path, char *words, char **pointers)
{
    long bytes = sys_read_file(path, words, EARLY_BYTES_MAX), count = 0;
    if (bytes <= 0 || bytes >= EARLY_BYTES_MAX - 1)
        return false;
    for (long i = 0; i < bytes; i++) {
        no_call();
        if (i > 0 && words[i - 1] != '\0')
            continue;
        if (count == EARLY_WORDS_MAX - 1)
            return false;
        pointers[count++] = words + i;
    }
    pointers[count] = NULL;
    return true;
}

/* Cuts this library out of the list; false where it is not in there: the restart would never end. */
static bool leave_out(char *list)
{
    char *to = list, *from = list;
    bool found = false;
    while (*from != '\0') {
        size_t length = 0;
        while (from[length] != '\0' && from[length] != ':' && from[length] != ' ')
            length++;
        size_t whole = length + (from[length] != '\0');
        bool ours = length >= LIBRARY_LENGTH &&
                    equal(from + length - LIBRARY_LENGTH, library, LIBRARY_LENGTH);
        found |= ours;
        for (size_t i = 0; !ours && i < whole; i++) {
            no_call();
            *to++ = from[i];
        }
        from += whole;
    }
    *to = '\0';
    return found;
}

static bool leave_out_of(char **environment)
{
    for (; *environment; environment++)
        if (equal(*environment, variable, VARIABLE_LENGTH))
            return leave_out(*environment + VARIABLE_LENGTH);
    return false;
}

/* Returns where it cannot be done: the sanitizer then says what it has against us. */
static void restart_alone(void)
{
    struct restart *restart = sys_pages(sizeof(*restart));
    if (!restart)
        return;
    long length = sys_call4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe",
                            (long)restart->executable, sizeof(restart->executable) - 1);
    if (!sys_failed(length) &&
        read_words("/proc/self/cmdline", restart->arguments, restart->argument_pointers) &&
        read_words("/proc/self/environ", restart->environment, restart->environment_pointers) &&
        leave_out_of(restart->environment_pointers)) {
        sys_write_all(2, line, sizeof(line) - 1);
        sys_call3(SYS_execve, (long)restart->executable, (long)restart->argument_pointers,
                  (long)restart->environment_pointers);
    }
    sys_pages_free(restart, sizeof(*restart));
}

static void nothing(void)
{
}

/* Called by the loader alone: it returns what `early` is to be. */
__attribute__((used)) static void (*early_begin(void))(void)
{
    void (*volatile sanitizer)(void) = __asan_init;
    if (sanitizer)
        restart_alone();
    return nothing;
}

static void early(void) __attribute__((ifunc("early_begin")));

/* What the loader must fill in. */
__attribute__((used)) static void (*const volatile early_place)(void) = early;
