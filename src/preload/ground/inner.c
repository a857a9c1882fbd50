#include "inner.h"

#include "module.h"

#include <sys/auxv.h>

enum { OBJECTS_MAX = 6 };

static struct {
    unsigned count;
    bool unknown; /* an object was not found: nobody can be told from its code */
    struct {
        uint64_t start, end;
    } objects[OBJECTS_MAX];
} inner;

void inner_add(const void *code)
{
    struct module module;
    if (inner.count == OBJECTS_MAX || !module_find((uint64_t)code, &module)) {
        inner.unknown = true;
        return;
    }
    inner.objects[inner.count].start = module.start;
    inner.objects[inner.count].end = module.end;
    inner.count++;
}

/* Their order in inner_init(). */
enum { OURS, LIBC, ALLOCATOR };

static bool is_in(unsigned object, const void *code)
{
    return object < inner.count && (uint64_t)code - inner.objects[object].start <
                                       inner.objects[object].end - inner.objects[object].start;
}

void inner_init(const void *allocator)
{
    inner_add((const void *)inner_init);
    inner_add((const void *)getauxval);
    inner_add(allocator);
    if (getauxval(AT_BASE) != 0) /* 0: there is no loader, or it was started as a program */
        inner_add((const void *)getauxval(AT_BASE));
}

bool inner_is_allocator(const void *caller)
{
    return !inner.unknown && is_in(ALLOCATOR, caller) && !is_in(LIBC, caller);
}

bool inner_has(const void *caller)
{
    for (unsigned i = 0; i < inner.count; i++)
        if (is_in(i, caller))
            return true;
    return inner.count == 0 || inner.unknown;
}
