#include "go_heap.h"

#include "cli/ground/load.h"
#include "cli/ground/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
    BUCKET_BYTES_MAX = 1024,
    SITES_MAX = 1 << 24, /* more are a list that has no end */
    MEMORY_PROFILE = 1,  /* type of a bucket */
    PASSES_MAX = 8,
    CYCLES = 3,
    STATS_BYTES_MAX = 16384,
    CONTROLLER_BYTES_MAX = 1024
};

#define SWEEP_DONE (UINT32_C(1) << 31) /* nobody sweeps, and nothing is left to */

/* One reading of a process. */
struct reader {
    const struct go_binary *binary;
    int pid;
    struct go_heap *heap;
    uint32_t cycle; /* and its lowest bit: it is, or is being, published */
};

static bool read_at(const struct reader *reader, uint64_t address, void *to, size_t size_bytes)
{
    struct iovec local = {to, size_bytes}, remote = {(void *)(uintptr_t)address, size_bytes};
    return process_vm_readv(reader->pid, &local, 1, &remote, 1, 0) == (ssize_t)size_bytes;
}

static uint64_t address_of(const struct reader *reader, enum go_variable variable)
{
    return reader->binary->addresses[variable] + reader->binary->bias;
}

static bool read_variable(const struct reader *reader, enum go_variable variable, void *to,
                          size_t size_bytes)
{
    return read_at(reader, address_of(reader, variable), to, size_bytes);
}

/* The collector's figures. */

static bool read_stats(const struct reader *reader, struct go_figures *figures)
{
    const struct go_layout *layout = reader->binary->layout;
    unsigned char bytes[STATS_BYTES_MAX];
    if (layout->stats.size_bytes > sizeof(bytes) ||
        !read_variable(reader, GO_STATS, bytes, layout->stats.size_bytes))
        return false;
    figures->last_ns = load64(bytes + layout->stats.last_gc);
    figures->collections = load32(bytes + layout->stats.count);
    figures->forced = load32(bytes + layout->stats.forced);
    memcpy(&figures->cpu_fraction, bytes + layout->stats.cpu_fraction, sizeof(double));
    memcpy(figures->pause_ns, bytes + layout->stats.pauses, sizeof(figures->pause_ns));
    memcpy(figures->pause_end_ns, bytes + layout->stats.pause_ends, sizeof(figures->pause_end_ns));
    return true;
}

static bool read_controller(const struct reader *reader, struct go_figures *figures)
{
    const struct go_layout *layout = reader->binary->layout;
    unsigned char bytes[CONTROLLER_BYTES_MAX];
    if (layout->controller.size_bytes > sizeof(bytes) ||
        !read_variable(reader, GO_CONTROLLER, bytes, layout->controller.size_bytes))
        return false;
    uint64_t goal = load64(bytes + layout->controller.goal);
    uint64_t least = load64(bytes + layout->controller.goal_least);
    figures->percent = (int32_t)load32(bytes + layout->controller.percent);
    figures->limited = load64(bytes + layout->controller.limit) != INT64_MAX;
    figures->marked_bytes = load64(bytes + layout->controller.marked);
    figures->in_use_bytes = load64(bytes + layout->controller.in_use);
    figures->released_bytes = load64(bytes + layout->controller.released);
    figures->idle_bytes = load64(bytes + layout->controller.free) + figures->released_bytes;
    figures->allocated_bytes = load64(bytes + layout->controller.total_alloc) -
                               load64(bytes + layout->controller.total_free);
    /* With a limit the goal is another's: of all memory, as it is by then. */
    if (!figures->limited && figures->percent >= 0)
        figures->goal_bytes = goal > least ? goal : least;
    return true;
}

static bool read_figures(const struct reader *reader, struct go_figures *figures)
{
    const struct go_layout *layout = reader->binary->layout;
    uint64_t work = address_of(reader, GO_WORK);
    *figures = (struct go_figures){.rate = 0};
    return read_stats(reader, figures) && read_controller(reader, figures) &&
           read_variable(reader, GO_RATE, &figures->rate, sizeof(figures->rate)) &&
           read_at(reader, work + layout->work_before, &figures->before_bytes, 8) &&
           read_at(reader, work + layout->work_reached, &figures->reached_bytes, 8);
}

/* Buckets. */

static void keep_stack(struct go_heap *heap, struct go_site *site, const unsigned char *stack)
{
    site->first_pc = heap->pc_count;
    for (uint32_t i = 0; i < site->depth; i++) {
        heap->pcs = memory_grown(heap->pcs, heap->pc_count, &heap->pc_capacity, sizeof(uint64_t));
        heap->pcs[heap->pc_count++] = load64(stack + 8 * (size_t)i);
    }
}

