#include "thread_stack.h"

#include "preload/ground/order.h"
#include "preload/ground/peek.h"
#include "preload/ground/permit.h"
#include "preload/ground/proc.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/tables/claim.h"
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
    uint64_t tid;
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

static void gather_known(struct gathering *gathering, size_t room)
{
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        int32_t tid = __atomic_load_n(&thread->tid, __ATOMIC_RELAXED);
        if (tid != 0 && gathering->known_count < room)
            gathering->known[gathering->known_count++] =
                (struct known){(uint64_t)tid, __atomic_load_n(&thread->pointer, __ATOMIC_RELAXED)};
    }
    order(gathering->known, gathering->known_count, sizeof(*gathering->known));
}

static uintptr_t pointer_of(const struct gathering *gathering, uint64_t tid)
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
    if (!at)
        return 0;
    at += at[0] == '0' && at[1] == 'x' ? 2 : 0;
    return proc_read_hex(&at);
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

/* libc keeps a stack's address and size next to each other. Whatever its version: a block that begins
   below the control block and ends on the page that this ends on is the stack. */
static void read_block(struct thread_stack *stack)
{
    uint64_t words[CONTROL_BYTES / sizeof(uint64_t)], page = getauxval(AT_PAGESZ);
    if (!peek(stack->at, words, sizeof(words)))
        return;
    for (size_t i = 0; i + 1 < sizeof(words) / sizeof(words[0]); i++) {
        uint64_t start = words[i], end = start + words[i + 1];
        if (start % page == 0 && start < stack->at && end - stack->at >= sizeof(words) &&
            end - stack->at < sizeof(words) + 2 * page && end > stack->at) {
            stack->block_start = start;
            stack->block_end = end;
            return;
        }
    }
}

/* Stacks that libc keeps for the next threads, of those whose structs have not been taken over. */
static void gather_ended(struct thread_stack_list *list)
{
    for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
        struct thread_stack stack = {.at = __atomic_load_n(&thread->pointer, __ATOMIC_RELAXED),
                                     .is_pointer = true};
        if (__atomic_load_n(&thread->tid, __ATOMIC_RELAXED) != 0 || stack.at == 0 ||
            list->count == list->room || claim_has(stack.at))
            continue;
        read_block(&stack);
        if (stack.block_start < stack.block_end)
            list->stacks[list->count++] = stack;
    }
}

static size_t count_ended(void)
{
    size_t count = 0;
    for (const struct thread *thread = thread_first(); thread; thread = thread->next)
        count += __atomic_load_n(&thread->tid, __ATOMIC_RELAXED) == 0;
    return count;
}

static void gather_thread(struct gathering *gathering, int32_t tid)
{
    struct thread_stack_list *list = gathering->list;
    if (tid == sys_pid() || list->count == list->room)
        return;
    struct thread_stack stack = {.at = pointer_of(gathering, (uint64_t)tid)};
    stack.is_pointer = stack.at != 0;
    if (!stack.is_pointer)
        stack.at = stack_pointer(tid);
    else
        read_block(&stack);
    if (stack.at == 0)
        return;
    read_name(tid, stack.name);
    if (stack.name[0] == '\0')
        strcpy(stack.name, "?");
    list->stacks[list->count++] = stack;
}

void thread_stack_gather(struct thread_stack_list *list)
{
    struct gathering gathering = {.list = list};
    *list = (struct thread_stack_list){0};
    list_threads(&gathering, count_thread);
    size_t ended = count_ended();
    if (gathering.seen + ended <= 1)
        return;
    size_t room = gathering.seen + ended + SPARE, known_bytes = room * sizeof(struct known);
    list->stacks = sys_pages(room * sizeof(*list->stacks));
    gathering.known = sys_pages(known_bytes);
    list->room = list->stacks ? room : 0;
    if (list->stacks && gathering.known) {
        gather_known(&gathering, room);
        list_threads(&gathering, gather_thread);
        gather_ended(list);
        order(list->stacks, list->count, sizeof(*list->stacks));
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
    if (stack->block_start < stack->block_end) {
        stack->start = stack->block_start > start ? stack->block_start : start;
        stack->end = stack->block_end < end ? stack->block_end : end;
        return;
    }
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
