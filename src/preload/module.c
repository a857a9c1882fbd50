#include "module.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/auxv.h>

/* glibc 2.35 and later; elsewhere objects stay unnamed. */
extern int _dl_find_object(void *address, struct dl_find_object *found) __attribute__((weak));

/* Widens [start, end) to all that the segments cover. */
static void module_stretch(struct module *module)
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

/* The first page of a library holds its ELF header and, as every linker lays it out, its program
   headers. */
static bool module_headers(struct module *module)
{
    if (module->name[0] == '\0')
        return program_headers(module);
    const ElfW(Ehdr) *header = (const void *)module->start;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_phentsize != sizeof(ElfW(Phdr)) ||
        header->e_phoff + (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)) > 4096)
        return false;
    module->segments = (const void *)(module->start + header->e_phoff);
    module->segment_count = header->e_phnum;
    return true;
}

bool module_find(uint64_t address, struct module *module)
{
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)address, &found) != 0)
        return false;
    *module = (struct module){.name = found.dlfo_link_map->l_name,
                              .bias = found.dlfo_link_map->l_addr,
                              .start = (uint64_t)found.dlfo_map_start,
                              .end = (uint64_t)found.dlfo_map_end};
    return module_headers(module);
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
