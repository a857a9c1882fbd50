#include "label.h"

#include "preload/ground/module.h"
#include "preload/ground/text.h"
#include "preload/tables/claim.h"

#include <string.h>
#include <sys/auxv.h>

enum {
    ARENA_BYTES = 64 << 20,      /* glibc's heaps of threads begin at multiples of this */
    GUARD_BYTES_MAX = 64 << 10,  /* below a stack */
    STACK_BYTES_MIN = 16 << 10,  /* PTHREAD_STACK_MIN */
    STORAGE_BYTES_MAX = 1 << 20, /* the loader's mapping for the main thread's variables */
    LOOKS_MAX = 256              /* at memory of nobody's, in a snapshot: 0.2 ms */
};

struct label_walk label_walk(const struct label_sources *from)
{
    return (struct label_walk){.from = *from};
}

static bool is_anonymous(const struct vma *vma)
{
    return vma->name[0] == '\0' || text_begins(vma->name, "[anon");
}

/* The mapping that ends where this one starts, or NULL. */
static const struct vma *vma_below(const struct label_walk *walk)
{
    const struct vma *vma = &walk->from.vmas->vmas[walk->vma];
    return walk->vma > 0 && vma[-1].end == vma->start ? vma - 1 : NULL;
}

static const struct vma *vma_above(const struct label_walk *walk)
{
    const struct vma *vma = &walk->from.vmas->vmas[walk->vma];
    return walk->vma + 1 < walk->from.vmas->count && vma[1].start == vma->end ? vma + 1 : NULL;
}

/* Files. */

