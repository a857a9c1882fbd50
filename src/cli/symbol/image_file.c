#include "image_file.h"

#include "cli/ground/memory.h"
#include "cli/profile/profile.h"

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUILD_ID_BYTES_MAX = 64,
    ANY_ADDRESS = 0x1000 /* of a module that only carries a build id */
};

static bool elf_has_build_id(Elf *elf, const char *build_id)
{
    const void *bits = NULL;
    ssize_t size_bytes = dwelf_elf_gnu_build_id(elf, &bits);
    if (size_bytes <= 0 || (size_t)size_bytes * 2 != strlen(build_id))
        return false;
    for (ssize_t i = 0; i < size_bytes; i++) {
        char byte[3];
        snprintf(byte, sizeof(byte), "%02x", ((const unsigned char *)bits)[i]);
        if (strncasecmp(byte, build_id + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

/* A program or library; of that build id, unless none is asked for. */
static bool file_fits(int file, const char *build_id)
{
    Elf *elf = elf_begin(file, ELF_C_READ_MMAP, NULL);
    GElf_Ehdr header;
    bool fits = elf != NULL && gelf_getehdr(elf, &header) != NULL &&
                (header.e_type == ET_EXEC || header.e_type == ET_DYN) &&
                (build_id[0] == '\0' || elf_has_build_id(elf, build_id));
    elf_end(elf);
    return fits;
}

/* The open `file` when it is what is asked for; else -1, and it is closed. */
static int file_checked(int file, const char *build_id)
{
    struct stat status;
    if (file < 0)
        return -1;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && file_fits(file, build_id))
        return file;
    close(file);
    return -1;
}

/* O_NONBLOCK: a profile may name a pipe. */
static int file_open(const char *path, const char *build_id)
{
    return file_checked(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), build_id);
}

/* 0 when `hex` is no build id. */
static size_t build_id_decode(const char *hex, unsigned char *bits)
{
    size_t length = strlen(hex);
    if (length < 4 || length % 2 != 0 || length > 2 * (size_t)BUILD_ID_BYTES_MAX ||
        strspn(hex, "0123456789abcdefABCDEF") != length)
        return 0;
    for (size_t i = 0; i < length / 2; i++) {
        const char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bits[i] = (unsigned char)strtoul(byte, NULL, 16);
    }
    return length / 2;
}

static int debug_file_open(const char *build_id, char **found)
{
    *found = memory_format("/usr/lib/debug/.build-id/%.2s/%s.debug", build_id, build_id + 2);
    int file = file_open(*found, build_id);
    if (file < 0) {
        free(*found);
        *found = NULL;
    }
    return file;
}

/* libdwfl searches its path of build ids and asks debuginfod; only of the former it tells the name. */
static int server_file_open(const unsigned char *bits, size_t size_bytes, const char *build_id,
                            char **found)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    Dwfl *session = dwfl_begin(&callbacks);
    Elf *elf = NULL;
    int file = -1;
    if (session == NULL)
        return -1;
    dwfl_report_begin(session);
    Dwfl_Module *module = dwfl_report_module(session, "", ANY_ADDRESS, 2 * ANY_ADDRESS);
    if (module != NULL && dwfl_module_report_build_id(module, bits, size_bytes, ANY_ADDRESS) == 0)
        file = dwfl_build_id_find_elf(module, NULL, "", ANY_ADDRESS, found, &elf);
    /* Without the program, its debug file alone does as well. */
    if (module != NULL && file < 0)
        file = dwfl_standard_find_debuginfo(module, NULL, "", ANY_ADDRESS, NULL, NULL, 0, found);
    elf_end(elf);
    dwfl_report_end(session, NULL, NULL);
    dwfl_end(session);
    return file_checked(file, build_id);
}

static int found_by_build_id(const char *path, const char *build_id, char **found)
{
    unsigned char bits[BUILD_ID_BYTES_MAX];
    size_t size_bytes = build_id_decode(build_id, bits);
    if (size_bytes == 0)
        return -1;
    int file = debug_file_open(build_id, found);
    if (file < 0)
        file = server_file_open(bits, size_bytes, build_id, found);
    if (file < 0) {
        free(*found);
        *found = NULL;
    } else if (*found == NULL) {
        *found = memory_text(path, strlen(path));
    }
    return file;
}

int image_file_open(const char *path, const char *build_id, char **found)
{
    *found = NULL;
    elf_version(EV_CURRENT);
    if (path[0] == '/') {
        /* A replaced file: its old bytes may be back under the old name; only a build id can tell. */
        *found = memory_text(path, build_id[0] != '\0' ? mapping_path_bytes(path) : strlen(path));
        int file = file_open(*found, build_id);
        if (file >= 0)
            return file;
        free(*found);
        *found = NULL;
    }
    return found_by_build_id(path, build_id, found);
}
