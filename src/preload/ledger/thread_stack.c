#include "thread_stack.h"

#include "preload/ground/order.h"
#include "preload/ground/peek.h"
#include "preload/ground/proc.h"
#include "preload/ground/sys.h"
#include "preload/ground/task.h"
#include "preload/tables/claim.h"
#include "preload/tables/thread.h"

#include <string.h>
#include <sys/auxv.h>

enum {
    SPARE = 64,              /* threads that come meanwhile */
    TURNS = 2,               /* where the kernel does not say beforehand how many there are */
    CONTROL_BYTES = 0x900,   /* glibc's struct pthread, from the thread pointer up */
    UNGUARDED_MAX = 8 << 20, /* a stack without a guard below it is taken to be no larger */
    SYSCALL_WORDS = 7        /* number and arguments, before the stack pointer */
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

/* The stack pointer of a thread in a system call: NUMBER, six arguments, SP, PC. Or -1, SP, PC; or "running". */
static uint64_t stack_pointer(const struct task_list *tasks, int32_t tid)
{
    char line[256];
    if (!task_read(tasks, tid, "syscall", line, sizeof(line)))
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

static void read_name(const struct task_list *tasks, int32_t tid, char name[THREAD_NAME_BYTES])
{
    char line[64];
    if (!task_read(tasks, tid, "comm", line, sizeof(line)))
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

static void gather_thread(const struct task_list *tasks, int32_t tid, void *context)
{
    struct gathering *gathering = context;
    struct thread_stack_list *list = gathering->list;
    gathering->seen++;
    if (tid == sys_pid() || list->count == list->room)
        return;
    struct thread_stack stack = {.at = pointer_of(gathering, (uint64_t)tid)};
    stack.is_pointer = stack.at != 0;
    if (!stack.is_pointer)
        stack.at = stack_pointer(tasks, tid);
    else
        read_block(&stack);
    if (stack.at == 0)
        return;
    read_name(tasks, tid, stack.name);
    if (stack.name[0] == '\0')
        strcpy(stack.name, "?");
    list->stacks[list->count++] = stack;
}

/* With room for so many; how many threads there are. */
static size_t gather(struct thread_stack_list *list, const struct task_list *tasks, size_t room)
{
    struct gathering gathering = {.list = list};
    size_t known_bytes = room * sizeof(struct known);
    gathering.known = sys_pages(known_bytes);
    list->stacks = sys_pages(room * sizeof(*list->stacks));
    list->room = list->stacks ? room : 0;
    if (gathering.known && list->stacks) {
        gather_known(&gathering, room);
        task_each(tasks, gather_thread, &gathering);
        gather_ended(list);
        order(list->stacks, list->count, sizeof(*list->stacks));
    }
    if (gathering.known)
        sys_pages_free(gathering.known, known_bytes);
    return gathering.seen;
}

void thread_stack_gather(struct thread_stack_list *list, uint32_t threads)
{
    struct task_list tasks;
    size_t ended = count_ended(), seen = 0;
    bool lacking = true;
    *list = (struct thread_stack_list){0};
    if (threads == 1 && ended == 0)
        return;
    for (int turn = 0; turn < TURNS && lacking && task_open(&tasks); turn++) {
        size_t count = tasks.count > seen ? tasks.count : seen;
        thread_stack_free(list);
        if (count + ended != 1)
            seen = gather(list, &tasks, count + ended + SPARE);
        lacking = list->room > 0 && seen + ended > list->room;
        task_close(&tasks);
    }
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
