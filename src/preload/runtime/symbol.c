#include "symbol.h"

#include "preload/ground/module_list.h"
#include "preload/ground/own.h"
#include "preload/ground/sys.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    VERSION_HIDDEN = 0x8000, /* of DT_VERSYM: an older version, for who asks for it by number */
    SECTIONS_FEW = 64        /* Debian's programs have 26 to 31 */
};

/* The tables of one object. */
struct exports {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Half) * versions; /* or NULL */
};

static bool is_wanted_kind(unsigned char info)
{
    unsigned kind = ELF64_ST_TYPE(info);
    return kind == STT_FUNC || kind == STT_OBJECT || kind == STT_NOTYPE;
}

/* strcmp() is a sanitizer's in some programs, and asks dlsym() first, which asks us. */
static bool equal(const char *a, const char *b)
{
    while (*a == *b && *a != '\0')
        a++, b++;
    return *a == *b;
}

static bool is_it(const struct exports *exports, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &exports->symbols[index];
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 &&
           is_wanted_kind(symbol->st_info) && equal(exports->names + symbol->st_name, name) &&
           !(exports->versions && exports->versions[index] & VERSION_HIDDEN);
}

static uint32_t hash_gnu(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *at = (const unsigned char *)name; *at; at++)
        hash = hash * 33 + *at;
    return hash;
}

/* By DT_GNU_HASH: buckets, each the first of a chain of symbols whose hashes end with an odd one. */
static uint32_t find_gnu(const struct exports *exports, const uint32_t *table, const char *name)
{
    enum { WORD_BITS = 8 * sizeof(ElfW(Addr)) };
    uint32_t buckets = table[0], first = table[1], hash = hash_gnu(name);
    const ElfW(Addr) *bloom = (const void *)(table + 4);
    ElfW(Addr) word = bloom[hash / WORD_BITS % table[2]];
    if (buckets == 0 || !(word >> hash % WORD_BITS & word >> (hash >> table[3]) % WORD_BITS & 1))
        return 0;
    const uint32_t *bucket = (const void *)(bloom + table[2]), *chain = bucket + buckets;
    uint32_t index = bucket[hash % buckets];
    for (; index >= first; index++) {
        if ((chain[index - first] | 1) == (hash | 1) && is_it(exports, index, name))
            return index;
        if (chain[index - first] & 1)
            return 0;
    }
    return 0;
}

/* By DT_HASH, which counts all symbols: they are few where there is no other. */
static uint32_t find_plain(const struct exports *exports, const uint32_t *table, const char *name)
{
    for (uint32_t i = 1; i < table[1]; i++)
        if (is_it(exports, i, name))
            return i;
    return 0;
}

static uint64_t find(const ElfW(Dyn) * dynamic, uint64_t bias, const char *name)
{
    struct exports exports = {.symbols = module_table(dynamic, bias, DT_SYMTAB),
                              .names = module_table(dynamic, bias, DT_STRTAB),
                              .versions = module_table(dynamic, bias, DT_VERSYM)};
    const uint32_t *gnu = module_table(dynamic, bias, DT_GNU_HASH);
    const uint32_t *plain = gnu ? NULL : module_table(dynamic, bias, DT_HASH);
    uint32_t index = 0;
    if (exports.symbols && exports.names && gnu)
        index = find_gnu(&exports, gnu, name);
    else if (exports.symbols && exports.names && plain)
        index = find_plain(&exports, plain, name);
    return index ? bias + exports.symbols[index].st_value : 0;
}

const char *symbol_needs(const struct module *module, unsigned index)
{
    const ElfW(Dyn) *dynamic = module_dynamic(module);
    const char *names = module_table(dynamic, module->bias, DT_STRTAB);
    for (; names && dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag == DT_NEEDED && index-- == 0)
            return names + dynamic->d_un.d_val;
    return NULL;
}

uint64_t symbol_find(const struct module *module, const char *name)
{
    const ElfW(Dyn) *dynamic = module_dynamic(module);
    return dynamic ? find(dynamic, module->bias, name) : 0;
}

extern ElfW(Dyn) _DYNAMIC[]; /* of this library; musl's link.h does not have it */

bool symbol_is_listed(const struct module *module)
{
    const void *dynamic = module_dynamic(module);
    bool found = module_list_loaders() == NULL;
    for (const struct link_map *map = module_list_first(); map && !found;
         map = module_list_next(map))
        found = map->l_ld == dynamic;
    return found;
}

/* What another thread is just closing may be gone, though it is still in the list. */
uint64_t symbol_find_library(const char *name, bool *is_only)
{
    const struct link_map *map = module_list_first();
    uint64_t first = 0, next = 0;
    while (map && !(is_only ? next : first) && (map = module_list_next(map))) {
        bool is_there = map->l_ld != _DYNAMIC && sys_readable((uintptr_t)map->l_ld);
        uint64_t address = is_there ? find(map->l_ld, map->l_addr, name) : 0;
        *(first ? &next : &first) = address;
    }
    if (is_only)
        *is_only = first && !next;
    return first;
}

static uint64_t find_from(const struct link_map *map, const char *name)
{
    uint64_t address = 0;
    for (; map && !address; map = map->l_next)
        if (map->l_ld && map->l_ld != _DYNAMIC)
            address = find(map->l_ld, map->l_addr, name);
    return address;
}

