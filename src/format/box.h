/*
 * box.h - layout of the black box, the file that holds a profiled process's tables.
 *
 * What it is: a header of process facts followed by tables of fixed-size entries, addressed by index
 *   and never by pointer, so that a dead process's box reads as well as a live one's.
 * Owns: nothing; it is a layout. The preload writes it (preload/arena), box_view reads it.
 * Context: any; the preload writes it inside hooks.
 * Not here: validation (box_view.h), conversion to a profile (box_profile.h).
 *
 * A table grows by chunks that double: chunk k holds 2^(shift + k) entries and starts at the file
 * offset chunk_at[k]; 0 means the chunk is not in the file. Entry i lives in chunk
 * k = log2(i + 2^shift) - shift at place i + 2^shift - 2^(shift + k). Nothing moves, nothing is freed.
 * All numbers have the machine's byte order; index 0 of every table is a valid, zeroed sentinel.
 */
#ifndef HEAPDIFF_FORMAT_BOX_H
#define HEAPDIFF_FORMAT_BOX_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define BOX_MAGIC "heapdiff-box-1\n" /* 15 characters and the NUL: 16 bytes */

enum {
    BOX_VERSION = 6,
    BOX_CHUNKS_MAX = 26,        /* 2^(shift + 26) entries: past what 32-bit indexes reach */
    BOX_HEADER_BYTES = 16384,   /* the header's share of the file; chunks follow */
    BOX_TEXT_BYTES_MAX = 4096,  /* longest command line or path kept, with its NUL */
    BOX_DEPTH_MAX = 256,        /* frames of a stack; deeper ones are cut at the root and counted */
    BOX_NONE = 0,               /* the sentinel index */
    BOX_BUILD_ID_BYTES_MAX = 32 /* 20 (sha1) is usual */
};

/* One return address, interned. A frame of a library that was unloaded stays, marked dead. */
struct box_pc {
    uint64_t address; /* as found on the stack: a return address (subtract 1 for the call) */
    uint32_t mapping; /* index into BOX_MAPPINGS; 0: unknown (JIT code) */
    uint32_t flags;   /* BOX_PC_* */
};

enum {
    BOX_PC_DEAD = 1, /* its mapping was unloaded: never matches again */
    BOX_PC_EXACT = 2 /* the interrupted instruction of a signal frame: do not subtract 1 */
};

/* A stack is a path in a trie of return addresses; a node names the stack from the root to it. */
struct box_node {
    uint32_t parent; /* towards the root: the caller's node; 0 at the root */
    uint32_t pc;     /* index into BOX_PCS */
};

/* Objects of a sampled run are counted in parts: an estimate of 1.58 is neither 1 nor 2. */
enum { BOX_OBJECT_PARTS = 1024 };

enum box_kind { BOX_KIND_MALLOC = 0, BOX_KIND_MMAP = 1, BOX_KINDS = 2 };

/* One allocation site: a stack and a kind; of a sampled run also a class of sizes, as how far its
   estimates may be off follows from the sizes. Counters only grow; live = alloc - free. */
struct box_site {
    uint32_t node;      /* leaf of its stack in BOX_NODES */
    uint8_t kind;       /* enum box_kind */
    uint8_t large_lots; /* the process's own: lots it has made of blocks of 1 KiB and more */
    uint16_t flags;     /* BOX_SITE_* */
    uint64_t alloc_objects;
    uint64_t alloc_bytes; /* requested bytes */
    uint64_t free_objects;
    uint64_t free_bytes;
    uint64_t collected_objects; /* live at the last collection */
    uint64_t collected_bytes;
    uint64_t resident_bytes; /* of the last snapshot that measured it */
};

enum {
    BOX_SITE_CUT = 1,     /* the stack was deeper than BOX_DEPTH_MAX; its root side is missing */
    BOX_SITE_CLASS_AT = 8 /* box_size_class() + 1 from this bit on; 0: all sizes */
};

