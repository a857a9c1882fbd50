/*
 * pprof.h - names and numbers of profile.proto, and the facts heapdiff adds to it.
 *
 * What it is: field numbers (github.com/google/pprof/proto/profile.proto), the fixed list of sample
 *   types of every profile heapdiff writes, and the keys of its comments.
 * Owns: nothing. Context: any. Not here: encoding (pprof_out.h), decoding (cli/profile/profile.h).
 */
#ifndef HEAPDIFF_FORMAT_PPROF_H
#define HEAPDIFF_FORMAT_PPROF_H

enum pprof_profile_field {
    PPROF_SAMPLE_TYPE = 1,
    PPROF_SAMPLE = 2,
    PPROF_MAPPING = 3,
    PPROF_LOCATION = 4,
    PPROF_FUNCTION = 5,
    PPROF_STRING_TABLE = 6,
    PPROF_DROP_FRAMES = 7,
    PPROF_KEEP_FRAMES = 8,
    PPROF_TIME_NANOS = 9,
    PPROF_DURATION_NANOS = 10,
    PPROF_PERIOD_TYPE = 11,
    PPROF_PERIOD = 12,
    PPROF_COMMENT = 13,
    PPROF_DEFAULT_SAMPLE_TYPE = 14,
    PPROF_DOC_URL = 15
};

enum pprof_value_type_field { PPROF_VALUE_TYPE_TYPE = 1, PPROF_VALUE_TYPE_UNIT = 2 };

enum pprof_sample_field {
    PPROF_SAMPLE_LOCATION = 1,
    PPROF_SAMPLE_VALUE = 2,
    PPROF_SAMPLE_LABEL = 3
};

enum pprof_label_field {
    PPROF_LABEL_KEY = 1,
    PPROF_LABEL_STR = 2,
    PPROF_LABEL_NUM = 3,
    PPROF_LABEL_NUM_UNIT = 4
};

enum pprof_mapping_field {
    PPROF_MAPPING_ID = 1,
    PPROF_MAPPING_START = 2,
    PPROF_MAPPING_LIMIT = 3,
    PPROF_MAPPING_OFFSET = 4,
    PPROF_MAPPING_FILENAME = 5,
    PPROF_MAPPING_BUILD_ID = 6,
    PPROF_MAPPING_HAS_FUNCTIONS = 7,
    PPROF_MAPPING_HAS_FILENAMES = 8,
    PPROF_MAPPING_HAS_LINE_NUMBERS = 9,
    PPROF_MAPPING_HAS_INLINE_FRAMES = 10
};

enum pprof_location_field {
    PPROF_LOCATION_ID = 1,
    PPROF_LOCATION_MAPPING = 2,
    PPROF_LOCATION_ADDRESS = 3,
    PPROF_LOCATION_LINE = 4,
    PPROF_LOCATION_IS_FOLDED = 5
};

enum pprof_line_field { PPROF_LINE_FUNCTION = 1, PPROF_LINE_LINE = 2, PPROF_LINE_COLUMN = 3 };

enum pprof_function_field {
    PPROF_FUNCTION_ID = 1,
    PPROF_FUNCTION_NAME = 2,
    PPROF_FUNCTION_SYSTEM_NAME = 3,
    PPROF_FUNCTION_FILENAME = 4,
    PPROF_FUNCTION_START_LINE = 5
};

/*
 * The sample types of every .prof heapdiff writes, in this order for ever: pprof of Go 1.19 and
 * before refuses two profiles whose lists differ. The default is the last.
 */
enum pprof_heap_value {
    PPROF_ALLOC_OBJECTS,
    PPROF_ALLOC_SPACE,
    PPROF_COLLECTED_OBJECTS, /* live at the last collection */
    PPROF_COLLECTED_SPACE,
    PPROF_SINCE_OBJECTS, /* allocated since then; collected + since - inuse were freed */
    PPROF_SINCE_SPACE,
    PPROF_SURVIVED_OBJECTS, /* of inuse, what was there then already */
    PPROF_SURVIVED_SPACE,
    PPROF_RESIDENT_SPACE,
    PPROF_INUSE_OBJECTS,
    PPROF_INUSE_SPACE,
    PPROF_HEAP_VALUES
};

