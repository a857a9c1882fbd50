/*
 * area.h - private memory with every so many bytes written, on small pages.
 *
 * Owns: nothing: munmap() takes it. Context: benchmarks.
 */
#ifndef AREA_H
#define AREA_H

#include <stdlib.h>
#include <sys/mman.h>

static char *area(size_t size_bytes, size_t stride_bytes)
{
    char *area = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        exit(1);
    madvise(area, size_bytes, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size_bytes; at += stride_bytes)
        area[at] = 1;
    return area;
}

#endif
