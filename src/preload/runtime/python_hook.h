/*
 * python_hook.h - a callback of ours in the collector of an interpreter.
 *
 * What it is: what the program sees as gc.callbacks stays its own: the collector's pointer to it is set to a list of ours,
 *   which passes everything on. That pointer is known by what stands before it, the list gc.garbage, in the
 *   state of the collector. Where the two are not found (3.6 has variables instead) we are one more in gc.callbacks.
 * Owns: what each interpreter has of ours.
 * Context: python_hook_join() where Python code may run; the other anywhere.
 * Not here: coming there (python.c).
 */
#ifndef HEAPDIFF_PRELOAD_PYTHON_HOOK_H
#define HEAPDIFF_PRELOAD_PYTHON_HOOK_H

#include "format/box.h"

#include <stdbool.h>

struct interpreter;

/* Whether nothing more can be done for it. */
bool python_hook_is_in(const struct interpreter *interpreter);

/* The running interpreter, of version 3.`minor`; where it is not the main one, its list is its own. False, and an
   error is set: not yet. */
bool python_hook_join(struct interpreter *interpreter, unsigned minor, bool is_main);

/* Of objects that the interpreter makes. */
enum box_truth python_hook_truth(void);

#endif