/* One executable segment of a loaded object. Text lives in BOX_TEXT. */
struct box_mapping {
    uint64_t start;  /* first address, page aligned */
    uint64_t limit;  /* one past the last */
    uint64_t offset; /* file offset of start */
    uint32_t path;   /* index into BOX_TEXT, a NUL-terminated string */
    uint32_t flags;  /* BOX_MAPPING_* */
    uint8_t build_id[BOX_BUILD_ID_BYTES_MAX];
    uint32_t build_id_bytes; /* 0: none */
    uint32_t met; /* the process's own: number of the last survey of libraries that met it */
};

enum {
    BOX_MAPPING_DEAD = 1, /* unloaded */
    BOX_MAPPING_MAIN = 2  /* the program itself */
};

/* Blocks of one site and one size. What a live block's record names; see box_delta. */
struct box_lot {
    uint32_t site;       /* index into BOX_SITES, of kind malloc */
    uint32_t size_bytes; /* as requested */
};

/*
 * Blocks of one lot that one thread has counted and that are not yet in its site's counters: add
 * allocs and frees, times the lot's size, to know what the site has.
 */
struct box_delta {
    uint32_t lot; /* index into BOX_LOTS; 0: the slot is unused */
    uint32_t allocs;
    uint32_t frees;
    /* Odd while they are being added, or the lot changes; then another even number. */
    uint32_t drains;
};

/*
 * What a site was at the marks so far, at the site's own index. There are none before the first mark; a site
 * that has none has come since the last one: zeros.
 */
enum { BOX_HISTORY_MARKS = 8 };
struct box_history {
    uint64_t alloc_objects; /* of the site's, at the last mark: what came since is the difference */
    uint64_t alloc_bytes;
    uint64_t live_bytes[BOX_HISTORY_MARKS]; /* mark n: at n % BOX_HISTORY_MARKS */
    uint64_t peak_objects;                  /* live when all sites together had most */
    uint64_t peak_bytes;
};

/* How much of a collection is known site by site. */
enum box_truth { BOX_TRUTH_EXACT, BOX_TRUTH_SAMPLED, BOX_TRUTH_TOTALS, BOX_TRUTHS };

/* One collection of the last BOX_COLLECTIONS_KEPT; the n-th, from 1 on, is at 1 + (n - 1) % as many. What is
   not known is 0. Texts are NUL-terminated, cut to fit. */
enum { BOX_COLLECTIONS_KEPT = 64, BOX_SOURCE_BYTES_MAX = 16, BOX_REASON_BYTES_MAX = 40 };
struct box_collection {
    uint64_t number;  /* n; 0: being written, or not there */
    uint64_t time_ns; /* CLOCK_REALTIME at its end */
    uint64_t pause_ns;
    uint64_t before_bytes, after_bytes; /* live in the heap it is about */
    uint64_t rss_before_bytes, rss_bytes;
    uint64_t goal_bytes;               /* the heap size of the next one */
    uint64_t mark;                     /* header.collections after it */
    uint8_t is_full;                   /* a mark; 0: a minor one, which marks nothing */
    uint8_t truth;                     /* enum box_truth */
    char source[BOX_SOURCE_BYTES_MAX]; /* a runtime, or what else said so */
    char reason[BOX_REASON_BYTES_MAX];
    char unused[6];
};

/* A garbage-collected runtime that was met in the process. Texts are NUL-terminated, cut to fit. */
enum { BOX_RUNTIMES_MAX = 16, BOX_RUNTIME_NAME_BYTES = 16, BOX_RUNTIME_VERSION_BYTES = 24 };
enum box_runtime_state {
    BOX_RUNTIME_NONE,    /* the entry is unused */
    BOX_RUNTIME_WAITING, /* met; it is not up yet, so that it could be asked */
    BOX_RUNTIME_WATCHED, /* its collections are noticed */
    BOX_RUNTIME_UNKNOWN, /* a version that we do not know: nothing is guessed */
    BOX_RUNTIME_OFF,     /* by runtimes= */
    BOX_RUNTIME_REFUSED, /* it would not have us */
    BOX_RUNTIME_STATES
};
struct box_runtime {
    char name[BOX_RUNTIME_NAME_BYTES];
    char version[BOX_RUNTIME_VERSION_BYTES]; /* "": not known */
    uint32_t state;                          /* enum box_runtime_state; set last */
    uint32_t truth;                          /* enum box_truth of what is known of its objects */
};

