#include "cut.h"

#include "gate.h"
#include "preload/ground/arena.h"
#include "preload/ground/sys.h"

#include "format/box_cut.h"

#include <sys/mman.h>

enum {
    CUT_RESERVE_BYTES = 1 << 20, /* some thousand sites; address space, no more, until then */
    CUT_PAGE_BYTES = 4096,
    CUT_SPARE_BYTES = 64 << 10 /* for what other threads record until the gate is closed */
};

/* For when memory, or what a limit leaves of it, has run out. One cut at a time, as snapshot.c takes them. */
static struct {
    void *room;
} reserve;

void cut_init(void)
{
    reserve.room = sys_pages(CUT_RESERVE_BYTES);
}

/* At least `least_bytes` of it. */
static bool make_room(struct cut *cut, size_t room_bytes, size_t least_bytes)
{
    cut->room = sys_pages_present(room_bytes);
    cut->room_bytes = room_bytes;
    if (!cut->room && least_bytes <= CUT_RESERVE_BYTES) {
        cut->room = reserve.room;
        cut->room_bytes = CUT_RESERVE_BYTES;
    }
    return cut->room != NULL;
}

/* So that the kernel need not map each page while everybody waits. */
static void touch(const struct cut *cut)
{
    volatile unsigned char *bytes = cut->room;
    for (size_t at = 0; at < cut->room_bytes; at += CUT_PAGE_BYTES)
        bytes[at] = 0;
}

/* The gate is closed. */
static bool copy(struct cut *cut)
{
    arena_view(&cut->view);
    size_t bytes = box_cut_bytes(&cut->view);
    if (bytes > cut->room_bytes) { /* very many came in */
        cut_free(cut);
        if (!make_room(cut, bytes, bytes))
            return false;
    }
    box_cut_copy(&cut->view, cut->room);
    return true;
}

/* True: it was one moment, whatever could be taken of it. */
static bool take(struct cut *cut, const struct cut_moment *moment, bool *copied)
{
    if (moment)
        moment->prepare(moment->context);
    gate_close();
    *copied = copy(cut);
    bool whole = !*copied || !moment || moment->take(moment->context);
    gate_open();
    return whole;
}

bool cut_take(struct cut *cut, const struct cut_moment *moment)
{
    bool copied;
    arena_view(&cut->view);
    size_t bytes = box_cut_bytes(&cut->view);
    size_t spare_bytes = arena.header->threads == 1 ? 0 : bytes / 8 + CUT_SPARE_BYTES;
    if (!make_room(cut, bytes + spare_bytes, bytes))
        return false;
    touch(cut);
    while (!take(cut, moment, &copied) && moment->again(moment->context))
        ;
    if (moment)
        moment->taken(moment->context);
    if (copied)
        box_cut_settle(&cut->view);
    return copied;
}

void cut_free(struct cut *cut)
{
    if (cut->room && cut->room == reserve.room)
        sys_advise(cut->room, cut->room_bytes, MADV_DONTNEED);
    else if (cut->room)
        sys_pages_free(cut->room, cut->room_bytes);
    cut->room = NULL;
}
