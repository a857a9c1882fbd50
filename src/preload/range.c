#include "range.h"

#include "spin.h"
#include "sys.h"

#include <stddef.h>

/*
 * A treap of pieces ordered by start; by index, 0 is none. A piece names its object (what one mmap
 * made), which counts its pieces. Both are cells of one pool that grows by chunks and never
 * shrinks: freed cells wait in a list. Nothing recurses: hooks run on small stacks too.
 */
enum {
    RANGE_CHUNK_CELLS = 1024, /* 32 KiB: what a program with a few mmaps pays */
    RANGE_CHUNKS_MAX = 4096   /* 4M cells; the kernel's own default limit is 65,530 mappings */
};

struct piece {
    uintptr_t start;
    uintptr_t end; /* one past the last byte; > start */
    uint32_t left;
    uint32_t right;
    uint32_t object;
    uint32_t priority; /* not below its children's */
};

struct object {
    uint32_t site;
    uint32_t pieces; /* that name it */
    uint32_t walk;   /* the last range_each() that came by */
};

union cell {
    struct piece piece;
    struct object object;
    uint32_t next_free;
};

/* All fields but `lock` and `own_bytes` are kept by `lock`, which protects the process's one map.
 */
static struct {
    struct spin lock;
    uint32_t root;
    uint32_t free;
    uint32_t used;   /* cells ever handed out; cell 0 never is */
    uint32_t random; /* state of the priorities' generator */
    uint32_t chunks;
    uint32_t walk;      /* range_each() calls so far */
    uint64_t own_bytes; /* atomic, relaxed */
    union cell *chunk[RANGE_CHUNKS_MAX];
} map;

/* Who is told of cuts. */
struct listener {
    range_cut_fn cut;
    void *context;
};

static union cell *cell_at(uint32_t index)
{
    return &map.chunk[index / RANGE_CHUNK_CELLS][index % RANGE_CHUNK_CELLS];
}

static struct piece *piece_at(uint32_t index)
{
    return &cell_at(index)->piece;
}

static struct object *object_at(uint32_t index)
{
    return &cell_at(index)->object;
}

static bool chunk_add(void)
{
    const size_t bytes = RANGE_CHUNK_CELLS * sizeof(union cell);
    if (map.chunks == RANGE_CHUNKS_MAX)
        return false;
    map.chunk[map.chunks] = sys_pages(bytes);
    if (!map.chunk[map.chunks])
        return false;
    map.chunks++;
    __atomic_fetch_add(&map.own_bytes, bytes, __ATOMIC_RELAXED);
    return true;
}

/* A cell, its contents undefined; 0 when there is no memory. */
static uint32_t cell_take(void)
{
    uint32_t index = map.free;
    if (index) {
        map.free = cell_at(index)->next_free;
        return index;
    }
    if (map.used + 1 >= map.chunks * RANGE_CHUNK_CELLS && !chunk_add())
        return 0;
    return ++map.used;
}

static void cell_free(uint32_t index)
{
    cell_at(index)->next_free = map.free;
    map.free = index;
}

static uint32_t random_next(void)
{
    uint32_t x = map.random ? map.random : 2463534242u;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return map.random = x;
}

static uint32_t object_new(uint32_t site)
{
    uint32_t index = cell_take();
    if (index)
        *object_at(index) = (struct object){.site = site};
    return index;
}

/* A piece of `object`, not yet in the tree; 0 when there is no memory. */
static uint32_t piece_new(uintptr_t start, uintptr_t end, uint32_t object)
{
    uint32_t index = cell_take();
    if (!index)
        return 0;
    *piece_at(index) =
        (struct piece){.start = start, .end = end, .object = object, .priority = random_next()};
    object_at(object)->pieces++;
    return index;
}

/* Forgets a piece that is in no tree; true when it was its object's last. */
static bool piece_free(uint32_t index)
{
    uint32_t object = piece_at(index)->object;
    cell_free(index);
    if (--object_at(object)->pieces > 0)
        return false;
    cell_free(object);
    return true;
}

static uint32_t piece_site(const struct piece *piece)
{
    return object_at(piece->object)->site;
}

/* Divides a tree: pieces that start below `key`, and the others. */
static void tree_split(uint32_t tree, uintptr_t key, uint32_t *below, uint32_t *above)
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

/* One tree of two; every piece of `below` starts before every piece of `above`. */
static uint32_t tree_merge(uint32_t below, uint32_t above)
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

