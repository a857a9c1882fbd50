/*
 * box_search.h - where black boxes are.
 *
 * What it is: the box that a running process has mapped, and the boxes that lie in the usual places.
 * Owns: nothing. Context: cli. Not here: what is in them (box_file.h).
 */
#ifndef HEAPDIFF_CLI_BOX_SEARCH_H
#define HEAPDIFF_CLI_BOX_SEARCH_H

#include "box_file.h"
#include "path_list.h"
#include "process.h"

/* Adds the *.heapdiff files of `directory`; one that cannot be read has none. */
void box_search_directory(struct path_list *list, const char *directory);

/* Adds those in /dev/shm, $TMPDIR (else /tmp) and the current directory. */
void box_search_usual(struct path_list *list);

/* Opens the newest of the boxes in the usual places whose process called itself `inner_pid`. NULL, or
   a reason. */
const char *box_search_pid(struct box_file *box, int inner_pid);

/*
 * Opens the box that `process` has mapped, also when its file lies in another mount namespace.
 * NULL, or a reason, such as that the process does not run under heapdiff.
 */
const char *box_search_process(struct box_file *box, const struct process *process);

#endif
