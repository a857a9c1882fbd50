#include "stack.h"

#include "index.h"
#include "mapping.h"
#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/unwind/unwind.h"

enum { STACK_RECENT_BITS = 10 }; /* 4 KiB */

static struct {
    uint32_t recent
        [1 << STACK_RECENT_BITS]; /* pcs that were found, by the low bits of their hash; atomic */
    struct index pcs;             /* by captured address */
    struct index nodes;           /* by parent and pc; not those of node_follows() */
    struct index leaves;          /* by all addresses of the stack */
} state;

static struct box_pc *pc_at(uint32_t index)
{
    return arena_entry(BOX_PCS, index);
}

static struct box_node *node_at(uint32_t index)
{
    return arena_entry(BOX_NODES, index);
}

/* `captured` is an address as unwind.h gives it: UNWIND_EXACT is a flag in it. */
static bool pc_is(const struct box_pc *pc, uint64_t captured)
{
    uint32_t flags = captured & UNWIND_EXACT ? BOX_PC_EXACT : 0;
    return pc->address == (captured & ~UNWIND_EXACT) &&
           __atomic_load_n(&pc->flags, __ATOMIC_RELAXED) == flags; /* a dead one never matches */
}

static bool pc_equal(uint32_t item, const void *key)
{
    return pc_is(pc_at(item), *(const uint64_t *)key);
}

/* New stacks are made of few addresses. What is remembered is compared: it need not be right. */
static uint32_t pc_find(uint64_t captured)
{
    uint64_t hash = index_mix(captured);
    uint32_t *recent = &state.recent[hash % (1 << STACK_RECENT_BITS)];
    uint32_t index = __atomic_load_n(recent, __ATOMIC_ACQUIRE); /* pairs: below: it is whole */
    if (index != BOX_NONE && pc_is(pc_at(index), captured))
        return index;
    index = index_find(&state.pcs, hash, pc_equal, &captured);
    if (index != BOX_NONE)
        __atomic_store_n(recent, index, __ATOMIC_RELEASE);
    return index;
}

static uint32_t pc_intern(uint64_t captured)
{
    uint32_t index = pc_find(captured);
    if (index != BOX_NONE)
        return index;
    index = arena_append(BOX_PCS, 1);
    if (index == BOX_NONE)
        return BOX_NONE;
    struct box_pc *pc = pc_at(index);
    pc->address = captured & ~UNWIND_EXACT;
    pc->flags = captured & UNWIND_EXACT ? BOX_PC_EXACT : 0;
    pc->mapping = mapping_intern(pc->flags ? pc->address : pc->address - 1);
    arena_publish(BOX_PCS);
    if (__builtin_expect(mapping_was_replaced(), false)) {
        stack_sweep();
        unwind_forget();
        guard_forget();
    }
    index_add(&state.pcs, index_mix(captured),
              index); /* when that fails it is made again: double, not wrong */
    return index;
}

static bool node_equal(uint32_t item, const void *key)
{
    const struct box_node *node = node_at(item), *wanted = key;
    return node->parent == wanted->parent && node->pc == wanted->pc;
}

static uint64_t node_hash(uint32_t parent, uint32_t pc)
{
    return index_mix((uint64_t)parent << 32 | pc);
}

/*
 * A node made right after its parent stands next to it, and is in no index: most of a new stack are such, and
 * an index costs a cache miss a node.
 */
static bool node_follows(uint32_t parent, uint32_t pc)
{
    /* pairs: arena_publish() */
    uint64_t count = __atomic_load_n(&arena.header->tables[BOX_NODES].count, __ATOMIC_ACQUIRE);
    if (parent + 1ull >= count)
        return false;
    const struct box_node *node = node_at(parent + 1);
    return node->pc == pc && node->parent == parent;
}

static uint32_t node_find(uint32_t parent, uint32_t pc)
{
    struct box_node wanted = {.parent = parent, .pc = pc};
    if (node_follows(parent, pc))
        return parent + 1;
    return index_find(&state.nodes, node_hash(parent, pc), node_equal, &wanted);
}

uint32_t stack_find(uint32_t parent, uint64_t captured)
{
    uint32_t pc = pc_find(captured);
    return pc != BOX_NONE ? node_find(parent, pc) : BOX_NONE;
}

/* The node made last has no children, as those would have been made later. */
static bool node_is_last(uint32_t node)
{
    return node + 1 == arena.tables[BOX_NODES].count;
}

