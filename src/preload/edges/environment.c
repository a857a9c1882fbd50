#include "environment.h"

#include "preload/ground/module.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

enum {
    ENVIRONMENT_PRELOAD_BYTES = 8192,
    ENVIRONMENT_BYTES_MAX = 256 << 10, /* of command line or environment, for a restart */
    ENVIRONMENT_WORDS_MAX = 8192
};

extern char **environ;

bool environment_ready(void)
{
    return environ != NULL;
}

/* The place of `name` in environ, or NULL. */
static char **environment_slot(const char *name)
{
    size_t length = strlen(name);
    for (char **at = environ; at && *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
            return at;
    return NULL;
}

const char *environment_get(const char *name)
{
    char **slot = environment_slot(name);
    return slot ? strchr(*slot, '=') + 1 : NULL;
}

/* Whether the path of `length` bytes names this very library. */
static bool is_this_library(const char *path, size_t length)
{
    struct module self;
    if (!module_find((uint64_t)&is_this_library, &self))
        return false;
    const char *name = text_base_name(self.name);
    size_t name_length = strlen(name);
    return length >= name_length && strncmp(path + length - name_length, name, name_length) == 0;
}

/* Cuts this library's entry out of an LD_PRELOAD value, in place. */
static void cut_preload(char *value)
{
    for (char *at = value; *at != '\0';) {
        size_t length = strcspn(at, ": ");
        size_t whole = length + (at[length] != '\0');
        if (is_this_library(at, length))
            memmove(at, at + whole, strlen(at + whole) + 1);
        else
            at += whole;
    }
}

static void remove_slot(char **slot)
{
    do
        slot[0] = slot[1];
    while (*slot++ != NULL);
}

void environment_hide(void)
{
    char **options = environment_slot("HEAPDIFF"), **preload;
    if (options)
        remove_slot(options);
    preload = environment_slot("LD_PRELOAD");
    if (!preload)
        return;
    cut_preload(strchr(*preload, '=') + 1);
    if (strchr(*preload, '=')[1] == '\0')
        remove_slot(preload);
}

/* NUL-separated words as exec wants them. */
static bool split_words(char *words, long length, char **pointers)
{
    size_t count = 0;
    for (char *at = words; at < words + length; at += strlen(at) + 1) {
        if (count == ENVIRONMENT_WORDS_MAX - 1)
            return false;
        pointers[count++] = at;
    }
    pointers[count] = NULL;
    return count > 0;
}

struct restart {
    char executable[4096];
    char preload[ENVIRONMENT_PRELOAD_BYTES];
    char arguments[ENVIRONMENT_BYTES_MAX];
    char *pointers[ENVIRONMENT_WORDS_MAX];
};

void environment_restart_with(const char *library)
{
    struct restart *restart = sys_pages(sizeof(*restart));
    char **slot = environment_slot("LD_PRELOAD");
    if (!restart || !slot)
        return;
    struct text text = text_on(restart->preload, sizeof(restart->preload));
    text_put(&text, *slot);
    text_put(&text, ":");
    text_put(&text, library);
    long length = sys_call4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe",
                            (long)restart->executable, sizeof(restart->executable) - 1);
    long bytes =
        sys_read_file("/proc/self/cmdline", restart->arguments, sizeof(restart->arguments));
    if (text.cut || sys_failed(length) || bytes <= 0 || bytes >= ENVIRONMENT_BYTES_MAX - 1 ||
        !split_words(restart->arguments, bytes, restart->pointers))
        return;
    char *before = *slot;
    *slot = restart->preload;
    sys_call3(SYS_execve, (long)restart->executable, (long)restart->pointers, (long)environ);
    *slot = before;
    sys_pages_free(restart, sizeof(*restart));
}
