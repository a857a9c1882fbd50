#include "range.h"

#include "piece.h"
#include "preload/ground/spin.h"

#include <stddef.h>

/* All fields are kept by `lock`, which protects the process's one map. */
static struct {
    struct spin lock;
    uint32_t root;  /* a tree of pieces */
    uint32_t walk;  /* range_each() calls so far */
    uint32_t epoch; /* collections so far */
    bool changing;  /* the tree is not whole right now; for this thread's own eyes */
} map;

/* Who is told of cuts. */
struct listener {
    range_cut_fn cut;
    void *context;
};

static void changing(bool now)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    map.changing = now;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
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
    uint32_t index = pieces_before(map.root, key);
    if (!index || piece_at(index)->end <= key)
        return;
    struct piece *piece = piece_at(index);
    uintptr_t end = piece->end;
    piece->end = key;
    uint32_t upper = piece_new(key, end, piece->object);
    if (upper) {
        piece_at(upper)->epoch = piece->epoch;
        pieces_insert(&map.root, upper);
    } else {
        listener->cut(piece_site(piece), end - key, false, listener->context);
    }
}

/* Takes the pieces of [start, end) out of the map, as a tree of their own. */
static uint32_t span_detach(uintptr_t start, uintptr_t end, const struct listener *listener)
{
    uint32_t below, middle, above;
    border_make(end, listener);
    border_make(start, listener);
    pieces_split(map.root, start, &below, &middle);
    pieces_split(middle, end, &middle, &above);
    map.root = pieces_merge(below, above);
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
    while ((index = pieces_pop(&tree)))
        piece_drop(index, listener);
}

static bool span_add(uintptr_t start, uintptr_t end, uint32_t site)
{
    uint32_t object = piece_object_new(site);
    if (!object)
        return false;
    uint32_t piece = piece_new(start, end, object);
    if (!piece) {
        piece_object_free(object);
        return false;
    }
    pieces_insert(&map.root, piece);
    return true;
}

bool range_put(uintptr_t start, uint64_t bytes, uint32_t site, range_cut_fn cut, void *context)
{
    if (bytes == 0)
        return true;
    struct listener listener = {cut, context};
    uintptr_t end = span_end(start, bytes);
    changing(true);
    span_cut(start, end, &listener);
    bool added = site == 0 || span_add(start, end, site);
    changing(false);
    return added;
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
    pieces_insert(&map.root, piece);
    move->grow(piece_object_at(object)->site, end - start, move->listener.context);
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
    pieces_insert(&map.root, index);
}

/* The pieces of the source stay; the target gets copies of them. */
static void move_copies(const struct move *move)
{
    const struct range_remap *remap = move->remap;
    uintptr_t from_end = span_end(remap->from, remap->from_bytes);
    uintptr_t key = remap->from;
    uint32_t index;
    while ((index = pieces_from(map.root, key)) && piece_at(index)->start < from_end) {
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
    uint32_t before = pieces_before(map.root, start);
    if (before && piece_at(before)->end == start && piece_at(before)->object == move->object &&
        piece_at(before)->epoch == map.epoch) {
        piece_at(before)->end = end;
        move->grow(piece_object_at(move->object)->site, end - start, move->listener.context);
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
    uint32_t last = pieces_before(tree, from_end);
    move->object = last ? piece_at(last)->object : 0;
    span_cut(remap->to, span_end(remap->to, remap->to_bytes), &move->listener);
    uint32_t index;
    while ((index = pieces_pop(&tree)))
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
    uint32_t last = remap->from_bytes > 0 ? pieces_before(map.root, from_end)
                                          : pieces_at(map.root, remap->from);
    if (last && piece_at(last)->end > remap->from)
        move->object = piece_at(last)->object;
}

uint32_t range_move(const struct range_remap *remap, range_cut_fn cut, range_grow_fn grow,
                    void *context)
{
    struct move move = {.remap = remap, .listener = {cut, context}, .grow = grow};
    changing(true);
    if (remap->keep || remap->from_bytes == 0)
        move_aside(&move);
    else
        move_away(&move);
    move_growth(&move);
    changing(false);
    uint32_t index = pieces_at(map.root, remap->to);
    return index ? piece_site(piece_at(index)) : 0;
}

uint32_t range_find(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
    struct piece found = {0};
    uint32_t site = 0;
    spin_lock(&map.lock);
    uint32_t index = pieces_at(map.root, address);
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

void range_set_epoch(uint32_t epoch)
{
    map.epoch = epoch;
    piece_set_epoch(epoch);
}

void range_each(void (*visit)(const struct range_piece *piece, void *context), void *context)
{
    bool mine = spin_is_mine(&map.lock); /* a handler's snapshot, inside munmap() or the like */
    if (!mine && spin_lock_or_not(&map.lock) == SPIN_NOT)
        return;
    map.walk++;
    uint32_t index = pieces_from(map.root, 0);
    while (index) {
        const struct piece *piece = piece_at(index);
        struct piece_object *object = piece_object_at(piece->object);
        visit(&(struct range_piece){piece->start, piece->end, object->site, piece->epoch,
                                    object->walk != map.walk},
              context);
        object->walk = map.walk;
        index = pieces_from(map.root, piece->end);
    }
    if (!mine)
        spin_unlock(&map.lock);
}

static void drop_all(void)
{
    map.root = 0;
    piece_reset();
    changing(false);
}

bool range_lock(void)
{
    if (spin_lock(&map.lock) || !map.changing)
        return true;
    drop_all();
    return false;
}

bool range_try_lock(void)
{
    if (!spin_try(&map.lock))
        return false;
    if (!map.changing)
        return true;
    spin_unlock(&map.lock);
    return false;
}

bool range_lock_or_not(bool *held)
{
    enum spin_outcome outcome = spin_lock_or_not(&map.lock);
    *held = outcome != SPIN_NOT;
    if (outcome != SPIN_TAKEN_OVER || !map.changing)
        return true;
    drop_all();
    return false;
}

bool range_is_locked_here(void)
{
    return spin_is_mine(&map.lock);
}

void range_unlock(void)
{
    spin_unlock(&map.lock);
}

bool range_recover(void)
{
    bool whole = spin_is_mine(&map.lock) && !map.changing; /* forked by a handler */
    if (!spin_reset(&map.lock) || whole)
        return true;
    drop_all();
    return false;
}

bool range_escape(void)
{
    if (!spin_is_mine(&map.lock))
        return true;
    if (map.changing)
        drop_all();
    spin_escape(&map.lock);
    return false;
}

bool range_inherit(uint32_t holder)
{
    return !spin_inherit(&map.lock, holder) || range_escape();
}

uint64_t range_own_bytes(void)
{
    return piece_own_bytes();
}