uint64_t symbol_find_behind(const char *name)
{
    const struct link_map *program = module_list_loaders(), *map = program;
    while (map && map->l_ld != _DYNAMIC)
        map = map->l_next;
    uint64_t address = find_from(map, name);
    return address || !program ? address : find_from(program->l_next, name);
}

/* A file in memory; its bytes are anybody's. */
struct image {
    const unsigned char *bytes;
    uint64_t size_bytes;
};

static bool read_at(int fd, uint64_t offset, void *to, size_t size_bytes)
{
    return sys_call4(SYS_pread64, fd, (long)to, (long)size_bytes, (long)offset) == (long)size_bytes;
}

/* Most programs are: two reads then take a quarter of the time that mapping the file does. */
static bool is_stripped(int fd)
{
    ElfW(Ehdr) header;
    ElfW(Shdr) sections[SECTIONS_FEW];
    if (!read_at(fd, 0, &header, sizeof(header)) || header.e_shentsize != sizeof(*sections) ||
        header.e_shnum > SECTIONS_FEW ||
        !read_at(fd, header.e_shoff, sections, header.e_shnum * sizeof(*sections)))
        return false;
    for (unsigned i = 0; i < header.e_shnum; i++)
        if (sections[i].sh_type == SHT_SYMTAB)
            return false;
    return true;
}

static bool image_open(struct image *image, const char *path)
{
    struct stat status;
    long fd = sys_open(path, O_RDONLY, 0);
    if (sys_failed(fd))
        return false;
    long mapped = -1;
    if (!is_stripped((int)fd) && !sys_failed(sys_call2(SYS_fstat, fd, (long)&status)) &&
        status.st_size > 0)
        mapped = sys_call6(SYS_mmap, 0, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    sys_close((int)fd);
    if (sys_failed(mapped))
        return false;
    *image = (struct image){(const void *)mapped, (uint64_t)status.st_size};
    own_add(image->bytes, image->size_bytes);
    return true;
}

static void image_close(const struct image *image)
{
    own_remove(image->bytes, image->size_bytes);
    sys_call2(SYS_munmap, (long)image->bytes, (long)image->size_bytes);
}

/* `count` entries of `each` bytes at `offset`; NULL when the file ends before. */
static const void *image_part(const struct image *image, uint64_t offset, uint64_t count,
                              uint64_t each)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(count, each, &bytes) || offset > image->size_bytes ||
        bytes > image->size_bytes - offset || offset % 8 != 0)
        return NULL;
    return image->bytes + offset;
}

/* The sections .symtab and its names; false: the file is stripped. */
static bool find_sections(const struct image *image, const ElfW(Shdr) * *symbols,
                          const ElfW(Shdr) * *names)
{
    const ElfW(Ehdr) *header = image_part(image, 0, 1, sizeof(*header));
    if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(ElfW(Shdr)))
        return false;
    const ElfW(Shdr) *sections =
        image_part(image, header->e_shoff, header->e_shnum, sizeof(*sections));
    for (unsigned i = 0; sections && i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum)
            continue;
        *symbols = &sections[i];
        *names = &sections[sections[i].sh_link];
        return true;
    }
    return false;
}

struct search {
    struct symbol_wanted *wanted;
    size_t count;
    uint64_t bias;
    size_t found;
    bool first
        [256]; /* the letters that names begin with: most symbols are passed over by one load */
};

static void compare(struct search *search, const char *name, const ElfW(Sym) * symbol)
{
    for (size_t i = 0; i < search->count; i++) {
        struct symbol_wanted *wanted = &search->wanted[i];
        if (wanted->address != 0 || strcmp(wanted->name, name) != 0)
            continue;
        wanted->address = search->bias + symbol->st_value;
        search->found++;
    }
}

static void search_image(struct search *search, const struct image *image)
{
    const ElfW(Shdr) * table, *strings;
    if (!find_sections(image, &table, &strings))
        return;
    uint64_t count = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbols = image_part(image, table->sh_offset, count, sizeof(*symbols));
    uint64_t room = strings->sh_size;
    if (!symbols || strings->sh_offset > image->size_bytes ||
        room > image->size_bytes - strings->sh_offset || room == 0)
        return;
    const char *names = (const char *)image->bytes + strings->sh_offset;
    if (names[room - 1] != '\0')
        return;
    for (uint64_t i = 0; i < count; i++)
        if (symbols[i].st_name < room && search->first[(unsigned char)names[symbols[i].st_name]] &&
            symbols[i].st_shndx != SHN_UNDEF && is_wanted_kind(symbols[i].st_info))
            compare(search, names + symbols[i].st_name, &symbols[i]);
}

size_t symbol_read_file(const char *path, uint64_t bias, struct symbol_wanted *wanted, size_t count)
{
    struct search search = {.wanted = wanted, .count = count, .bias = bias};
    struct image image;
    for (size_t i = 0; i < count; i++)
        search.first[(unsigned char)wanted[i].name[0]] = wanted[i].address == 0;
    if (!image_open(&image, path))
        return 0;
    search_image(&search, &image);
    image_close(&image);
    return search.found;
}
