#include "unwind_object.h"
#include "sys.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

/* What _dl_find_object fills in, as the ABI of glibc 2.35 has it; older headers do not. */
struct loader_object {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    struct link_map *map;
    void *index;
    unsigned long long reserved[8];
};

struct object_array {
    size_t count;
    size_t room;
    struct object objects[]; /* ordered by start */
};

/* Weak: NULL before glibc 2.35. By name, not by dlsym: the first events come before any init. */
extern int loader_find(void *address, struct loader_object *found) __asm__("_dl_find_object")
    __attribute__((weak));

static struct {
    _Atomic(struct object_array *) list; /* replaced whole; old ones stay: readers may be in them */
} lookup;

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

static bool object_from_program_headers(const struct dl_phdr_info *info, struct object *object)
{
    uintptr_t low = UINTPTR_MAX;
    uintptr_t high = 0;
    uintptr_t index = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_GNU_EH_FRAME)
            index = start;
        if (header->p_type != PT_LOAD)
            continue;
        low = start < low ? start : low;
        high = start + header->p_memsz > high ? start + header->p_memsz : high;
    }
    object->start = (const uint8_t *)(low & ~(uintptr_t)4095);
    object->end = (const uint8_t *)high;
    object->section = section_around(index, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    return low < high;
}

static int object_count(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)info;
    (void)size;
    *(size_t *)context += 1;
    return 0;
}

static int object_add(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    struct object_array *array = context;
    struct object object;
    if (array->count == array->room || !object_from_program_headers(info, &object))
        return 0;
    size_t at = array->count++;
    for (; at > 0 && array->objects[at - 1].start > object.start; at--)
        array->objects[at] = array->objects[at - 1];
    array->objects[at] = object;
    return 0;
}

void object_list(void)
{
    size_t count = 0;
    dl_iterate_phdr(object_count, &count);
    count += 8; /* loaded by other threads between the two calls */
    struct object_array *array = sys_pages(sizeof(*array) + count * sizeof(array->objects[0]));
    if (array == NULL)
        return;
    array->room = count;
    dl_iterate_phdr(object_add, array);
    /* pairs: object_find_listed() */
    atomic_store_explicit(&lookup.list, array, memory_order_release);
}

void object_refresh(void)
{
    if (loader_find == NULL)
        object_list();
}

void object_init(void)
{
    object_list();
}

bool object_find_listed(uintptr_t address, struct object *object)
{
    /* pairs: object_list() */
    const struct object_array *array = atomic_load_explicit(&lookup.list, memory_order_acquire);
    size_t low = 0;
    size_t high = array == NULL ? 0 : array->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)array->objects[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || address >= (uintptr_t)array->objects[low - 1].end)
        return false;
    *object = array->objects[low - 1];
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
    if (loader_find == NULL)
        return object_find_listed(address, object);
    struct loader_object found;
    if (loader_find((void *)address, &found) != 0)
        return false;
    object->start = found.map_start;
    object->end = found.map_end;
    object->section = section_of(object, found.index);
    return true;
}
