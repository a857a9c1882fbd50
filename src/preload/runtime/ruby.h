/*
 * ruby.h - Ruby's collections, by an event hook of its own.
 *
 * What it is: GC_END_SWEEP is when a collection has freed what it could; what it was is asked for there by names
 *   that were looked up before, as nothing may be allocated then.
 * Owns: what it has found of libruby.
 * Context: ruby_began() in the thread that has made the interpreter, which has its lock.
 * Not here: being called there (edges/hooks_ruby.c).
 */
#ifndef HEAPDIFF_PRELOAD_RUBY_H
#define HEAPDIFF_PRELOAD_RUBY_H

/* The library that `code` belongs to is up. Again and again. */
void ruby_began(const void *code);

#endif
