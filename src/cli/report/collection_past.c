#include "collection_past.h"

#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>

/* BYTES or BYTESxN, separated by commas. False: there are too many. */
static bool read_marks(struct collection_past *past, const char *text)
{
    for (;;) {
        char *end;
        int64_t bytes = strtoll(text, &end, 10);
        unsigned long times = *end == 'x' ? strtoul(end + 1, &end, 10) : 1;
        if (end == text || times > BOX_HISTORY_MARKS - past->count)
            return false;
        while (times-- > 0)
            past->marks[past->count++] = bytes;
        if (*end != ',')
            return true;
        text = end + 1;
    }
}

bool collection_past_read(struct collection_past *past, const char *text)
{
    *past = (struct collection_past){.known = true};
    for (const char *at = text; at && *at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (at[0] >= '0' && at[0] < '0' + AGE_COHORTS && at[1] == '=')
            past->ages[at[0] - '0'] = strtoll(at + 2, NULL, 10);
        else if (strncmp(at, "p=", 2) == 0)
            past->peak_bytes = strtoll(at + 2, NULL, 10);
        else if (strncmp(at, "h=", 2) == 0 && !read_marks(past, at + 2))
            return false;
    }
    return true;
}

bool collection_past_fits(const struct collection_past *past, int64_t live_bytes,
                          int64_t then_bytes)
{
    int64_t sum = 0;
    for (int i = 0; i < AGE_COHORTS; i++)
        sum = value_sum(sum, past->ages[i]);
    int64_t last = past->count > 0 ? past->marks[past->count - 1] : 0;
    return sum == live_bytes && last == then_bytes;
}

unsigned collection_past_growths(const struct collection_past *past)
{
    unsigned growths = 0;
    for (int i = 0; past->count == BOX_HISTORY_MARKS && i < COLLECTION_INTERVALS; i++)
        growths += past->marks[i + 1] > past->marks[i];
    return growths;
}

bool collection_past_is_suspect(const struct collection_past *past)
{
    return past->ages[AGE_OLD] > 0 &&
           collection_past_growths(past) >= COLLECTION_INTERVALS_GROWN_MIN;
}
