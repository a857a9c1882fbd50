/*
 * profile.h - a heap profile in memory, whichever program wrote it.
 *
 * What it is: profile.proto decoded into arrays that name each other by index.
 * Owns: all it points to; profile_free() gives everything back at once.
 * Context: cli. A profile is read only once loaded, but for symbolize() and profile_diff().
 * Not here: symbols (symbol.h), merging and subtracting (diff.h), output (export.h, render_*.h).
 */
#ifndef HEAPDIFF_CLI_PROFILE_H
#define HEAPDIFF_CLI_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROFILE_NONE = -1 };

struct value_type {
    const char *type; /* "inuse_space" */
    const char *unit; /* "bytes" */
};

struct mapping {
    uint64_t start, limit, offset; /* addresses; file offset of start */
    const char *filename;          /* "" when unknown */
    const char *build_id;          /* lower-case hex; "" when unknown */
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct function {
    const char *name;        /* demangled where the writer did so */
    const char *system_name; /* as the linker knows it */
    const char *filename;    /* "" when unknown */
    int64_t start_line;
};

struct line {
    int function; /* index into functions */
    int64_t line; /* 0: unknown */
};

struct location {
    uint64_t address; /* of the call, that is, return address - 1 */
    int mapping;      /* index into mappings, or PROFILE_NONE */
    bool is_folded;
    size_t line_count;
    struct line *lines; /* innermost inlined function first */
};

struct label {
    const char *key;
    const char *text; /* NULL for a number */
    int64_t number;
    const char *unit; /* of number; "" when none */
};

struct sample {
    size_t depth;
    uint32_t *locations; /* indexes, leaf first */
    int64_t *values;     /* one per sample type; in a diff: new - base (as given by its options) */
    int64_t *base;       /* one per sample type; NULL outside a diff */
    double *variances;   /* of values, where estimates were added up (estimate.h); else NULL */
    size_t label_count;
    struct label *labels;
};

struct profile {
    size_t type_count, sample_count, mapping_count, location_count, function_count, comment_count;
    struct value_type *types;
    struct sample *samples;
    struct mapping *mappings;
    struct location *locations;
    struct function *functions;
    const char **comments;
    struct value_type period_type;
    int64_t period, time_nanos, duration_nanos;
    int default_type; /* index into types */
    const char *drop_frames, *keep_frames;
    struct pool *pool; /* opaque: where everything above was allocated */
};

/*
 * Reads a profile.proto, gzip'd or raw, from `path` ("-": standard input). Returns NULL and sets
 * *reason to a static string when it cannot be read or is not a profile; never over-reads.
 */
struct profile *profile_load(const char *path, const char **reason);

/* The same from memory; `bytes` need not outlive the call. */
struct profile *profile_decode(const void *bytes, size_t size_bytes, const char **reason);

/* An empty profile, to be filled in by profile_alloc(). */
struct profile *profile_new(void);

/* Frees all of it; NULL is legal. */
void profile_free(struct profile *profile);

/* Zeroed memory that lives as long as the profile; never NULL (exits when memory is out). */
void *profile_alloc(struct profile *profile, size_t count, size_t each_bytes);
/* Copies the profile's samples and locations, as many as it counts; they may be NULL where that is 0. */
void profile_keep(struct profile *profile, const struct sample *samples,
                  const struct location *locations);
/* A copy of `text` that lives as long as the profile. */
const char *profile_text(struct profile *profile, const char *text);

/* The value of comment "heapdiff.KEY: VALUE", or NULL. */
const char *profile_fact(const struct profile *profile, const char *key);
/* The same as a number; `fallback` when absent or not a number. */
int64_t profile_fact_number(const struct profile *profile, const char *key, int64_t fallback);

/* Index of the sample type called `name`, or PROFILE_NONE. */
int profile_type(const struct profile *profile, const char *name);

/* What a person means by `name`: a type's name, its number as pprof counts, or a beginning that only
   one name has. Its index, or PROFILE_NONE. */
int profile_type_meant(const struct profile *profile, const char *name);

/* The names of all types, as a list for a person; malloc'd. */
char *profile_types_text(const struct profile *profile);

/* Length of a mapped file's path without " (deleted)", the kernel's mark on files that are gone. */
size_t mapping_path_bytes(const char *path);

/* The text of a sample's label `key`, or NULL. */
const char *sample_label(const struct sample *sample, const char *key);

#endif
