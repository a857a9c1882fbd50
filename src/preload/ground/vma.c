#include "vma.h"

#include "proc.h"
#include "sys.h"
#include "text.h"

#include <errno.h>
#include <string.h>

enum {
    VMA_FIRST = 128,                 /* a small dynamic program has 30 to 60 */
    VMA_TEXT_FIRST_BYTES = 16 << 10, /* with VMA_FIRST: lines of 128 bytes */
    VMA_BEGIN = 2048,                /* room that is not there before it is used */
    VMA_TEXT_BEGIN_BYTES = 256 << 10,
    VMA_PAGE_BYTES = 4096 /* the smallest; what is asked for is rounded up by the kernel */
};

static bool pages_make(void **pages, size_t bytes)
{
    *pages = sys_pages_present(bytes);
    for (size_t at = 0; *pages && at < bytes; at += VMA_PAGE_BYTES)
        *((volatile char *)*pages + at) = 1; /* where they are not present for the asking */
    return *pages != NULL;
}

static bool make_vmas(struct vma_list *list, size_t room)
{
    void *vmas;
    if (!pages_make(&vmas, room * sizeof(*list->vmas)))
        return false;
    if (list->vmas)
        sys_pages_free(list->vmas, list->room * sizeof(*list->vmas));
    list->vmas = vmas;
    list->room = room;
    return true;
}

/* What has been read so far stays. */
static bool make_text(struct vma_list *list, size_t room_bytes)
{
    void *text;
    if (!pages_make(&text, room_bytes))
        return false;
    if (list->text) {
        memcpy(text, list->text, list->text_bytes);
        sys_pages_free(list->text, list->text_room_bytes);
    }
    list->text = text;
    list->text_room_bytes = room_bytes;
    return true;
}

void vma_list_free(struct vma_list *list)
{
    if (list->vmas)
        sys_pages_free(list->vmas, list->room * sizeof(*list->vmas));
    if (list->text)
        sys_pages_free(list->text, list->text_room_bytes);
    *list = (struct vma_list){0};
}

/* The rest of the file, as far as there is room; text ends with a NUL. */
static enum vma_result read_more(struct vma_list *list, struct proc_file *file)
{
    long got;
    do {
        size_t used = list->text_bytes + 1;
        size_t left = list->text_room_bytes > used ? list->text_room_bytes - used : 0;
        got = left > 0 ? proc_read(file, list->text + list->text_bytes, left) : -ENOSPC;
        list->text_bytes += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    if (got == -ENOSPC)
        return VMA_FULL;
    list->text[list->text_bytes] = '\0';
    return got < 0 ? VMA_UNREADABLE : VMA_DONE;
}

static enum vma_result read_text(struct vma_list *list, bool widen)
{
    struct proc_file file;
    enum vma_result result;
    list->text_bytes = 0;
    if (!proc_open(&file, "/proc/self/maps"))
        return VMA_UNREADABLE;
    do
        result = read_more(list, &file);
    while (result == VMA_FULL && widen && make_text(list, 2 * list->text_room_bytes));
    proc_close(&file);
    return result;
}

static uint32_t read_flags(const char *letters)
{
    return (letters[0] == 'r' ? VMA_READ : 0) | (letters[1] == 'w' ? VMA_WRITE : 0) |
           (letters[2] == 'x' ? VMA_EXECUTE : 0) | (letters[3] == 's' ? VMA_SHARED : 0);
}

/* False when *at is not `expected`; moves past it. */
static bool skip(const char **at, char expected)
{
    return *(*at)++ == expected;
}

/* "START-END rwxp OFFSET MAJOR:MINOR INODE      NAME", NUL at its end. */
static bool read_line(const char *at, struct vma *vma)
{
    vma->start = proc_read_hex(&at);
    if (!skip(&at, '-'))
        return false;
    vma->end = proc_read_hex(&at);
    if (!skip(&at, ' ') || strnlen(at, 5) < 5)
        return false;
    vma->flags = read_flags(at);
    at += 4;
    if (!skip(&at, ' '))
        return false;
    vma->offset = proc_read_hex(&at);
    if (!skip(&at, ' '))
        return false;
    uint32_t major = (uint32_t)proc_read_hex(&at);
    if (!skip(&at, ':'))
        return false;
    vma->device = vma_device(major, (uint32_t)proc_read_hex(&at));
    if (!skip(&at, ' ') || !text_read_number(&at, &vma->inode))
        return false;
    while (*at == ' ')
        at++;
    vma->name = at;
    return vma->start < vma->end;
}

static enum vma_result read_lines(struct vma_list *list)
{
    char *end = list->text + list->text_bytes;
    list->count = 0;
    for (char *line = list->text, *next; line < end; line = next) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        next = stop ? stop + 1 : end;
        if (stop)
            *stop = '\0';
        if (list->count == list->room)
            return VMA_FULL;
        struct vma *vma = &list->vmas[list->count];
        if (!read_line(line, vma))
            return VMA_UNREADABLE;
        list->count += strcmp(vma->name, "[vsyscall]") != 0;
    }
    return VMA_DONE;
}

/* Another process's list, or no list at all, where something else is mounted on /proc. */
static bool is_ours(const struct vma_list *list)
{
    const struct vma *stack = vma_list_find(list, (uint64_t)&list);
    return stack && stack->start <= (uint64_t)&list;
}

static enum vma_result settle(struct vma_list *list, enum vma_result result)
{
    if (result == VMA_DONE)
        result = read_lines(list);
    if (result == VMA_DONE && !is_ours(list))
        result = VMA_UNREADABLE;
    if (result != VMA_DONE)
        list->count = 0;
    return result;
}

enum vma_result vma_list_read(struct vma_list *list)
{
    return settle(list, read_text(list, false));
}

static size_t count_lines(const struct vma_list *list)
{
    size_t count = 0;
    const char *at = list->text, *end = at + list->text_bytes;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        count++;
        at++;
    }
    return count;
}

/* A quarter more than there is now. */
static bool make_spare(struct vma_list *list)
{
    size_t count = count_lines(list), bytes = list->text_bytes;
    if (count + count / 4 >= list->room && !make_vmas(list, count + count / 2))
        return false;
    return bytes + bytes / 4 < list->text_room_bytes || make_text(list, bytes + bytes / 2);
}

bool vma_list_begin(struct vma_list *list)
{
    *list = (struct vma_list){.room = VMA_BEGIN, .text_room_bytes = VMA_TEXT_BEGIN_BYTES};
    list->vmas = sys_pages(VMA_BEGIN * sizeof(*list->vmas));
    list->text = sys_pages(VMA_TEXT_BEGIN_BYTES);
    if (list->vmas && list->text)
        return true;
    vma_list_free(list);
    return false;
}

bool vma_list_make_room(struct vma_list *list)
{
    if ((list->room == 0 && !make_vmas(list, VMA_FIRST)) ||
        (!list->text && !make_text(list, VMA_TEXT_FIRST_BYTES)))
        return false;
    return settle(list, read_text(list, true) == VMA_DONE && make_spare(list)
                            ? VMA_DONE
                            : VMA_UNREADABLE) == VMA_DONE;
}

const struct vma *vma_list_find(const struct vma_list *list, uint64_t address)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->vmas[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count ? &list->vmas[low] : NULL;
}