static void tree_insert(uint32_t *tree, uint32_t index)
{
    uint32_t below, above;
    tree_split(*tree, piece_at(index)->start, &below, &above);
    *tree = tree_merge(tree_merge(below, index), above);
}

/* Takes the piece with the lowest start out of the tree; 0 when it is empty. */
static uint32_t tree_pop(uint32_t *tree)
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

/* The last piece that starts below `key`, or 0. */
static uint32_t tree_before(uint32_t tree, uintptr_t key)
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

/* The first piece that starts at `key` or later, or 0. */
static uint32_t tree_from(uint32_t tree, uintptr_t key)
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

/* The piece that holds `address`, or 0. */
static uint32_t tree_at(uint32_t tree, uintptr_t address)
{
    uint32_t index = address == UINTPTR_MAX ? 0 : tree_before(tree, address + 1);
    return index && piece_at(index)->end > address ? index : 0;
}

/* One past the last byte, or the top of the address space. */
static uintptr_t span_end(uintptr_t start, uint64_t bytes)
{
    uintptr_t end;
    return __builtin_add_overflow(start, bytes, &end) ? UINTPTR_MAX : end;
}

/* Makes `key` a border between pieces. Without memory the part above it is given up, and told. */
static void border_make(uintptr_t key, const struct listener *listener)
{
    uint32_t index = tree_before(map.root, key);
    if (!index || piece_at(index)->end <= key)
        return;
    struct piece *piece = piece_at(index);
    uintptr_t end = piece->end;
    piece->end = key;
    uint32_t upper = piece_new(key, end, piece->object);
    if (upper)
        tree_insert(&map.root, upper);
    else
        listener->cut(piece_site(piece), end - key, false, listener->context);
}

/* Takes the pieces of [start, end) out of the map, as a tree of their own. */
static uint32_t span_detach(uintptr_t start, uintptr_t end, const struct listener *listener)
{
    uint32_t below, middle, above;
    border_make(end, listener);
    border_make(start, listener);
    tree_split(map.root, start, &below, &middle);
    tree_split(middle, end, &middle, &above);
    map.root = tree_merge(below, above);
    return middle;
}

static void piece_drop(uint32_t index, const struct listener *listener)
{
    struct piece gone = *piece_at(index);
    uint32_t site = piece_site(&gone);
    bool object = piece_free(index);
    listener->cut(site, gone.end - gone.start, object, listener->context);
}

static void span_cut(uintptr_t start, uintptr_t end, const struct listener *listener)
{
    uint32_t tree = span_detach(start, end, listener);
    uint32_t index;
    while ((index = tree_pop(&tree)))
        piece_drop(index, listener);
}

static bool span_add(uintptr_t start, uintptr_t end, uint32_t site)
{
    uint32_t object = object_new(site);
    if (!object)
        return false;
    uint32_t piece = piece_new(start, end, object);
    if (!piece) {
        cell_free(object);
        return false;
    }
    tree_insert(&map.root, piece);
    return true;
}

bool range_put(uintptr_t start, uint64_t bytes, uint32_t site, range_cut_fn cut, void *context)
{
    if (bytes == 0)
        return true;
    struct listener listener = {cut, context};
    uintptr_t end = span_end(start, bytes);
    span_cut(start, end, &listener);
    return site == 0 || span_add(start, end, site);
}

void range_cut(uintptr_t start, uint64_t bytes, range_cut_fn cut, void *context)
{
    range_put(start, bytes, 0, cut, context);
}

/* A move under way. */
struct move {
    const struct range_remap *remap;
    struct listener listener;
    range_grow_fn grow;
    uint32_t object; /* of the source's last piece: it owns the growth */
};

/* A new piece at the target for an object that stays elsewhere too, or that grew. */
static void move_grow(const struct move *move, uintptr_t start, uintptr_t end, uint32_t object)
{
    uint32_t piece = piece_new(start, end, object);
    if (!piece)
        return;
    tree_insert(&map.root, piece);
    move->grow(object_at(object)->site, end - start, move->listener.context);
}

/* Shifts a detached piece to the target; what lies past the target's end is cut. */
static void move_piece(const struct move *move, uint32_t index)
{
    const struct range_remap *remap = move->remap;
    struct piece *piece = piece_at(index);
    uint64_t at = piece->start - remap->from;
    uint64_t bytes = piece->end - piece->start;
    if (at >= remap->to_bytes) {
        piece_drop(index, &move->listener);
        return;
    }
    uint64_t room_bytes = remap->to_bytes - at;
    if (bytes > room_bytes) {
        move->listener.cut(piece_site(piece), bytes - room_bytes, false, move->listener.context);
        bytes = room_bytes;
    }
    piece->start = remap->to + at;
    piece->end = piece->start + bytes;
    tree_insert(&map.root, index);
}

