/* Fuzz target: bytes read as /proc/PID/smaps. */
#include "cli/process/smaps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* Names must lie in the text; figures must add up. */
static void check(const struct smaps *smaps, size_t size_bytes)
{
    uint64_t rss = 0;
    for (size_t i = 0; i < smaps->count; i++) {
        const struct smaps_vma *vma = &smaps->vmas[i];
        bool inside = vma->name >= smaps->text && vma->name <= smaps->text + size_bytes;
        if (!inside && vma->name[0] != '\0')
            __builtin_trap();
        if (strlen(vma->name) > size_bytes || vma->end < vma->start)
            __builtin_trap();
        rss += vma->bytes[SMAPS_RSS];
        if (rss < vma->bytes[SMAPS_RSS])
            __builtin_trap();
    }
    if (smaps->total[SMAPS_RSS] > rss)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct smaps smaps;
    char *text = malloc(size_bytes + 1);
    if (!text)
        return 0;
    if (size_bytes > 0)
        memcpy(text, bytes, size_bytes);
    text[size_bytes] = '\0';
    if (smaps_parse(&smaps, text, size_bytes) == NULL) {
        check(&smaps, size_bytes);
        smaps_free(&smaps);
    }
    return 0;
}
