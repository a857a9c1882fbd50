/*
 * options.h - what the environment variable HEAPDIFF asks for.
 *
 * What it is: HEAPDIFF=key=value,key=value parsed once into struct options. The table of keys in
 *   options.c is also what HEAPDIFF=help prints.
 * Owns: the one struct options. Context: options_read() once at start-up; read only afterwards.
 * Not here: acting on them.
 */
#ifndef HEAPDIFF_PRELOAD_OPTIONS_H
#define HEAPDIFF_PRELOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    OPTIONS_TEXT_BYTES_MAX = 1024, /* longest HEAPDIFF variable */
    OPTIONS_VALUE_BYTES_MAX = 512, /* longest value of one key */
    OPTIONS_SIZE_MAX = 1 << 30, /* of one sample in so many bytes: a GiB is a profile of nothing */
    OPTIONS_KEEP_MAX = 1000     /* names of written snapshots are kept to delete the oldest */
};

enum options_unwind { OPTIONS_UNWIND_RULES, OPTIONS_UNWIND_LIBUNWIND, OPTIONS_UNWIND_CHECK };

struct options {
    char out[OPTIONS_VALUE_BYTES_MAX];      /* "%n.%p.%c.prof" */
    char blackbox[OPTIONS_VALUE_BYTES_MAX]; /* a directory; "": /dev/shm, else beside out; "off" */
    char only[OPTIONS_VALUE_BYTES_MAX];     /* extended regular expression; "": every program */
    char allocator[32];                     /* "": the program's own */
    int unwind;                             /* enum options_unwind */
    int signal;                             /* snapshot signal; 0: none */
    int collect_signal;                     /* the same of a mark */
    bool collect_signal_wanted;             /* it has been asked for by name */
    bool children;                          /* forked and exec'd children are recorded too */
    bool final;                             /* write a profile at exit and exec */
    char trace[OPTIONS_VALUE_BYTES_MAX];    /* "": no; "1": on stderr; else a file, as out */
    char runtimes[OPTIONS_VALUE_BYTES_MAX]; /* "all", "none", or names with + between them */
    bool ledger;                            /* every resident byte is explained */
    uint64_t sample_bytes;             /* mean distance of samples; 0: everything is recorded */
    uint64_t seed;                     /* of the samples; 0: any */
    uint32_t every_percent;            /* 0: off */
    uint64_t interval_ns;              /* 0: off */
    uint32_t keep;                     /* 0: all */
    char text[OPTIONS_TEXT_BYTES_MAX]; /* the variable as given */
};

extern struct options options __attribute__((visibility("hidden"))); /* no detour by the GOT */

enum options_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_BAD };

/*
 * Parses `variable` (NULL: nothing set) over the defaults. On OPTIONS_BAD one line has been said on
 * stderr; on OPTIONS_HELP the list of keys has been printed.
 */
enum options_result options_read(const char *variable);

#endif
