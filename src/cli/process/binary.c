#include "binary.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 }; /* the smallest: segments are laid out for it or for more */

/*
 * A file as the process has named it: by its own root, and out of that by no symbolic link. Before Linux 5.6 only the
 * last component of the name is kept from being one.
 */
static int find_in_root(const struct process_dir *dir, const char *name)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int root = openat(dir->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int found = root < 0 ? -1 : (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
    if (root >= 0 && found < 0 && (errno == ENOSYS || errno == EPERM))
        found = openat(root, name + strspn(name, "/"), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (root >= 0)
        close(root);
    return found;
}

/* Opens what has been found, if it is a file: devices and pipes do something when they are opened. */
static int open_found(int found)
{
    char path[64];
    struct stat status;
    int fd = -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
    if (found >= 0 && fstat(found, &status) == 0 && S_ISREG(status.st_mode))
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (found >= 0)
        close(found);
    return fd;
}

/* The ELF file that has been found; to be closed, as is *fd. NULL: it is none. */
static Elf *open_elf(int found, int *fd)
{
    elf_version(EV_CURRENT);
    *fd = open_found(found);
    Elf *elf = *fd >= 0 ? elf_begin(*fd, ELF_C_READ, NULL) : NULL;
    if (elf && elf_kind(elf) == ELF_K_ELF)
        return elf;
    elf_end(elf);
    if (*fd >= 0)
        close(*fd);
    return NULL;
}

static uint64_t page_of(uint64_t address)
{
    return address & ~(uint64_t)(PAGE_BYTES - 1);
}

/* The end of the memory of the segment that `data` is mapped from, or 0 when it is from another. */
static uint64_t segment_end(const GElf_Phdr *segment, const struct smaps_vma *data)
{
    uint64_t first = page_of(segment->p_offset);
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W) ||
        segment->p_memsz <= segment->p_filesz || data->offset < first ||
        data->offset >= segment->p_offset + segment->p_filesz)
        return 0;
    uint64_t start =
        data->start - (data->offset - first) + (segment->p_vaddr - page_of(segment->p_vaddr));
    return page_of(start + segment->p_memsz + PAGE_BYTES - 1);
}

uint64_t binary_bss_end(const struct process_dir *dir, const struct smaps_vma *data)
{
    uint64_t end = 0;
    int fd;
    Elf *elf = open_elf(find_in_root(dir, data->name), &fd);
    size_t count = 0;
    GElf_Phdr segment;
    if (!elf)
        return 0;
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count && i < INT16_MAX && end == 0; i++)
        if (gelf_getphdr(elf, (int)i, &segment))
            end = segment_end(&segment, data);
    elf_end(elf);
    close(fd);
    return end;
}

static bool has_go_section(Elf *elf)
{
    size_t names;
    GElf_Shdr header;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        const char *name =
            gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".note.go.buildid") == 0))
            return true;
    }
    return false;
}

uint64_t binary_go_heap(const struct process_dir *dir)
{
    static const uint64_t GO_HEAP = UINT64_C(0xc0) << 32, GO_HEAP_ARM = UINT64_C(0x40) << 32;
    uint64_t start = 0;
    int fd;
    GElf_Ehdr header;
    Elf *elf = open_elf(openat(dir->fd, "exe", O_PATH | O_CLOEXEC), &fd);
    if (!elf)
        return 0;
    if (has_go_section(elf) && gelf_getehdr(elf, &header))
        start = header.e_machine == EM_AARCH64 ? GO_HEAP_ARM : GO_HEAP;
    elf_end(elf);
    close(fd);
    return start;
}
