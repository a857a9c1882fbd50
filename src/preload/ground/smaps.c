#include "smaps.h"

#include "proc.h"
#include "text.h"

#include <string.h>

static const struct {
    const char *key;
    size_t length;
} fields[SMAPS_FIELDS] = {
#define FIELD(name)                    \
    {                                  \
        name ":", sizeof(name ":") - 1 \
    }
    [SMAPS_RSS] = FIELD("Rss"),
    [SMAPS_PSS] = FIELD("Pss"),
    [SMAPS_PRIVATE_CLEAN] = FIELD("Private_Clean"),
    [SMAPS_PRIVATE_DIRTY] = FIELD("Private_Dirty"),
    [SMAPS_ANONYMOUS] = FIELD("Anonymous"),
    [SMAPS_LAZY_FREE] = FIELD("LazyFree"),
    [SMAPS_ANON_HUGE] = FIELD("AnonHugePages"),
    [SMAPS_SHMEM_HUGE] = FIELD("ShmemPmdMapped"),
    [SMAPS_FILE_HUGE] = FIELD("FilePmdMapped"),
    [SMAPS_SHARED_HUGETLB] = FIELD("Shared_Hugetlb"),
    [SMAPS_PRIVATE_HUGETLB] = FIELD("Private_Hugetlb"),
    [SMAPS_SWAP] = FIELD("Swap"),
    [SMAPS_SWAP_PSS] = FIELD("SwapPss"),
#undef FIELD
};

/* "START-END ...": where a mapping begins; the keys of all other lines are capitalized. */
static bool read_start(const char *line, struct smaps_entry *entry)
{
    const char *at = line;
    *entry = (struct smaps_entry){0};
    entry->start = proc_read_hex(&at);
    if (at == line || *at != '-')
        return false;
    at++;
    entry->end = proc_read_hex(&at);
    return true;
}

static void read_field(const char *line, struct smaps_entry *entry)
{
    if (strncmp(line, "VmFlags:", 8) == 0) {
        entry->hugetlb = strstr(line + 8, " ht") != NULL;
        return;
    }
    for (int field = 0; field < SMAPS_FIELDS; field++) {
        if (strncmp(line, fields[field].key, fields[field].length) != 0)
            continue;
        const char *at = line + fields[field].length;
        uint64_t kib = 0;
        while (*at == ' ')
            at++;
        if (text_read_number(&at, &kib))
            entry->bytes[field] = kib * 1024;
        return;
    }
}

static bool starts(const char *line)
{
    return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

enum smaps_result smaps_each(const char *path, const struct smaps_buffer *buffer, smaps_visit visit,
                             void *context)
{
    struct proc_lines lines;
    struct smaps_entry entry = {0};
    bool any = false, going = true, sound = true;
    if (!proc_lines_open(&lines, path, buffer->bytes, buffer->room_bytes))
        return SMAPS_UNREADABLE;
    for (char *line; going && sound && (line = proc_lines_next(&lines));) {
        if (!starts(line)) {
            read_field(line, &entry);
            continue;
        }
        going = !any || visit(&entry, context);
        sound = read_start(line, &entry);
        any = true;
    }
    proc_lines_close(&lines);
    if (lines.failed || !sound || !any)
        return SMAPS_UNREADABLE;
    return going && visit(&entry, context) ? SMAPS_DONE : SMAPS_STOPPED;
}
