#include "program.h"

#include "cli/ground/memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 256,   /* the kernel's own limit of a "#!" line */
    SCRIPT_NESTING_MAX = 5, /* likewise */
    HEADERS_MAX = 512,      /* program headers looked at */
    NAMES_BYTES_MAX = 64 << 20
};

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

static bool is_executable(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EACCES;
        return false;
    }
    return access(path, X_OK) == 0;
}

char *program_find(const char *command)
{
    const char *directories = getenv("PATH");
    if (strchr(command, '/') || !directories)
        return is_executable(command) ? memory_format("%s", command) : NULL;
    int error = ENOENT;
    while (*command != '\0') {
        int length = (int)strcspn(directories, ":");
        char *path =
            memory_format("%.*s%s%s", length, directories, length > 0 ? "/" : "./", command);
        if (is_executable(path))
            return path;
        if (errno == EACCES)
            error = EACCES;
        free(path);
        if (directories[length] == '\0')
            break;
        directories += length + 1;
    }
    errno = error;
    return NULL;
}

/* Privileges that come with the file make the kernel tell the loader to distrust the environment. */
static bool is_elevated(const char *path, const struct stat *status)
{
    if ((status->st_mode & S_ISUID) && status->st_uid != geteuid())
        return true;
    if ((status->st_mode & S_ISGID) && (status->st_mode & S_IXGRP) && status->st_gid != getegid())
        return true;
    return geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* The loader itself, run as a command, has no loader but does listen. */
static bool is_loader(const char *path)
{
    const char *name = basename(path);
    return strncmp(name, "ld-", 3) == 0 || strncmp(name, "ld.so", 5) == 0;
}

/* Where the file has what is loaded at `address`; 0: nowhere. */
static uint64_t file_offset(const Elf64_Phdr *parts, unsigned count, uint64_t address)
{
    for (unsigned i = 0; i < count; i++)
        if (parts[i].p_type == PT_LOAD && address - parts[i].p_vaddr < parts[i].p_filesz)
            return address - parts[i].p_vaddr + parts[i].p_offset;
    return 0;
}

/* The names that the loader deals with, malloc'd; NULL: none. */
static char *read_names(int fd, const Elf64_Phdr *parts, unsigned count, size_t *size_bytes)
{
    uint64_t at = 0;
    *size_bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        Elf64_Dyn entry;
        for (uint64_t k = 0; parts[i].p_type == PT_DYNAMIC && k < parts[i].p_filesz;
             k += sizeof(entry)) {
            if (pread(fd, &entry, sizeof(entry), (off_t)(parts[i].p_offset + k)) != sizeof(entry))
                return NULL;
            if (entry.d_tag == DT_STRTAB)
                at = file_offset(parts, count, entry.d_un.d_ptr);
            if (entry.d_tag == DT_STRSZ && entry.d_un.d_val < NAMES_BYTES_MAX)
                *size_bytes = entry.d_un.d_val;
        }
    }
    char *names = at != 0 && *size_bytes > 0 ? memory_zeroed(*size_bytes + 1, 1) : NULL;
    if (names && pread(fd, names, *size_bytes, (off_t)at) != (ssize_t)*size_bytes) {
        free(names);
        return NULL;
    }
    return names;
}

/* Whether it was built with a sanitizer, whose malloc it has or asks for. */
static bool is_sanitized(int fd, const Elf64_Phdr *parts, unsigned count)
{
    static const char *const marks[] = {"__asan_init", "__hwasan_init", "__msan_init",
                                        "__tsan_init"};
    size_t size_bytes;
    char *names = read_names(fd, parts, count, &size_bytes);
    bool found = false;
    for (size_t i = 0; names && i < sizeof(marks) / sizeof(marks[0]); i++)
        found |= memmem(names, size_bytes, marks[i], strlen(marks[i]) + 1) != NULL;
    free(names);
    return found;
}

static enum program_kind check_elf(int fd, const Elf64_Ehdr *header, const char *path)
{
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != OWN_MACHINE)
        return PROGRAM_FOREIGN;
    Elf64_Phdr parts[HEADERS_MAX];
    unsigned count = header->e_phnum < HEADERS_MAX ? header->e_phnum : HEADERS_MAX;
    ssize_t size_bytes = (ssize_t)(count * sizeof(parts[0]));
    if (pread(fd, parts, (size_t)size_bytes, (off_t)header->e_phoff) != size_bytes)
        return PROGRAM_UNREADABLE;
    for (unsigned i = 0; i < count; i++)
        if (parts[i].p_type == PT_INTERP)
            return is_sanitized(fd, parts, count) ? PROGRAM_SANITIZED : PROGRAM_DYNAMIC;
    return is_loader(path) ? PROGRAM_DYNAMIC : PROGRAM_STATIC;
}

static enum program_kind check_nested(const char *path, int nesting);

/* A "#!" line: the kernel runs what it names. */
static enum program_kind check_script(char *line, int nesting)
{
    char *interpreter = line + 2 + strspn(line + 2, " \t");
    interpreter[strcspn(interpreter, " \t\n")] = '\0';
    if (nesting == SCRIPT_NESTING_MAX || !is_executable(interpreter))
        return PROGRAM_SCRIPT_LOST;
    return check_nested(interpreter, nesting + 1);
}

static enum program_kind check_nested(const char *path, int nesting)
{
    union {
        Elf64_Ehdr header;
        char line[LINE_BYTES_MAX + 1];
    } start = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return PROGRAM_UNREADABLE;
    enum program_kind kind = PROGRAM_UNREADABLE;
    ssize_t got = read(fd, start.line, LINE_BYTES_MAX);
    if (got >= (ssize_t)sizeof(start.header) && memcmp(start.line, ELFMAG, SELFMAG) == 0)
        kind = check_elf(fd, &start.header, path);
    else if (got >= 2 && memcmp(start.line, "#!", 2) == 0)
        kind = check_script(start.line, nesting);
    else if (got >= 0 && strcmp(path, "/bin/sh") != 0)
        kind = check_nested("/bin/sh", nesting + 1);
    if (kind == PROGRAM_DYNAMIC && fstat(fd, &status) == 0 && start.line[0] == ELFMAG[0] &&
        is_elevated(path, &status))
        kind = PROGRAM_ELEVATED;
    close(fd);
    return kind;
}

enum program_kind program_check_file(const char *path)
{
    return check_nested(path, 0);
}

const char *program_refusal(enum program_kind kind)
{
    static const char *const reasons[PROGRAM_KINDS] = {
        [PROGRAM_STATIC] = "statically linked: a preloaded library cannot record it",
        [PROGRAM_FOREIGN] = "built for another machine: this heapdiff cannot record it",
        [PROGRAM_ELEVATED] = "runs with more rights than its caller (set-user-id or the like): the "
                             "loader ignores LD_PRELOAD",
        [PROGRAM_SANITIZED] =
            "built with a sanitizer, whose malloc it needs: it cannot be recorded",
        [PROGRAM_SCRIPT_LOST] = "its interpreter (the #! line) is not there",
    };
    return reasons[kind];
}
