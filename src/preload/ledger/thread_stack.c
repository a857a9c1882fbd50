#include "thread_stack.h"

#include "preload/ground/permit.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/tables/thread.h"

#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

enum {
    ENTRIES_BYTES = 8 << 10,
    SPARE = 64,              /* threads that come meanwhile */
    CONTROL_BYTES = 0x900,   /* glibc's struct pthread, from the thread pointer up */
    UNGUARDED_MAX = 8 << 20, /* a stack without a guard below it is taken to be no larger */
    SYSCALL_WORDS = 7        /* number and arguments, before the stack pointer */
};

/* As getdents64(2) has it. */
struct entry {
    uint64_t inode, next;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

/* A thread that has had an event. */
struct known {
    int32_t tid;
    uintptr_t pointer;
};

struct gathering {
    struct thread_stack_list *list;
    struct known *known; /* by tid */
    size_t known_count;
    size_t seen; /* threads, whether there was room or not */
};

typedef void (*thread_visit_fn)(struct gathering *gathering, int32_t tid);

static void list_threads(struct gathering *gathering, thread_visit_fn visit)
{
    _Alignas(8) char entries[ENTRIES_BYTES];
    long got, fd = permit_has(PERMIT_LISTS) ? sys_open("/proc/self/task", O_RDONLY, 0) : -1;
    if (sys_failed(fd))
        return;
    while ((got = sys_call3(SYS_getdents64, fd, (long)entries, sizeof(entries))) > 0)
        for (long at = 0; at < got;) {
            const struct entry *entry = (const struct entry *)(const void *)(entries + at);
            const char *name = entry->name;
            uint64_t tid;
            at += entry->bytes;
            if (text_read_number(&name, &tid) && tid <= INT32_MAX)
                visit(gathering, (int32_t)tid);
        }
    sys_close((int)fd);
}

static void count_thread(struct gathering *gathering, int32_t tid)
{
    (void)tid;
    gathering->seen++;
}

/* Sorts by shell sort: few, and mostly in order. */
static void sort_known(struct known *known, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < count; i++) {
            struct known moved = known[i];
            size_t at = i;
            for (; at >= gap && known[at - gap].tid > moved.tid; at -= gap)
                known[at] = known[at - gap];
            known[at] = moved;
        }
}

static void sort_stacks(struct thread_stack *stacks, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < count; i++) {
            struct thread_stack moved = stacks[i];
            size_t at = i;
            for (; at >= gap && stacks[at - gap].at > moved.at; at -= gap)
                stacks[at] = stacks[at - gap];
            stacks[at] = moved;
        }
}

static void gather_known(struct gathering *gathering, size_t room)
{
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        int32_t tid = __atomic_load_n(&thread->tid, __ATOMIC_RELAXED);
        if (tid != 0 && gathering->known_count < room)
            gathering->known[gathering->known_count++] =
                (struct known){tid, __atomic_load_n(&thread->pointer, __ATOMIC_RELAXED)};
    }
    sort_known(gathering->known, gathering->known_count);
}

