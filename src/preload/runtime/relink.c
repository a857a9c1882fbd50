#include "relink.h"

#include "symbol.h"

#include "preload/ground/permit.h"
#include "preload/ground/spin.h"
#include "preload/ground/sys.h"

#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#include "relink_x86_64.h"
#elif defined(__aarch64__)
#include "relink_aarch64.h"
#endif

enum { HANDLES = 64 }; /* that are known: who asks for a hundred functions asks one object */

static struct {
    const struct relink_group *const *groups;
    struct spin lock; /* around making pages writable; never waited for */
    bool first
        [256]; /* letters that names begin with: most relocations are passed over by one load */
    uint64_t page_bytes;
    uint64_t handles[HANDLES]; /* by their own bits: where its dynamic section is; atomic */
} state;

/* An object's relocations, as it is looked at. */
struct object {
    const struct module *module;
    const ElfW(Sym) * symbols;
    const char *names;
    uint64_t relro_start, relro_end; /* what the loader has made read-only */
    bool is_late;
};

static bool is_ours(const struct module *module)
{
    return (uint64_t)&state >= module->start && (uint64_t)&state < module->end;
}

static bool is_programs(const char *name)
{
    struct module program;
    return module_program(&program) && symbol_find(&program, name) != 0;
}

/*
 * What a slot stands for that leads into its own object: to the object's own function, whose calls are a runtime's calls of
 * itself, or Lua and what uses it in one library; or to where it has it bound at the first call. Of two libraries with such
 * a function only the loader knows which one it will be (RTLD_LOCAL, RTLD_DEEPBIND): it is left to it.
 */
static uint64_t target_inside(const struct object *object, const char *name,
                              enum relink_scope scope)
{
    uint64_t own = symbol_find(object->module, name);
    if (is_programs(name))
        return 0;
    if (own)
        return scope == RELINK_ANY ? own : 0;
    bool is_only;
    uint64_t found = symbol_find_library(name, &is_only);
    return is_only || scope == RELINK_ANY ? found : 0;
}

/* The real function, if a slot with this value leads to one that is hooked. The program's own never is. */
static uint64_t target_of(const struct object *object, const char *name, uint64_t value,
                          enum relink_scope scope)
{
    struct module module;
    if (value >= object->module->start && value < object->module->end)
        return target_inside(object, name, scope);
    return value != 0 && module_find(value, &module) && module.name[0] != '\0' &&
                   !is_ours(&module) && symbol_find(&module, name) == value
               ? value
               : 0;
}

static bool is_meant(const struct relink_group *group, const struct relink_name *name,
                     uint64_t target)
{
    if (target == 0)
        return false;
    if (*name->real == 0 && group->scope != RELINK_KNOWN)
        *name->real = target;
    return group->scope == RELINK_ANY || *name->real == target;
}

/* Whether the slot lies in a segment that the loader may write to. */
static bool is_data(const struct module *module, uint64_t slot)
{
    for (unsigned i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *segment = &module->segments[i];
        uint64_t start = module->bias + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_W && slot >= start &&
            slot - start + sizeof(uint64_t) <= segment->p_memsz)
            return true;
    }
    return false;
}

/*
 * One aligned store: other threads may be calling through it. Read-only again afterwards, as it was: an object that
 * is still being relocated is not read-only yet, and it would be too soon.
 */
static void store(const struct object *object, uint64_t slot, uint64_t was, uint64_t is)
{
    uint64_t page = slot & ~(state.page_bytes - 1);
    bool is_sealed = page >= object->relro_start && page < object->relro_end;
    if (is_sealed && (object->is_late || !permit_has(PERMIT_SEALS) ||
                      sys_failed(sys_call3(SYS_mprotect, (long)page, (long)state.page_bytes,
                                           PROT_READ | PROT_WRITE))))
        return;
    /* pairs: nothing: what the hook needs was there before any object was looked at */
    __atomic_compare_exchange_n((uint64_t *)slot, &was, is, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
    if (is_sealed)
        sys_call3(SYS_mprotect, (long)page, (long)state.page_bytes, PROT_READ);
}

static const struct relink_name *find(const struct relink_group *group, const char *name)
{
    const struct relink_name *at = group->names;
    while (at->name && strcmp(at->name, name) != 0)
        at++;
    return at->name && (!group->may || group->may()) ? at : NULL;
}

/* Objects that dlmopen() has loaded are bound to libraries of their own, or will be. */
static void look_at_name(const struct object *object, const char *name, uint64_t slot)
{
    for (unsigned i = 0; state.groups[i]; i++) {
        const struct relink_group *group = state.groups[i];
        const struct relink_name *found = find(group, name);
        if (!found || !is_data(object->module, slot) || !symbol_is_listed(object->module))
            continue;
        uint64_t value = __atomic_load_n((const uint64_t *)slot, __ATOMIC_RELAXED);
        if (is_meant(group, found, target_of(object, name, value, group->scope)))
            store(object, slot, value, (uint64_t)found->hook);
    }
}

static void look_at_table(const struct object *object, const ElfW(Rela) * table, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / sizeof(*table); i++) {
        uint32_t type = ELF64_R_TYPE(table[i].r_info), index = ELF64_R_SYM(table[i].r_info);
        bool is_address = type == RELINK_CALL || type == RELINK_POINTER || type == RELINK_DATA;
        uint64_t slot = object->module->bias + table[i].r_offset;
        if (!is_address || index == 0 || table[i].r_addend != 0 || slot % sizeof(uint64_t) != 0)
            continue;
        const char *name = object->names + object->symbols[index].st_name;
        if (state.first[(unsigned char)name[0]])
            look_at_name(object, name, slot);
    }
}