uint32_t stack_add(uint32_t parent, uint64_t captured)
{
    uint32_t pc = pc_intern(captured);
    if (pc == BOX_NONE)
        return BOX_NONE;
    uint32_t index = node_is_last(parent) ? BOX_NONE : node_find(parent, pc);
    if (index != BOX_NONE)
        return index;
    index = arena_append(BOX_NODES, 1);
    if (index == BOX_NONE)
        return BOX_NONE;
    *node_at(index) = (struct box_node){.parent = parent, .pc = pc};
    arena_publish(BOX_NODES);
    if (index != parent + 1)
        index_add(&state.nodes, node_hash(parent, pc), index);
    return index;
}

static uint32_t stack_climb(const struct capture *capture,
                            uint32_t (*step)(uint32_t parent, uint64_t captured))
{
    uint32_t node = BOX_NONE;
    for (uint32_t i = capture->depth; i-- > 0;) {
        node = step(node, capture->pcs[i]);
        if (node == BOX_NONE)
            return BOX_NONE;
    }
    return node;
}

uint32_t stack_find_all(const struct capture *capture)
{
    return stack_climb(capture, stack_find);
}

uint32_t stack_intern(const struct capture *capture)
{
    return stack_climb(capture, stack_add);
}

/*
 * The parent of `node`, guessed. Nodes of a new stack are appended root first, so that a parent is most
 * often the index before: the processor runs ahead on the guess while it loads what proves it, and
 * a walk costs its instructions in place of one cache latency after the other.
 */
static inline uint32_t node_parent(uint32_t node, const struct box_node *entry)
{
    uint32_t guess = node - 1;
    if (__builtin_expect(entry->parent != guess, false))
        return entry->parent;
    __asm__("" : "+r"(guess)); /* or the compiler sees that both are the same, and waits */
    return guess;
}

bool stack_equal(uint32_t node, const struct capture *capture)
{
    for (uint32_t i = 0; i < capture->depth; i++) {
        if (node == BOX_NONE)
            return false;
        const struct box_node *step = node_at(node);
        if (!pc_is(pc_at(step->pc), capture->pcs[i]))
            return false;
        node = node_parent(node, step);
    }
    return node == BOX_NONE;
}

void stack_read(uint32_t node, struct capture *capture)
{
    capture->depth = 0;
    capture->cut = capture->ended = false;
    for (; node != BOX_NONE && capture->depth < BOX_DEPTH_MAX; node = node_at(node)->parent) {
        const struct box_pc *pc = pc_at(node_at(node)->pc);
        capture->pcs[capture->depth++] =
            pc->address | (pc->flags & BOX_PC_EXACT ? UNWIND_EXACT : 0);
    }
}

/* The node and those around it, as far as the path goes, are looked at; what is farther out is one node. */
static bool path_equal(uint32_t item, const void *key)
{
    const struct stack_path *path = key;
    for (uint32_t i = 0; i < path->count; i++) {
        if (item == BOX_NONE)
            return false;
        const struct box_node *step = node_at(item);
        if (!pc_is(pc_at(step->pc), path->pcs[i]))
            return false;
        path->nodes[i] = item;
        item = node_parent(item, step);
    }
    return item == path->base;
}

static uint64_t path_hash(const struct stack_path *path)
{
    uint64_t hash = path->outer_hash;
    for (uint32_t i = path->count; i-- > 0;)
        hash = stack_hash(hash, path->pcs[i]);
    return index_mix(hash);
}

bool stack_find_path(const struct stack_path *path)
{
    return index_find(&state.leaves, path_hash(path), path_equal, path) != BOX_NONE;
}

/* As stack_find_path(); no nodes are left: also those of a path are that it was wrongly compared with. */
static bool path_is_indexed(const struct stack_path *path)
{
    uint32_t seen[BOX_DEPTH_MAX];
    struct stack_path copy = *path;
    copy.nodes = seen;
    return stack_find_path(&copy);
}

bool stack_add_path(const struct stack_path *path)
{
    uint32_t node = path->base, count = arena.tables[BOX_NODES].count;
    for (uint32_t i = path->count; i-- > 0;) {
        node = stack_add(node, path->pcs[i]);
        if (node == BOX_NONE)
            return false;
        path->nodes[i] = node;
    }
    /* Another thread may have been first. */
    if (node >= count || !path_is_indexed(path))
        index_add(&state.leaves, path_hash(path), node);
    return true;
}

void stack_sweep(void)
{
    for (uint32_t i = 1; i < arena.tables[BOX_PCS].count; i++) {
        struct box_pc *pc = pc_at(i);
        if (mapping_is_dead(pc->mapping))
            __atomic_fetch_or(&pc->flags, BOX_PC_DEAD, __ATOMIC_RELAXED);
    }
}

uint64_t stack_own_bytes(void)
{
    return index_own_bytes(&state.pcs) + index_own_bytes(&state.nodes) +
           index_own_bytes(&state.leaves);
}
