#include "smaps_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 40 << 20 }; /* 20,000 mappings at 800 bytes, and as much again */

static char text[TEXT_BYTES];

void smaps_check_prepare(void)
{
    memset(text, 1, sizeof(text));
    text[0] = '\0';
}

static void read_text(void)
{
    size_t length = 0;
    ssize_t got = 0;
    int file = open("/proc/self/smaps", O_RDONLY);
    while (file >= 0 && (got = read(file, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(file);
}

enum residency_result smaps_check_scan(struct residency *residency)
{
    enum residency_result result = residency_scan(residency);
    residency_measure(residency);
    read_text();
    return result;
}

uint64_t smaps_check_bytes(const struct residency *residency, const void *start,
                           uint64_t size_bytes, uint32_t mask, uint32_t flags)
{
    uint64_t from = (uint64_t)start, to = from + size_bytes, bytes = 0;
    struct residency_region region;
    for (struct residency_cursor at = {0}; residency_next(residency, &at, &region);) {
        uint64_t first = region.start > from ? region.start : from;
        uint64_t last = region.end < to ? region.end : to;
        if (first < last && (region.flags & mask) == flags)
            bytes += last - first;
    }
    return bytes;
}

/* The next mapping's first line, or NULL. */
static const char *next_mapping(const char *at)
{
    for (; (at = strchr(at, '\n'));)
        if (strchr("0123456789abcdef", *++at) && *at)
            return at;
    return NULL;
}

static uint64_t field(const char *mapping, const char *key)
{
    char line[64];
    snprintf(line, sizeof(line), "\n%s:", key);
    const char *at = strstr(mapping, line);
    return at ? strtoull(at + strlen(line), NULL, 10) * 1024 : 0;
}

static bool sums_agree(const struct residency *residency)
{
    uint64_t sum = smaps_check_bytes(residency, NULL, UINT64_MAX, 0, 0);
    if (sum == residency->resident_bytes && sum == residency->figures.rss_bytes)
        return true;
    fprintf(stderr, "regions %lu, resident %lu, rollup %lu\n", (unsigned long)sum,
            (unsigned long)residency->resident_bytes, (unsigned long)residency->figures.rss_bytes);
    return false;
}

/* One walk over regions and mappings, both by address. */
bool smaps_check_agrees(const struct residency *residency)
{
    struct residency_cursor at = {0};
    struct residency_region region = {0};
    bool agrees = sums_agree(residency), more = residency_next(residency, &at, &region);
    uint64_t last_end = 0;
    for (const char *mapping = text; mapping; mapping = next_mapping(mapping)) {
        char *rest;
        uint64_t start = strtoull(mapping, &rest, 16), end = strtoull(rest + 1, NULL, 16);
        uint64_t bytes = 0;
        while (more && region.start < end) {
            if (region.start < start || region.start >= region.end || region.start < last_end) {
                fprintf(stderr, "a region at %lx is in no mapping\n", (unsigned long)region.start);
                return false;
            }
            uint64_t stop = region.end < end ? region.end : end;
            bytes += stop - region.start;
            last_end = region.start = stop;
            if (region.start == region.end)
                more = residency_next(residency, &at, &region);
        }
        if (bytes != field(mapping, "Rss")) {
            fprintf(stderr, "%lu bytes resident by us, %lu by the kernel, in %.*s\n",
                    (unsigned long)bytes, (unsigned long)field(mapping, "Rss"),
                    (int)strcspn(mapping, "\n"), mapping);
            agrees = false;
        }
    }
    return agrees && !more;
}

uint64_t smaps_check_field(const void *address, const char *key)
{
    for (const char *mapping = text; mapping; mapping = next_mapping(mapping)) {
        char *rest;
        uint64_t start = strtoull(mapping, &rest, 16), end = strtoull(rest + 1, NULL, 16);
        if ((uint64_t)address >= start && (uint64_t)address < end)
            return field(mapping, key);
    }
    return 0;
}
