/*
 * symbol.h - names and source lines for addresses, by elfutils.
 *
 * What it is: fills in lines and functions of locations that have none: DWARF with inlined frames
 *   (also separate debug files, and debuginfod when DEBUGINFOD_URLS is set), else ELF symbols, else
 *   "module+0xoffset". Names are demangled (C++, Rust, D).
 * Owns: one image at a time, during the call. Context: cli. Not here: ELF and DWARF (image.h),
 *   demangling (demangle.h), what to print of a stack (render.h).
 */
#ifndef HEAPDIFF_CLI_SYMBOL_H
#define HEAPDIFF_CLI_SYMBOL_H

#include "cli/profile/profile.h"

/*
 * Symbolizes `profile` in place. A file whose build id differs from the profile's is not used; it
 * counts as missing. Locations that already have lines stay as they are. Prints progress on stderr
 * once it has taken over a second. Always leaves every location with at least one line.
 */
void symbolize(struct profile *profile);

/*
 * Why a symbolized profile has no name of its program's own code, as a person would say it of the
 * program's file; NULL when it has some, or when the program has no large part in the profile.
 */
const char *symbol_problem(const struct profile *profile);

#endif
