/*
 * fact_list.h - the comments of a profile that is being made.
 *
 * Owns: the texts, until fact_list_give(). Valid when zeroed. Context: cli. Not here: keys (format/pprof.h).
 */
#ifndef HEAPDIFF_CLI_FACT_LIST_H
#define HEAPDIFF_CLI_FACT_LIST_H

#include "profile.h"

struct fact_list {
    char **texts;
    size_t count, capacity;
};

/* "heapdiff.KEY: TEXT" */
void fact_list_put(struct fact_list *list, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A number whose 0 means that it is not known. */
void fact_list_put_known(struct fact_list *list, const char *key, int64_t value);

/* Makes them the profile's, and empties the list. */
void fact_list_give(struct fact_list *list, struct profile *profile);

#endif
