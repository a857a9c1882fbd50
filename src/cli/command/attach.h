/*
 * attach.h - `heapdiff attach PID`: a Go program looked at from outside.
 *
 * Owns: nothing. Context: cli. Not here: reading (go_heap.h), the profile (go_profile.h).
 */
#ifndef HEAPDIFF_CLI_ATTACH_H
#define HEAPDIFF_CLI_ATTACH_H

int command_attach(int argc, char **argv);

#endif
