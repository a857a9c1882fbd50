/*
 * image_file.h - finds the ELF file that a profile's mapping was made from.
 *
 * What it is: the mapped path when its build id is the profile's, else a file of that build id
 * under /usr/lib/debug or from debuginfod (when DEBUGINFOD_URLS is set). Owns: nothing. Context:
 * cli. Not here: what is in the file (image.h), debug files beside it (libdwfl).
 */
#ifndef HEAPDIFF_CLI_IMAGE_FILE_H
#define HEAPDIFF_CLI_IMAGE_FILE_H

/*
 * Opens the file for reading; -1 when there is none. `build_id` is lower-case hex, "" when unknown:
 * then the path is taken as it is. *found is the path that was opened, malloc'd.
 */
int image_file_open(const char *path, const char *build_id, char **found);

#endif
