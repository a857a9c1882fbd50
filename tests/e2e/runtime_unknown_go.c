#include "runtime_unknown.h"

#include <stddef.h>

extern char stats[], controller[], work[];
extern const struct {
    const char *bytes;
    ptrdiff_t length;
} version;

/* In memory that must not be looked at. */
char stats[16384] __asm__("runtime.memstats");
char controller[512] __asm__("runtime.gcController");
char work[512] __asm__("runtime.work");
const __typeof__(version) version __asm__("runtime.buildVersion") = {"go1.99.1", 8};

/* A collection, as the versions that are known count them. */
void unknown_use(void)
{
    for (size_t i = 0; i < sizeof(stats); i++)
        stats[i]++;
}
