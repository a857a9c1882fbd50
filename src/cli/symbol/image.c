#include "image.h"

#include "image_file.h"
#include "symbol_table.h"
#include "cli/ground/memory.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct image {
    Dwfl *session;
    Dwfl_Module *module;
    Dwarf_Addr file_bias;  /* module address - address in the file */
    Dwarf_Addr dwarf_bias; /* module address - address in the DWARF */
    struct symbol_table *symbols;
    struct unit_table *units;
};

static bool image_report(struct image *image, const char *path, int file)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    image->session = dwfl_begin(&callbacks);
    if (image->session == NULL) {
        close(file);
        return false;
    }
    dwfl_report_begin(image->session);
    image->module = dwfl_report_elf(image->session, path, path, file, 0, true);
    if (image->module == NULL)
        close(file);
    dwfl_report_end(image->session, NULL, NULL);
    return image->module != NULL && dwfl_module_getelf(image->module, &image->file_bias) != NULL;
}

struct image *image_open(const char *path, const char *build_id)
{
    char *found = NULL;
    int file = image_file_open(path, build_id, &found);
    if (file < 0)
        return NULL;
    struct image *image = memory_zeroed(1, sizeof(*image));
    bool reported = image_report(image, found, file);
    free(found);
    if (!reported) {
        image_close(image);
        return NULL;
    }
    image->units = unit_table_new(dwfl_module_getdwarf(image->module, &image->dwarf_bias));
    image->symbols = symbol_table_new(image->module);
    return image;
}

void image_close(struct image *image)
{
    if (image == NULL)
        return;
    unit_table_free(image->units);
    symbol_table_free(image->symbols);
    if (image->session != NULL)
        dwfl_end(image->session);
    free(image);
}

/* How well a segment explains a mapping from `offset` on: 0 not at all. */
static int segment_score(const GElf_Phdr *segment, uint64_t offset)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = segment->p_offset & ~(page_bytes - 1);
    bool code = (segment->p_flags & PF_X) != 0;
    if (segment->p_type != PT_LOAD)
        return 0;
    if (offset >= first &&
        (offset < segment->p_offset || offset - segment->p_offset < segment->p_filesz))
        return code ? 4 : 3;
    return code ? 2 : 1;
}

/* A segment's p_vaddr - p_offset is the same for all of it: alignment needs no thought. */
uint64_t image_address(const struct image *image, uint64_t address, uint64_t start, uint64_t offset)
{
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(image->module, &bias);
    uint64_t shift = 0;
    size_t count = 0;
    int best = 0;
    if (elf_getphdrnum(elf, &count) != 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL)
            continue;
        int score = segment_score(&segment, offset);
        if (score > best) {
            best = score;
            shift = segment.p_vaddr - segment.p_offset;
        }
    }
    return address - start + offset + shift;
}

/* DWARF may leave out linker names; the symbol at the function's first byte has it. */
static void outermost_name(const struct image *image, struct frame *frame, uint64_t start)
{
    const struct symbol *symbol = frame->linkage ? NULL : symbol_table_find(image->symbols, start);
    if (symbol == NULL || symbol->start != start)
        return;
    bool mangled = symbol->name[0] == '_' && strchr("ZRD", symbol->name[1]) != NULL;
    if (frame->name != NULL && !(mangled && symbol->name[1] != '\0'))
        return;
    frame->name = symbol->name;
    frame->readable = NULL;
}

static bool frame_from_symbol(const struct image *image, uint64_t address, struct frame *frame)
{
    const struct symbol *symbol = symbol_table_find(image->symbols, address);
    if (symbol == NULL)
        return false;
    frame->name = symbol->name;
    return true;
}

enum image_source image_frames(struct image *image, uint64_t address, struct frame *frames,
                               size_t *count)
{
    uint64_t place = address + image->file_bias, start = 0;
    *count = unit_table_frames(image->units, place - image->dwarf_bias, frames, &start);
    if (*count > 0) {
        struct frame *outermost = &frames[*count - 1];
        if (start != 0)
            outermost_name(image, outermost, start + image->dwarf_bias);
        if (outermost->name == NULL)
            frame_from_symbol(image, place, outermost);
        return IMAGE_DWARF;
    }
    frames[0] = (struct frame){0};
    *count = frame_from_symbol(image, place, &frames[0]) ? 1 : 0;
    return *count > 0 ? IMAGE_SYMBOLS : IMAGE_NOTHING;
}
