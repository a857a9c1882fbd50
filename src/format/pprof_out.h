/*
 * pprof_out.h - profile.proto written message by message to a sink.
 *
 * What it is: a streaming encoder. Messages go out in the order of the calls, whatever their
 *   length; only counts and a small buffer are kept, so the preload can use it in a signal handler.
 *   Strings are named by the index that pprof_out_string() gives; equal strings are not merged.
 * Owns: nothing; the sink is the caller's.
 * Context: any; no allocation, no libc beyond memcpy and strlen.
 * Not here: what a heap profile consists of (box_profile.h), compression (gzip.h).
 *
 * After a sink has failed, calls go on doing nothing; pprof_out_close() says so at the end.
 */
#ifndef HEAPDIFF_FORMAT_PPROF_OUT_H
#define HEAPDIFF_FORMAT_PPROF_OUT_H

#include "sink.h"

#include <stdint.h>

enum { PPROF_OUT_BUFFER_BYTES = 2048 /* small: it lies on a signal handler's stack */ };

struct pprof_out {
    struct sink *sink;
    uint64_t string_count; /* index of the next string */
    bool failed;
    size_t used_bytes;
    unsigned char buffer[PPROF_OUT_BUFFER_BYTES];
};

/* Starts a profile; string 0 is "", as profile.proto wants it. */
void pprof_out_open(struct pprof_out *out, struct sink *sink);
/* Writes what is buffered; false when anything was not written. */
bool pprof_out_close(struct pprof_out *out);

/*
 * Adds a string and returns its index; 0 for an empty one or NULL. Strings of a profile are UTF-8:
 * bytes that are not come out as '?'.
 */
uint64_t pprof_out_string(struct pprof_out *out, const char *text);
uint64_t pprof_out_bytes(struct pprof_out *out, const char *bytes, size_t size_bytes);

struct pprof_text {
    const char *bytes;
    size_t size_bytes;
};

/* One string of `count` texts put end to end. */
uint64_t pprof_out_join(struct pprof_out *out, const struct pprof_text *parts, size_t count);

/* In the functions and structs below, names are string indexes unless said otherwise. */

void pprof_out_sample_type(struct pprof_out *out, uint64_t type, uint64_t unit);
void pprof_out_default_type(struct pprof_out *out, uint64_t type);
void pprof_out_period(struct pprof_out *out, uint64_t type, uint64_t unit, int64_t period);
/* Nanoseconds since 1970 and of duration; 0: unknown. */
void pprof_out_time(struct pprof_out *out, int64_t time_nanos, int64_t duration_nanos);
void pprof_out_comment(struct pprof_out *out, uint64_t text);
/* Regular expressions of frames that viewers hide; 0: none. */
void pprof_out_hidden_frames(struct pprof_out *out, uint64_t drop, uint64_t keep);

struct pprof_mapping {
    uint64_t id; /* not 0 */
    uint64_t start, limit, offset;
    uint64_t filename, build_id; /* the build id as lower-case hex */
    bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

void pprof_out_mapping(struct pprof_out *out, const struct pprof_mapping *mapping);

struct pprof_function {
    uint64_t id; /* not 0 */
    uint64_t name, system_name, filename;
    int64_t start_line;
};

void pprof_out_function(struct pprof_out *out, const struct pprof_function *function);

struct pprof_line {
    uint64_t function; /* an id */
    int64_t line;      /* 0: unknown */
};

struct pprof_location {
    uint64_t id;      /* not 0 */
    uint64_t mapping; /* an id */
    uint64_t address;
    const struct pprof_line *lines; /* innermost inlined function first */
    size_t line_count;
    bool is_folded;
};

void pprof_out_location(struct pprof_out *out, const struct pprof_location *location);

struct pprof_label {
    uint64_t key;
    uint64_t text; /* 0: the label is a number */
    int64_t number;
    uint64_t unit; /* of number */
};

struct pprof_sample {
    const uint32_t *locations; /* ids, leaf first */
    size_t depth;
    const int64_t *values; /* one per sample type */
    size_t value_count;
    const struct pprof_label *labels;
    size_t label_count;
    const unsigned char *packed; /* the ids as varints, instead of `locations`; NULL: see there */
    size_t packed_bytes;
};

void pprof_out_sample(struct pprof_out *out, const struct pprof_sample *sample);

#endif
