#include "piece.h"

#include "preload/ground/sys.h"

#include <stddef.h>

enum {
    PIECE_CHUNK_CELLS = 1024, /* 32 KiB: what a program with a few mmaps pays */
    PIECE_CHUNKS_MAX = 4096   /* 4M cells; the kernel's own default limit is 65,530 mappings */
};

union cell {
    struct piece piece;
    struct piece_object object;
    uint32_t next_free;
};

/* All fields but `own_bytes` are kept by range.c's lock. */
static struct {
    uint32_t free;
    uint32_t used;   /* cells ever handed out; cell 0 never is */
    uint32_t random; /* state of the priorities' generator */
    uint32_t chunks;
    uint32_t epoch;
    uint64_t own_bytes; /* atomic, relaxed */
    union cell *chunk[PIECE_CHUNKS_MAX];
} pool;

static union cell *cell_at(uint32_t index)
{
    return &pool.chunk[index / PIECE_CHUNK_CELLS][index % PIECE_CHUNK_CELLS];
}

struct piece *piece_at(uint32_t index)
{
    return &cell_at(index)->piece;
}

struct piece_object *piece_object_at(uint32_t index)
{
    return &cell_at(index)->object;
}

static bool chunk_add(void)
{
    const size_t bytes = PIECE_CHUNK_CELLS * sizeof(union cell);
    if (pool.chunks == PIECE_CHUNKS_MAX)
        return false;
    pool.chunk[pool.chunks] = sys_pages(bytes);
    if (!pool.chunk[pool.chunks])
        return false;
    pool.chunks++;
    __atomic_fetch_add(&pool.own_bytes, bytes, __ATOMIC_RELAXED);
    return true;
}

/* A cell, its contents undefined; 0 when there is no memory. */
static uint32_t cell_take(void)
{
    uint32_t index = pool.free;
    if (index) {
        pool.free = cell_at(index)->next_free;
        return index;
    }
    if (pool.used + 1 >= pool.chunks * PIECE_CHUNK_CELLS && !chunk_add())
        return 0;
    return ++pool.used;
}

static void cell_free(uint32_t index)
{
    cell_at(index)->next_free = pool.free;
    pool.free = index;
}

static uint32_t random_next(void)
{
    uint32_t x = pool.random ? pool.random : 2463534242u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return pool.random = x;
}

uint32_t piece_object_new(uint32_t site)
{
    uint32_t index = cell_take();
    if (index)
        *piece_object_at(index) = (struct piece_object){.site = site};
    return index;
}

void piece_object_free(uint32_t index)
{
    cell_free(index);
}

void piece_set_epoch(uint32_t epoch)
{
    pool.epoch = epoch;
}

uint32_t piece_new(uintptr_t start, uintptr_t end, uint32_t object)
{
    uint32_t index = cell_take();
    if (!index)
        return 0;
    *piece_at(index) = (struct piece){.start = start,
                                      .end = end,
                                      .object = object,
                                      .priority = random_next(),
                                      .epoch = pool.epoch};
    piece_object_at(object)->pieces++;
    return index;
}

bool piece_free(uint32_t index)
{
    uint32_t object = piece_at(index)->object;
    cell_free(index);
    if (--piece_object_at(object)->pieces > 0)
        return false;
    cell_free(object);
    return true;
}

uint32_t piece_site(const struct piece *piece)
{
    return piece_object_at(piece->object)->site;
}

void pieces_split(uint32_t tree, uintptr_t key, uint32_t *below, uint32_t *above)
{
    while (tree) {
        struct piece *piece = piece_at(tree);
        if (piece->start < key) {
            *below = tree;
            below = &piece->right;
            tree = piece->right;
        } else {
            *above = tree;
            above = &piece->left;
            tree = piece->left;
        }
    }
    *below = 0;
    *above = 0;
}

uint32_t pieces_merge(uint32_t below, uint32_t above)
{
    uint32_t tree = 0;
    uint32_t *link = &tree;
    while (below && above) {
        if (piece_at(below)->priority >= piece_at(above)->priority) {
            *link = below;
            link = &piece_at(below)->right;
            below = *link;
        } else {
            *link = above;
            link = &piece_at(above)->left;
            above = *link;
        }
    }
    *link = below ? below : above;
    return tree;
}

void pieces_insert(uint32_t *tree, uint32_t index)
{
    uint32_t below, above;
    pieces_split(*tree, piece_at(index)->start, &below, &above);
    *tree = pieces_merge(pieces_merge(below, index), above);
}

uint32_t pieces_pop(uint32_t *tree)
{
    uint32_t *link = tree;
    while (*link && piece_at(*link)->left)
        link = &piece_at(*link)->left;
    uint32_t index = *link;
    if (index) {
        *link = piece_at(index)->right;
        piece_at(index)->right = 0;
    }
    return index;
}

uint32_t pieces_before(uint32_t tree, uintptr_t key)
{
    uint32_t best = 0;
    while (tree) {
        const struct piece *piece = piece_at(tree);
        if (piece->start < key)
            best = tree;
        tree = piece->start < key ? piece->right : piece->left;
    }
    return best;
}

uint32_t pieces_from(uint32_t tree, uintptr_t key)
{
    uint32_t best = 0;
    while (tree) {
        const struct piece *piece = piece_at(tree);
        if (piece->start >= key)
            best = tree;
        tree = piece->start >= key ? piece->left : piece->right;
    }
    return best;
}

uint32_t pieces_at(uint32_t tree, uintptr_t address)
{
    uint32_t index = address == UINTPTR_MAX ? 0 : pieces_before(tree, address + 1);
    return index && piece_at(index)->end > address ? index : 0;
}

void piece_reset(void)
{
    pool.free = 0;
    pool.used = 0;
}

uint64_t piece_own_bytes(void)
{
    return __atomic_load_n(&pool.own_bytes, __ATOMIC_RELAXED);
}
