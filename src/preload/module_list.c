#include "module_list.h"

#include "sys.h"

enum {
    ROOM_MIN = 256,    /* objects; more take a table of twice the size */
    WRITER_WAITS = 500 /* turns: the other thread needs a few microseconds */
};

struct listed {
    struct module module;
    const struct link_map *map; /* where the loader keeps it */
};

/*
 * Readers copy an entry and look whether `sequence` has stood still meanwhile. Tables are never given
 * back, as readers may be in them; each is twice as large as the one before.
 */
static struct {
    uint32_t writer;                  /* the process one of whose threads writes; 0: none */
    uint32_t sequence;                /* odd while the table is written */
    uint32_t count;                   /* after objects: who sees it sees a table that has as many */
    uint32_t room;                    /* writer */
    struct listed *objects;           /* of `room` */
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

static bool readable(const void *start, size_t size_bytes)
{
    return start && sys_readable((uintptr_t)start) &&
           sys_readable((uintptr_t)start + size_bytes - 1);
}

/* The list that loaders keep for debuggers; NULL in programs without one (static ones). */
static const struct link_map *loader_list(void)
{
    struct module program;
    if (!module_program(&program))
        return NULL;
    const ElfW(Dyn) *entry = module_dynamic(&program, DT_DEBUG);
    const struct r_debug *debug = entry ? (const void *)entry->d_un.d_ptr : NULL;
    return debug ? debug->r_map : NULL;
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

/* Makes room for `count` objects. */
static bool make_room(uint32_t count)
{
    if (count < list.room)
        return true;
    uint32_t room = list.room == 0 ? ROOM_MIN : list.room * 2;
    struct listed *objects = sys_pages(room * sizeof(*objects));
    if (!objects)
        return false;
    for (uint32_t i = 0; i < count; i++)
        objects[i] = list.objects[i];
    list.room = room;
    /* pairs: listed_find(), through count */
    __atomic_store_n(&list.objects, objects, __ATOMIC_RELEASE);
    return true;
}

/* Readers may be looking: they will see that the sequence has moved on. */
static void listed_write(struct listed *to, const struct listed *from)
{
    __atomic_store_n(&to->map, from->map, __ATOMIC_RELAXED);
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
    to->module.name = __atomic_load_n(&from->module.name, __ATOMIC_RELAXED);
    to->module.bias = __atomic_load_n(&from->module.bias, __ATOMIC_RELAXED);
    to->module.start = __atomic_load_n(&from->module.start, __ATOMIC_RELAXED);
    to->module.end = __atomic_load_n(&from->module.end, __ATOMIC_RELAXED);
    to->module.segments = __atomic_load_n(&from->module.segments, __ATOMIC_RELAXED);
    to->module.segment_count = __atomic_load_n(&from->module.segment_count, __ATOMIC_RELAXED);
}

static void copy_list(void)
{
    const struct link_map *first = loader_list(), *last = NULL;
    uint32_t count = 0;
    for (const struct link_map *map = first; readable(map, sizeof(*map)); map = map->l_next) {
        struct listed object = {.map = map};
        last = map;
        if (!describe(map, map == first, &object.module))
            continue;
        if (!make_room(count))
            break;
        listed_write(&list.objects[count++], &object);
        if (count > __atomic_load_n(&list.count, __ATOMIC_RELAXED))
            __atomic_store_n(&list.count, count, __ATOMIC_RELEASE); /* pairs: listed_find() */
    }
    __atomic_store_n(&list.count, count, __ATOMIC_RELEASE); /* pairs: listed_find() */
    __atomic_store_n(&list.last_seen, last, __ATOMIC_RELAXED);
}

void module_list_take(void)
{
    if (!writer_enter())
        return;
    uint32_t sequence = list.sequence | 1; /* odd already: left by a thread that a fork has lost */
    __atomic_store_n(&list.sequence, sequence, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* pairs: the fence in listed_find() */
    copy_list();
    __atomic_store_n(&list.sequence, sequence + 1, __ATOMIC_RELEASE); /* pairs: listed_find() */
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
    for (int turn = 0; turn < WRITER_WAITS; turn++) {
        bool found = false;
        /* pairs: module_list_take() */
        uint32_t before = __atomic_load_n(&list.sequence, __ATOMIC_ACQUIRE);
        /* pairs: copy_list() */
        uint32_t count = __atomic_load_n(&list.count, __ATOMIC_ACQUIRE);
        const struct listed *objects = __atomic_load_n(&list.objects, __ATOMIC_ACQUIRE);
        for (uint32_t i = 0; i < count && !found; i++) {
            listed_read(object, &objects[i]);
            found = address >= object->module.start && address < object->module.end;
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* pairs: the fence in module_list_take() */
        uint32_t after = __atomic_load_n(&list.sequence, __ATOMIC_RELAXED);
        if (before == after && !(before & 1))
            return found;
        sys_call1(SYS_sched_yield, 0);
    }
    return false;
}

/* libc unloads what it has loaded for itself where no hook of dlclose sees it. */
static bool is_loaded(const struct listed *object)
{
    const struct link_map *map = object->map;
    return readable(map, sizeof(*map)) && map->l_addr == object->module.bias &&
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
