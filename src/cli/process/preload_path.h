/*
 * preload_path.h - which libraries a recorded program is started with.
 *
 * Owns: nothing. Context: cli. Not here: starting it (run.h).
 */
#ifndef HEAPDIFF_CLI_PRELOAD_PATH_H
#define HEAPDIFF_CLI_PRELOAD_PATH_H

/*
 * libheapdiff.so: $HEAPDIFF_PRELOAD, else beside this executable as it was built, else as it was
 * installed. malloc'd; NULL after one line on stderr.
 */
char *preload_path_library(void);

/* The library of an allocator: jemalloc, tcmalloc, mimalloc, or a path. malloc'd; NULL after one
   line on stderr. */
char *preload_path_allocator(const char *name);

/*
 * LD_PRELOAD with `library`, `allocator` (NULL: none) and what was there before, each once; malloc'd.
 */
char *preload_path_variable(const char *library, const char *allocator);

#endif
