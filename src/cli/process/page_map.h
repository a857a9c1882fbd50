/*
 * page_map.h - how much of a part of a mapping is resident.
 *
 * Owns: nothing. Context: cli. Not here: whole mappings: smaps has those, exactly.
 */
#ifndef HEAPDIFF_CLI_PAGE_MAP_H
#define HEAPDIFF_CLI_PAGE_MAP_H

#include "process_dir.h"
#include "smaps.h"

/*
 * Resident bytes of `vma` below `end`, by /proc/PID/pagemap. What that cannot know (pages of zeroes count
 * there) is bounded by what the whole mapping has; where it may not be read, the part is taken to
 * have what it can.
 */
uint64_t page_map_resident(const struct process_dir *dir, const struct smaps_vma *vma,
                           uint64_t end);

#endif
