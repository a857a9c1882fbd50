#include "module_list.h"

#include "sys.h"

enum {
    ROOM_MIN = 256,     /* objects; more take a table of twice the size */
    WRITER_WAITS = 100, /* turns: the other thread needs a few microseconds */
    PAGE_BYTES_MIN = 4096
};

struct listed {
    struct module module;
    const struct link_map *map; /* where the loader keeps it */
    const char *map_name;       /* its name there */
};

struct table {
    uint32_t count; /* after objects: who sees it sees that there are as many */
    uint32_t room;
    struct listed *objects;
};

/*
 * Two tables: one is read, the other one written, then `version` makes them change places. A reader that
 * sees the same version afterwards has read no byte of the other one; a handler that interrupts the
 * writer need not wait. What a table has outgrown stays mapped: readers may be in it.
 */
static struct {
    uint32_t writer; /* the process one of whose threads writes; 0: none */
    uint32_t version;
    struct table tables[2];           /* by version: the one that is read */
    const struct link_map *last_seen; /* the end of the loader's list when it was copied */
} list;

/* A forked child may find the lock of a thread that it does not have. */
static bool writer_enter(void)
{
    uint32_t self = (uint32_t)sys_pid();
    for (int turn = 0; turn < WRITER_WAITS; turn++) {
        uint32_t holder = __atomic_load_n(&list.writer, __ATOMIC_RELAXED);
        /* pairs: writer_leave() */
        if (holder != self && __atomic_compare_exchange_n(&list.writer, &holder, self, false,
                                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        sys_call1(SYS_sched_yield, 0);
    }
    return false; /* we are a handler that interrupted the writer */
}

static void writer_leave(void)
{
    /* pairs: writer_enter() */
    __atomic_store_n(&list.writer, 0, __ATOMIC_RELEASE);
}

/* A page or two at most. */
static bool readable(const void *start, size_t size_bytes)
{
    uintptr_t first = (uintptr_t)start, last = first + size_bytes - 1;
    return start && sys_readable(first) &&
           (first / PAGE_BYTES_MIN == last / PAGE_BYTES_MIN || sys_readable(last));
}

/* Where loaders have it, by glibc's name and by musl's. Weak: one has but one of them. */
extern const struct r_debug loader_debug __asm__("_r_debug") __attribute__((weak));
extern const struct r_debug *loader_debug_at __asm__("_dl_debug_addr") __attribute__((weak));

/* The program may not say: musl's loader, started by its own name, is what the kernel takes for the program. */
static const struct r_debug *debug_of_loader(void)
{
    if (&loader_debug)
        return &loader_debug;
    return &loader_debug_at ? loader_debug_at : NULL;
}

const struct link_map *module_list_loaders(void)
{
    struct module program;
    const ElfW(Dyn) *entry =
        module_program(&program) ? module_entry(module_dynamic(&program), DT_DEBUG) : NULL;
    const struct r_debug *debug = entry ? (const void *)entry->d_un.d_ptr : NULL;
    if (!debug)
        debug = debug_of_loader();
    return debug ? debug->r_map : NULL;
}

const struct link_map *module_list_first(void)
{
    const struct link_map *map = module_list_loaders();
    return readable(map, sizeof(*map)) ? map : NULL;
}

const struct link_map *module_list_next(const struct link_map *map)
{
    const struct link_map *next = map->l_next;
    return readable(next, sizeof(*next)) ? next : NULL;
}

/* What `map`, which is readable, stands for; false when its headers are not where they should be. */
static bool describe(const struct link_map *map, bool is_first, struct module *module)
{
    enum { FIRST_PAGE_BYTES = 4096 };
    const char *name = map->l_name;
    bool is_program = is_first || !readable(name, 1);
    *module =
        (struct module){.name = is_program ? "" : name, .bias = map->l_addr, .start = map->l_addr};
    if ((!is_first && is_program) ||
        (!is_program && !readable((const void *)module->start, FIRST_PAGE_BYTES)) ||
        !module_read_headers(module))
        return false;
    module->start = UINT64_MAX;
    module->end = 0;
    module_stretch(module);
    module->start &= ~4095ull;
    module_name_as_glibc(module);
    return module->start < module->end;
}

/* Makes room for one more; what the table holds is kept. */
static bool make_room(struct table *table, uint32_t count)
{
    if (count < table->room)
        return true;
    uint32_t room = table->room == 0 ? ROOM_MIN : table->room * 2;
    struct listed *objects = sys_pages(room * sizeof(*objects));
    if (!objects)
        return false;
    for (uint32_t i = 0; i < count; i++)
        objects[i] = table->objects[i];
    table->room = room;
    /* pairs: listed_find(), through count */
    __atomic_store_n(&table->objects, objects, __ATOMIC_RELEASE);
    return true;
}

/* Late readers may be looking: they will see that the version has moved on. */
static void listed_write(struct listed *to, const struct listed *from)
{
    __atomic_store_n(&to->map, from->map, __ATOMIC_RELAXED);
    __atomic_store_n(&to->map_name, from->map_name, __ATOMIC_RELAXED);
    __atomic_store_n(&to->module.name, from->module.name, __ATOMIC_RELAXED);
    __atomic_store_n(&to->module.bias, from->module.bias, __ATOMIC_RELAXED);
    __atomic_store_n(&to->module.start, from->module.start, __ATOMIC_RELAXED);
    __atomic_store_n(&to->module.end, from->module.end, __ATOMIC_RELAXED);
    __atomic_store_n(&to->module.segments, from->module.segments, __ATOMIC_RELAXED);
    __atomic_store_n(&to->module.segment_count, from->module.segment_count, __ATOMIC_RELAXED);
}

static void listed_read(struct listed *to, const struct listed *from)
{
    to->map = __atomic_load_n(&from->map, __ATOMIC_RELAXED);
    to->map_name = __atomic_load_n(&from->map_name, __ATOMIC_RELAXED);
    to->module.name = __atomic_load_n(&from->module.name, __ATOMIC_RELAXED);
    to->module.bias = __atomic_load_n(&from->module.bias, __ATOMIC_RELAXED);
    to->module.start = __atomic_load_n(&from->module.start, __ATOMIC_RELAXED);
    to->module.end = __atomic_load_n(&from->module.end, __ATOMIC_RELAXED);
    to->module.segments = __atomic_load_n(&from->module.segments, __ATOMIC_RELAXED);
    to->module.segment_count = __atomic_load_n(&from->module.segment_count, __ATOMIC_RELAXED);
}

static void copy_list(struct table *table)
{
    const struct link_map *first = module_list_first(), *last = NULL;
    uint32_t count = 0;
    for (const struct link_map *map = first; map; map = module_list_next(map)) {
        struct listed object = {.map = map, .map_name = map->l_name};
        last = map;
        if (!describe(map, map == first, &object.module))
            continue;
        if (!make_room(table, count))
            break;
        listed_write(&table->objects[count++], &object);
    }
    __atomic_store_n(&table->count, count, __ATOMIC_RELEASE); /* pairs: listed_find() */
    __atomic_store_n(&list.last_seen, last, __ATOMIC_RELAXED);
}

void module_list_take(void)
{
    if (!writer_enter())
        return;
    uint32_t next = list.version + 1;
    __atomic_thread_fence(__ATOMIC_RELEASE); /* pairs: the fence in listed_find() */
    copy_list(&list.tables[next & 1]);
    __atomic_store_n(&list.version, next, __ATOMIC_RELEASE); /* pairs: listed_find() */
    writer_leave();
}

/* Whether the loader has put objects behind the last one that we know. */
static bool has_grown(void)
{
    const struct link_map *last = __atomic_load_n(&list.last_seen, __ATOMIC_RELAXED);
    return !readable(last, sizeof(*last)) || last->l_next;
}

static bool listed_find(uint64_t address, struct listed *object)
{
    uint32_t before, after;
    bool found;
    do {
        found = false;
        before = __atomic_load_n(&list.version, __ATOMIC_ACQUIRE); /* pairs: module_list_take() */
        const struct table *table = &list.tables[before & 1];
        uint32_t count = __atomic_load_n(&table->count, __ATOMIC_ACQUIRE); /* pairs: copy_list() */
        const struct listed *objects = __atomic_load_n(&table->objects, __ATOMIC_ACQUIRE);
        for (uint32_t i = 0; i < count && !found; i++) {
            listed_read(object, &objects[i]);
            found = address >= object->module.start && address < object->module.end;
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs: the fence in module_list_take() */
        after = __atomic_load_n(&list.version, __ATOMIC_RELAXED);
    } while (before != after);
    return found;
}

/* libc unloads what it has loaded for itself where no hook of dlclose sees it. */
static bool is_loaded(const struct listed *object)
{
    const struct link_map *map = object->map;
    return readable(map, sizeof(*map)) && map->l_addr == object->module.bias &&
           map->l_name == object->map_name &&
           readable(object->module.segments,
                    object->module.segment_count * sizeof(*object->module.segments));
}

bool module_list_find(uint64_t address, struct module *module)
{
    struct listed object;
    bool found = listed_find(address, &object);
    if (found ? !is_loaded(&object) : has_grown()) {
        module_list_take();
        found = listed_find(address, &object);
    }
    if (found)
        *module = object.module;
    return found;
}
