#include "box_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_BYTES_MAX = 256 };

static const unsigned entry_sizes[BOX_TABLES] = BOX_ENTRY_BYTES;

void *box_sample_at(struct box_sample *sample, enum box_table_id table, uint64_t index)
{
    const struct box_table *in = &sample->header->tables[table];
    unsigned chunk = box_chunk_of(index, in->shift);
    return sample->bytes + in->chunk_at[chunk] +
           box_place_of(index, in->shift, chunk) * entry_sizes[table];
}

/* Makes sure that the chunk of the entry to come exists. */
static void make_room(struct box_sample *sample, enum box_table_id id)
{
    struct box_table *table = &sample->header->tables[id];
    unsigned chunk = box_chunk_of(table->count, table->shift);
    if (table->chunk_at[chunk] != 0)
        return;
    size_t chunk_bytes = box_chunk_entries(table->shift, chunk) * entry_sizes[id];
    chunk_bytes = (chunk_bytes + 7) & ~(size_t)7;
    if (chunk_bytes > BOX_SAMPLE_BYTES - sample->size_bytes)
        abort();
    table->chunk_at[chunk] = sample->size_bytes;
    sample->size_bytes += chunk_bytes;
}

uint32_t box_sample_add(struct box_sample *sample, enum box_table_id table, const void *entry)
{
    make_room(sample, table);
    uint64_t index = sample->header->tables[table].count++;
    memcpy(box_sample_at(sample, table, index), entry, entry_sizes[table]);
    return (uint32_t)index;
}

uint32_t box_sample_text(struct box_sample *sample, const char *text)
{
    size_t length = strlen(text) + 1;
    uint64_t first = sample->header->tables[BOX_TEXT].count;
    struct box_table *table = &sample->header->tables[BOX_TEXT];
    unsigned chunk = box_chunk_of(first, table->shift);
    /* A string lies in one chunk: the rest of a chunk that is too short stays unused. */
    while (box_chunk_entries(table->shift, chunk) - box_place_of(first, table->shift, chunk) <
           length) {
        while (box_chunk_of(table->count, table->shift) == chunk)
            box_sample_add(sample, BOX_TEXT, "");
        first = table->count;
        chunk++;
    }
    for (size_t i = 0; i < length; i++)
        box_sample_add(sample, BOX_TEXT, text + i);
    return (uint32_t)first;
}

void box_sample_open(struct box_sample *sample)
{
    static const unsigned char zero[ENTRY_BYTES_MAX];
    sample->bytes = aligned_alloc(4096, BOX_SAMPLE_BYTES);
    if (!sample->bytes)
        abort();
    memset(sample->bytes, 0, BOX_SAMPLE_BYTES);
    sample->header = (struct box_header *)sample->bytes;
    sample->size_bytes = BOX_HEADER_BYTES;
    struct box_header *header = sample->header;
    memcpy(header->magic, BOX_MAGIC, sizeof(header->magic));
    header->version = BOX_VERSION;
    header->header_bytes = sizeof(*header);
    header->state = BOX_STATE_RUNNING;
    header->pid = 4242;
    header->page_bytes = 4096;
    header->start_time_ns = 1000000000ull;
    header->sample_period_bytes = 1;
    snprintf(header->name, sizeof(header->name), "app");
    snprintf(header->command_line, sizeof(header->command_line), "./app --fast");
    for (unsigned i = 0; i < BOX_TABLES; i++) {
        if (entry_sizes[i] > sizeof(zero))
            abort();
        header->tables[i].entry_bytes = entry_sizes[i];
        header->tables[i].shift = BOX_SAMPLE_SHIFT;
        box_sample_add(sample, (enum box_table_id)i, &zero);
    }
}

void box_sample_free(struct box_sample *sample)
{
    free(sample->bytes);
}

static void add_mappings(struct box_sample *sample)
{
    struct box_mapping library = {
        .start = 0x7f0000001000, .limit = 0x7f0000101000, .offset = 0x1000};
    library.path = box_sample_text(sample, "/usr/lib/libwork.so.1");
    box_sample_add(sample, BOX_MAPPINGS, &library);
    struct box_mapping program = {
        .start = 0x400000, .limit = 0x500000, .flags = BOX_MAPPING_MAIN, .build_id_bytes = 4};
    memcpy(program.build_id, "\xde\xad\xbe\x0f", 4);
    program.path = box_sample_text(sample, "/opt/app");
    box_sample_add(sample, BOX_MAPPINGS, &program);
}

static void add_stacks(struct box_sample *sample)
{
    static const struct box_pc pcs[] = {
        {0x400101, 2, 0},       {0x400201, 2, 0},
        {0x7f0000001501, 1, 0}, {0x7f0000001601, 1, BOX_PC_EXACT},
        {0x10, 0, 0},
    };
    static const struct box_node nodes[] = {{0, 1}, {1, 2}, {2, 3}, {1, 5}};
    for (unsigned i = 0; i < sizeof(pcs) / sizeof(pcs[0]); i++)
        box_sample_add(sample, BOX_PCS, &pcs[i]);
    for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        box_sample_add(sample, BOX_NODES, &nodes[i]);
}

void box_sample_fill(struct box_sample *sample)
{
    static const struct box_site sites[] = {
        {.node = 3, .alloc_objects = 10, .alloc_bytes = 1000, .free_objects = 4, .free_bytes = 400},
        {.node = 4, .kind = BOX_KIND_MMAP, .alloc_objects = 1, .alloc_bytes = 4096},
        {.node = 2},
    };
    add_mappings(sample);
    add_stacks(sample);
    for (unsigned i = 0; i < sizeof(sites) / sizeof(sites[0]); i++)
        box_sample_add(sample, BOX_SITES, &sites[i]);
}

int box_sample_setup(void **state)
{
    struct box_sample *sample = malloc(sizeof(*sample));
    if (!sample)
        return -1;
    box_sample_open(sample);
    box_sample_fill(sample);
    *state = sample;
    return 0;
}

int box_sample_teardown(void **state)
{
    box_sample_free(*state);
    free(*state);
    return 0;
}
