#include "module.h"
#include "module_list.h"

#include <string.h>
#include <sys/auxv.h>

#ifndef HEAPDIFF_LOADER_LOOKUP
#define HEAPDIFF_LOADER_LOOKUP "_dl_find_object"
#endif

/* Weak: NULL before glibc 2.35. By name, not by dlsym: the first events come before any init. */
extern int loader_find(void *address, struct module_lookup *found) __asm__(HEAPDIFF_LOADER_LOOKUP)
    __attribute__((weak));

bool module_can_look_up(void)
{
    return loader_find != NULL;
}

bool module_look_up(uint64_t address, struct module_lookup *found)
{
    return loader_find != NULL && loader_find((void *)address, found) == 0;
}

void module_stretch(struct module *module)
{
    for (unsigned i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *segment = &module->segments[i];
        uint64_t start = module->bias + segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        module->start = start < module->start ? start : module->start;
        module->end =
            start + segment->p_memsz > module->end ? start + segment->p_memsz : module->end;
    }
}

/* The program itself: the kernel says where its headers are, and they say how far it reaches (the
   loader's answer may begin at the text segment of a program that is not position independent). */
static bool program_headers(struct module *module)
{
    module->segments = (const void *)getauxval(AT_PHDR);
    module->segment_count = (unsigned)getauxval(AT_PHNUM);
    module_stretch(module);
    return module->segments != NULL;
}

/* Where the headers are says it. musl's loader, which the kernel takes for the program when it is started by its own name,
   does not say where they would be: right behind the file's first bytes. */
static uint64_t bias_of_program(const struct module *module)
{
    uint64_t at = (uint64_t)module->segments, page_bytes = getauxval(AT_PAGESZ), bias = 0;
    for (unsigned i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *segment = &module->segments[i];
        if (segment->p_type == PT_PHDR)
            return at - segment->p_vaddr;
        if (segment->p_type == PT_LOAD && segment->p_offset == 0)
            bias = at - sizeof(ElfW(Ehdr)) - segment->p_vaddr;
    }
    return page_bytes && bias % page_bytes == 0 ? bias : 0;
}

bool module_program(struct module *module)
{
    *module = (struct module){.name = "", .start = UINT64_MAX};
    if (!program_headers(module))
        return false;
    module->bias = bias_of_program(module);
    module->start = UINT64_MAX;
    module->end = 0;
    module_stretch(module);
    return true;
}

/* The first page of a library holds its ELF header and, as every linker lays it out, its program
   headers. */
bool module_read_headers(struct module *module)
{
    if (module->name[0] == '\0')
        return program_headers(module);
    const ElfW(Ehdr) *header = (const void *)module->start;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff > 4096 ||
        header->e_phoff + (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)) > 4096)
        return false;
    module->segments = (const void *)(module->start + header->e_phoff);
    module->segment_count = header->e_phnum;
    return true;
}

bool module_find(uint64_t address, struct module *module)
{
    struct module_lookup found;
    if (!module_can_look_up())
        return module_list_find(address, module);
    if (!module_look_up(address, &found))
        return false;
    *module = (struct module){.name = found.map->l_name,
                              .bias = found.map->l_addr,
                              .start = (uint64_t)found.map_start,
                              .end = (uint64_t)found.map_end};
    return module_read_headers(module);
}

void module_name_as_glibc(struct module *module)
{
    if ((uint64_t)module->segments == getauxval(AT_PHDR))
        module->name = "";
    else if (module->start == getauxval(AT_SYSINFO_EHDR))
        module->name = "linux-vdso.so.1";
}

/* Who is told by module_each(). */
struct visitor {
    void (*visit)(const struct module *module, void *context);
    void *context;
};

static int visit_listed(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    const struct visitor *visitor = context;
    struct module module = {.name = info->dlpi_name,
                            .bias = info->dlpi_addr,
                            .start = UINT64_MAX,
                            .segments = info->dlpi_phdr,
                            .segment_count = info->dlpi_phnum};
    module_stretch(&module);
    module_name_as_glibc(&module);
    if (module.start < module.end)
        visitor->visit(&module, visitor->context);
    return 0;
}

void module_each(void (*visit)(const struct module *module, void *context), void *context)
{
    struct visitor visitor = {visit, context};
    dl_iterate_phdr(visit_listed, &visitor);
}