enum box_table_id {
    BOX_PCS,
    BOX_NODES,
    BOX_SITES,
    BOX_MAPPINGS,
    BOX_TEXT,
    BOX_LOTS,
    BOX_DELTAS,
    BOX_HISTORY,
    BOX_COLLECTIONS,
    BOX_TABLES
};

struct box_table {
    uint32_t entry_bytes;
    uint32_t shift; /* log2 of the entries in chunk 0 */
    uint64_t count; /* entries in use, the sentinel included; published with release order */
    uint64_t chunk_at[BOX_CHUNKS_MAX]; /* file offsets; 0: not in the file */
};

/* What was not recorded, and why: printed by every report when not zero. */
struct box_lost {
    uint64_t blocks;        /* allocations without room in a table: bytes not counted */
    uint64_t nested_events; /* events inside a signal handler that interrupted the profiler */
    uint64_t cut_stacks;    /* captures deeper than BOX_DEPTH_MAX */
    uint64_t unwind_ends;   /* captures that ended before the thread's outermost frame */
    uint64_t ranges;        /* mmap records without room */
    uint64_t snapshots;     /* snapshots that could not be written */
    uint64_t cuts;          /* moments at which some thread could not be waited for */
    uint64_t histories;     /* sites that a mark had no room for */
};

/*
 * A snapshot during which all other threads stand still, stopped by a command from outside. The command
 * stands by: it says until when, again and again. The process asks, once for each round, and takes back
 * what is not answered in time; nobody waits for ever for one who may have died. Each step is a change of
 * `word`, the round's number times BOX_STANDSTILL_STATES plus the state, from the one before and no other.
 *
 *     the process   ASKED                             SCANNED               OPEN
 *     the command          STOPPING  STOPPED | REFUSED         CONFIRMED
 *
 * STOPPED alone proves nothing, as the kernel lets threads go whose tracer has died. CONFIRMED does.
 */
struct box_standstill {
    uint32_t word;
    int32_t thread;    /* ASKED: who must go on, in the process's own pid namespace */
    uint64_t until_ns; /* CLOCK_REALTIME: so long a command stands by; 0: none */
};

enum box_standstill_state {
    BOX_STANDSTILL_OPEN,
    BOX_STANDSTILL_ASKED,
    BOX_STANDSTILL_STOPPING,
    BOX_STANDSTILL_STOPPED,
    BOX_STANDSTILL_REFUSED,
    BOX_STANDSTILL_SCANNED,
    BOX_STANDSTILL_CONFIRMED,
    BOX_STANDSTILL_STATES = 8
};

/* A command says so long ahead that it stands by; who says longer is not believed. */
enum { BOX_STANDSTILL_LEASE_MS = 500 };

enum box_state {
    BOX_STATE_NEW = 0,     /* being filled in: not yet readable */
    BOX_STATE_RUNNING = 1, /* or died without a word */
    BOX_STATE_DONE = 2     /* the final profile is written; the file is about to go */
};

enum {
    BOX_FLAG_SPILLED = 1,     /* a chunk did not fit into the file: the box is incomplete */
    BOX_FLAG_LISTENS = 2,     /* a snapshot signal is installed */
    BOX_FLAG_APP_HANDLER = 4, /* ... and the program has a handler of its own for it */
    BOX_FLAG_SAMPLED = 8      /* counters are estimates, objects in parts of 1 / BOX_OBJECT_PARTS */
};

