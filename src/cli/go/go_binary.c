#include "go_binary.h"

#include "cli/ground/memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { OWN_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OWN_MACHINE = EM_AARCH64 };
#else
enum { OWN_MACHINE = EM_NONE };
#endif

enum {
    BUILD_INFO_HEAD_BYTES = 32,
    BUILD_INFO_INLINE = 2, /* flag: texts follow, not pointers to them (since Go 1.18) */
    POINTER_BYTES = 8
};

static const char build_info_magic[14] = "\xff Go buildinf:";

static const char *const names[GO_VARIABLES] = {
    [GO_BUCKETS] = "runtime.mbuckets",    [GO_CYCLE] = "runtime.mProfCycle",
    [GO_STATS] = "runtime.memstats",      [GO_CONTROLLER] = "runtime.gcController",
    [GO_RATE] = "runtime.MemProfileRate", [GO_WORK] = "runtime.work",
    [GO_SWEEP] = "runtime.sweep",         [GO_TEXT] = "runtime.text",
    [GO_FUNCTION_DATA] = "go.func.*",
};

static char *because(const char *reason)
{
    return memory_format("%s", reason);
}

static char *open_file(struct go_binary *binary, const struct process_dir *dir)
{
    elf_version(EV_CURRENT);
    binary->fd = openat(dir->fd, "exe", O_RDONLY | O_CLOEXEC);
    if (binary->fd < 0)
        return memory_format("its program file cannot be read: %s", strerror(errno));
    binary->elf = elf_begin(binary->fd, ELF_C_READ_MMAP, NULL);
    if (binary->elf && elf_kind(binary->elf) == ELF_K_ELF)
        binary->bytes = (const unsigned char *)elf_rawfile(binary->elf, &binary->size_bytes);
    return binary->bytes ? NULL : because("not a Go program");
}

/* Sections and addresses. */

static Elf_Scn *section_of(const struct go_binary *binary, const char *name, GElf_Shdr *header)
{
    size_t strings;
    if (elf_getshdrstrndx(binary->elf, &strings) != 0)
        return NULL;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(binary->elf, section));) {
        const char *found = gelf_getshdr(section, header)
                                ? elf_strptr(binary->elf, strings, header->sh_name)
                                : NULL;
        if (found && strcmp(found, name) == 0)
            return section;
    }
    return NULL;
}

/* Of the file, or NULL when it has fewer. */
static const unsigned char *bytes_at(const struct go_binary *binary, uint64_t offset,
                                     uint64_t count)
{
    if (offset > binary->size_bytes || count > binary->size_bytes - offset)
        return NULL;
    return binary->bytes + offset;
}

const unsigned char *go_binary_section(const struct go_binary *binary, const char *name,
                                       size_t *size_bytes)
{
    GElf_Shdr header;
    if (!section_of(binary, name, &header) || header.sh_type == SHT_NOBITS)
        return NULL;
    *size_bytes = header.sh_size;
    return bytes_at(binary, header.sh_offset, header.sh_size);
}