/* One note at `at`; the next one, or NULL at the end. */
static const char *note_next(const char *at, const char *end, const ElfW(Nhdr) * *note)
{
    if ((size_t)(end - at) < sizeof(**note))
        return NULL;
    *note = (const void *)at;
    size_t name = ((*note)->n_namesz + 3u) & ~3u, text = ((*note)->n_descsz + 3u) & ~3u;
    size_t left = (size_t)(end - at) - sizeof(**note);
    if (name > left || text > left - name)
        return NULL;
    return at + sizeof(**note) + name + text;
}

static unsigned build_id_in(const char *at, size_t size_bytes, uint8_t *id, size_t room_bytes)
{
    const char *end = at + size_bytes;
    const ElfW(Nhdr) * note;
    for (const char *next; (next = note_next(at, end, &note)) != NULL; at = next) {
        const char *name = at + sizeof(*note);
        if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || memcmp(name, "GNU", 4) != 0 ||
            note->n_descsz > room_bytes)
            continue;
        memcpy(id, name + 4, note->n_descsz);
        return note->n_descsz;
    }
    return 0;
}

unsigned module_build_id(const struct module *module, uint8_t *id, size_t room_bytes)
{
    for (unsigned i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *segment = &module->segments[i];
        uint64_t start = module->bias + segment->p_vaddr;
        if (segment->p_type != PT_NOTE || start < module->start || start > module->end ||
            segment->p_memsz > module->end - start)
            continue;
        unsigned bytes = build_id_in((const char *)start, segment->p_memsz, id, room_bytes);
        if (bytes > 0)
            return bytes;
    }
    return 0;
}

const ElfW(Dyn) * module_dynamic(const struct module *module)
{
    for (unsigned i = 0; i < module->segment_count; i++)
        if (module->segments[i].p_type == PT_DYNAMIC)
            return (const void *)(module->bias + module->segments[i].p_vaddr);
    return NULL;
}

const ElfW(Dyn) * module_entry(const ElfW(Dyn) * dynamic, int64_t tag)
{
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag == tag)
            return dynamic;
    return NULL;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/*
 * glibc's loader has added the bias, but not for the kernel's page of code, which it cannot write; musl's never has. Which
 * of both is larger says nothing: user-mode Linux links that page for the end of all addresses. An object's tables lie
 * beside its dynamic section.
 */
const void *module_table(const ElfW(Dyn) * dynamic, uint64_t bias, int64_t tag)
{
    const ElfW(Dyn) *entry = module_entry(dynamic, tag);
    if (!entry)
        return NULL;
    uint64_t at = entry->d_un.d_ptr, here = (uint64_t)dynamic;
    return (const void *)(distance(at + bias, here) < distance(at, here) ? at + bias : at);
}

/* The index of the last symbol + 1, from the hash tables: nothing else tells it. */
static uint32_t symbol_count(const ElfW(Dyn) * dynamic, uint64_t bias)
{
    const uint32_t *plain = module_table(dynamic, bias, DT_HASH);
    if (plain)
        return plain[1];
    const uint32_t *hash = module_table(dynamic, bias, DT_GNU_HASH);
    if (!hash)
        return 0;
    uint32_t buckets = hash[0], first = hash[1], last = 0;
    const uint32_t *bucket = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / sizeof(*hash));
    const uint32_t *chain = bucket + buckets;
    for (uint32_t i = 0; i < buckets; i++)
        last = bucket[i] > last ? bucket[i] : last;
    if (last < first)
        return first;
    while (!(chain[last - first] & 1)) /* the end of a chain */
        last++;
    return last + 1;
}

bool module_exports(const struct module *module, uint64_t address)
{
    const ElfW(Dyn) *dynamic = module_dynamic(module);
    const ElfW(Sym) *symbols = module_table(dynamic, module->bias, DT_SYMTAB);
    uint32_t count = symbols ? symbol_count(dynamic, module->bias) : 0;
    for (uint32_t i = 1; i < count; i++)
        if (symbols[i].st_shndx != SHN_UNDEF &&
            address - (module->bias + symbols[i].st_value) < symbols[i].st_size)
            return true;
    return false;
}
