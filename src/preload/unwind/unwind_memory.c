#include "unwind_memory.h"
#include "preload/ground/sys.h"

#include <string.h>

bool memory_readable(uintptr_t address)
{
    return sys_readable(address);
}

bool memory_check(struct memory *memory, uintptr_t address, uintptr_t size_bytes)
{
    uintptr_t last = address + size_bytes - 1;
    if (last < address || address < MEMORY_PAGE_BYTES)
        return false;
    for (uintptr_t page = address / MEMORY_PAGE_BYTES; page <= last / MEMORY_PAGE_BYTES; page++) {
        if (page == memory->page)
            continue;
        if (!memory_readable(page * MEMORY_PAGE_BYTES))
            return false;
        memory->page = page;
    }
    return true;
}

bool memory_read(struct memory *memory, uintptr_t address, uintptr_t *word)
{
    if (!memory_check(memory, address, sizeof(*word)))
        return false;
    memcpy(word, (const void *)address, sizeof(*word));
    return true;
}
