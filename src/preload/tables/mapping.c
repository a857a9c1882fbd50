#include "mapping.h"

#include "preload/ground/arena.h"
#include "preload/ground/guard.h"
#include "preload/ground/module.h"
#include "preload/ground/text.h"

#include <elf.h>
#include <link.h>
#include <string.h>

static struct {
    const char *executable;
    const char *directory;
    uint32_t last;    /* the mapping found last: most new frames are its neighbours */
    uint32_t surveys; /* begun so far; atomic */
    bool replaced;    /* an object was found where another one had been, since this was asked */
} state;

void mapping_init(const char *executable, const char *directory)
{
    state.executable = executable;
    state.directory = directory;
}

static struct box_mapping *mapping_at(uint32_t index)
{
    return arena_entry(BOX_MAPPINGS, index);
}

bool mapping_is_dead(uint32_t mapping)
{
    return mapping != BOX_NONE && (mapping_at(mapping)->flags & BOX_MAPPING_DEAD) != 0;
}

static bool mapping_holds(uint32_t index, uint64_t address)
{
    const struct box_mapping *mapping = mapping_at(index);
    return address >= mapping->start && address < mapping->limit &&
           !(mapping->flags & BOX_MAPPING_DEAD);
}

/* The NUL-terminated text's index in BOX_TEXT; 0 when there is no room. */
static uint32_t text_intern(const char *text)
{
    uint32_t bytes = (uint32_t)strnlen(text, BOX_TEXT_BYTES_MAX - 1);
    uint32_t index = arena_append(BOX_TEXT, bytes + 1);
    if (index != BOX_NONE)
        memcpy(arena_entry(BOX_TEXT, index), text,
               bytes); /* the entry is zeroed: the NUL is there */
    arena_publish(BOX_TEXT);
    return index;
}

/* A file name as a person would write it, into `path` of BOX_TEXT_BYTES_MAX. */
static const char *mapping_path(const struct module *module, char *path)
{
    struct text text = text_on(path, BOX_TEXT_BYTES_MAX);
    if (module->name[0] == '\0')
        text_put(&text, state.executable);
    else if (strncmp(module->name, "linux-vdso", 10) == 0)
        text_put(&text, "[vdso]");
    else {
        if (module->name[0] != '/') {
            text_put(&text, state.directory);
            text_put(&text, "/");
        }
        text_put(&text, module->name);
    }
    return path;
}

static void mapping_fill(struct box_mapping *mapping, const struct module *module,
                         const ElfW(Phdr) * segment)
{
    /* Kept by the intern lock; stacks of hooks may be small. */
    static char path[BOX_TEXT_BYTES_MAX];
    uint64_t low = segment->p_vaddr & ~4095ull;
    mapping->start = module->bias + low;
    mapping->limit = (module->bias + segment->p_vaddr + segment->p_memsz + 4095) & ~4095ull;
    mapping->offset = segment->p_offset & ~4095ull;
    mapping->path = text_intern(mapping_path(module, path));
    mapping->flags = module->name[0] == '\0' ? BOX_MAPPING_MAIN : 0;
    mapping->build_id_bytes = module_build_id(module, mapping->build_id, sizeof(mapping->build_id));
    mapping->met = __atomic_load_n(&state.surveys, __ATOMIC_SEQ_CST); /* it is there right now */
}

static uint32_t mapping_add(const struct module *module, uint64_t address)
{
    for (unsigned i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *segment = &module->segments[i];
        uint64_t start = module->bias + (segment->p_vaddr & ~4095ull);
        if (segment->p_type != PT_LOAD || address < start ||
            address - start >= segment->p_memsz + (segment->p_vaddr & 4095))
            continue;
        uint32_t index = arena_append(BOX_MAPPINGS, 1);
        if (index == BOX_NONE)
            return BOX_NONE;
        mapping_fill(mapping_at(index), module, segment);
        arena_publish(BOX_MAPPINGS);
        guard_want(GUARD_WANT_LOOK);
        return index;
    }
    return BOX_NONE;
}

