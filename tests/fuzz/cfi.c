/*
 * Fuzz target: bytes read as the unwind sections of an object, its rules compiled and evaluated.
 *
 * An input is two numbers, where in the bytes .eh_frame_hdr begins and where, from the bytes' start, the
 * code address lies that is asked for, and the bytes. 0 for the first: entries without an index, as
 * generated code has them. Stands in for the loader and for memory.
 */
#include "preload/unwind/cfi.h"
#include "preload/unwind/cfi_expression.h"
#include "preload/unwind/row.h"
#include "preload/unwind/unwind_memory.h"
#include "preload/unwind/unwind_object.h"
#include "preload/unwind/unwind_registry.h"

#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

struct head {
    int32_t index;
    int32_t address;
};

static struct cfi_section section;
static uintptr_t stack[64];

bool object_find(uintptr_t address, struct object *object)
{
    (void)address;
    *object = (struct object){section.start, section.end, section};
    return section.index != NULL;
}

bool registry_find(uintptr_t address, struct cfi_section *found)
{
    (void)address;
    *found = section;
    return section.index == NULL;
}

static bool is_inside(uintptr_t address, uintptr_t size_bytes, const void *start, size_t room_bytes)
{
    uintptr_t first = (uintptr_t)start;
    return address >= first && size_bytes <= room_bytes &&
           address - first <= room_bytes - size_bytes;
}

bool memory_check(struct memory *memory, uintptr_t address, uintptr_t size_bytes)
{
    (void)memory;
    return is_inside(address, size_bytes, stack, sizeof(stack)) ||
           is_inside(address, size_bytes, section.start, (size_t)(section.end - section.start));
}

bool memory_read(struct memory *memory, uintptr_t address, uintptr_t *word)
{
    if (!memory_check(memory, address, sizeof(*word)))
        return false;
    memcpy(word, (const void *)address, sizeof(*word));
    return true;
}

static void evaluate(const struct cfi_frame *frame)
{
    uintptr_t registers[ARCH_REGISTERS];
    struct memory memory = {0};
    struct cfi_machine machine = {&frame->section, registers, &memory};
    uintptr_t value = 0;
    for (int i = 0; i < ARCH_REGISTERS; i++)
        registers[i] = (uintptr_t)&stack[32 + i % 4];
    if (frame->rules.cfa.expression != 0)
        cfi_evaluate(&machine, frame->rules.cfa.expression, false, &value);
    for (int i = 0; i < ARCH_REGISTERS; i++) {
        const struct cfi_rule *rule = &frame->rules.registers[i];
        if (rule->how == CFI_EXPRESSION || rule->how == CFI_VALUE_EXPRESSION)
            cfi_evaluate(&machine, (uint32_t)rule->value, true, &value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct head head;
    struct cfi_frame frame;
    struct row row;
    uint64_t low, high;
    if (size_bytes < sizeof(head))
        return 0;
    memcpy(&head, bytes, sizeof(head));
    const uint8_t *start = bytes + sizeof(head);
    uintptr_t address = (uintptr_t)start + (uintptr_t)(intptr_t)head.address;
    section = (struct cfi_section){start, bytes + size_bytes, NULL};
    if (head.index != 0)
        section.index = (const uint8_t *)((uintptr_t)start + (uintptr_t)(intptr_t)head.index);
    else
        cfi_span(&section, &low, &high);
    if (cfi_find(&section, address, &frame))
        evaluate(&frame);
    row_compile(address + 1, &row);
    return 0;
}
