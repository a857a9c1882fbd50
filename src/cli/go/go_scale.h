/*
 * go_scale.h - what was allocated, by what Go's runtime has sampled of it.
 *
 * Owns: nothing. Context: cli. Not here: how far an estimate may be off (estimate.h).
 */
#ifndef HEAPDIFF_CLI_GO_SCALE_H
#define HEAPDIFF_CLI_GO_SCALE_H

#include <stdint.h>

/* Objects of a site and their bytes, scaled as Go's pprof scales them; `rate` in bytes, 1: nothing to scale. */
void go_scale(int64_t *objects, int64_t *bytes, int64_t rate);

#endif