/* What the loader seals: whole pages of it. */
static void find_sealed(struct object *object)
{
    const struct module *module = object->module;
    for (unsigned i = 0; i < module->segment_count; i++) {
        const ElfW(Phdr) *segment = &module->segments[i];
        uint64_t start = module->bias + segment->p_vaddr;
        if (segment->p_type != PT_GNU_RELRO)
            continue;
        object->relro_start = start & ~(state.page_bytes - 1);
        object->relro_end = (start + segment->p_memsz) & ~(state.page_bytes - 1);
    }
}

static uint64_t number(const ElfW(Dyn) * dynamic, int64_t tag)
{
    const ElfW(Dyn) *entry = module_entry(dynamic, tag);
    return entry ? entry->d_un.d_val : 0;
}

static void look_at(const struct module *module, bool is_late)
{
    const ElfW(Dyn) *dynamic = module_dynamic(module);
    struct object object = {.module = module,
                            .symbols = module_table(dynamic, module->bias, DT_SYMTAB),
                            .names = module_table(dynamic, module->bias, DT_STRTAB),
                            .is_late = is_late};
    if (is_ours(module) || !object.symbols || !object.names)
        return;
    find_sealed(&object);
    const ElfW(Rela) *calls = module_table(dynamic, module->bias, DT_JMPREL);
    const ElfW(Rela) *others = module_table(dynamic, module->bias, DT_RELA);
    if (calls && number(dynamic, DT_PLTREL) == DT_RELA)
        look_at_table(&object, calls, number(dynamic, DT_PLTRELSZ));
    uint64_t relative = number(dynamic, DT_RELACOUNT), bytes = number(dynamic, DT_RELASZ);
    if (others && relative * sizeof(*others) <= bytes)
        look_at_table(&object, others + relative, bytes - relative * sizeof(*others));
}

static void look_at_loaded(const struct module *module, void *context)
{
    (void)context;
    look_at(module, false);
}

/* In a library: the program's own is never replaced. */
static void look_for_groups(const struct module *module, void *some)
{
    bool is_library = module->name[0] != '\0' && !is_ours(module);
    for (unsigned i = 0; is_library && state.groups[i] && !*(bool *)some; i++)
        *(bool *)some =
            !state.groups[i]->may && symbol_find(module, state.groups[i]->names[0].name);
}

static bool some_may(const struct relink_group *const *groups)
{
    bool some = false;
    for (unsigned i = 0; groups[i]; i++)
        some = (groups[i]->may && groups[i]->may()) || some;
    return some;
}

void relink_init(const struct relink_group *const *groups)
{
    bool some = some_may(groups);
    state.page_bytes = getauxval(AT_PAGESZ);
    for (unsigned i = 0; groups[i]; i++)
        for (const struct relink_name *at = groups[i]->names; at->name; at++)
            state.first[(unsigned char)at->name[0]] = true;
    bool held = spin_try(&state.lock); /* free: nobody asks before there are groups */
    __atomic_store_n(&state.groups, groups, __ATOMIC_RELEASE); /* pairs: the loads below */
    if (!some)
        module_each(look_for_groups, &some);
    if (some)
        module_each(look_at_loaded, NULL);
    if (held)
        spin_unlock(&state.lock);
}

void relink_late(const struct module *module)
{
    if (__atomic_load_n(&state.groups, __ATOMIC_ACQUIRE)) /* pairs: relink_init() */
        look_at(module, true);
}

/* Only who has the lock makes pages writable, and read-only again. */
static bool look_sealed_too(const struct module *module)
{
    if (!spin_try(&state.lock))
        return false;
    look_at(module, false);
    spin_unlock(&state.lock);
    return true;
}

/* A handle is the loader's entry for the object, which whoever has it keeps from going; what is none is left to dlsym() to
   say. */
void relink_handle(const void *handle)
{
    const struct link_map *map = handle;
    struct module module;
    if (!__atomic_load_n(&state.groups, __ATOMIC_ACQUIRE) || /* pairs: relink_init() */
        !permit_has(PERMIT_SIGNALS) || !sys_readable((uint64_t)&map->l_addr) ||
        !sys_readable((uint64_t)&map->l_ld))
        return;
    uint64_t *known = &state.handles[(uint64_t)handle / 64 % HANDLES], is = (uint64_t)map->l_ld;
    if (__atomic_load_n(known, __ATOMIC_RELAXED) != is && module_find(is, &module) &&
        look_sealed_too(&module))
        __atomic_store_n(known, is, __ATOMIC_RELAXED);
}

void relink_forget(void)
{
    for (unsigned i = 0; i < HANDLES; i++)
        __atomic_store_n(&state.handles[i], 0, __ATOMIC_RELAXED);
}

void *relink_answer(const char *name, void *address)
{
    const struct relink_group *const *groups = __atomic_load_n(&state.groups, __ATOMIC_ACQUIRE);
    if (!groups || !address || !state.first[(unsigned char)name[0]])
        return address;
    for (unsigned i = 0; groups[i]; i++) {
        const struct relink_name *found =
            groups[i]->scope != RELINK_ANY ? find(groups[i], name) : NULL;
        if (found && *found->real == (uintptr_t)address)
            return found->hook;
    }
    return address;
}

void relink_fork(void)
{
    spin_reset(&state.lock);
}
