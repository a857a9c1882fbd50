#include "page_map.h"

#include <fcntl.h>
#include <unistd.h>

enum { ENTRIES = 512 };
static const uint64_t ENTRY_PRESENT = UINT64_C(1) << 63;

static uint64_t least(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

/* False when pagemap cannot be read. */
static bool count_present(const struct process_dir *dir, uint64_t start, uint64_t end,
                          uint64_t *bytes)
{
    uint64_t entries[ENTRIES], page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    int fd = openat(dir->fd, "pagemap", O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0;
    for (uint64_t page = start / page_bytes, last = end / page_bytes; good && page < last;) {
        uint64_t wanted = least(last - page, ENTRIES);
        ssize_t got =
            pread(fd, entries, wanted * sizeof(*entries), (off_t)(page * sizeof(*entries)));
        good = got >= (ssize_t)sizeof(*entries);
        size_t count = good ? (size_t)got / sizeof(*entries) : 0;
        for (size_t i = 0; i < count; i++)
            *bytes += entries[i] & ENTRY_PRESENT ? page_bytes : 0;
        page += count;
    }
    if (fd >= 0)
        close(fd);
    return good;
}

uint64_t page_map_resident(const struct process_dir *dir, const struct smaps_vma *vma, uint64_t end)
{
    uint64_t part = least(end, vma->end) - vma->start, rest = vma->end - vma->start - part;
    uint64_t most = least(part, vma->bytes[SMAPS_RSS]), bytes = 0;
    uint64_t fewest = vma->bytes[SMAPS_RSS] > rest ? vma->bytes[SMAPS_RSS] - rest : 0;
    if (!count_present(dir, vma->start, vma->start + part, &bytes))
        return most;
    return least(bytes > fewest ? bytes : least(fewest, most), most);
}