/* The pieces of the source stay; the target gets copies of them. */
static void move_copies(const struct move *move)
{
    const struct range_remap *remap = move->remap;
    uintptr_t from_end = span_end(remap->from, remap->from_bytes);
    uintptr_t key = remap->from;
    uint32_t index;
    while ((index = tree_from(map.root, key)) && piece_at(index)->start < from_end) {
        const struct piece *piece = piece_at(index);
        uintptr_t start = remap->to + (piece->start - remap->from);
        key = piece->end;
        move_grow(move, start, start + (piece->end - piece->start), piece->object);
    }
}

/* What the target has beyond the source's length belongs to the last piece's object. */
static void move_growth(const struct move *move)
{
    const struct range_remap *remap = move->remap;
    if (remap->to_bytes <= remap->from_bytes || !move->object)
        return;
    uintptr_t start = remap->to + remap->from_bytes;
    uintptr_t end = span_end(remap->to, remap->to_bytes);
    uint32_t before = tree_before(map.root, start);
    if (before && piece_at(before)->end == start && piece_at(before)->object == move->object) {
        piece_at(before)->end = end;
        move->grow(object_at(move->object)->site, end - start, move->listener.context);
        return;
    }
    move_grow(move, start, end, move->object);
}

/* The source goes: its pieces are shifted to the target. */
static void move_away(struct move *move)
{
    const struct range_remap *remap = move->remap;
    uintptr_t from_end = span_end(remap->from, remap->from_bytes);
    uint32_t tree = span_detach(remap->from, from_end, &move->listener);
    uint32_t last = tree_before(tree, from_end);
    move->object = last ? piece_at(last)->object : 0;
    span_cut(remap->to, span_end(remap->to, remap->to_bytes), &move->listener);
    uint32_t index;
    while ((index = tree_pop(&tree)))
        move_piece(move, index);
}

/* The source stays, or has no bytes of its own (a view: all of the target is growth). */
static void move_aside(struct move *move)
{
    const struct range_remap *remap = move->remap;
    uintptr_t from_end = span_end(remap->from, remap->from_bytes);
    if (remap->from_bytes > 0) {
        border_make(from_end, &move->listener);
        border_make(remap->from, &move->listener);
    }
    span_cut(remap->to, span_end(remap->to, remap->to_bytes), &move->listener);
    move_copies(move);
    uint32_t last =
        remap->from_bytes > 0 ? tree_before(map.root, from_end) : tree_at(map.root, remap->from);
    if (last && piece_at(last)->end > remap->from)
        move->object = piece_at(last)->object;
}

uint32_t range_move(const struct range_remap *remap, range_cut_fn cut, range_grow_fn grow,
                    void *context)
{
    struct move move = {.remap = remap, .listener = {cut, context}, .grow = grow};
    if (remap->keep || remap->from_bytes == 0)
        move_aside(&move);
    else
        move_away(&move);
    move_growth(&move);
    uint32_t index = tree_at(map.root, remap->to);
    return index ? piece_site(piece_at(index)) : 0;
}

uint32_t range_find(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
    struct piece found = {0};
    uint32_t site = 0;
    spin_lock(&map.lock);
    uint32_t index = tree_at(map.root, address);
    if (index) {
        found = *piece_at(index);
        site = piece_site(&found);
    }
    spin_unlock(&map.lock);
    if (start)
        *start = found.start;
    if (end)
        *end = found.end;
    return site;
}

void range_each(void (*visit)(const struct range_piece *piece, void *context), void *context)
{
    spin_lock(&map.lock);
    map.walk++;
    uint32_t index = tree_from(map.root, 0);
    while (index) {
        const struct piece *piece = piece_at(index);
        struct object *object = object_at(piece->object);
        visit(
            &(struct range_piece){piece->start, piece->end, object->site, object->walk != map.walk},
            context);
        object->walk = map.walk;
        index = tree_from(map.root, piece->end);
    }
    spin_unlock(&map.lock);
}

void range_lock(void)
{
    spin_lock(&map.lock);
}

void range_unlock(void)
{
    spin_unlock(&map.lock);
}

bool range_recover(void)
{
    if (!spin_reset(&map.lock))
        return true;
    map.root = 0;
    map.free = 0;
    map.used = 0;
    return false;
}

uint64_t range_own_bytes(void)
{
    return __atomic_load_n(&map.own_bytes, __ATOMIC_RELAXED);
}