#define PPROF_HEAP_TYPES                                                                        \
    {                                                                                           \
        {"alloc_objects", "count"}, {"alloc_space", "bytes"}, {"collected_objects", "count"},   \
            {"collected_space", "bytes"}, {"since_objects", "count"}, {"since_space", "bytes"}, \
            {"survived_objects", "count"}, {"survived_space", "bytes"},                         \
            {"resident_space", "bytes"}, {"inuse_objects", "count"},                            \
        {                                                                                       \
            "inuse_space", "bytes"                                                              \
        }                                                                                       \
    }

/* The label that keeps kinds apart, and its values by enum box_kind. */
#define PPROF_LABEL_MEM_KIND "mem_kind"
#define PPROF_MEM_KINDS  \
    {                    \
        "malloc", "mmap" \
    }

/*
 * Comments are "heapdiff.KEY: VALUE", one fact each. Bytes and counts are decimal, times are
 * nanoseconds since 1970 (UTC). Unknown facts are left out.
 */
#define PPROF_FACT_PREFIX          "heapdiff."
#define PPROF_FACT_VERSION         "version" /* of heapdiff */
#define PPROF_FACT_PROGRAM         "program"
#define PPROF_FACT_PID             "pid"
#define PPROF_FACT_COMMAND_LINE    "command_line"
#define PPROF_FACT_HOST            "host"
#define PPROF_FACT_START_TIME      "start_time_ns"
#define PPROF_FACT_SNAPSHOT_TIME   "snapshot_time_ns"
#define PPROF_FACT_SOURCE          "source"
#define PPROF_FACT_RSS             "rss_bytes"
#define PPROF_FACT_RSS_PEAK        "rss_peak_bytes"
#define PPROF_FACT_OWN             "own_bytes"
#define PPROF_FACT_THREADS         "threads"
#define PPROF_FACT_ALLOCATOR       "allocator"
#define PPROF_FACT_OPTIONS         "options"
#define PPROF_FACT_COLLECTIONS     "collections"
#define PPROF_FACT_COLLECTION_TIME "collection_time_ns"
#define PPROF_FACT_PEAK            "peak_live_bytes" /* inuse_space of the mark that had most */
#define PPROF_FACT_PEAK_TIME       "peak_time_ns"
#define PPROF_FACT_LOST_BLOCKS     "lost_blocks"
#define PPROF_FACT_LOST_NESTED     "lost_nested_events"
#define PPROF_FACT_LOST_CUT        "cut_stacks"
#define PPROF_FACT_LOST_UNWIND     "unwind_ends"
#define PPROF_FACT_UNWIND_CHECKED  "unwind_checked"
#define PPROF_FACT_UNWIND_DIFFER   "unwind_differences"
#define PPROF_FACT_UNWIND_FULL     "unwind_full" /* captures that took all registers */
#define PPROF_FACT_LOST_RANGES     "lost_ranges"
#define PPROF_FACT_LOST_SNAPSHOTS  "lost_snapshots"
#define PPROF_FACT_LOST_HISTORIES  "lost_marks" /* at which some site's figures had no room */
#define PPROF_FACT_UNCLEAN_CUTS    "unclean_cuts"
/* The ledger's (ledger.h). Drift is kernel's figure - sum of resident_space; it has a sign. */
#define PPROF_FACT_LEDGER_SOURCE   "ledger_source"
#define PPROF_FACT_LEDGER_RSS      "ledger_rss_bytes"
#define PPROF_FACT_LEDGER_DRIFT    "ledger_drift_bytes"
#define PPROF_FACT_LEDGER_STOPPED  "ledger_stopped" /* "1": all other threads stood still */
#define PPROF_FACT_SWAP            "swap_bytes"
#define PPROF_FACT_PAGE_TABLES     "page_table_bytes"
#define PPROF_FACT_HUGETLB         "hugetlb_bytes"
#define PPROF_FACT_PSS             "pss_bytes"
#define PPROF_FACT_USS             "uss_bytes"
#define PPROF_FACT_LAZY_FREE       "lazy_free_bytes"
#define PPROF_FACT_HUGE_PAGES      "huge_page_bytes"
#define PPROF_FACT_CGROUP          "cgroup_bytes"
#define PPROF_FACT_CGROUP_LIMIT    "cgroup_limit_bytes"
#define PPROF_FACT_TRIM            "trim_bytes"
#define PPROF_FACT_TRIM_LIMIT      "trim_is_limit" /* 1: trim_bytes is what it returns at most */
#define PPROF_FACT_PURGE           "purge_bytes"
#define PPROF_FACT_SPILLED         "black_box_incomplete" /* "1" when so */
#define PPROF_FACT_PARENT          "forked_from"

