/*
 * permit.h - the system calls that may still be made.
 *
 * What it is: a program may put a seccomp filter on itself that kills for calls which it never makes, but
 *   heapdiff does. What has been revoked here is never done again.
 * Owns: what is revoked. Context: anywhere; one load.
 * Not here: who revokes it, and which calls each of these stands for (sandbox.c).
 */
#ifndef HEAPDIFF_PRELOAD_PERMIT_H
#define HEAPDIFF_PRELOAD_PERMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PERMIT_PAGES = 1,    /* without: sys_pages() has none, full tables stay full */
    PERMIT_ADVICE = 2,   /* madvise */
    PERMIT_WAITING = 4,  /* locks spin */
    PERMIT_NUMBERS = 8,  /* the process has the number it had */
    PERMIT_SIGNALS = 16, /* masks stay as they are; no memory is probed */
    PERMIT_FILES = 32, /* sys_open() fails, no snapshot is written, tables grow in private memory */
    PERMIT_LINES = 64, /* sys_say() is silent */
    /* Resident pages are not asked for one by one: smaps tells how many there are. */
    PERMIT_PAGEMAP = 128,
    PERMIT_LISTS = 256,  /* threads are not looked for */
    PERMIT_PEEKS = 512,  /* nor at what each of them keeps: forecasts are limits */
    PERMIT_LOOKS = 1024, /* nor at what has a profile's name: it stays */
    PERMIT_SEALS = 2048  /* what the loader has made read-only stays so: no hooks in late objects */
};

struct permit {
    uint32_t revoked; /* PERMIT_*; atomic, relaxed */
};

extern struct permit permit;

static inline bool permit_has(uint32_t what)
{
    return __builtin_expect(!(__atomic_load_n(&permit.revoked, __ATOMIC_RELAXED) & what), true);
}

/* Sets what is revoked; returns what was. */
uint32_t permit_revoke(uint32_t what);

#endif
