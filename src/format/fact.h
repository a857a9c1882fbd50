/*
 * fact.h - what a profile says beside its samples: comments "heapdiff.KEY: VALUE".
 *
 * What it is: numbers and texts under keys (PPROF_FACT_*), and values of several words "NAME=VALUE".
 * Owns: nothing. Context: any.
 * Not here: which facts there are (box_facts.h).
 */
#ifndef HEAPDIFF_FORMAT_FACT_H
#define HEAPDIFF_FORMAT_FACT_H

#include "pprof_out.h"

#include <stddef.h>
#include <stdint.h>

enum { FACT_WORDS_BYTES_MAX = 512 /* 19 numbers and their keys */ };

/* Texts end with a NUL, or after `room_bytes`; an empty one is no fact. */
void fact_text(struct pprof_out *out, const char *key, const char *text, size_t room_bytes);
void fact_count(struct pprof_out *out, const char *key, uint64_t value);
void fact_signed(struct pprof_out *out, const char *key, int64_t value);

/* For numbers whose 0 means unknown. */
void fact_known(struct pprof_out *out, const char *key, uint64_t value);

/* A value of several words; what finds no room is cut off. Valid when zeroed. */
struct fact_words {
    char bytes[FACT_WORDS_BYTES_MAX];
    size_t length;
};

/* Bare, or as NAME=VALUE; of what is 0 or empty nothing. */
void fact_words_text(struct fact_words *words, const char *text, size_t room_bytes);
void fact_words_number(struct fact_words *words, uint64_t value);
void fact_words_key(struct fact_words *words, const char *key);
void fact_words_known(struct fact_words *words, const char *key, uint64_t value);
void fact_words_word(struct fact_words *words, const char *key, const char *text,
                     size_t room_bytes);

/* Under a key that ends in a number. */
void fact_words_put(struct pprof_out *out, const char *key, uint64_t number,
                    const struct fact_words *words);

#endif
