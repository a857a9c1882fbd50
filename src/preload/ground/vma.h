/*
 * vma.h - the process's mappings, as the kernel lists them.
 *
 * What it is: /proc/self/maps, read by raw calls into pages of our own and taken apart: an array in address
 *   order. Reading is apart from making room, so that it can be done where memory must stand still.
 * Owns: the memory of each list.
 * Context: vma_list_make_room() and vma_list_free() where sys_pages() may be called; the others anywhere.
 * Not here: which pages of a mapping are resident (residency.h), who made it (range.h).
 */
#ifndef HEAPDIFF_PRELOAD_VMA_H
#define HEAPDIFF_PRELOAD_VMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VMA_READ = 1,
    VMA_WRITE = 2,
    VMA_EXECUTE = 4,
    VMA_SHARED = 8,
    VMA_HUGETLB = 16 /* its pages are no RSS; set by residency_scan() only */
};

struct vma {
    uint64_t start, end;
    uint64_t offset; /* in the file, bytes */
    uint64_t inode;
    uint32_t device; /* as vma_device() makes it; 0: none */
    uint32_t flags;  /* VMA_* */
    /* The path, or "[stack]" and its like, as maps has it ("... (deleted)"); "": anonymous. */
    const char *name;
};

struct vma_list {
    struct vma *vmas; /* by address; vsyscall, which is the kernel's, is left out */
    size_t count;
    size_t room; /* of vmas */
    char *text;  /* all of maps; names point into it */
    size_t text_room_bytes;
    size_t text_bytes; /* so far read, or needed at least when VMA_FULL */
};

enum vma_result {
    VMA_DONE,
    VMA_FULL,      /* more mappings than room: make room and read again */
    VMA_UNREADABLE /* no /proc, no descriptor to be had, or no right to */
};

/* How struct vma numbers a device. */
static inline uint32_t vma_device(uint32_t major, uint32_t minor)
{
    return major << 20 | minor;
}

/* Room for some thousand mappings, resident as far as it is used. False: memory is out. */
bool vma_list_begin(struct vma_list *list);

/* What is mapped now, and room for a quarter more, resident. False: memory is out, or VMA_UNREADABLE. Reads maps once. */
bool vma_list_make_room(struct vma_list *list);

/* What is mapped now. Changes no resident memory. */
enum vma_result vma_list_read(struct vma_list *list);

void vma_list_free(struct vma_list *list);

/* The mapping that `address` is in, else the next one above it; NULL when there is none. */
const struct vma *vma_list_find(const struct vma_list *list, uint64_t address);

#endif
