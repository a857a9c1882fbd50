#include "export.h"

#include "cli/ground/character.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* One stack as text, and what its samples add up to. */
struct collapsed {
    UT_hash_handle hh;
    int64_t base, value; /* base: of a diff; value: the new one */
    char stack[];
};

struct text_room {
    char *text;
    size_t length, capacity;
};

static void text_append(struct text_room *room, const char *name)
{
    size_t length = strlen(name);
    if (room->capacity - room->length < length + 2) {
        room->capacity = 2 * (room->capacity + length + 2);
        room->text = memory_resized(room->text, room->capacity, 1);
    }
    if (room->length > 0)
        room->text[room->length++] = ';';
    char *begin = room->text + room->length;
    memcpy(begin, name, length + 1);
    character_make_plain(begin);
    for (char *at = begin; (at = strchr(at, ';'));)
        *at = ':'; /* ';' means something here */
    room->length += strlen(begin);
}

/* Root first: locations are leaf first, lines innermost first. */
static void stack_append(struct text_room *room, const struct profile *profile,
                         const struct sample *sample)
{
    room->length = 0;
    for (size_t i = sample->depth; i-- > 0;) {
        const struct location *location = &profile->locations[sample->locations[i]];
        for (size_t k = location->line_count; k-- > 0;)
            text_append(room, profile->functions[location->lines[k].function].name);
    }
    if (room->length == 0)
        text_append(room, "[unknown]");
}

static void sample_add(struct collapsed **stacks, const struct text_room *room, int64_t base,
                       int64_t value)
{
    struct collapsed *entry = NULL;
    HASH_FIND(hh, *stacks, room->text, room->length, entry);
    if (entry == NULL) {
        entry = memory_zeroed(1, sizeof(*entry) + room->length + 1);
        memcpy(entry->stack, room->text, room->length);
        HASH_ADD_KEYPTR(hh, *stacks, entry->stack, room->length, entry);
    }
    entry->base = value_sum(entry->base, base);
    entry->value = value_sum(entry->value, value);
}

static int stack_compare(const struct collapsed *a, const struct collapsed *b)
{
    return strcmp(a->stack, b->stack);
}

static void put_line(FILE *out, const struct collapsed *entry, bool diff)
{
    if (entry->base == 0 && entry->value == 0)
        return;
    fputs(entry->stack, out);
    if (diff)
        fprintf(out, " %lld", (long long)entry->base);
    fprintf(out, " %lld\n", (long long)entry->value);
}

void export_collapsed(FILE *out, const struct profile *profile, int type)
{
    struct collapsed *stacks = NULL, *entry, *next;
    struct text_room room = {0};
    bool diff = false;
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct sample *sample = &profile->samples[i];
        int64_t base = sample->base != NULL ? sample->base[type] : 0;
        diff |= sample->base != NULL;
        stack_append(&room, profile, sample);
        sample_add(&stacks, &room, base, value_sum(sample->values[type], base));
    }
    HASH_SORT(stacks, stack_compare);
    HASH_ITER(hh, stacks, entry, next)
    {
        put_line(out, entry, diff);
        HASH_DEL(stacks, entry);
        free(entry);
    }
    free(room.text);
}
