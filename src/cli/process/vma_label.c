#include "vma_label.h"

#include "binary.h"
#include "page_map.h"
#include "cli/ground/memory.h"
#include "cli/ground/text.h"
#include "cli/profile/ledger.h"

#include <stdlib.h>
#include <string.h>

/* What one arena of glibc's malloc lies in, aligned to its size: HEAP_MAX_SIZE with 64-bit addresses. */
static const uint64_t ARENA_BYTES = UINT64_C(64) << 20;
/* Go's arenas are tried at 2^40 bytes from each other, 128 times. */
static const uint64_t GO_STEP = UINT64_C(1) << 40, GO_END = UINT64_C(1) << 47;
/* Java's heap, where references of 32 bits reach it: above all that a program has low down, up to 32 GiB. */
static const uint64_t JAVA_START = UINT64_C(64) << 20, JAVA_END = UINT64_C(32) << 30;
static const char DELETED[] = " (deleted)";

static bool is_anonymous(const struct smaps_vma *vma)
{
    return vma->name[0] == '\0' && vma->inode == 0;
}

static bool is_reserve(const struct smaps_vma *vma)
{
    return is_anonymous(vma) && !vma->read && !vma->write && !vma->execute;
}

/* The neighbour, if nothing lies between: step -1 below, 1 above. */
static const struct smaps_vma *neighbour(const struct vma_scene *scene, size_t index, int step)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index], *other = vma + step;
    if ((step < 0 && index == 0) || (step > 0 && index + 1 == scene->smaps.count))
        return NULL;
    return (step < 0 ? other->end == vma->start : vma->end == other->start) ? other : NULL;
}

static struct vma_part whole(const struct smaps_vma *vma, int kind, char *name)
{
    return (struct vma_part){kind, name, vma->bytes[SMAPS_RSS]};
}

static struct vma_part whole_text(const struct smaps_vma *vma, int kind, const char *name)
{
    return whole(vma, kind, memory_format("%s", name));
}

/* Files. */

/* The library and black boxes; a box whose process has unlinked it, too. */
static bool is_own_file(const char *path)
{
    static const char BOX[] = ".heapdiff";
    const char *file = text_base_name(path), *deleted = strstr(file, DELETED);
    size_t length = deleted ? (size_t)(deleted - file) : strlen(file);
    return text_begins(file, "libheapdiff.so") ||
           (length > strlen(BOX) && strncmp(file + length - strlen(BOX), BOX, strlen(BOX)) == 0);
}

/* Memory in the clothes of a file; NULL: it is a file. */
static char *shared_memory_name(const struct smaps_vma *vma)
{
    const char *path = vma->name;
    int length = (int)strlen(path), tail = (int)strlen(DELETED);
    if (length > tail && strcmp(path + length - tail, DELETED) == 0)
        length -= tail;
    if (text_begins(path, "/memfd:"))
        return memory_format("%.*s shared memory", length - 1, path + 1);
    if (text_begins(path, "/SYSV"))
        return memory_format("%.*s shmid %llu shared memory", length - 1, path + 1,
                             (unsigned long long)vma->inode);
    if (text_begins(path, "/dev/zero") || text_begins(path, "/anon_hugepage"))
        return memory_format("%s", "anonymous shared memory");
    if (text_begins(path, "/dev/shm/"))
        return memory_format("%s shared memory", path);
    return NULL;
}

static const char *file_part(const struct smaps_vma *vma)
{
    if (vma->shared)
        return "shared";
    if (vma->execute)
        return "text";
    return vma->write ? "data" : "rodata";
}

/* What the file still holds, and what has been copied from it. */
static struct vma_label label_file(const struct smaps_vma *vma)
{
    uint64_t rss = vma->bytes[SMAPS_RSS], copied = vma->bytes[SMAPS_ANONYMOUS];
    char *shared = shared_memory_name(vma);
    if (is_own_file(vma->name)) {
        free(shared);
        return (struct vma_label){{whole_text(vma, LEDGER_OWN, vma->name)}};
    }
    if (shared)
        return (struct vma_label){{whole(vma, LEDGER_FILE, shared)}};
    copied = copied < rss ? copied : rss;
    struct vma_label label = {0};
    if (rss > copied)
        label.parts[0] = (struct vma_part){
            LEDGER_FILE, memory_format("%s %s", vma->name, file_part(vma)), rss - copied};
    if (copied > 0)
        label.parts[1] =
            (struct vma_part){LEDGER_FILE, memory_format("%s private dirty", vma->name), copied};
    return label;
}

/* Names that the kernel or the program has given: "[heap]", "[anon:NAME]". */

static const char *main_thread_name(const struct vma_scene *scene)
{
    for (size_t i = 0; i < scene->threads.count; i++)
        if (scene->threads.threads[i].id == scene->pid)
            return scene->threads.threads[i].name;
    return "";
}

