/*
 * number_text.h - values as a person reads them: "12.1 MiB", "+1,234", "45.20%".
 *
 * What it is: one struct says how a column's values look; every function fills a small buffer.
 * Owns: nothing. Context: cli. Not here: colours and columns (page.h).
 */
#ifndef HEAPDIFF_CLI_NUMBER_TEXT_H
#define HEAPDIFF_CLI_NUMBER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_TEXT_BYTES = 48 }; /* holds any 64-bit number with separators, sign and unit */

struct number_text {
    char text[NUMBER_TEXT_BYTES];
};

struct number_style {
    const char *unit;   /* of the values: "bytes", "count", ... */
    const char *suffix; /* of the output; NULL: chosen for each value */
    double divisor;     /* values over this are printed with suffix */
};

/*
 * The style for values of `unit` shown in `output`: "auto", "minimum" (both: chosen for each value),
 * "bytes", "kB"/"KiB" ... "EB"/"EiB" (powers of 1024, as pprof has them). False when `output` is
 * none of these.
 */
bool number_style_choose(struct number_style *style, const char *unit, const char *output);

struct number_text number_text(int64_t value, const struct number_style *style);
/* The same with "+" before what is above zero. */
struct number_text number_text_signed(int64_t value, const struct number_style *style);

/* part / whole as "45.20%", "0%" for 0; "" when whole is 0. */
struct number_text number_percent(int64_t part, int64_t whole);

/* "1,234,567"; with `sign` "+1,234,567". */
struct number_text number_count(int64_t value, bool sign);

/* "2026-01-02 03:04:05 UTC", in the local time zone. */
struct number_text number_time(int64_t time_ns);

/* "850 ms", "12.3 s", "4 min 10 s", "2 h 5 min", "3 d 4 h". */
struct number_text number_duration(int64_t duration_ns);

#endif
