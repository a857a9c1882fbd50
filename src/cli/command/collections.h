/*
 * collections.h - `heapdiff collections PROFILE`: the history of collections, as gctrace tells it.
 *
 * Owns: nothing. Context: cli. Not here: reading (collection.h), printing (render_collection.h).
 */
#ifndef HEAPDIFF_CLI_COLLECTIONS_H
#define HEAPDIFF_CLI_COLLECTIONS_H

int command_collections(int argc, char **argv);

#endif
