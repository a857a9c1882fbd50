#include "demangle.h"

#include "cli/ground/memory.h"
#include "cli/ground/text.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    MANGLED_BYTES_MAX = 32768,   /* longer names exist only to hurt */
    DEMANGLED_BYTES_MAX = 65536, /* substitutions can double the output every few bytes */
    D_BYTES_MAX = 1024,          /* libiberty's D reader recurses without a limit */
    D_BACK_REFERENCES_MAX = 20   /* ... and may double its work at each */
};

struct demangled {
    jmp_buf too_long;
    size_t length;
    char text[DEMANGLED_BYTES_MAX];
};

/*
 * A callback cannot refuse, so it jumps. libiberty's callback forms keep their state on the stack;
 * at worst a punycode buffer of a Rust identifier is lost.
 */
static void demangled_append(const char *text, size_t length, void *opaque)
{
    struct demangled *out = opaque;
    if (length >= sizeof(out->text) - out->length)
        longjmp(out->too_long, 1);
    memcpy(out->text + out->length, text, length);
    out->length += length;
}

typedef int demangler(const char *, int, demangle_callbackref, void *);

/* NULL when `reader` does not know the name, or when it grows past all use. */
static char *demangled_by(demangler *reader, const char *name, struct demangled *out)
{
    out->length = 0;
    if (setjmp(out->too_long) != 0)
        return NULL;
    if (!reader(name, DMGL_NO_OPTS, demangled_append, out) || out->length == 0)
        return NULL;
    return memory_text(out->text, out->length);
}

static char *demangled_d(const char *name)
{
    size_t references = 0;
    for (const char *at = name; *at != '\0'; at++)
        references += *at == 'Q';
    if (strlen(name) > D_BYTES_MAX || references > D_BACK_REFERENCES_MAX)
        return NULL;
    return dlang_demangle(name, DMGL_NO_OPTS);
}

/* Rust first: its legacy names are valid C++ ones, with a hash at the end. */
char *demangle(const char *name)
{
    char *readable = NULL;
    size_t length = strnlen(name, MANGLED_BYTES_MAX);
    if (length < MANGLED_BYTES_MAX && (text_begins(name, "_Z") || text_begins(name, "_R"))) {
        struct demangled *out = memory_zeroed(1, sizeof(*out));
        readable = demangled_by(rust_demangle_callback, name, out);
        if (readable == NULL && name[1] == 'Z')
            readable = demangled_by(cplus_demangle_v3_callback, name, out);
        free(out);
    } else if (text_begins(name, "_D") && isdigit((unsigned char)name[2])) {
        readable = demangled_d(name);
    }
    return readable != NULL ? readable : memory_text(name, strlen(name));
}
