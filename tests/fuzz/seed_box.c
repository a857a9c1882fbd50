/*
 * seed_box.c - writes the black box that the fuzz target `box` begins with.
 *
 * What it is: a small box of this very version, with counters that are not added up yet, and marks: made as the
 *   tests are built, so that no change of the layout leaves a corpus behind that is refused at its first bytes.
 */
#include "format/box_sample.h"

#include <stdio.h>
#include <string.h>

static void add_counters(struct box_sample *sample)
{
    static const struct box_lot lots[] = {{1, 100}, {1, UINT32_MAX}, {3, 7}, {99, 5}, {2, 4096}};
    static const struct box_delta deltas[] = {{1, 3, 1, 0},  {2, 1, 0, 0},         {1, 0, 2, 0},
                                              {3, 5, 5, 0},  {4, 1, 1, 1},         {0, 0, 0, 0},
                                              {99, 7, 7, 0}, {5, INT32_MAX, 1, 0}, {1, 1, 0, 2}};
    for (size_t i = 0; i < sizeof(lots) / sizeof(lots[0]); i++)
        box_sample_add(sample, BOX_LOTS, &lots[i]);
    for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++)
        box_sample_add(sample, BOX_DELTAS, &deltas[i]);
}

static void add_marks(struct box_sample *sample)
{
    static const struct box_history histories[] = {
        {.alloc_objects = 8,
         .alloc_bytes = 800,
         .live_bytes = {0, 100, 600, 600},
         .peak_bytes = 700},
        {.alloc_objects = 1, .alloc_bytes = 4096, .live_bytes = {0, 0, 0, 4096}},
    };
    struct box_collection mark = {.number = 1,
                                  .time_ns = 2000000000,
                                  .mark = 3,
                                  .is_full = 1,
                                  .before_bytes = 9000,
                                  .after_bytes = 4600};
    strcpy(mark.source, "app");
    strcpy(mark.reason, "purge");
    for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++)
        box_sample_add(sample, BOX_HISTORY, &histories[i]);
    box_sample_add(sample, BOX_COLLECTIONS, &mark);
    sample->header->collections = 3;
    sample->header->collection_count = 1;
}

int main(int count, char **arguments)
{
    struct box_sample sample;
    box_sample_open(&sample);
    box_sample_fill(&sample);
    add_counters(&sample);
    add_marks(&sample);
    FILE *file = count == 2 ? fopen(arguments[1], "wb") : NULL;
    if (!file || fwrite(sample.bytes, sample.size_bytes, 1, file) != 1 || fclose(file) != 0)
        return 1;
    box_sample_free(&sample);
    return 0;
}
