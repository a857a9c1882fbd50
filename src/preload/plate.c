#include "plate.h"

#include "sys.h"

#include <sys/mman.h>

static struct {
    uint64_t own_bytes; /* atomic, relaxed */
} plates;

static size_t plate_bytes(size_t words)
{
    return words * sizeof(uint64_t) + words / PLATE_PAGE_WORDS;
}

static uint64_t *plate_new(size_t words)
{
    uint64_t *plate = sys_pages(plate_bytes(words));
    if (plate)
        /* One entry would otherwise cost 2 MiB where huge pages are always on. */
        sys_call3(SYS_madvise, (long)plate, (long)plate_bytes(words), MADV_NOHUGEPAGE);
    return plate;
}

void plate_mark(uint64_t *plate, size_t words, size_t index)
{
    uint8_t *touched = plate_touched(plate, words) + index / PLATE_PAGE_WORDS;
    if (plate_marked(plate, words, index))
        return;
    if (!__atomic_exchange_n(touched, 1, __ATOMIC_RELAXED))
        __atomic_fetch_add(&plates.own_bytes, PLATE_PAGE_BYTES, __ATOMIC_RELAXED);
}

uint64_t *plate_get(uint64_t *holder, size_t words)
{
    /* pairs: the release below */
    uint64_t address = __atomic_load_n(holder, __ATOMIC_ACQUIRE);
    if (address)
        return (uint64_t *)address;
    uint64_t *fresh = plate_new(words);
    if (!fresh)
        return NULL;
    /* pairs: the acquire above and its reader's: the zeroes are there before it is seen */
    if (__atomic_compare_exchange_n(holder, &address, (uint64_t)fresh, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return fresh;
    sys_pages_free(fresh, plate_bytes(words));
    return (uint64_t *)address;
}

static void page_each(const struct plate_part *part, size_t first,
                      void (*each)(size_t index, uint64_t word, void *context), void *context)
{
    for (size_t index = first; index < first + PLATE_PAGE_WORDS; index++) {
        /* pairs: plate_get(), when words are addresses of plates */
        uint64_t word = __atomic_load_n(&part->plate[index], __ATOMIC_ACQUIRE);
        if (word)
            each(index, word, context);
    }
}

void plate_each(const struct plate_part *part,
                void (*each)(size_t index, uint64_t word, void *context), void *context)
{
    for (size_t index = part->from; index < part->to; index += PLATE_PAGE_WORDS)
        if (plate_marked(part->plate, part->words, index))
            page_each(part, index, each, context);
}

uint64_t plate_own_bytes(void)
{
    return __atomic_load_n(&plates.own_bytes, __ATOMIC_RELAXED);
}
