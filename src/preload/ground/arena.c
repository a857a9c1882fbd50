#include "arena.h"

#include "own.h"
#include "sys.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
    ARENA_AHEAD_CHUNKS = 3,         /* a small program's tables may grow 15 times as large */
    ARENA_AHEAD_BYTES_MAX = 1 << 20 /* of one chunk */
};

struct arena arena;

/* Of the file, mapped with the header: what the first chunks take. A system call for each table would be 60 at each start. */
static struct {
    unsigned char *at;
    uint64_t left_bytes;
} ahead;

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + 4095) & ~4095ull;
}

static void arena_complain(const char *what, long error)
{
    char line[256];
    struct text text = text_on(line, sizeof(line));
    text_put(&text, what);
    text_put(&text, " (error ");
    text_put_number(&text, (uint64_t)-error);
    text_put(&text, "): tables stay in memory, nothing can be recovered after a kill");
    sys_say(line);
}

/* RLIMIT_FSIZE is asked first: growing a file past it raises SIGXFSZ, even by fallocate. */
static long arena_reserve(int fd, uint64_t from, uint64_t bytes)
{
    struct rlimit limit;
    long result = sys_call4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit);
    if (!sys_failed(result) && limit.rlim_cur != RLIM_INFINITY && from + bytes > limit.rlim_cur)
        return -EFBIG;
    do
        result = sys_call4(SYS_fallocate, fd, 0, (long)from, (long)bytes);
    while (result == -EINTR);
    return result;
}

static long arena_map_file(int fd, uint64_t from, uint64_t bytes, void *at)
{
    long result =
        sys_call6(SYS_mmap, at ? (long)at : sys_place(bytes), (long)bytes, PROT_READ | PROT_WRITE,
                  MAP_SHARED | (at ? MAP_FIXED : 0), fd, (long)from);
    if (!at && !sys_failed(result))
        own_add((const void *)result, bytes);
    return result;
}

/* Opens our file again by name; -ESTALE when somebody else's file stands there now. */
static long arena_reopen(void)
{
    struct stat now;
    long fd = sys_open(arena.path, O_RDWR | O_NOFOLLOW, 0);
    if (sys_failed(fd))
        return fd;
    if (sys_failed(sys_call2(SYS_fstat, fd, (long)&now)) || now.st_dev != arena.device ||
        now.st_ino != arena.inode) {
        sys_close((int)fd);
        return -ESTALE;
    }
    return fd;
}

static void *take_ahead(uint64_t bytes, uint64_t *offset)
{
    void *at = ahead.at;
    ahead.at += bytes;
    ahead.left_bytes -= bytes;
    *offset = arena.file_bytes;
    arena.file_bytes += bytes;
    return at;
}

/* Maps `bytes` more of the file; NULL when it cannot grow. */
static void *arena_grow_file(uint64_t bytes, uint64_t *offset)
{
    if (ahead.left_bytes >= bytes)
        return take_ahead(bytes, offset);
    long fd = arena_reopen();
    long result = fd;
    if (!sys_failed(fd)) {
        result = arena_reserve((int)fd, arena.file_bytes, bytes);
        if (!sys_failed(result))
            result = arena_map_file((int)fd, arena.file_bytes, bytes, NULL);
        sys_close((int)fd);
    }
    if (sys_failed(result)) {
        if (!(arena.header->flags & BOX_FLAG_SPILLED))
            arena_complain("the black box cannot grow", result);
        return NULL;
    }
    *offset = arena.file_bytes;
    arena.file_bytes += bytes;
    return (void *)result;
}

static bool arena_replace(int fd, void *at, uint64_t offset, uint64_t bytes);

