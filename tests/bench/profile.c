/*
 * ms of CPU for a snapshot's conversion, by where it goes: `profile [SITES [FILE]]`. FILE, which is
 * overwritten, should lie where snapshots do.
 */
#include "format/box_profile.h"
#include "format/gzip.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BENCH_SITES = 50000,
    BENCH_PCS = 30000,
    BENCH_DEPTH = 20,
    BENCH_NEW_FRAMES = 5, /* at most: a site's stack is another one's but for so many */
    BENCH_ROUNDS = 15,    /* the minimum counts: the machine is not ours alone */
    BENCH_SHIFT = 10,
    BENCH_SEED = 20261123
};

struct bench {
    struct box_header header;
    struct box_view view;
    uint32_t leaves[BENCH_DEPTH + 1]; /* nodes of the last site's stack, root first */
};

static uint64_t random_state = BENCH_SEED;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* Appends a zeroed entry; its index is the count before. */
static void *add(struct bench *bench, enum box_table_id id)
{
    static const unsigned entry_bytes[BOX_TABLES] = BOX_ENTRY_BYTES;
    struct box_view_table *table = &bench->view.tables[id];
    unsigned chunk = box_chunk_of(table->count, BENCH_SHIFT);
    table->shift = BENCH_SHIFT;
    table->entry_bytes = entry_bytes[id];
    if (!table->chunks[chunk])
        table->chunks[chunk] = calloc(box_chunk_entries(BENCH_SHIFT, chunk), entry_bytes[id]);
    if (!table->chunks[chunk])
        exit(1);
    uint64_t place = box_place_of(table->count++, BENCH_SHIFT, chunk);
    return (unsigned char *)(uintptr_t)table->chunks[chunk] + place * entry_bytes[id];
}

static void add_pcs(struct bench *bench)
{
    for (uint32_t i = 0; i < BENCH_PCS; i++) {
        struct box_pc *pc = add(bench, BOX_PCS);
        pc->mapping = 1 + i % 2;
        pc->address = 0x7f0000000000u + (uint64_t)i * 0x137 + pc->mapping * 0x10000000u;
    }
}

static void add_mappings(struct bench *bench)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct box_mapping *mapping = add(bench, BOX_MAPPINGS);
        mapping->start = 0x7f0000000000u + (uint64_t)(i + 1) * 0x10000000u;
        mapping->limit = mapping->start + 0x10000000u;
        mapping->flags = i == 0 ? BOX_MAPPING_MAIN : 0;
        mapping->build_id_bytes = 20;
    }
}

static void add_site(struct bench *bench)
{
    uint32_t kept =
        bench->leaves[BENCH_DEPTH] ? BENCH_DEPTH - 1 - random_below(BENCH_NEW_FRAMES) : 0;
    for (uint32_t depth = kept + 1; depth <= BENCH_DEPTH; depth++) {
        uint32_t index = (uint32_t)bench->view.tables[BOX_NODES].count;
        struct box_node *node = add(bench, BOX_NODES);
        node->parent = bench->leaves[depth - 1];
        node->pc = 1 + random_below(BENCH_PCS);
        bench->leaves[depth] = index;
    }
    struct box_site *site = add(bench, BOX_SITES);
    site->node = bench->leaves[BENCH_DEPTH];
    site->alloc_objects = 1 + random_below(100000);
    site->alloc_bytes = site->alloc_objects * (16 + random_below(1000));
    site->free_objects = random_below((uint32_t)site->alloc_objects);
    site->free_bytes = site->alloc_bytes / site->alloc_objects * site->free_objects;
}

static void open_box(struct bench *bench, uint32_t sites)
{
    bench->view.header = &bench->header;
    bench->header.sample_period_bytes = 1;
    for (unsigned i = 0; i < BOX_TABLES; i++)
        add(bench, (enum box_table_id)i);
    add_mappings(bench);
    add_pcs(bench);
    for (uint32_t i = 0; i < sites; i++)
        add_site(bench);
}

/* Takes everything; with a file, writes it. */
struct end {
    struct sink sink;
    int fd;
    uint64_t size_bytes, writes;
};

static bool end_write(struct sink *sink, const void *bytes, size_t size_bytes)
{
    struct end *end = (struct end *)sink;
    end->size_bytes += size_bytes;
    end->writes++;
    return end->fd < 0 || write(end->fd, bytes, size_bytes) == (ssize_t)size_bytes;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* `packed`: as the preload does it; else the conversion alone. Returns the CPU it took, in ms. */
static double write_once(const struct bench *bench, bool packed, struct end *end)
{
    static unsigned char buffer[GZIP_BUFFER_BYTES_BEST];
    struct box_profile_facts facts = {.time_ns = 1, .source = "bench"};
    struct gzip gzip;
    double start_ms = now_ms();
    if (packed)
        gzip_open(&gzip, &end->sink, buffer, sizeof buffer);
    if (!box_profile_write(&bench->view, &facts, packed ? &gzip.sink : &end->sink) ||
        (packed && !gzip_close(&gzip)))
        exit(1);
    return now_ms() - start_ms;
}

static void report(const struct bench *bench, const char *name, bool packed, const char *path)
{
    double best = 1e9;
    struct end end;
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        end = (struct end){.sink = {.write = end_write}, .fd = -1};
        if (path)
            unlink(path);
        if (path && (end.fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0)
            exit(1);
        double ms = write_once(bench, packed, &end);
        best = ms < best ? ms : best;
        if (path)
            close(end.fd);
    }
    printf("%-24s %8.2f ms %12llu bytes %6llu writes\n", name, best,
           (unsigned long long)end.size_bytes, (unsigned long long)end.writes);
}

int main(int count, char **arguments)
{
    static struct bench bench;
    uint32_t sites = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 0) : BENCH_SITES;
    open_box(&bench, sites);
    printf("%u sites, %d frames deep, %llu nodes, %d pcs\n", sites, BENCH_DEPTH,
           (unsigned long long)bench.view.tables[BOX_NODES].count, BENCH_PCS);
    report(&bench, "profile", false, NULL);
    report(&bench, "profile, gzip", true, NULL);
    report(&bench, "profile, gzip, file", true, count > 2 ? arguments[2] : "bench-profile.prof");
    return 0;
}
