/*
 * collection.h - what a profile says of collections: their history, and how old what is live is.
 *
 * What it is: the facts `collection.N` and `site.N` of format/pprof.h read back, the sums of the sample types that
 *   belong to them, and who is suspected of leaking by them.
 * Owns: what it allocates, until collection_book_free(); texts too. Context: cli; facts may be anything.
 * Not here: printing (render_collection.h).
 */
#ifndef HEAPDIFF_CLI_COLLECTION_H
#define HEAPDIFF_CLI_COLLECTION_H

#include "collection_past.h"
#include "cli/profile/profile.h"

struct collection {
    int64_t number, time_ns, mark; /* 0 of these and of those below: unknown */
    int64_t before_bytes, after_bytes, rss_before_bytes, rss_bytes, goal_bytes, pause_ns;
    bool has_after; /* 0 may be what is left */
    bool is_full;
    char source[32], truth[16], reason[64];
};

/* A site that grew in at least 5 of the last 7 intervals between marks, and has live bytes that are 8 or more
   of them old. */
struct collection_suspect {
    size_t sample;                              /* index */
    int64_t live_bytes, old_bytes, grown_bytes; /* over those intervals; what went may be more */
    unsigned growths;                           /* in how many of them it grew */
};

/* A garbage-collected runtime that the process had. */
struct collection_runtime {
    char name[32], version[32], truth[16], state[32]; /* "": not known */
};
enum { COLLECTION_RUNTIMES_MAX = BOX_RUNTIMES_MAX };

struct collection_book {
    int64_t marks;  /* 0: there has been none, and the rest is empty */
    int64_t age_ns; /* of the last mark, at the snapshot; 0: unknown */
    bool aged;      /* survived and suspects are known */
    bool plain;     /* the last mark: nothing was proved unreachable */
    size_t count;
    struct collection *items; /* by number */
    int64_t live_bytes, then_bytes, since_bytes, freed_bytes, survived_bytes;
    size_t runtime_count;
    struct collection_runtime runtimes[COLLECTION_RUNTIMES_MAX];
    size_t suspect_count;
    struct collection_suspect *suspects; /* the largest old_bytes first */
    struct collection_past *pasts;       /* by sample; NULL: the profile has no such sample types */
};

struct collection_book collection_book_of(const struct profile *profile);
void collection_book_free(struct collection_book *book);

/* The last full one that is kept, or NULL. */
const struct collection *collection_last(const struct collection_book *book);

/*
 * Gives the profile a sample type "stale_space": live now less live at the last collection, by which a picture of
 * then is wrong. False when it has not got both.
 */
bool collection_add_staleness(struct profile *profile);

#endif