/* The first BOX_HEADER_BYTES of the file. Texts are NUL-terminated, cut to fit. */
struct box_header {
    char magic[16];
    uint32_t version;
    uint32_t header_bytes; /* sizeof(struct box_header) */
    uint32_t state;        /* enum box_state */
    uint32_t flags;        /* BOX_FLAG_* */
    int32_t pid;           /* in the process's own pid namespace */
    int32_t signal;        /* the snapshot signal; 0: none */
    int32_t parent_pid;    /* the process this one was forked from while recorded; else 0 */
    uint32_t page_bytes;
    uint64_t start_time_ns;      /* CLOCK_REALTIME when recording began */
    uint64_t start_ticks;        /* field 22 of /proc/PID/stat: tells a reused pid */
    uint64_t update_time_ns;     /* CLOCK_REALTIME of rss_bytes and its neighbours */
    uint64_t rss_bytes;          /* at the last snapshot or tick; 0: never read */
    uint64_t rss_peak_bytes;     /* VmHWM */
    uint64_t own_bytes;          /* heapdiff's own tables, mapped and touched */
    uint32_t threads;            /* heapdiff's own among them */
    uint32_t snapshots;          /* taken so far */
    uint64_t own_threads;        /* that are there now; atomic */
    uint64_t collections;        /* marks so far */
    uint64_t collection_time_ns; /* CLOCK_REALTIME of the last mark; 0: none */
    uint64_t collection_count;   /* marks and minor collections */
    uint64_t peak_bytes;         /* live when most was, of all marks */
    uint64_t peak_time_ns;
    uint64_t unwind_checked;     /* captures compared with libunwind's (unwind=check) */
    uint64_t unwind_differences; /* ... that were not the same */
    /* Captures that had to be walked with all registers, at the last snapshot. */
    uint64_t unwind_full;
    struct box_lost lost;
    struct box_standstill standstill;
    struct box_table tables[BOX_TABLES];
    struct box_runtime runtimes[BOX_RUNTIMES_MAX]; /* from the first on, as they were met */
    uint64_t sample_period_bytes;                  /* mean sampling distance; 1: exact */
    char name[64];                                 /* program name, as %n prints it */
    char host[72];
    char allocator[32]; /* glibc, jemalloc, tcmalloc, mimalloc, other */
    char pattern[1024]; /* the out= pattern, absolute */
    char executable[BOX_TEXT_BYTES_MAX];
    char command_line[BOX_TEXT_BYTES_MAX]; /* arguments joined by one space */
    char options[1024];
};

static_assert(sizeof(struct box_pc) == 16, "box_pc is a disk layout");
static_assert(sizeof(struct box_node) == 8, "box_node is a disk layout");
static_assert(sizeof(struct box_site) == 64, "box_site is one cache line");
static_assert(sizeof(struct box_history) == 96, "box_history is a disk layout");
static_assert(sizeof(struct box_collection) == 136, "box_collection is a disk layout");
static_assert(sizeof(struct box_runtime) == 48, "box_runtime is a disk layout");
static_assert(sizeof(struct box_mapping) == 72, "box_mapping is a disk layout");
static_assert(sizeof(struct box_standstill) == 16, "box_standstill is a disk layout");
static_assert(sizeof(struct box_table) == 16 + 8 * BOX_CHUNKS_MAX, "box_table is a disk layout");
static_assert(sizeof(struct box_header) <= BOX_HEADER_BYTES, "the header has its own pages");
static_assert(offsetof(struct box_header, version) == 16, "the magic comes first");

/* Entry bytes of each table, in enum order: what a reader demands of a file. */
#define BOX_ENTRY_BYTES                                                                      \
    {                                                                                        \
        sizeof(struct box_pc), sizeof(struct box_node), sizeof(struct box_site),             \
            sizeof(struct box_mapping), 1, sizeof(struct box_lot), sizeof(struct box_delta), \
            sizeof(struct box_history), sizeof(struct box_collection)                        \
    }

/* Sizes that differ by less than half: two classes from one power of 2 to the next. */
static inline unsigned box_size_class(uint64_t size_bytes)
{
    unsigned log = 63u - (unsigned)__builtin_clzll(size_bytes | 1);
    return 2 * log + (log > 0 ? (unsigned)(size_bytes >> (log - 1)) & 1 : 0);
}

/* Which chunk holds entry `index` of a table with `shift`. */
static inline unsigned box_chunk_of(uint64_t index, unsigned shift)
{
    return 63u - (unsigned)__builtin_clzll(index + (1ull << shift)) - shift;
}

/* The place of entry `index` inside its chunk. */
static inline uint64_t box_place_of(uint64_t index, unsigned shift, unsigned chunk)
{
    return index + (1ull << shift) - (1ull << (shift + chunk));
}

/* Entries that chunk `chunk` holds. */
static inline uint64_t box_chunk_entries(unsigned shift, unsigned chunk)
{
    return 1ull << (shift + chunk);
}

#endif
