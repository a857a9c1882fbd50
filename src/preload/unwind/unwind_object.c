#include "unwind_object.h"
#include "preload/ground/module_list.h"

#include <elf.h>
#include <link.h>
#include <string.h>

/* The readable segment that holds `index`; all NULL when there is none. */
static struct cfi_section section_around(uintptr_t index, uintptr_t bias,
                                         const ElfW(Phdr) * headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uintptr_t start = bias + headers[i].p_vaddr;
        if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & PF_R) && index >= start &&
            index - start < headers[i].p_filesz)
            return (struct cfi_section){(const uint8_t *)start,
                                        (const uint8_t *)start + headers[i].p_filesz,
                                        (const uint8_t *)index};
    }
    return (struct cfi_section){NULL, NULL, NULL};
}

void object_list(void)
{
    module_list_take();
}

void object_refresh(void)
{
    if (!module_can_look_up())
        module_list_take();
}

void object_init(void)
{
    module_list_take();
}

bool object_find_listed(uintptr_t address, struct object *object)
{
    struct module module;
    uintptr_t index = 0;
    if (!module_list_find(address, &module))
        return false;
    for (unsigned i = 0; i < module.segment_count; i++)
        if (module.segments[i].p_type == PT_GNU_EH_FRAME)
            index = module.bias + module.segments[i].p_vaddr;
    object->start = (const uint8_t *)module.start;
    object->end = (const uint8_t *)module.end;
    object->section = section_around(index, module.bias, module.segments, module.segment_count);
    return true;
}

/* The program headers, when the object's first page shows them; NULL when it does not. */
static const ElfW(Phdr) * program_headers(const struct object *object, size_t *count)
{
    enum { FIRST_PAGE_BYTES = 4096 };
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)object->start;
    if (object->end - object->start < FIRST_PAGE_BYTES ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff % 8 != 0 ||
        header->e_phoff > FIRST_PAGE_BYTES ||
        header->e_phnum > (FIRST_PAGE_BYTES - header->e_phoff) / sizeof(ElfW(Phdr)))
        return NULL;
    *count = header->e_phnum;
    return (const ElfW(Phdr) *)(const void *)(object->start + header->e_phoff);
}

/* What is added to the file's addresses; its first segment lies at the object's start. */
static uintptr_t load_bias(const struct object *object, const ElfW(Phdr) * headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_LOAD)
            return (uintptr_t)object->start - (headers[i].p_vaddr & ~(uintptr_t)4095);
    }
    return (uintptr_t)object->start;
}

/* The loader names one segment of a program that has gaps: another one may hold its sections. */
static struct cfi_section section_listed(const uint8_t *index)
{
    struct object object;
    if (object_find_listed((uintptr_t)index, &object) && object.section.index == index)
        return object.section;
    return (struct cfi_section){NULL, NULL, NULL};
}

static struct cfi_section section_of(const struct object *object, const uint8_t *index)
{
    size_t count = 0;
    if (index == NULL)
        return (struct cfi_section){NULL, NULL, NULL};
    if (index < object->start || index >= object->end)
        return section_listed(index);
    const ElfW(Phdr) *headers = program_headers(object, &count);
    if (headers == NULL) /* the vDSO, and what hides its headers */
        return (struct cfi_section){object->start, object->end, index};
    return section_around((uintptr_t)index, load_bias(object, headers, count), headers, count);
}

bool object_find(uintptr_t address, struct object *object)
{
    struct module_lookup found;
    if (!module_can_look_up())
        return object_find_listed(address, object);
    if (!module_look_up(address, &found))
        return false;
    object->start = found.map_start;
    object->end = found.map_end;
    object->section = section_of(object, found.unwind_index);
    return true;
}