/* Whether mapping_path() of the object would say so: without its room, as stacks of hooks may be small. */
static bool path_is_of(const char *path, const struct module *module)
{
    size_t room_bytes = strlen(path), name_bytes = strlen(module->name);
    if (module->name[0] == '\0')
        return strcmp(path, state.executable) == 0;
    if (strncmp(module->name, "linux-vdso", 10) == 0)
        return strcmp(path, "[vdso]") == 0;
    if (module->name[0] == '/')
        return strncmp(path, module->name, BOX_TEXT_BYTES_MAX - 1) == 0;
    return room_bytes > name_bytes && path[room_bytes - name_bytes - 1] == '/' &&
           strcmp(path + room_bytes - name_bytes, module->name) == 0;
}

static bool starts_at(const struct module *module, uint64_t start)
{
    for (unsigned i = 0; i < module->segment_count; i++)
        if (module->segments[i].p_type == PT_LOAD &&
            module->bias + (module->segments[i].p_vaddr & ~4095ull) == start)
            return true;
    return false;
}

static bool mapping_is_of(const struct box_mapping *mapping, const struct module *module)
{
    uint8_t id[BOX_BUILD_ID_BYTES_MAX];
    unsigned id_bytes = module_build_id(module, id, sizeof(id));
    return starts_at(module, mapping->start) && id_bytes == mapping->build_id_bytes &&
           memcmp(id, mapping->build_id, id_bytes) == 0 &&
           path_is_of(arena_entry(BOX_TEXT, mapping->path), module);
}

static uint32_t mapping_find(uint64_t address)
{
    if (state.last != BOX_NONE && mapping_holds(state.last, address))
        return state.last;
    for (uint32_t i = 1; i < arena.tables[BOX_MAPPINGS].count; i++)
        if (mapping_holds(i, address))
            return state.last = i;
    return BOX_NONE;
}

uint32_t mapping_intern(uint64_t address)
{
    struct module module;
    uint32_t index = mapping_find(address);
    if (index != BOX_NONE && mapping_at(index)->flags & BOX_MAPPING_MAIN)
        return index; /* it cannot go */
    if (!module_find(address, &module))
        return index;
    while (index != BOX_NONE && !mapping_is_of(mapping_at(index), &module)) {
        mapping_at(index)->flags |= BOX_MAPPING_DEAD;
        state.last = BOX_NONE;
        state.replaced = true;
        index = mapping_find(address);
    }
    return index != BOX_NONE ? index : (state.last = mapping_add(&module, address));
}

bool mapping_was_replaced(void)
{
    bool replaced = state.replaced;
    state.replaced = false;
    return replaced;
}

/* What is looked for in one object of the loader's. */
struct survey {
    uint32_t number;
    uint32_t count; /* of mappings; those that come later have the number already */
};

/* Notes that the mapping was met by survey `number`, unless a later one has met it already. */
static void mapping_meet(struct box_mapping *mapping, uint32_t number)
{
    uint32_t met = __atomic_load_n(&mapping->met, __ATOMIC_RELAXED);
    while (met < number && !__atomic_compare_exchange_n(&mapping->met, &met, number, true,
                                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static void survey_module(const struct module *module, void *context)
{
    const struct survey *survey = context;
    for (uint32_t i = 1; i < survey->count; i++) {
        struct box_mapping *mapping = mapping_at(i);
        if (mapping->start < module->end && mapping->limit > module->start &&
            mapping_is_of(mapping, module))
            mapping_meet(mapping, survey->number);
    }
}

uint32_t mapping_survey(void)
{
    struct survey survey;
    survey.number = __atomic_add_fetch(&state.surveys, 1, __ATOMIC_SEQ_CST);
    /* pairs: arena_publish() */
    survey.count =
        (uint32_t)__atomic_load_n(&arena.header->tables[BOX_MAPPINGS].count, __ATOMIC_ACQUIRE);
    module_each(survey_module, &survey);
    return survey.number;
}

bool mapping_sweep(uint32_t survey)
{
    bool swept = false;
    for (uint32_t i = 1; i < arena.tables[BOX_MAPPINGS].count; i++) {
        struct box_mapping *mapping = mapping_at(i);
        if (mapping->flags & BOX_MAPPING_DEAD ||
            __atomic_load_n(&mapping->met, __ATOMIC_RELAXED) >= survey)
            continue;
        mapping->flags |= BOX_MAPPING_DEAD;
        swept = true;
    }
    state.last = BOX_NONE;
    return swept;
}
