#include "smaps.h"

#include "cli/ground/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const field_names[SMAPS_FIELDS] = {
    [SMAPS_SIZE] = "Size",
    [SMAPS_RSS] = "Rss",
    [SMAPS_PSS] = "Pss",
    [SMAPS_SHARED_CLEAN] = "Shared_Clean",
    [SMAPS_SHARED_DIRTY] = "Shared_Dirty",
    [SMAPS_PRIVATE_CLEAN] = "Private_Clean",
    [SMAPS_PRIVATE_DIRTY] = "Private_Dirty",
    [SMAPS_REFERENCED] = "Referenced",
    [SMAPS_ANONYMOUS] = "Anonymous",
    [SMAPS_KSM] = "KSM",
    [SMAPS_LAZY_FREE] = "LazyFree",
    [SMAPS_ANONYMOUS_HUGE] = "AnonHugePages",
    [SMAPS_SHARED_MEMORY_HUGE] = "ShmemPmdMapped",
    [SMAPS_FILE_HUGE] = "FilePmdMapped",
    [SMAPS_SHARED_HUGETLB] = "Shared_Hugetlb",
    [SMAPS_PRIVATE_HUGETLB] = "Private_Hugetlb",
    [SMAPS_SWAP] = "Swap",
    [SMAPS_SWAP_PSS] = "SwapPss",
    [SMAPS_LOCKED] = "Locked",
};

/* The largest figure that sums of them can hold: no address space comes near. */
static const uint64_t BYTES_MAX = UINT64_C(1) << 53;

const char *smaps_field_name(enum smaps_field field)
{
    return field_names[field];
}

/* "5588-558a r-xp 00002000 fe:00 248056      /usr/bin/sleep" */
static bool parse_head(struct smaps_vma *vma, const char *line)
{
    char mode[5] = "";
    int name_at = 0;
    *vma = (struct smaps_vma){.name = ""};
    int found = sscanf(
        line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64 " %n",
        &vma->start, &vma->end, mode, &vma->offset, &vma->device_major, &vma->device_minor,
        &vma->inode, &name_at);
    if (found < 7 || vma->end < vma->start || strlen(mode) != 4)
        return false;
    vma->read = mode[0] == 'r';
    vma->write = mode[1] == 'w';
    vma->execute = mode[2] == 'x';
    vma->shared = mode[3] == 's';
    if (name_at > 0)
        vma->name = line + name_at;
    return true;
}

static void parse_flags(struct smaps_vma *vma, const char *flags)
{
    for (const char *at = flags; *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        vma->hugetlb |= strncmp(at, "ht", 2) == 0;
        vma->no_reserve |= strncmp(at, "nr", 2) == 0;
        vma->no_huge |= strncmp(at, "nh", 2) == 0;
    }
}

/* "Rss:     12 kB"; figures that we do not know are passed over. */
static void parse_field(struct smaps_vma *vma, const char *line)
{
    const char *colon = strchr(line, ':');
    size_t length = colon ? (size_t)(colon - line) : 0;
    if (length == 7 && memcmp(line, "VmFlags", 7) == 0)
        parse_flags(vma, colon + 1);
    for (size_t i = 0; i < SMAPS_FIELDS && length > 0; i++) {
        if (strlen(field_names[i]) != length || memcmp(line, field_names[i], length) != 0)
            continue;
        uint64_t kilobytes = strtoull(colon + 1, NULL, 10);
        vma->bytes[i] = kilobytes < BYTES_MAX / 1024 ? kilobytes * 1024 : BYTES_MAX;
        return;
    }
}

static bool is_head(const char *line)
{
    size_t digits = strspn(line, "0123456789abcdef");
    return digits > 0 && line[digits] == '-';
}

static void sum_up(struct smaps *smaps)
{
    for (size_t i = 0; i < smaps->count; i++)
        for (size_t field = 0; field < SMAPS_FIELDS; field++) {
            uint64_t sum = smaps->total[field] + smaps->vmas[i].bytes[field];
            smaps->total[field] = sum < BYTES_MAX ? sum : BYTES_MAX;
        }
}

static const char *parse_line(struct smaps *smaps, const char *line)
{
    struct smaps_vma vma;
    if (is_head(line)) {
        if (!parse_head(&vma, line))
            return "a mapping cannot be read";
        smaps->vmas =
            memory_grown(smaps->vmas, smaps->count, &smaps->capacity, sizeof(*smaps->vmas));
        smaps->vmas[smaps->count++] = vma;
        return NULL;
    }
    if (smaps->count == 0)
        return "it does not begin with a mapping";
    parse_field(&smaps->vmas[smaps->count - 1], line);
    return NULL;
}

const char *smaps_parse(struct smaps *smaps, char *text, size_t size_bytes)
{
    const char *reason = NULL;
    *smaps = (struct smaps){.text = text};
    for (char *line = text, *end = text + size_bytes; line < end && !reason;) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        line_end = line_end ? line_end : end;
        *line_end = '\0';
        reason = parse_line(smaps, line);
        line = line_end + 1;
    }
    if (reason)
        smaps_free(smaps);
    else
        sum_up(smaps);
    return reason;
}

void smaps_free(struct smaps *smaps)
{
    free(smaps->vmas);
    free(smaps->text);
    *smaps = (struct smaps){0};
}
