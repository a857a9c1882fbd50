/*
 * box_sample.h - black boxes made up for tests.
 *
 * What it is: a box as the preload lays it out, in memory, filled entry by entry.
 * Owns: its bytes, until box_sample_free(). Context: tests. Not here: reading it (box_view.h).
 */
#ifndef HEAPDIFF_TESTS_BOX_SAMPLE_H
#define HEAPDIFF_TESTS_BOX_SAMPLE_H

#include "format/box.h"

enum { BOX_SAMPLE_BYTES = 1 << 20, BOX_SAMPLE_SHIFT = 3 };

struct box_sample {
    struct box_header *header; /* the file's first byte */
    unsigned char *bytes;      /* the same; page aligned */
    size_t size_bytes;         /* of the file */
};

/* A running process's box with empty tables (the sentinels are there). */
void box_sample_open(struct box_sample *sample);
void box_sample_free(struct box_sample *sample);

/* Adds an entry and returns its index. */
uint32_t box_sample_add(struct box_sample *sample, enum box_table_id table, const void *entry);
/* Adds a NUL-terminated string to BOX_TEXT and returns its index. */
uint32_t box_sample_text(struct box_sample *sample, const char *text);
/* Entry `index`, to be changed. */
void *box_sample_at(struct box_sample *sample, enum box_table_id table, uint64_t index);

/*
 * Two mappings (a library, then the program), five pcs of which the last is in no mapping, four
 * nodes (1 <- 2 <- 3, 1 <- 4) and three sites: malloc at node 3 (10 objects, 1000 bytes allocated;
 * 4 and 400 freed), mmap at node 4 (1 of 4096), malloc at node 2 with nothing counted.
 */
void box_sample_fill(struct box_sample *sample);

/* For cmocka: *state is a filled one. */
int box_sample_setup(void **state);
int box_sample_teardown(void **state);

#endif
