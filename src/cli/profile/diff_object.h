/*
 * diff_object.h - the files whose code two profiles ran, and which of them are the same.
 *
 * What it is: every mapping belongs to an object: its build id, else its path. An object that only
 *   one side has, while the other has one with the same name but another build id, was rebuilt:
 *   its addresses mean nothing on the other side.
 * Owns: its tables until diff_objects_clear(). Context: cli. Not here: comparing stacks (diff_key.h).
 */
#ifndef HEAPDIFF_CLI_DIFF_OBJECT_H
#define HEAPDIFF_CLI_DIFF_OBJECT_H

#include "profile.h"
#include "token_table.h"

enum diff_side { DIFF_BASE, DIFF_FRESH, DIFF_SIDES };

struct diff_object {
    bool on[DIFF_SIDES];
    bool has_build_id;
    bool program;    /* neither a shared library nor memory without a file */
    bool no_file;    /* "[unknown]", "[vdso]", "//anon" */
    bool rebuilt;    /* match by function */
    uint32_t family; /* of its name, versions taken off */
};

struct diff_objects {
    struct token_table names, families;
    struct diff_object *objects;
    size_t capacity;
    uint32_t *of_mapping[DIFF_SIDES]; /* object of each mapping */
};

/* Takes in the mappings of both profiles and finds what was rebuilt. */
void diff_objects_open(struct diff_objects *objects, const struct profile *base,
                       const struct profile *fresh);

/*
 * Finds what was rebuilt although no build id says so: files that have none (Go's by default) and
 * whose functions lie elsewhere now.
 */
void diff_objects_compare(struct diff_objects *objects, const struct profile *base,
                          const struct profile *fresh);

/* The object of `location`, or NULL when it has no mapping. */
struct diff_object *diff_object_of(const struct diff_objects *objects, enum diff_side side,
                                   const struct location *location);

/* False when the two cannot be the same program: no program file in common, nor a rebuilt one. */
bool diff_objects_related(const struct diff_objects *objects);

void diff_objects_clear(struct diff_objects *objects);

#endif