static bool is_shared_memory(const struct vma *vma)
{
    static const char *const names[] = {"/dev/zero", "/memfd:", "/SYSV", "/dev/shm/"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (text_begins(vma->name, names[i]))
            return true;
    return false;
}

static enum line_kind file_kind(const struct vma *vma)
{
    if (is_shared_memory(vma))
        return LINE_SHARED;
    if (vma->flags & VMA_EXECUTE)
        return LINE_TEXT;
    return vma->flags & VMA_WRITE ? LINE_DATA : LINE_RODATA;
}

static void label_file(struct label_walk *walk, const struct vma *vma)
{
    struct line_table *lines = walk->from.lines;
    enum line_kind kind = file_kind(vma);
    bool shared = vma->flags & VMA_SHARED;
    walk->file = (struct label){.line = line_find(lines, kind, vma->name), .claimed = true};
    walk->anonymous = walk->file;
    if (!shared)
        walk->anonymous.line = line_find(lines, LINE_PRIVATE, vma->name);
}

/* Anonymous mappings. */

/* Where the bss ends that the start of this mapping is, as what is below is a file's data; 0: it is none. */
static uint64_t bss_end(const struct vma *vma, const struct vma *below)
{
    struct module module;
    uint64_t page = getauxval(AT_PAGESZ);
    if (!below || below->inode == 0 || below->flags & VMA_SHARED || !(vma->flags & VMA_WRITE))
        return 0;
    if (!module_find(below->start, &module))
        return below->flags & VMA_WRITE ? vma->end : 0;
    uint64_t end = (module.end + page - 1) & -page;
    return end > vma->start ? end : 0;
}

/* Whether the mapping ends with the part in use of one of glibc's heaps of threads: up to the window's end,
   the rest is reserved. */
static bool is_arena(const struct vma *vma, const struct vma *above)
{
    uint64_t window = (vma->end - 1) & -(uint64_t)ARENA_BYTES;
    if (vma->start > window || !(vma->flags & VMA_WRITE))
        return false;
    return above && !(above->flags & (VMA_READ | VMA_WRITE)) && above->name[0] == '\0' &&
           above->end >= window + ARENA_BYTES;
}

/* Below every stack that libc makes is a mapping that nobody may touch. */
static bool is_stack(const struct vma *vma, const struct vma *below)
{
    return below && vma->flags & VMA_WRITE && !(vma->flags & VMA_SHARED) &&
           !(below->flags & (VMA_READ | VMA_WRITE | VMA_EXECUTE)) && below->name[0] == '\0' &&
           below->end - below->start <= GUARD_BYTES_MAX && vma->end - vma->start >= STACK_BYTES_MIN;
}

static bool is_storage(const struct label_walk *walk, const struct vma *vma)
{
    return walk->from.storage - vma->start < vma->end - vma->start &&
           vma->end - vma->start <= STORAGE_BYTES_MAX;
}

static struct label label_of(struct label_walk *walk, enum line_kind kind, const char *subject)
{
    return (struct label){.line = line_find(walk->from.lines, kind, subject)};
}

static void label_anonymous(struct label_walk *walk, const struct vma *vma)
{
    const struct vma *below = vma_below(walk);
    walk->bss_end = bss_end(vma, below);
    if (walk->bss_end) {
        walk->bss = label_of(walk, LINE_BSS, below->name);
        walk->bss.claimed = true;
    }
    walk->arena = walk->from.glibc && is_arena(vma, vma_above(walk))
                      ? (vma->end - 1) & -(uint64_t)ARENA_BYTES
                      : 0;
    if (is_storage(walk, vma)) {
        walk->anonymous = label_of(walk, LINE_LOADER, "thread-local storage");
    } else if (is_stack(vma, below) && !claim_has(vma->start)) {
        walk->anonymous = label_of(walk, LINE_STACK, "ended thread");
        walk->anonymous.claimed = true;
    } else {
        bool glibc = text_begins(vma->name, "[anon: glibc: malloc");
        walk->anonymous =
            label_of(walk, glibc ? LINE_METADATA : LINE_OTHER, glibc ? "" : vma->name);
        walk->anonymous.spare = true;
    }
    walk->file = walk->anonymous;
}

/* What the kernel names. */
static void label_named(struct label_walk *walk, const struct vma *vma)
{
    if (strcmp(vma->name, "[heap]") == 0) {
        walk->anonymous = label_of(walk, LINE_METADATA, "");
        walk->anonymous.heap = LABEL_MAIN_HEAP;
        walk->anonymous.spare = true;
    } else if (strcmp(vma->name, "[stack]") == 0) {
        walk->anonymous = label_of(walk, LINE_STACK, "main thread");
        walk->anonymous.claimed = true;
    } else {
        walk->anonymous = label_of(walk, LINE_KERNEL, vma->name);
        walk->anonymous.claimed = true;
    }
    walk->file = walk->anonymous;
}

static void label_mapping(struct label_walk *walk)
{
    const struct vma *vma = &walk->from.vmas->vmas[walk->vma];
    walk->known = walk->vma + 1;
    walk->bss_end = walk->arena = 0;
    if (is_anonymous(vma))
        label_anonymous(walk, vma);
    else if (vma->name[0] == '[')
        label_named(walk, vma);
    else
        label_file(walk, vma);
}

/* The label by the mapping alone. */
static uint64_t mapping_next(struct label_walk *walk, uint64_t address, uint64_t end, bool file,
                             struct label *label)
{
    const struct vma_list *vmas = walk->from.vmas;
    while (walk->vma < vmas->count && vmas->vmas[walk->vma].end <= address)
        walk->vma++;
    const struct vma *vma = walk->vma < vmas->count ? &vmas->vmas[walk->vma] : NULL;
    *label = (struct label){0};
    if (!vma || vma->start >= end)
        return end;
    if (vma->start > address)
        return vma->start;
    if (walk->known != walk->vma + 1)
        label_mapping(walk);
    if (end > vma->end)
        end = vma->end;
    if (address < walk->bss_end) {
        *label = walk->bss;
        return end < walk->bss_end ? end : walk->bss_end;
    }
    *label = file ? walk->file : walk->anonymous;
    if (walk->arena == 0)
        return end;
    if (address < walk->arena)
        return end < walk->arena ? end : walk->arena;
    label->line = line_find(walk->from.lines, LINE_METADATA, "");
    label->heap = LABEL_ARENA;
    return end;
}

/* Whether [start, end) of a list has `address`; *limit is cut to where that changes. */
static bool bounds(uint64_t start, uint64_t end, uint64_t address, uint64_t *limit)
{
    uint64_t border = address < start ? start : end;
    if (border > address && border < *limit)
        *limit = border;
    return address >= start && address < end;
}

static bool own_next_is(struct label_walk *walk, uint64_t address, uint64_t *limit)
{
    const struct label_sources *from = &walk->from;
    while (walk->own < from->own_count && from->own[walk->own].end <= address)
        walk->own++;
    return walk->own < from->own_count &&
           bounds(from->own[walk->own].start, from->own[walk->own].end, address, limit);
}

static const struct thread_stack *stack_next(struct label_walk *walk, uint64_t address,
                                             uint64_t *limit)
{
    const struct thread_stack_list *list = walk->from.stacks;
    while (walk->stack < list->count && list->stacks[walk->stack].end <= address)
        walk->stack++;
    const struct thread_stack *stack =
        walk->stack < list->count ? &list->stacks[walk->stack] : NULL;
    return stack && bounds(stack->start, stack->end, address, limit) ? stack : NULL;
}

/* The site of the piece that `address` lies in; *at is the walk's place in the list. */
static uint32_t piece_site(const struct range_list *list, size_t *at, uint64_t address,
                           uint64_t *limit)
{
    while (*at < list->count && list->pieces[*at].end <= address)
        ++*at;
    const struct range_piece *piece = *at < list->count ? &list->pieces[*at] : NULL;
    return piece && bounds(piece->start, piece->end, address, limit) ? piece->site : 0;
}

static uint32_t range_next_site(struct label_walk *walk, uint64_t address, uint64_t *limit)
{
    const struct label_sources *from = &walk->from;
    uint32_t now = piece_site(from->ranges, &walk->range, address, limit);
    uint32_t earlier = piece_site(from->earlier, &walk->earlier, address, limit);
    return now != 0 ? now : earlier;
}

/* Its tables are few, and lie together: memory of somebody else's is looked at where it begins. */
static bool is_loader_table(struct label_walk *walk, uint64_t address, uint64_t *limit)
{
    uint64_t end = address + getauxval(AT_PAGESZ);
    if (walk->looks == LOOKS_MAX || !loader_pages_is_table(walk->from.loader, address)) {
        walk->looks += walk->looks < LOOKS_MAX;
        return false;
    }
    if (end < *limit)
        *limit = end;
    return true;
}

static bool loader_next_is(struct label_walk *walk, uint64_t address, uint64_t *limit)
{
    const struct loader_pages *loader = walk->from.loader;
    uint64_t page = getauxval(AT_PAGESZ);
    while (walk->loader < loader->count && loader->pages[walk->loader] + page <= address)
        walk->loader++;
    if (walk->loader == loader->count)
        return false;
    uint64_t start = loader->pages[walk->loader];
    return bounds(start, start + page, address, limit);
}

/* Memory of the allocator's, or the loader's, for which there is no record of a call. */
static void label_spare(struct label_walk *walk, struct label *label, uint64_t address,
                        uint64_t *end)
{
    struct line_table *lines = walk->from.lines;
    if (claim_next(address, end))
        label->line = line_find(lines, LINE_METADATA, "");
    else if (loader_next_is(walk, address, end))
        label->line = line_find(lines, LINE_LOADER, "link maps");
    else if (is_loader_table(walk, address, end))
        label->line = line_find(lines, LINE_LOADER, "loader tables");
}

/* A stack of a thread that has made it of memory that the program has mapped is the program's. */
static void label_stack(struct label_walk *walk, const struct thread_stack *stack,
                        struct label *label)
{
    *label = stack->name[0] != '\0' ? label_of(walk, LINE_THREAD, stack->name)
                                    : label_of(walk, LINE_STACK, "ended thread");
    label->claimed = true;
}

/* The record of the program's own call says more than that the memory is anonymous, or shared. */
static bool is_recordable(const struct label_walk *walk)
{
    const struct vma *vma = &walk->from.vmas->vmas[walk->vma];
    return walk->known == walk->vma + 1 &&
           (is_anonymous(vma) || is_shared_memory(vma) || strcmp(vma->name, "[heap]") == 0);
}

uint64_t label_next(struct label_walk *walk, uint64_t address, uint64_t end, bool file,
                    struct label *label)
{
    if (own_next_is(walk, address, &end)) {
        *label = label_of(walk, LINE_OWN, "");
        label->own = label->claimed = true;
        return end;
    }
    end = mapping_next(walk, address, end, file, label);
    uint32_t site = range_next_site(walk, address, &end);
    const struct thread_stack *stack = stack_next(walk, address, &end);
    if (walk->vma >= walk->from.vmas->count || !is_recordable(walk))
        return end;
    if (site != 0)
        *label = (struct label){.site = site, .claimed = true};
    else if (stack)
        label_stack(walk, stack, label);
    else if (label->spare && label->heap == LABEL_NO_HEAP)
        label_spare(walk, label, address, &end);
    return end;
}
