#include "go_layout.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>

static const struct go_layout layouts[] = {
    {.major = 1,
     .minor = 19,
     .machine = EM_X86_64,
     .pclntab_magic = 0xfffffff0,
     .stack_max = 32,
     .bucket = {.all_next = 8,
                .type = 16,
                .size = 32,
                .depth = 40,
                .head_bytes = 48,
                .record_bytes = 128,
                .cycle_bytes = 32,
                .allocs = 0,
                .frees = 8},
     .stats = {.last_gc = 3592,
               .pauses = 3608,
               .pause_ends = 5656,
               .count = 7704,
               .forced = 7708,
               .cpu_fraction = 7712,
               .size_bytes = 7744},
     .controller = {.percent = 0,
                    .limit = 8,
                    .goal = 104,
                    .goal_least = 112,
                    .marked = 184,
                    .in_use = 304,
                    .released = 312,
                    .free = 320,
                    .total_alloc = 328,
                    .total_free = 336,
                    .size_bytes = 352},
     .work_before = 408,
     .work_reached = 416,
     .work_left = 424,
     .sweep_state = 28},
};

const struct go_layout *go_layout_of(const char *version, int machine)
{
    int major = 0, minor = 0;
    if (sscanf(version, "go%d.%d", &major, &minor) != 2)
        return NULL;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (layouts[i].major == major && layouts[i].minor == minor && layouts[i].machine == machine)
            return &layouts[i];
    return NULL;
}

const char *go_layout_known(void)
{
    return "Go 1.19 on x86_64";
}
