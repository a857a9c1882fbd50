/*
 * mapping.h - loaded objects: which file, and which build of it, an address belongs to.
 *
 * What it is: one entry of BOX_MAPPINGS per executable segment in which a frame was seen, found
 *   through the loader's lock-free lookup (_dl_find_object) when the first frame in it is interned.
 * Owns: BOX_MAPPINGS and BOX_TEXT. Context: hooks, under the intern lock.
 * Not here: addresses (stack.h); symbols (the command does that).
 */
#ifndef HEAPDIFF_PRELOAD_MAPPING_H
#define HEAPDIFF_PRELOAD_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

/* Remembers the program's own file and the directory relative names start from. Constructor only. */
void mapping_init(const char *executable, const char *directory);

/*
 * The mapping that holds `address`, made known if it is new; 0 when the loader knows none (JIT). What was
 * there before, and is no more, is marked dead: libc unloads its own (gconv, NSS) where no hook of
 * dlclose sees it.
 */
uint32_t mapping_intern(uint64_t address);

/* Whether that has happened since this was asked last: all that is known of addresses is to be swept. */
bool mapping_was_replaced(void);

/*
 * After dlclose: asks the loader what is loaded (by its lock: the caller holds none of ours), and then,
 * under the intern lock, marks dead what that survey did not meet; true when there was such a mapping.
 * The lock-free lookup will not do here: another thread may be unloading what it finds.
 */
uint32_t mapping_survey(void);
bool mapping_sweep(uint32_t survey);

bool mapping_is_dead(uint32_t mapping);

#endif