const unsigned char *go_binary_at(const struct go_binary *binary, uint64_t address, size_t count)
{
    size_t segments = 0;
    GElf_Phdr segment;
    elf_getphdrnum(binary->elf, &segments);
    for (size_t i = 0; i < segments && i < INT16_MAX; i++) {
        if (!gelf_getphdr(binary->elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
            address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
            continue;
        uint64_t at = address - segment.p_vaddr;
        if (count > segment.p_filesz - at)
            return NULL;
        return bytes_at(binary, segment.p_offset, segment.p_filesz)
                   ? binary->bytes + segment.p_offset + at
                   : NULL;
    }
    return NULL;
}

/* Version. */

/* The text that Go writes as its length, a varint of one byte here, and its bytes. */
static bool read_version(struct go_binary *binary, const unsigned char *info, size_t size_bytes)
{
    if (size_bytes <= BUILD_INFO_HEAD_BYTES ||
        memcmp(info, build_info_magic, sizeof(build_info_magic)) != 0 ||
        !(info[sizeof(build_info_magic) + 1] & BUILD_INFO_INLINE))
        return false;
    size_t length = info[BUILD_INFO_HEAD_BYTES];
    if (length >= sizeof(binary->version) || length > size_bytes - BUILD_INFO_HEAD_BYTES - 1)
        return false;
    memcpy(binary->version, info + BUILD_INFO_HEAD_BYTES + 1, length);
    for (size_t i = 0; i < length; i++)
        if (binary->version[i] < ' ' || binary->version[i] > '~')
            return false;
    return length > 0;
}

static char *check_version(struct go_binary *binary)
{
    size_t size_bytes;
    GElf_Ehdr header;
    const unsigned char *info = go_binary_section(binary, ".go.buildinfo", &size_bytes);
    if (!info)
        return because("not a Go program");
    if (!gelf_getehdr(binary->elf, &header) || header.e_machine != OWN_MACHINE)
        return because("a Go program for another architecture than this command's");
    if (!read_version(binary, info, size_bytes))
        return memory_format("a Go program of a version that is not known here (known: %s)",
                             go_layout_known());
    binary->layout = go_layout_of(binary->version, header.e_machine);
    if (!binary->layout)
        return memory_format("%s: how its runtime keeps its figures is not known here (known: %s)",
                             binary->version, go_layout_known());
    return NULL;
}

/* Symbols. */

static void take_symbol(struct go_binary *binary, const char *name, uint64_t address)
{
    for (int i = 0; i < GO_VARIABLES; i++)
        if (strcmp(name, names[i]) == 0)
            binary->addresses[i] = address;
}

static char *read_symbols(struct go_binary *binary)
{
    GElf_Shdr header;
    GElf_Sym symbol;
    Elf_Scn *section = section_of(binary, ".symtab", &header);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    size_t count = data && header.sh_entsize > 0 ? data->d_size / header.sh_entsize : 0;
    for (size_t i = 0; i < count && i < INT32_MAX; i++) {
        const char *name = gelf_getsym(data, (int)i, &symbol)
                               ? elf_strptr(binary->elf, header.sh_link, symbol.st_name)
                               : NULL;
        if (name && (name[0] == 'r' || name[0] == 'g'))
            take_symbol(binary, name, symbol.st_value);
    }
    for (int i = 0; i < GO_VARIABLES; i++)
        if (binary->addresses[i] == 0)
            return memory_format("%s, stripped: where its runtime keeps its figures is in no "
                                 "symbol (it was built with -ldflags=-s, or by strip)",
                                 binary->version);
    return NULL;
}

/* Where the program was loaded: the kernel told it its entry. */
static char *read_bias(struct go_binary *binary, const struct process_dir *dir)
{
    GElf_Ehdr header;
    size_t size_bytes;
    char *text = process_dir_text(dir, "auxv", &size_bytes);
    if (!text || !gelf_getehdr(binary->elf, &header)) {
        free(text);
        return because("its memory may not be looked at: that needs root");
    }
    uint64_t pair[2] = {0};
    for (size_t at = 0; size_bytes - at >= sizeof(pair); at += sizeof(pair)) {
        memcpy(pair, text + at, sizeof(pair));
        if (pair[0] == AT_ENTRY)
            break;
    }
    free(text);
    if (pair[0] != AT_ENTRY)
        return because("where it was loaded is not known");
    binary->bias = pair[1] - header.e_entry;
    return NULL;
}

char *go_binary_open(struct go_binary *binary, const struct process_dir *dir)
{
    *binary = (struct go_binary){.fd = -1};
    char *reason = open_file(binary, dir);
    reason = reason ? reason : check_version(binary);
    reason = reason ? reason : read_symbols(binary);
    reason = reason ? reason : read_bias(binary, dir);
    if (reason)
        go_binary_close(binary);
    return reason;
}

void go_binary_close(struct go_binary *binary)
{
    elf_end(binary->elf);
    if (binary->fd >= 0)
        close(binary->fd);
    *binary = (struct go_binary){.fd = -1};
}
