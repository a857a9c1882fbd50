#include "box_stack.h"

#include "wire.h"

#include <assert.h>
#include <string.h>

enum {
    WORD_BYTES = 8,
    STACK_BYTES =
        WORD_BYTES + BOX_DEPTH_MAX * BOX_STACK_ID_BYTES_MAX /* a word before the deepest */
};

static_assert(STACK_BYTES <= UINT16_MAX, "starts[] can say where");
static_assert(STACK_BYTES == sizeof(((struct box_stack *)0)->bytes), "bytes[] has the room");

void box_stack_open(struct box_stack *stack, const struct box_view *view, uint64_t location_count)
{
    stack->view = view;
    stack->location_count = location_count;
    stack->lost_location = 0;
    stack->first = BOX_DEPTH_MAX;
    stack->whole = true;
}

static const struct box_node *node_at(const struct box_stack *stack, uint32_t node)
{
    return node == BOX_NONE ? NULL : box_view_entry(stack->view, BOX_NODES, node);
}

static uint32_t location_of(const struct box_stack *stack, uint32_t node)
{
    const struct box_node *entry = node_at(stack, node);
    bool known = entry && entry->pc != BOX_NONE && entry->pc <= stack->location_count;
    return known ? entry->pc : stack->lost_location;
}

/*
 * Walks from `node` towards the root and collects at the front of nodes[] what is new; *kept becomes
 * the index of the first frame, at the end of nodes[], that the last stack shares, BOX_DEPTH_MAX for
 * none. A parent has a smaller index than its children, so both stacks descend; where a damaged trie
 * does not, a shared frame is missed, never made up. The new ones never reach the kept ones: a stack
 * too deep for both is walked to its end.
 */
static uint32_t walk(struct box_stack *stack, uint32_t node, uint32_t *kept)
{
    uint32_t count = 0, old = stack->whole ? stack->first : BOX_DEPTH_MAX;
    stack->whole = true;
    do {
        while (old < BOX_DEPTH_MAX && stack->nodes[old] > node)
            old++;
        if (old < BOX_DEPTH_MAX && stack->nodes[old] == node) {
            *kept = old;
            return count;
        }
        if (count == old)
            old = BOX_DEPTH_MAX;
        stack->nodes[count++] = node;
        const struct box_node *entry = node_at(stack, node);
        node = entry ? entry->parent : BOX_NONE;
    } while (node != BOX_NONE && count < BOX_DEPTH_MAX);
    *kept = BOX_DEPTH_MAX;
    stack->whole = node == BOX_NONE;
    return count;
}

static uint32_t start_of(const struct box_stack *stack, uint32_t frame)
{
    return frame < BOX_DEPTH_MAX ? stack->starts[frame] : STACK_BYTES;
}

/* Puts the id of frame `at` before those of its callers; of the word, the part before it is lost on
   frames to come. */
static void put_location(struct box_stack *stack, uint32_t at, uint32_t location)
{
    uint32_t end = start_of(stack, at + 1);
    size_t size_bytes = wire_varint_bytes(location);
    uint64_t word = wire_word(location, size_bytes) << (8 * (WORD_BYTES - size_bytes));
    wire_store_word(stack->bytes + end - WORD_BYTES, word);
    stack->starts[at] = (uint16_t)(end - size_bytes);
}

bool box_stack_take(struct box_stack *stack, uint32_t node)
{
    uint32_t kept, count = walk(stack, node, &kept);
    stack->first = kept - count;
    memmove(stack->nodes + stack->first, stack->nodes, count * sizeof(stack->nodes[0]));
    for (uint32_t at = kept; at > stack->first; at--) {
        uint32_t location = location_of(stack, stack->nodes[at - 1]);
        if (location == 0) {
            stack->first = BOX_DEPTH_MAX;
            return false;
        }
        put_location(stack, at - 1, location);
    }
    return true;
}

const unsigned char *box_stack_bytes(const struct box_stack *stack, size_t *size_bytes)
{
    uint32_t start = start_of(stack, stack->first);
    *size_bytes = STACK_BYTES - start;
    return stack->bytes + start;
}
