/*
 * recorder.h - threads that count blocks as hooks do, on tables that are filled by hand.
 */
#ifndef HEAPDIFF_TEST_RECORDER_H
#define HEAPDIFF_TEST_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

/* Tables in private memory, guard, gate and thread structs; before any thread of the test. */
bool recorder_start(void);

/* Sites with one lot each, of `size_bytes`: lots (and sites) first .. first + count - 1. */
uint32_t recorder_lots(uint32_t count, uint32_t size_bytes);

/* One event each; the second one counts two lots in one. False: nothing was recorded. */
bool recorder_alloc(uint32_t lot);
bool recorder_alloc_two(uint32_t lot, uint32_t other);
bool recorder_free(uint32_t lot);

/* Structs that were made. */
unsigned recorder_threads(void);

#endif