static void keep_site(const struct reader *reader, const unsigned char *bucket, uint32_t depth)
{
    const struct go_layout *layout = reader->binary->layout;
    struct go_heap *heap = reader->heap;
    uint32_t step = layout->bucket.cycle_bytes, cycle = reader->cycle >> 1;
    const unsigned char *record = bucket + layout->bucket.head_bytes + 8 * (size_t)depth;
    const unsigned char *ring[CYCLES]; /* C, C+1, C+2 */
    for (uint32_t i = 0; i < CYCLES; i++)
        ring[i] = record + step * (size_t)(1 + (cycle + i) % CYCLES);
    uint32_t allocs = layout->bucket.allocs, frees = layout->bucket.frees;
    struct go_site site = {.size_bytes = load64(bucket + layout->bucket.size),
                           .published_allocs = load64(record + allocs) + load64(ring[0] + allocs),
                           .published_frees = load64(record + frees) + load64(ring[0] + frees),
                           .pending_allocs = load64(ring[1] + allocs),
                           .pending_frees = load64(ring[1] + frees),
                           .since_allocs = load64(ring[2] + allocs),
                           .since_frees = load64(ring[2] + frees),
                           .depth = depth};
    keep_stack(heap, &site, bucket + layout->bucket.head_bytes);
    heap->sites = memory_grown(heap->sites, heap->count, &heap->capacity, sizeof(*heap->sites));
    heap->sites[heap->count++] = site;
}

/* Reads the bucket at *address and moves on to the next; false: it is none. */
static bool read_bucket(const struct reader *reader, uint64_t *address)
{
    const struct go_layout *layout = reader->binary->layout;
    unsigned char bucket[BUCKET_BYTES_MAX];
    uint32_t head = layout->bucket.head_bytes;
    if (!read_at(reader, *address, bucket, head))
        return false;
    uint64_t depth = load64(bucket + layout->bucket.depth);
    size_t size_bytes = head + 8 * depth + layout->bucket.record_bytes;
    if (load64(bucket + layout->bucket.type) != MEMORY_PROFILE || depth > layout->stack_max ||
        size_bytes > sizeof(bucket) || !read_at(reader, *address, bucket, size_bytes))
        return false;
    keep_site(reader, bucket, (uint32_t)depth);
    *address = load64(bucket + layout->bucket.all_next);
    return true;
}

static bool read_buckets(const struct reader *reader)
{
    uint64_t address;
    reader->heap->count = reader->heap->pc_count = 0;
    if (!read_variable(reader, GO_BUCKETS, &address, sizeof(address)))
        return false;
    while (address != 0)
        if (reader->heap->count >= SITES_MAX || !read_bucket(reader, &address))
            return false;
    return true;
}

/* The whole. */

/* What does not change from one collection to the next, unless somebody is adding it up just now. */
static uint64_t settled_sum(const struct go_heap *heap)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < heap->count; i++) {
        const struct go_site *site = &heap->sites[i];
        sum += site->published_allocs + site->pending_allocs + site->published_frees;
    }
    return sum;
}

/* One pass, of one cycle throughout unless *moved. */
static bool read_once(struct reader *reader, bool *moved)
{
    const struct go_layout *layout = reader->binary->layout;
    uint32_t sweep, cycle;
    if (!read_variable(reader, GO_CYCLE, &reader->cycle, sizeof(reader->cycle)) ||
        !read_figures(reader, &reader->heap->figures) || !read_buckets(reader) ||
        !read_at(reader, address_of(reader, GO_SWEEP) + layout->sweep_state, &sweep,
                 sizeof(sweep)) ||
        !read_variable(reader, GO_CYCLE, &cycle, sizeof(cycle)))
        return false;
    reader->heap->swept = sweep == SWEEP_DONE;
    *moved = cycle != reader->cycle;
    return true;
}

static bool has_pending(const struct go_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        if (heap->sites[i].pending_allocs + heap->sites[i].pending_frees > 0)
            return true;
    return false;
}

static char *reading_failed(int error)
{
    if (error == EPERM || error == EACCES)
        return memory_format("%s", "reading its memory is not allowed (another user's, or "
                                   "kernel.yama.ptrace_scope): that needs root");
    if (error == ESRCH)
        return memory_format("%s", "it has ended");
    return memory_format("%s", "its runtime's tables are not where they should be");
}

/* What two passes must agree in. */
struct mark {
    uint64_t sum, collections;
    uint32_t cycle;
};

static bool is_same(const struct mark *a, const struct mark *b)
{
    return a->sum == b->sum && a->collections == b->collections && a->cycle == b->cycle;
}

char *go_heap_read(struct go_heap *heap, const struct go_binary *binary, int pid)
{
    struct reader reader = {.binary = binary, .pid = pid, .heap = heap};
    struct mark last = {.cycle = UINT32_MAX};
    *heap = (struct go_heap){.count = 0};
    for (int i = 0; i < PASSES_MAX && !heap->settled; i++) {
        bool moved = false;
        errno = 0;
        if (!read_once(&reader, &moved)) {
            int error = errno;
            go_heap_free(heap);
            return reading_failed(error);
        }
        struct mark mark = {settled_sum(heap), heap->figures.collections, reader.cycle};
        heap->settled = !moved && is_same(&mark, &last);
        last = mark;
    }
    heap->advanced = heap->figures.collections > 0 && !has_pending(heap);
    return NULL;
}

void go_heap_free(struct go_heap *heap)
{
    free(heap->sites);
    free(heap->pcs);
    *heap = (struct go_heap){.count = 0};
}
