/*
 * ledger.h - the resident memory of a process at one moment, line by line.
 *
 * What it is: what a profile's samples of resident_space say (format/ledger.h), or what /proc says of any
 *   process: lines of a kind, a name and bytes that add up, and what the kernel says the sum is.
 * Owns: its lines and copies of their names, until ledger_clear().
 * Context: cli. Valid when zeroed: an empty one that is not known.
 * Not here: sites (ledger_site.h), reading /proc, printing (render_ledger.h).
 *
 *     struct ledger_book book = {.known = true, .source = LEDGER_SMAPS};
 *     ledger_add(&book, LEDGER_FILE, "/usr/lib/libc.so.6 text", 4096); ...
 *     book.beside[LEDGER_SWAP] = ...;
 *     ledger_finish(&book, rss_bytes);
 *     render_ledger(&page, &(struct ledger_view){.fresh = &book, .style = style});
 *     ledger_clear(&book);
 */
#ifndef HEAPDIFF_CLI_LEDGER_H
#define HEAPDIFF_CLI_LEDGER_H

#include "profile.h"
#include "format/ledger.h"

/* Kinds of lines are the categories, and what only a look from outside has to say. */
enum {
    /* The allocator's: what is live of it and what is not cannot be told. */
    LEDGER_HEAP = LEDGER_CATEGORIES,
    LEDGER_ANONYMOUS, /* other anonymous memory, by name where it has one */
    LEDGER_KINDS
};

/* The root frames of these two in a profile that was made from outside. */
#define LEDGER_FRAME_HEAP      "[heap]"
#define LEDGER_FRAME_ANONYMOUS "[anonymous]"

/* Figures that are no part of the sum; 0: none, or not known. */
enum ledger_beside {
    LEDGER_RSS_PEAK,
    LEDGER_SWAP,
    LEDGER_PSS,
    LEDGER_USS,
    LEDGER_PAGE_TABLES,
    LEDGER_HUGETLB,
    LEDGER_LAZY_FREE,
    LEDGER_HUGE_PAGES,
    LEDGER_CGROUP,
    LEDGER_CGROUP_LIMIT,
    LEDGER_TRIM,  /* forecast: malloc_trim(0) would return it */
    LEDGER_PURGE, /* forecast: a purge would return that at most */
    LEDGER_BESIDES
};

struct ledger_entry {
    int kind;
    const char *name; /* without brackets: "/usr/lib/libc.so.6 text", "thread worker"; "": none */
    int64_t bytes;
};

struct ledger_book {
    bool known;                  /* there is a ledger */
    bool asked;                  /* a profile says how it was measured, or that it was not */
    bool altered;                /* its lines are not those that it was written with */
    enum ledger_source source;   /* LEDGER_NOT_MEASURED: residency could not be read */
    bool stopped;                /* all threads stood still */
    bool outside;                /* from outside: which pages are a site's is not known */
    bool sampled;                /* what sites have are estimates */
    bool trim_is_limit;          /* the forecast LEDGER_TRIM: at most that */
    int64_t rss_bytes;           /* the kernel's figure */
    int64_t sum_bytes;           /* of all kinds */
    int64_t drift_bytes;         /* rss_bytes - sum_bytes */
    int64_t kinds[LEDGER_KINDS]; /* each with its sites: add up to sum_bytes */
    int64_t beside[LEDGER_BESIDES];
    struct ledger_entry *entries; /* what has no site; sorted by ledger_finish(): largest first */
    size_t count, capacity;
};

/* Adds to the line of that kind and name, which may be NULL or stand in brackets as a frame does. */
void ledger_add(struct ledger_book *book, int kind, const char *name, int64_t bytes);

/* Adds to a kind what its sites have, so that no line of it need stand here. */
void ledger_add_sites(struct ledger_book *book, int kind, int64_t bytes);

/* Adds equal lines up, sorts and sums. */
void ledger_finish(struct ledger_book *book, int64_t rss_bytes);

void ledger_clear(struct ledger_book *book);

/* What a profile of heapdiff's says; not known without its facts. To be cleared. */
struct ledger_book ledger_of_profile(const struct profile *profile);

/* A line of two moments. */
struct ledger_change {
    int kind;
    const char *name; /* of a book's line */
    int64_t base, fresh;
};

/* All lines of one book, or of two (`base` NULL: there is one), largest change first; malloc'd, *count of
   them. */
struct ledger_change *ledger_changes(const struct ledger_book *base,
                                     const struct ledger_book *fresh, size_t *count);

/* The kind of a sample, and whether it belongs to a site; *name (of the profile) is its line's. */
int ledger_kind_of(const struct profile *profile, const struct sample *sample, const char **name,
                   bool *of_site);

/* "pinned", "idle"; for programs the same without spaces. */
const char *ledger_kind_title(int kind);
const char *ledger_kind_key(int kind);
const char *ledger_beside_key(enum ledger_beside beside);

/* "PAGEMAP_SCAN" ...: where the book's residency came from, for a person; key: as in facts. */
const char *ledger_source_title(const struct ledger_book *book);
const char *ledger_source_key(enum ledger_source source);

#endif
