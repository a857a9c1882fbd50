#include "block_birth.h"

#include "format/age.h"

#include <assert.h>
#include <string.h>

static uint64_t block_epochs; /* the epoch that it is; changed while nobody records */

static_assert((int)BLOCK_PAGE_CELLS <= (int)PLATE_HALF_BYTES, "a byte for each cell");

/* What a record says of an epoch. */
static uint32_t epoch_stamp(uint64_t epoch)
{
    return epoch == 0 ? 0 : 1 + (uint32_t)((epoch - 1) % (BLOCK_EPOCHS - 1));
}

void block_set_epoch(uint64_t epoch)
{
    block_epochs = epoch;
    block_shadow.born = epoch_stamp(epoch);
}

unsigned block_age(uint32_t epoch)
{
    uint64_t age = block_epochs;
    if (epoch != 0)
        age = (block_epoch() + BLOCK_EPOCHS - 1 - epoch) % (BLOCK_EPOCHS - 1);
    return age < AGE_OLD ? (unsigned)age : AGE_OLD;
}

static uintptr_t births_load(void *const *births)
{
    return (uintptr_t)__atomic_load_n(births, __ATOMIC_ACQUIRE); /* pairs: births_replace() */
}

/* *had: what is there now, if it is not what was thought. */
static bool births_replace(void **births, uintptr_t *had, uintptr_t by)
{
    return __atomic_compare_exchange_n(births, (void **)had, (void *)by, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

bool block_births_begin(void **pages, uint32_t epoch)
{
    uintptr_t none = 0;
    if (pages) /* else another thread was quicker: its epoch stands */
        births_replace(pages + BLOCK_BIRTHS, &none, epoch);
    return pages != NULL;
}

/*
 * One epoch for all becomes a byte for each. Whoever still takes all to be of that epoch stores nothing, and finds
 * the byte to say it.
 */
static bool births_spread(void **births, uintptr_t all)
{
    uint8_t *bytes = plate_half();
    if (!bytes)
        return false;
    do
        memset(bytes, (int)all, BLOCK_PAGE_CELLS);
    while (!births_replace(births, &all, (uintptr_t)bytes) && all < BLOCK_EPOCHS);
    return true; /* half a page too many is a rare one lost */
}

bool block_births(struct block_place place, uint32_t epoch)
{
    void **births = (void **)place.pages + BLOCK_BIRTHS;
    uintptr_t now = births_load(births);
    return now == epoch || now >= BLOCK_EPOCHS || births_spread(births, now);
}

uint32_t block_birth(struct block_place place)
{
    uintptr_t births = births_load(place.pages + BLOCK_BIRTHS);
    if (births < BLOCK_EPOCHS)
        return (uint32_t)births;
    return __atomic_load_n((const uint8_t *)births + place.at, __ATOMIC_RELAXED);
}

uint32_t block_births_kept(uint64_t epoch)
{
    uint32_t kept = 1;
    for (uint64_t age = 0; age < AGE_OLD && age < epoch; age++)
        kept |= 1u << epoch_stamp(epoch - age);
    return kept;
}

/* One whose owner changes it meanwhile is of now: it is left alone. */
static void bytes_redate(uint8_t *bytes, uint32_t kept)
{
    for (uint64_t i = 0; i < BLOCK_PAGE_CELLS; i++) {
        uint8_t byte = __atomic_load_n(&bytes[i], __ATOMIC_RELAXED);
        if (!(kept >> byte & 1))
            __atomic_compare_exchange_n(&bytes[i], &byte, 0, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
    }
}

void block_births_redate(void **births, uint32_t kept)
{
    uintptr_t now = births_load(births);
    while (now < BLOCK_EPOCHS && !(kept >> now & 1))
        if (births_replace(births, &now, 0))
            return;
    if (now >= BLOCK_EPOCHS)
        bytes_redate((uint8_t *)now, kept);
}
