#include "go_debug.h"

#include "cli/ground/memory.h"

#include <assert.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <string.h>

struct expected {
    const char *type, *member;
    uint32_t offset;
};

enum { EXPECTED_MAX = 32 };

/* What the table says, by the names in the runtime's source. */
static size_t expectations(const struct go_layout *layout, struct expected list[EXPECTED_MAX])
{
    const struct expected all[] = {
        {"runtime.bucket", "allnext", layout->bucket.all_next},
        {"runtime.bucket", "typ", layout->bucket.type},
        {"runtime.bucket", "size", layout->bucket.size},
        {"runtime.bucket", "nstk", layout->bucket.depth},
        {"runtime.memRecord", "active", 0},
        {"runtime.memRecord", "future", layout->bucket.cycle_bytes},
        {"runtime.memRecordCycle", "allocs", layout->bucket.allocs},
        {"runtime.memRecordCycle", "frees", layout->bucket.frees},
        {"runtime.mstats", "last_gc_unix", layout->stats.last_gc},
        {"runtime.mstats", "pause_ns", layout->stats.pauses},
        {"runtime.mstats", "pause_end", layout->stats.pause_ends},
        {"runtime.mstats", "numgc", layout->stats.count},
        {"runtime.mstats", "numforcedgc", layout->stats.forced},
        {"runtime.mstats", "gc_cpu_fraction", layout->stats.cpu_fraction},
        {"runtime.gcControllerState", "gcPercent", layout->controller.percent},
        {"runtime.gcControllerState", "memoryLimit", layout->controller.limit},
        {"runtime.gcControllerState", "gcPercentHeapGoal", layout->controller.goal},
        {"runtime.gcControllerState", "sweepDistMinTrigger", layout->controller.goal_least},
        {"runtime.gcControllerState", "heapMarked", layout->controller.marked},
        {"runtime.gcControllerState", "heapInUse", layout->controller.in_use},
        {"runtime.gcControllerState", "heapReleased", layout->controller.released},
        {"runtime.gcControllerState", "heapFree", layout->controller.free},
        {"runtime.gcControllerState", "totalAlloc", layout->controller.total_alloc},
        {"runtime.gcControllerState", "totalFree", layout->controller.total_free},
        {"runtime.workType", "heap0", layout->work_before},
        {"runtime.workType", "heap1", layout->work_reached},
        {"runtime.workType", "heap2", layout->work_left},
        {"runtime.sweepdata", "active", layout->sweep_state},
    };
    static_assert(sizeof(all) / sizeof(all[0]) <= EXPECTED_MAX, "there is room");
    memcpy(list, all, sizeof(all));
    return sizeof(all) / sizeof(all[0]);
}

static bool is_named(Dwarf_Die *die, const char *name)
{
    const char *found = dwarf_diename(die);
    return found && strcmp(found, name) == 0;
}

/* The compile unit of Go's package runtime, which has its types. */
static bool find_runtime(Dwarf *dwarf, Dwarf_Die *unit)
{
    Dwarf_Off at = 0, next;
    size_t head_bytes;
    while (dwarf_nextcu(dwarf, at, &next, &head_bytes, NULL, NULL, NULL) == 0) {
        if (dwarf_offdie(dwarf, at + head_bytes, unit) && is_named(unit, "runtime"))
            return true;
        at = next;
    }
    return false;
}

/* Where a struct has a member; false: it has none of that name, or says nothing. */
static bool find_member(Dwarf_Die *type, const char *name, Dwarf_Word *offset)
{
    Dwarf_Die member;
    Dwarf_Attribute attribute;
    if (dwarf_child(type, &member) != 0)
        return false;
    do {
        if (dwarf_tag(&member) == DW_TAG_member && is_named(&member, name))
            return dwarf_attr(&member, DW_AT_data_member_location, &attribute) &&
                   dwarf_formudata(&attribute, offset) == 0;
    } while (dwarf_siblingof(&member, &member) == 0);
    return false;
}

static char *check_type(Dwarf_Die *type, const struct expected *list, size_t count)
{
    Dwarf_Word offset;
    for (size_t i = 0; i < count; i++)
        if (is_named(type, list[i].type) &&
            (!find_member(type, list[i].member, &offset) || offset != list[i].offset))
            return memory_format("its runtime is not that of its version: by its debug "
                                 "information, %s.%s is not at %u",
                                 list[i].type, list[i].member, list[i].offset);
    return NULL;
}

static char *check_unit(Dwarf_Die *unit, const struct go_layout *layout)
{
    struct expected list[EXPECTED_MAX];
    size_t count = expectations(layout, list);
    char *reason = NULL;
    Dwarf_Die type;
    if (dwarf_child(unit, &type) != 0)
        return NULL;
    do {
        if (dwarf_tag(&type) == DW_TAG_structure_type)
            reason = check_type(&type, list, count);
    } while (!reason && dwarf_siblingof(&type, &type) == 0);
    return reason;
}

char *go_debug_check(const struct go_binary *binary)
{
    Dwarf *dwarf = dwarf_begin_elf(binary->elf, DWARF_C_READ, NULL);
    Dwarf_Die unit;
    char *reason = NULL;
    if (dwarf && find_runtime(dwarf, &unit))
        reason = check_unit(&unit, binary->layout);
    dwarf_end(dwarf);
    return reason;
}