static bool arena_add_chunk(enum box_table_id id, unsigned chunk)
{
    struct arena_table *table = &arena.tables[id];
    uint64_t bytes = whole_pages(box_chunk_entries(table->shift, chunk) * table->entry_bytes);
    uint64_t offset = 0;
    void *at = NULL;
    if (arena.path[0] && !(arena.header->flags & BOX_FLAG_SPILLED))
        at = arena_grow_file(bytes, &offset);
    if (!at) {
        if (arena.path[0])
            arena.header->flags |= BOX_FLAG_SPILLED;
        at = sys_pages(bytes);
    }
    if (!at)
        return false;
    arena.header->tables[id].chunk_at[chunk] = offset;
    /* Entry i of the chunk at `at` has index i + 2^(shift + chunk) - 2^shift. */
    uint64_t first = box_chunk_entries(table->shift, chunk) - (1ull << table->shift);
    table->origins[table->shift + chunk] = (uintptr_t)at - first * table->entry_bytes;
    /* pairs: lock-free readers follow an index published after this store */
    __atomic_store_n(&table->chunks[chunk], at, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    /* Detached meanwhile, by a handler: this is a chunk of the parent's. */
    return offset == 0 || arena.path[0] || arena_replace(-1, at, 0, bytes);
}

/* arena_append() where the table's chunk is full, or there is none. */
static __attribute__((noinline)) uint32_t append_to_next(enum box_table_id id, uint32_t entries)
{
    struct arena_table *table = &arena.tables[id];
    uint32_t first = table->count, last;
    if (__builtin_add_overflow(first, entries - 1, &last) || last >= UINT32_MAX - 1)
        return 0;
    unsigned chunk = box_chunk_of(last, table->shift);
    if (entries > 1 && chunk != box_chunk_of(first, table->shift)) {
        /* Neighbours share a chunk: skip the rest. */
        first = (uint32_t)(box_chunk_entries(table->shift, chunk) - (1ull << table->shift));
        if (box_chunk_of(first + entries - 1, table->shift) != chunk)
            return 0;
    }
    if (chunk >= BOX_CHUNKS_MAX)
        return 0;
    if (!table->chunks[chunk] && !arena_add_chunk(id, chunk))
        return 0;
    uint64_t end = 2 * box_chunk_entries(table->shift, chunk) - (1ull << table->shift);
    table->count = first + entries;
    /* A jump may leave at any point: no room in a chunk that count has not reached. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    table->room = end < UINT32_MAX - 1 ? (uint32_t)end : UINT32_MAX - 1;
    return first;
}

uint32_t arena_append(enum box_table_id id, uint32_t entries)
{
    struct arena_table *table = &arena.tables[id];
    uint32_t first = table->count;
    if (__builtin_expect((uint64_t)first + entries > table->room, 0))
        return append_to_next(id, entries);
    table->count = first + entries;
    return first;
}

void arena_reserve_ahead(void)
{
    for (int id = 0; id < BOX_TABLES; id++) {
        struct arena_table *table = &arena.tables[id];
        unsigned used = box_chunk_of(table->count - 1, table->shift);
        for (unsigned chunk = used + 1; chunk <= used + ARENA_AHEAD_CHUNKS; chunk++) {
            uint64_t bytes = box_chunk_entries(table->shift, chunk) * table->entry_bytes;
            if (chunk < BOX_CHUNKS_MAX && bytes <= ARENA_AHEAD_BYTES_MAX && !table->chunks[chunk])
                arena_add_chunk((enum box_table_id)id, chunk);
        }
    }
}

void arena_publish(enum box_table_id id)
{
    /* pairs: box_view_open() in another process; box_view_entry() in a snapshot */
    __atomic_store_n(&arena.header->tables[id].count, arena.tables[id].count, __ATOMIC_RELEASE);
}

/* Creates NAME.PID.heapdiff, or NAME.PID.2.heapdiff when a dead process left the first one. The name is
   put together in arena.path: this may run on a signal handler's small stack. */
static long arena_create(const char *name, int pid)
{
    long fd = -EEXIST;
    for (unsigned attempt = 1; fd == -EEXIST && attempt < 100; attempt++) {
        struct text text = text_on(arena.path, sizeof(arena.path));
        text_put(&text, arena.directory);
        text_put(&text, "/");
        text_put(&text, name);
        text_put(&text, ".");
        text_put_number(&text, (uint64_t)pid);
        if (attempt > 1) {
            text_put(&text, ".");
            text_put_number(&text, attempt);
        }
        text_put(&text, ".heapdiff");
        if (text.cut)
            return -ENAMETOOLONG;
        fd = sys_open(arena.path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    }
    return fd;
}

/* Remembers which file is ours. */
static long arena_adopt(int fd)
{
    struct stat made;
    long result = sys_call2(SYS_fstat, fd, (long)&made);
    if (sys_failed(result))
        return result;
    arena.device = made.st_dev;
    arena.inode = made.st_ino;
    return 0;
}

/* A new file with its first `bytes` reserved; its descriptor, or an error and no path. */
static long arena_begin(const char *name, int pid, uint64_t bytes)
{
    long fd = arena_create(name, pid), result = fd;
    if (!sys_failed(fd)) {
        result = arena_reserve((int)fd, 0, bytes);
        if (!sys_failed(result))
            result = arena_adopt((int)fd);
        if (!sys_failed(result))
            return fd;
        sys_call3(SYS_unlinkat, AT_FDCWD, (long)arena.path, 0);
        sys_close((int)fd);
    }
    arena.path[0] = '\0';
    return result;
}

/* The first `bytes` of a new file, mapped. */
static void *arena_open_file(const char *name, int pid, uint64_t bytes, long *error)
{
    long fd = arena_begin(name, pid, bytes), at = fd;
    if (!sys_failed(fd)) {
        at = arena_map_file((int)fd, 0, bytes, NULL);
        sys_close((int)fd);
        if (sys_failed(at))
            arena_unlink();
    }
    *error = at;
    return sys_failed(at) ? NULL : (void *)at;
}

static uint64_t first_chunks_bytes(void)
{
    uint64_t bytes = 0;
    for (int id = 0; id < BOX_TABLES; id++)
        bytes += whole_pages((uint64_t)arena_entry_bytes[id] << arena_shifts[id]);
    return bytes;
}

/* With all that the first chunks need, else without, where room is short. */
static struct box_header *open_header(const char *name, int pid, long *error)
{
    uint64_t bytes = first_chunks_bytes();
    unsigned char *at = arena_open_file(name, pid, BOX_HEADER_BYTES + bytes, error);
    ahead.left_bytes = 0;
    if (!at)
        return arena_open_file(name, pid, BOX_HEADER_BYTES, error);
    ahead.at = at + BOX_HEADER_BYTES;
    ahead.left_bytes = bytes;
    return (struct box_header *)at;
}

static bool arena_lay_out(void)
{
    memcpy(arena.header->magic, BOX_MAGIC, sizeof(BOX_MAGIC));
    arena.header->version = BOX_VERSION;
    arena.header->header_bytes = sizeof(struct box_header);
    for (int id = 0; id < BOX_TABLES; id++) {
        struct arena_table *table = &arena.tables[id];
        *table =
            (struct arena_table){.shift = arena_shifts[id], .entry_bytes = arena_entry_bytes[id]};
        arena.header->tables[id].shift = table->shift;
        arena.header->tables[id].entry_bytes = table->entry_bytes;
        if (!arena_add_chunk((enum box_table_id)id, 0))
            return false;
        arena_append((enum box_table_id)id, 1); /* the sentinel: BOX_NONE */
        arena_publish((enum box_table_id)id);
    }
    return true;
}

bool arena_open(const char *directory, const char *name, int pid, long *error)
{
    arena.path[0] = '\0';
    arena.file_bytes = BOX_HEADER_BYTES;
    arena.shared = directory != NULL;
    if (arena.shared) {
        strcpy(arena.directory, directory); /* fits: options.c and init.c cut it */
        arena.header = open_header(name, pid, error);
    } else {
        arena.header = sys_pages(BOX_HEADER_BYTES);
    }
    return arena.header && arena_lay_out();
}

/* Copies one region of the shared box into the child's file, or private memory, in its place. */
static bool arena_replace(int fd, void *at, uint64_t offset, uint64_t bytes)
{
    long result = -EBADF;
    if (fd >= 0) {
        result = sys_call4(SYS_pwrite64, fd, (long)at, (long)bytes, (long)offset);
        if (result == (long)bytes)
            result = arena_map_file(fd, offset, bytes, at);
    }
    if (!sys_failed(result))
        return true;
    void *copy = sys_pages(bytes);
    if (!copy)
        return false;
    memcpy(copy, at, bytes);
    own_remove(copy, bytes); /* it moves to where one of ours is already */
    return !sys_failed(sys_call6(SYS_mremap, (long)copy, (long)bytes, (long)bytes,
                                 MREMAP_MAYMOVE | MREMAP_FIXED, (long)at, 0));
}

/* Neighbours in the file and in memory, as the header and the first chunks are, in one go. */
static bool arena_replace_all(int fd)
{
    unsigned char *at = (unsigned char *)arena.header;
    uint64_t offset = 0, bytes = BOX_HEADER_BYTES;
    bool ok = true;
    for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++)
        for (int id = 0; id < BOX_TABLES; id++) {
            const struct arena_table *table = &arena.tables[id];
            uint64_t next = arena.header->tables[id].chunk_at[chunk];
            if (!table->chunks[chunk] || next == 0)
                continue;
            if (table->chunks[chunk] != at + bytes || next != offset + bytes) {
                ok &= arena_replace(fd, at, offset, bytes);
                at = table->chunks[chunk];
                offset = next;
                bytes = 0;
            }
            bytes += whole_pages(box_chunk_entries(table->shift, chunk) * table->entry_bytes);
        }
    return arena_replace(fd, at, offset, bytes) && ok;
}

/* Zeroes the entries that do not count: of the last chunk, and of those made ahead. */
static void arena_clear_rest(const struct arena_table *table)
{
    unsigned chunk = box_chunk_of(table->count - 1, table->shift);
    uint64_t used = box_place_of(table->count - 1, table->shift, chunk) + 1;
    uint64_t rest = box_chunk_entries(table->shift, chunk) - used;
    memset(table->chunks[chunk] + used * table->entry_bytes, 0, rest * table->entry_bytes);
    while (++chunk < BOX_CHUNKS_MAX)
        if (table->chunks[chunk])
            memset(table->chunks[chunk], 0,
                   box_chunk_entries(table->shift, chunk) * table->entry_bytes);
}

/* The tables as of the fork: the parent may have gone on in the memory that was shared until now. */
static void arena_restore(void)
{
    arena.header->flags &= ~(uint32_t)BOX_FLAG_SPILLED;
    for (int id = 0; id < BOX_TABLES; id++) {
        uint64_t *chunk_at = arena.header->tables[id].chunk_at;
        for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++)
            if (!arena.tables[id].chunks[chunk])
                chunk_at[chunk] = 0;
            else if (chunk_at[chunk] == 0)
                arena.header->flags |= BOX_FLAG_SPILLED;
        arena_clear_rest(&arena.tables[id]);
        arena_publish((enum box_table_id)id);
    }
}

