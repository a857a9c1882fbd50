#include "inner.h"

#include "module.h"

#include <sys/auxv.h>

enum { OBJECTS_MAX = 8 };

static struct {
    unsigned count;
    bool unknown; /* an object was not found: nobody can be told from its code */
    struct {
        uint64_t start, end;
        bool allocates;
    } objects[OBJECTS_MAX];
} inner;

static void add(const void *code, bool allocates)
{
    struct module module;
    if (inner.count == OBJECTS_MAX || !module_find((uint64_t)code, &module)) {
        inner.unknown = true;
        return;
    }
    inner.objects[inner.count].start = module.start;
    inner.objects[inner.count].end = module.end;
    inner.objects[inner.count].allocates = allocates;
    inner.count++;
}

void inner_add(const void *code)
{
    add(code, false);
}

void inner_add_allocator(const void *code)
{
    add(code, true);
}

/* Their order in inner_init(). */
enum { OURS, LIBC };

static bool is_in(unsigned object, const void *code)
{
    return object < inner.count && (uint64_t)code - inner.objects[object].start <
                                       inner.objects[object].end - inner.objects[object].start;
}

void inner_init(const void *allocator)
{
    inner_add((const void *)inner_init);
    inner_add((const void *)getauxval);
    inner_add_allocator(allocator);
    if (getauxval(AT_BASE) != 0) /* 0: there is no loader, or it was started as a program */
        inner_add((const void *)getauxval(AT_BASE));
}

bool inner_is_allocator(const void *caller)
{
    if (inner.unknown || is_in(LIBC, caller))
        return false;
    for (unsigned i = 0; i < inner.count; i++)
        if (inner.objects[i].allocates && is_in(i, caller))
            return true;
    return false;
}

bool inner_has(const void *caller)
{
    for (unsigned i = 0; i < inner.count; i++)
        if (is_in(i, caller))
            return true;
    return inner.count == 0 || inner.unknown;
}
