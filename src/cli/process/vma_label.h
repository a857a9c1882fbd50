/*
 * vma_label.h - what a mapping of any process is for, as far as it shows from outside.
 *
 * What it is: kind and name of the ledger's line that the resident bytes of a mapping belong to; two
 *   lines where a file's pages were copied, or where the kernel has merged a bss with what lies behind.
 * Owns: a label its names. Context: cli. Nothing here is certain beyond what /proc says: a mapping whose
 *   use does not show is anonymous memory.
 * Not here: reading /proc (smaps.h, thread_list.h, binary.h), sums (ledger.h).
 */
#ifndef HEAPDIFF_CLI_VMA_LABEL_H
#define HEAPDIFF_CLI_VMA_LABEL_H

#include "smaps.h"
#include "thread_list.h"

/* What a process looks like. */
struct vma_scene {
    const struct process_dir *dir; /* of a thread that has the memory */
    int pid;                       /* also the first thread's id */
    struct smaps smaps;
    struct thread_list threads;
    uint64_t go_heap; /* where Go's heap begins; 0: no Go program */
    bool java;        /* a JVM's, HotSpot's */
};

struct vma_part {
    int kind;   /* of the ledger */
    char *name; /* malloc'd */
    uint64_t bytes;
};

struct vma_label {
    struct vma_part parts[2]; /* add up to the mapping's Rss; of no bytes: name NULL */
};

/* Whether the program has loaded HotSpot. */
bool vma_label_is_java(const struct smaps *smaps);

struct vma_label vma_label_of(const struct vma_scene *scene, size_t index);
void vma_label_free(struct vma_label *label);

#endif