bool arena_renew(const char *name, int pid)
{
    if (!arena.shared) /* private memory: the kernel has copied it already */
        return true;
    long fd = arena_begin(name, pid, arena.file_bytes);
    arena.shared = !sys_failed(fd);
    if (!arena.shared)
        arena_complain("no black box for this process", fd);
    bool ok = arena_replace_all((int)fd);
    if (ok)
        arena_restore();
    if (fd >= 0)
        sys_close((int)fd);
    return ok;
}

bool arena_detach(void)
{
    if (!arena.shared)
        return true;
    arena.path[0] = '\0'; /* not ours to grow, or to delete */
    bool ok = arena_replace_all(-1);
    for (int id = 0; ok && id < BOX_TABLES; id++)
        arena_clear_rest(&arena.tables[id]);
    return ok;
}

void arena_unlink(void)
{
    long fd = arena.path[0] ? arena_reopen() : -ENOENT;
    if (sys_failed(fd))
        return;
    sys_close((int)fd);
    sys_call3(SYS_unlinkat, AT_FDCWD, (long)arena.path, 0);
    arena.path[0] = '\0';
}

void arena_view(struct box_view *view)
{
    /* Those that name come before those that are named, as other threads go on adding. */
    static const enum box_table_id order[BOX_TABLES] = {BOX_HISTORY, BOX_COLLECTIONS, BOX_DELTAS,
                                                        BOX_LOTS,    BOX_SITES,       BOX_NODES,
                                                        BOX_PCS,     BOX_MAPPINGS,    BOX_TEXT};
    view->header = arena.header;
    for (int i = 0; i < BOX_TABLES; i++) {
        enum box_table_id id = order[i];
        const struct arena_table *table = &arena.tables[id];
        struct box_view_table *out = &view->tables[id];
        out->count = __atomic_load_n(&arena.header->tables[id].count, __ATOMIC_ACQUIRE);
        out->shift = table->shift;
        out->entry_bytes = table->entry_bytes;
        for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++)
            out->chunks[chunk] = __atomic_load_n(&table->chunks[chunk], __ATOMIC_ACQUIRE);
    }
}

uint64_t arena_own_bytes(void)
{
    struct box_view view; /* other threads go on adding chunks */
    uint64_t bytes = BOX_HEADER_BYTES;
    arena_view(&view);
    for (int id = 0; id < BOX_TABLES; id++)
        for (unsigned chunk = 0; chunk < BOX_CHUNKS_MAX; chunk++)
            if (view.tables[id].chunks[chunk])
                bytes +=
                    box_chunk_entries(view.tables[id].shift, chunk) * view.tables[id].entry_bytes;
    return bytes;
}