static uintptr_t pointer_of(const struct gathering *gathering, int32_t tid)
{
    size_t low = 0, high = gathering->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (gathering->known[middle].tid < tid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < gathering->known_count && gathering->known[low].tid == tid
               ? gathering->known[low].pointer
               : 0;
}

/* Reads /proc/self/task/TID/`what`. */
static bool read_of(int32_t tid, const char *what, char *buffer, size_t room_bytes)
{
    char path[64];
    struct text text = text_on(path, sizeof(path));
    text_put(&text, "/proc/self/task/");
    text_put_number(&text, (uint64_t)tid);
    text_put(&text, what);
    return sys_read_file(path, buffer, room_bytes) > 0;
}

static uint64_t hexadecimal(const char *at)
{
    uint64_t value = 0;
    if (at[0] == '0' && at[1] == 'x')
        at += 2;
    for (;; at++) {
        unsigned char digit = (unsigned char)*at;
        if (digit >= '0' && digit <= '9')
            value = value << 4 | (unsigned)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = value << 4 | (unsigned)(digit - 'a' + 10);
        else
            return value;
    }
}

/* The stack pointer of a thread in a system call: NUMBER, six arguments, SP, PC. Or -1, SP, PC; or "running". */
static uint64_t stack_pointer(int32_t tid)
{
    char line[256];
    if (!read_of(tid, "/syscall", line, sizeof(line)))
        return 0;
    const char *at = line;
    int words = line[0] == '-' ? 1 : SYSCALL_WORDS;
    for (int i = 0; at && i < words; i++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? hexadecimal(at) : 0;
}

static void read_name(int32_t tid, char name[THREAD_NAME_BYTES])
{
    char line[64];
    if (!read_of(tid, "/comm", line, sizeof(line)))
        return;
    size_t length = strcspn(line, "\n");
    if (length >= THREAD_NAME_BYTES)
        length = THREAD_NAME_BYTES - 1;
    memcpy(name, line, length);
    name[length] = '\0';
}

static void gather_thread(struct gathering *gathering, int32_t tid)
{
    struct thread_stack_list *list = gathering->list;
    if (tid == sys_pid() || list->count == list->room)
        return;
    struct thread_stack stack = {.at = pointer_of(gathering, tid)};
    stack.is_pointer = stack.at != 0;
    if (!stack.is_pointer)
        stack.at = stack_pointer(tid);
    if (stack.at == 0)
        return;
    read_name(tid, stack.name);
    list->stacks[list->count++] = stack;
}

void thread_stack_gather(struct thread_stack_list *list)
{
    struct gathering gathering = {.list = list};
    *list = (struct thread_stack_list){0};
    list_threads(&gathering, count_thread);
    if (gathering.seen <= 1)
        return;
    size_t room = gathering.seen + SPARE, known_bytes = room * sizeof(struct known);
    list->stacks = sys_pages(room * sizeof(*list->stacks));
    gathering.known = sys_pages(known_bytes);
    list->room = list->stacks ? room : 0;
    if (list->stacks && gathering.known) {
        gather_known(&gathering, room);
        list_threads(&gathering, gather_thread);
        sort_stacks(list->stacks, list->count);
    }
    if (gathering.known)
        sys_pages_free(gathering.known, known_bytes);
}

void thread_stack_free(struct thread_stack_list *list)
{
    if (list->stacks)
        sys_pages_free(list->stacks, list->room * sizeof(*list->stacks));
    *list = (struct thread_stack_list){0};
}

/* The area of one stack in its mapping, above `from`. */
static void place(struct thread_stack *stack, const struct vma *vma, bool guarded, uint64_t from)
{
    uint64_t page = getauxval(AT_PAGESZ), end = vma->end;
    uint64_t start = from > vma->start ? from : vma->start;
    if (stack->is_pointer)
        end = (stack->at + CONTROL_BYTES + page - 1) & -page;
    if (end > vma->end)
        end = vma->end;
    if (!guarded && from <= vma->start && end - start > UNGUARDED_MAX)
        start = end - UNGUARDED_MAX;
    stack->start = start;
    stack->end = end;
}

void thread_stack_place(struct thread_stack_list *list, const struct vma_list *vmas)
{
    uint64_t from = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct thread_stack *stack = &list->stacks[i];
        const struct vma *vma = vma_list_find(vmas, stack->at);
        stack->start = stack->end = 0;
        if (!vma || stack->at < vma->start || vma->name[0] != '\0' || stack->at < from)
            continue;
        bool guarded = vma > vmas->vmas && vma[-1].end == vma->start &&
                       !(vma[-1].flags & (VMA_READ | VMA_WRITE));
        place(stack, vma, guarded, from);
        from = stack->end;
    }
}
