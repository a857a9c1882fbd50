#include "peek.h"

#include "permit.h"
#include "sys.h"

#include <sys/uio.h>

/* How many bytes of `there` have been read into `to`: up to the first that is not there. */
static size_t read_some(const struct iovec *there, size_t count, void *to, size_t room_bytes)
{
    struct iovec here = {to, room_bytes};
    if (!permit_has(PERMIT_PEEKS))
        return 0;
    long got =
        sys_call6(SYS_process_vm_readv, sys_pid(), (long)&here, 1, (long)there, (long)count, 0);
    return sys_failed(got) ? 0 : (size_t)got;
}

bool peek_words(const uint64_t *from, uint64_t *to, size_t count)
{
    struct iovec there[PEEK_WORDS_MAX];
    bool all = true;
    for (size_t i = 0; i < count; i++)
        there[i] = (struct iovec){(void *)from[i], sizeof(*to)};
    for (size_t at = 0; at < count;) {
        at += read_some(there + at, count - at, to + at, (count - at) * sizeof(*to)) / sizeof(*to);
        if (at == count)
            break;
        to[at++] = 0; /* the one that stopped it */
        all = false;
    }
    return all;
}

bool peek(uint64_t from, void *to, size_t size_bytes)
{
    const struct iovec there = {(void *)from, size_bytes};
    return read_some(&there, 1, to, size_bytes) == size_bytes;
}