/* What allocators and runtimes call their memory (PR_SET_VMA_ANON_NAME). */
static int kind_of_given_name(const char *name)
{
    static const struct {
        const char *begin;
        int kind;
    } known[] = {
        {"glibc: malloc", LEDGER_HEAP}, {"glibc: pthread", LEDGER_STACK},
        {"jemalloc", LEDGER_HEAP},      {"tcmalloc", LEDGER_HEAP},
        {"mimalloc", LEDGER_HEAP},      {"scudo", LEDGER_HEAP},
        {"Go: heap", LEDGER_HEAP},      {"stack_and_tls", LEDGER_STACK},
        {"thread stack", LEDGER_STACK}, {"glibc: fatal", LEDGER_ANONYMOUS},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (text_begins(name, known[i].begin))
            return known[i].kind;
    return LEDGER_ANONYMOUS;
}

static struct vma_part label_given_name(const struct smaps_vma *vma)
{
    const char *name = strchr(vma->name, ':') + 1;
    name += strspn(name, " "); /* glibc's and Go's begin with one */
    size_t length = strlen(name);
    length -= length > 0 && name[length - 1] == ']';
    return whole(vma, kind_of_given_name(name), memory_text(name, length));
}

static struct vma_part label_special(const struct vma_scene *scene, const struct smaps_vma *vma)
{
    const char *name = vma->name;
    if (strcmp(name, "[heap]") == 0)
        return whole_text(vma, LEDGER_HEAP, "heap by brk");
    if (text_begins(name, "[stack"))
        return whole(vma, LEDGER_STACK, memory_format("main thread %s", main_thread_name(scene)));
    if (text_begins(name, "[anon:") || text_begins(name, "[anon_shmem:"))
        return label_given_name(vma);
    if (text_begins(name, "[v") || strcmp(name, "[uprobes]") == 0)
        return whole_text(vma, LEDGER_KERNEL, name);
    return whole_text(vma, LEDGER_ANONYMOUS, name);
}

/* Memory without a name. */

/*
 * An arena of glibc's malloc: a window of 64 MiB, reserved without backing, that is written from its
 * beginning.
 */
static bool is_arena(const struct vma_scene *scene, size_t index)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index], *above = neighbour(scene, index, 1);
    uint64_t end = vma->start + ARENA_BYTES;
    if (vma->start % ARENA_BYTES != 0 || !vma->no_reserve || !vma->write || vma->execute)
        return false;
    return vma->end == end || (vma->end < end && above && is_reserve(above) && above->end == end);
}

static bool is_go_heap(const struct vma_scene *scene, const struct smaps_vma *vma)
{
    return scene->go_heap != 0 && vma->start >= scene->go_heap && vma->end <= GO_END &&
           (vma->start - scene->go_heap) % GO_STEP < GO_STEP / 4 && !vma->execute;
}

static bool is_java_heap(const struct vma_scene *scene, const struct smaps_vma *vma)
{
    return scene->java && vma->write && !vma->execute && vma->start >= JAVA_START &&
           vma->end <= JAVA_END;
}

/* Code is put into a mapping that grows into what is reserved for it. */
static bool is_java_code(const struct vma_scene *scene, size_t index)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index], *above = neighbour(scene, index, 1);
    return scene->java && vma->write && vma->execute && above && is_reserve(above);
}

/* The stack of a thread, by its stack pointer, or by what the C library asked for. NULL: it is none. */
static char *stack_name(const struct vma_scene *scene, size_t index)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index], *below = neighbour(scene, index, -1);
    const struct thread_entry *thread = thread_list_find(&scene->threads, vma->start, vma->end);
    if (!vma->write || vma->execute)
        return NULL;
    if (thread)
        return memory_format("thread %s", thread->name);
    if (vma->no_huge && below && is_reserve(below) && below->no_huge)
        return memory_format("%s", scene->threads.unknown_count > 0
                                       ? "threads that run, or have ended"
                                       : "threads that have ended");
    return NULL;
}

static const char *access_name(const struct smaps_vma *vma)
{
    if (vma->execute)
        return "generated code";
    if (vma->write)
        return "read-write";
    return vma->read ? "read-only" : "no access";
}

static struct vma_part label_anonymous(const struct vma_scene *scene, size_t index)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index];
    if (is_go_heap(scene, vma))
        return whole_text(vma, LEDGER_HEAP, "Go heap arenas");
    if (is_java_heap(scene, vma))
        return whole_text(vma, LEDGER_HEAP, "Java heap");
    if (is_java_code(scene, index))
        return whole_text(vma, LEDGER_ANONYMOUS, "Java code cache");
    if (is_arena(scene, index))
        return whole_text(vma, LEDGER_HEAP, "malloc arenas of threads");
    char *stack = stack_name(scene, index);
    if (stack)
        return whole(vma, LEDGER_STACK, stack);
    return whole_text(vma, LEDGER_ANONYMOUS, access_name(vma));
}

/* A mapping behind the data of a file: bss up to where that ends, then what it is otherwise. */
static struct vma_label label_behind_data(const struct vma_scene *scene, size_t index)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index], *data = neighbour(scene, index, -1);
    struct vma_label label = {{label_anonymous(scene, index)}};
    bool behind = data && data->name[0] == '/' && data->write && !data->shared && vma->write;
    uint64_t end = behind ? binary_bss_end(scene->dir, data) : 0;
    if (end <= vma->start)
        return label;
    uint64_t bytes =
        end < vma->end ? page_map_resident(scene->dir, vma, end) : vma->bytes[SMAPS_RSS];
    label.parts[0].bytes -= bytes;
    label.parts[1] = (struct vma_part){is_own_file(data->name) ? LEDGER_OWN : LEDGER_DATA,
                                       memory_format("%s bss", data->name), bytes};
    return label;
}

bool vma_label_is_java(const struct smaps *smaps)
{
    for (size_t i = 0; i < smaps->count; i++)
        if (strcmp(text_base_name(smaps->vmas[i].name), "libjvm.so") == 0)
            return true;
    return false;
}

struct vma_label vma_label_of(const struct vma_scene *scene, size_t index)
{
    const struct smaps_vma *vma = &scene->smaps.vmas[index];
    struct vma_label label = {0};
    if (vma->bytes[SMAPS_RSS] == 0)
        return label;
    if (vma->name[0] == '[')
        label.parts[0] = label_special(scene, vma);
    else if (vma->name[0] != '\0')
        label = label_file(vma);
    else
        label = label_behind_data(scene, index);
    return label;
}

void vma_label_free(struct vma_label *label)
{
    free(label->parts[0].name);
    free(label->parts[1].name);
    *label = (struct vma_label){0};
}
