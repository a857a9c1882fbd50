/*
 * source_path.h - source file names as a person would write them.
 *
 * Owns: nothing. Context: cli. Not here: finding the file on disk.
 */
#ifndef HEAPDIFF_CLI_SOURCE_PATH_H
#define HEAPDIFF_CLI_SOURCE_PATH_H

/*
 * `path`, taken from `directory` when it is relative, without "//", "/./" and "x/../"; malloc'd, the
 * caller frees. "" stays "".
 */
char *source_path(const char *directory, const char *path);

#endif
