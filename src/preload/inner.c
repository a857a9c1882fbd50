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

void inner_init(const void *allocator)
{
    inner_add((const void *)inner_init);
    inner_add((const void *)getauxval);
    inner_add(allocator);
    if (getauxval(AT_BASE) != 0) /* 0: there is no loader, or it was started as a program */
        inner_add((const void *)getauxval(AT_BASE));
}

bool inner_has(const void *caller)
{
    for (unsigned i = 0; i < inner.count; i++)
        if ((uint64_t)caller - inner.objects[i].start <
            inner.objects[i].end - inner.objects[i].start)
            return true;
    return inner.count == 0 || inner.unknown;
}
