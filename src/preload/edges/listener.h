/*
 * listener.h - the signals for a snapshot and for a mark, shared with the program.
 *
 * What it is: our handler for them, and the action the program believes is installed: a
 *   program that sets a handler of its own, before or after us, keeps it: it is called after the
 *   snapshot or mark as the kernel would have called it; but for a mark's signal that nobody has asked for
 *   by name: it is the program's alone as soon as it is not SIG_DFL. What the program asks sigaction() it is told.
 * Owns: the signals' real actions; the program's ones.
 * Context: listener_init() from the constructor; the rest from hooks and the handler.
 * Not here: other signals (they are passed on untouched; fatal ones most of all).
 */
#ifndef HEAPDIFF_PRELOAD_LISTENER_H
#define HEAPDIFF_PRELOAD_LISTENER_H

#include <signal.h>
#include <stdbool.h>

/* Installs the handlers for options.signal and options.collect_signal, if any. */
void listener_init(void);

/* Has the box say that the signal is answered, if it is. */
void listener_listens(void);

/* Whether `signal` is one that we share. */
bool listener_owns(int signal);

/* What the kernel would do for sigaction(signal, act, old), were we not there. Returns 0. */
int listener_action(int signal, const struct sigaction *act, struct sigaction *old);

/* Writes a snapshot, as the signal asks for one. While another thread writes it returns at once, and that
   thread writes once more. Outside GUARD_RECORDING. */
void listener_snapshot(void);

/* A forked child: nobody holds the lock, nobody writes. */
void listener_fork(void);

/* exec keeps an ignored signal ignored, but makes a handled one default: ours must not be in the
   way. listener_exec_failed() puts it back. */
void listener_exec(void);
void listener_exec_failed(void);

/* The same around a call that starts a program inside of libc, in any number of threads at once:
   meanwhile, nobody hears the signals. listener_spawned() follows with what it was, if not 0. */
unsigned listener_spawn(void);
void listener_spawned(unsigned ignored);

#endif
