/*
 * node.h - node's JavaScript engines, one for each of its threads that run JavaScript.
 *
 * What it is: V8 tells of an isolate's collections whoever asks in the isolate's own thread, between two of its doings.
 *   Node passes there by calls of libc's that are hooked: once before the program's script, and with each
 *   turn of an event loop.
 * Owns: which isolate is this thread's. Context: node_environment() and node_turn() in hooks, that hold nothing.
 * Not here: the hooks (edges/hooks_node.c).
 */
#ifndef HEAPDIFF_PRELOAD_NODE_H
#define HEAPDIFF_PRELOAD_NODE_H

/* getenv(name): node asks for some variables before it runs the program's script. */
void node_environment(const char *name);

/* A thread is about to wait for events: how a worker begins. */
void node_turn(void);

#endif
