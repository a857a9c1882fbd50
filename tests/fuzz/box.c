/* Fuzz target: a black box's bytes, validated and converted to a profile. */
#include "format/box_cut.h"
#include "format/box_profile.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static uint64_t sum;

static bool look_at(struct sink *self, const void *bytes, size_t size_bytes)
{
    (void)self;
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size_bytes; i++)
        sum += at[i];
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct box_view view;
    struct box_profile_facts facts = {.time_ns = 1, .source = "fuzz"};
    struct sink sink = {look_at};
    if (box_view_open(&view, bytes, size_bytes))
        return 0;
    void *room = malloc(box_cut_bytes(&view)); /* of this very size: overruns show */
    if (!room)
        return 0;
    box_cut_copy(&view, room);
    box_cut_settle(&view);
    box_profile_write(&view, &facts, &sink);
    free(room);
    box_view_open(&view, bytes, size_bytes);
    room = malloc(box_cut_read_bytes(&view));
    if (!room)
        return 0;
    box_cut_read(&view, room);
    box_profile_write(&view, &facts, &sink);
    free(room);
    return 0;
}
