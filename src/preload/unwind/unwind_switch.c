#include "unwind_switch.h"

static struct {
    uint32_t count; /* atomic: what is below it does not change */
    struct {
        uintptr_t start, end;
    } items[SWITCHES_MAX];
} switches;

void switch_add(uintptr_t start, uintptr_t end)
{
    uint32_t count = switches.count;
    if (count == SWITCHES_MAX)
        return;
    switches.items[count].start = start;
    switches.items[count].end = end;
    __atomic_store_n(&switches.count, count + 1, __ATOMIC_RELEASE); /* pairs: switch_is_at() */
}

bool switch_is_at(uintptr_t key)
{
    uint32_t count = __atomic_load_n(&switches.count, __ATOMIC_ACQUIRE); /* pairs: switch_add() */
    for (uint32_t i = 0; i < count; i++)
        if (key > switches.items[i].start && key <= switches.items[i].end)
            return true;
    return false;
}
