/*
 * snapshot_scene.h - tables worth a snapshot, to be written into the scratch directory.
 *
 * Owns: nothing. Context: unit tests; pid 4711, program "app", host "box".
 * Not here: taking one.
 */
#ifndef HEAPDIFF_TEST_SNAPSHOT_SCENE_H
#define HEAPDIFF_TEST_SNAPSHOT_SCENE_H

#include <stdbool.h>

/* Fixtures: of the group (fills the tables), and of each test (options and counter as at first). */
int snapshot_scene_start(void **state);
int snapshot_scene_reset(void **state);
int snapshot_scene_end(void **state);

/* out=, below the scratch directory. */
void snapshot_scene_pattern(const char *out);

/* Whether the file of the scratch directory is a whole profile with this text in it. */
bool snapshot_scene_says(const char *name, const char *text);

#endif
