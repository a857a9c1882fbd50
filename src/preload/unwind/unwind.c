#include "unwind.h"
#include "row.h"
#include "unwind_arch.h"
#include "unwind_full.h"
#include "unwind_object.h"
#include "unwind_registry.h"
#include "unwind_walk.h"

void unwind_init(void)
{
    object_init();
    row_forget(); /* what was captured before knew of no object */
}

void unwind_refresh(void)
{
    object_refresh();
    row_forget();
}

void unwind_forget(void)
{
    object_refresh();
    row_forget();
}

bool unwind_register(const void *entries)
{
    return registry_add(entries);
}

bool unwind_unregister(const void *entries)
{
    return registry_remove(entries);
}

bool unwind_has_rules(uint64_t pc)
{
    struct object object;
    struct cfi_frame frame;
    uintptr_t address = pc & UNWIND_EXACT ? pc & ~UNWIND_EXACT : pc - 1;
    return object_find(address, &object) && cfi_find(&object.section, address, &frame);
}

uint64_t unwind_full_count(void)
{
    return full_count();
}

uint64_t unwind_own_bytes(void)
{
    return row_own_bytes() + registry_own_bytes();
}

/*
 * Follows rules that fit into a word for as long as they make plain sense, and returns the first
 * word that does not. Loads only where correct rules lead: inside frames, and not far away.
 */
static inline uint64_t walk_fast(struct walk *walk, struct capture *capture)
{
    const struct row_table *table = row_table();
    uintptr_t key = walk->key;
    uintptr_t sp = walk->sp;
    uintptr_t fp = walk->fp;
    uint32_t depth = capture->depth;
    uint64_t word;
    for (;;) {
        word = row_lookup(table, key);
        uintptr_t base = word & ROW_BASE_FP ? fp : sp;
        uintptr_t cfa = base + (word & ROW_CFA_BYTES);
        if (__builtin_expect(word & ROW_WIDE || cfa - sp - 8 >= WALK_JUMP_MAX ||
                                 cfa > walk->limit || cfa % 8 != 0,
                             0))
            break;
        const uintptr_t *frame = (const uintptr_t *)cfa;
        unsigned fp_slot = word >> ROW_FP_SHIFT & ROW_FP_SLOT_MAX;
        uintptr_t back = arch_strip(frame[-(long)arch_return_slot(fp_slot)]);
        if (back == 0 || depth == BOX_DEPTH_MAX)
            break;
        if (fp_slot != 0)
            fp = frame[-(long)fp_slot];
        sp = cfa;
        key = back;
        capture->pcs[depth++] = back;
    }
    walk->interrupted &= depth == capture->depth; /* the frames after the first did call */
    walk->key = key;
    walk->sp = sp;
    walk->fp = fp;
    capture->depth = depth;
    return word;
}

static enum walk_outcome walk_on(struct walk *walk, struct capture *capture)
{
    uint64_t word;
    if (walk->trusted)
        word = walk_fast(walk, capture);
    else
        word = row_lookup(row_table(), walk->key);
    return walk_step(walk, word);
}

void unwind_capture(struct capture *capture, const struct unwind_start *start, uintptr_t stack_top)
{
    struct walk walk;
    enum walk_outcome outcome;
    bool room;
    walk_open(&walk, start, stack_top);
    capture->depth = 1;
    capture->cut = false;
    capture->ended = false;
    capture->pcs[0] = start->pc;
    do {
        room = true;
        outcome = walk_on(&walk, capture);
        if (outcome == WALK_ON)
            room = capture_push(capture, walk.key);
        else if (outcome == WALK_ON_SIGNAL)
            room = capture_push(capture, (walk.key - 1) | UNWIND_EXACT);
    } while (room && outcome <= WALK_ON_SIGNAL);
    if (outcome == WALK_FULL && !full_capture(capture, start, stack_top))
        outcome = WALK_LOST;
    capture->ended |= outcome == WALK_LOST;
}