/*
 * Collections (box.h: struct box_collection), the last 64 of them, under the number that each has:
 *
 *   heapdiff.collection.12: source=api kind=full truth=exact time_ns=... mark=9 before=... after=...
 *                           pause_ns=... rss_before=... rss=... goal=... reason=to the end of the line
 *
 * Bytes but where the key says ns; what is not known is left out. kind=minor marks nothing.
 *
 * What single sites were is in facts too, as labels would keep samples apart that belong together in two profiles:
 *
 *   heapdiff.site.3: 0=400 8=1600 h=800,1200,1600x6 p=2000
 *
 * is about the fourth sample. AGE=BYTES are live bytes that have lived through so many collections, 8 or more
 * the last; they add up to inuse_space. `h` are the bytes live at the last 8 marks or as many as there
 * were (of Go's only the last one or two are known), the oldest first, BYTESxN for N equal ones; the last one is collected_space. `p` is what was live at the
 * mark of peak_time_ns. A reader that finds other sums has found another sample: some tool has sorted them.
 * Sites that have nothing live now, nor had at any of these marks, have none. Without ages (the black box of a process
 * that is dead has none) survived_space is 0 throughout, and the fact `ages` is not there.
 */
#define PPROF_FACT_COLLECTION      "collection."
/* A garbage-collected runtime that the process had (box.h: struct box_runtime), by number from 1 on:
   heapdiff.runtime.1: name=boehm version=8.2.2 truth=exact state=to the end of the line */
#define PPROF_FACT_RUNTIME         "runtime."
#define PPROF_RUNTIME_STATES                                                 \
    {                                                                        \
        "", "waiting", "watched", "unknown version", "turned off", "refused" \
    }
#define PPROF_FACT_SITE          "site."
#define PPROF_FACT_AGES          "ages" /* "1": they are known */
/* Of Go's runtime (cli/go). `published` is what its own heap profile says is live, as of which collection. */
#define PPROF_FACT_GO_VERSION    "go_version"
#define PPROF_FACT_GO_RATE       "go_rate_bytes"
#define PPROF_FACT_GO_PUBLISHED  "go_published_bytes"
#define PPROF_FACT_GO_AS_OF      "go_published_collection"
#define PPROF_FACT_GO_AS_OF_TIME "go_published_time_ns"
#define PPROF_FACT_GO_FORCED     "go_forced_collections" /* of them, by runtime.GC() */
#define PPROF_FACT_GO_MARKED     "go_marked_bytes"
#define PPROF_FACT_GO_ALLOCATED  "go_allocated_bytes"
#define PPROF_FACT_GO_IN_USE     "go_in_use_bytes"
#define PPROF_FACT_GO_IDLE       "go_idle_bytes"
#define PPROF_FACT_GO_RELEASED   "go_released_bytes"
#define PPROF_FACT_GO_GOAL       "go_goal_bytes"
#define PPROF_FACT_GO_SWEEPING \
    "go_sweeping" /* "1": what the last collection freed is not all counted */

#define PPROF_TRUTHS                 \
    {                                \
        "exact", "sampled", "totals" \
    }

#endif
