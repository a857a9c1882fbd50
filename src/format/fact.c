#include "fact.h"

#include "pprof.h"

#include <string.h>

enum { DECIMAL_BYTES_MAX = 20 /* digits of 2^64 - 1 */ };

static void put_text(struct pprof_out *out, const char *key, const char *text, size_t size_bytes)
{
    const struct pprof_text parts[] = {
        {PPROF_FACT_PREFIX, strlen(PPROF_FACT_PREFIX)},
        {key, strlen(key)},
        {": ", 2},
        {text, size_bytes},
    };
    if (size_bytes > 0)
        pprof_out_comment(out, pprof_out_join(out, parts, sizeof(parts) / sizeof(parts[0])));
}

void fact_text(struct pprof_out *out, const char *key, const char *text, size_t room_bytes)
{
    put_text(out, key, text, strnlen(text, room_bytes));
}

static void put_number(struct pprof_out *out, const char *key, uint64_t value, bool negative)
{
    char digits[DECIMAL_BYTES_MAX + 1];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (negative)
        digits[--at] = '-';
    put_text(out, key, digits + at, sizeof(digits) - at);
}

void fact_count(struct pprof_out *out, const char *key, uint64_t value)
{
    put_number(out, key, value, false);
}

void fact_signed(struct pprof_out *out, const char *key, int64_t value)
{
    put_number(out, key, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void fact_known(struct pprof_out *out, const char *key, uint64_t value)
{
    if (value != 0)
        fact_count(out, key, value);
}

/* Several words. */

void fact_words_text(struct fact_words *words, const char *text, size_t room_bytes)
{
    size_t bytes = strnlen(text, room_bytes);
    if (bytes > sizeof(words->bytes) - words->length)
        bytes = sizeof(words->bytes) - words->length;
    memcpy(words->bytes + words->length, text, bytes);
    words->length += bytes;
}

void fact_words_number(struct fact_words *words, uint64_t value)
{
    char digits[DECIMAL_BYTES_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    fact_words_text(words, digits + at, sizeof(digits) - at);
}

void fact_words_key(struct fact_words *words, const char *key)
{
    if (words->length > 0)
        fact_words_text(words, " ", 1);
    fact_words_text(words, key, strlen(key));
    fact_words_text(words, "=", 1);
}

void fact_words_known(struct fact_words *words, const char *key, uint64_t value)
{
    if (value == 0)
        return;
    fact_words_key(words, key);
    fact_words_number(words, value);
}

void fact_words_word(struct fact_words *words, const char *key, const char *text, size_t room_bytes)
{
    if (strnlen(text, room_bytes) == 0)
        return;
    fact_words_key(words, key);
    fact_words_text(words, text, room_bytes);
}

void fact_words_put(struct pprof_out *out, const char *key, uint64_t number,
                    const struct fact_words *words)
{
    struct fact_words whole = {.length = 0};
    fact_words_text(&whole, key, strlen(key));
    fact_words_number(&whole, number);
    whole.bytes[whole.length] = '\0'; /* a key is short */
    put_text(out, whole.bytes, words->bytes, words->length);
}
