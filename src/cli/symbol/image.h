/*
 * image.h - one ELF file with all that is known about its code.
 *
 * What it is: the file of a mapping, its debug information wherever libdwfl finds it (in the file,
 *   .gnu_debuglink, /usr/lib/debug, debuginfod, .gnu_debugdata), and a lookup by address.
 * Owns: one Dwfl session. Context: cli. Not here: profiles (symbol.h), demangling.
 */
#ifndef HEAPDIFF_CLI_IMAGE_H
#define HEAPDIFF_CLI_IMAGE_H

#include "unit_table.h"

struct image;

/* What an address was resolved by. */
enum image_source { IMAGE_NOTHING, IMAGE_SYMBOLS, IMAGE_DWARF };

/* NULL when the file, or one with that build id, is not on this machine. */
struct image *image_open(const char *path, const char *build_id);
void image_close(struct image *image);

/*
 * The address in the file of one that was seen in a process, whose mapping at `start` shows the file
 * from `offset` on.
 */
uint64_t image_address(const struct image *image, uint64_t address, uint64_t start,
                       uint64_t offset);

/*
 * Functions around the file's `address`, innermost first, into frames[FRAMES_MAX]; *count is 0 when
 * nothing is known. All texts live as long as the image.
 */
enum image_source image_frames(struct image *image, uint64_t address, struct frame *frames,
                               size_t *count);

#endif
