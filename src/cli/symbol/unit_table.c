#include "unit_table.h"

#include "function_table.h"
#include "range_table.h"
#include "scope_table.h"
#include "cli/ground/memory.h"

#include <dwarf.h>
#include <stdlib.h>

/* A compilation unit with code. */
struct unit {
    Dwarf_Die skeleton;               /* what the file itself says: lines */
    Dwarf_Die die;                    /* functions; differs from the skeleton with -gsplit-dwarf */
    struct function_table *functions; /* NULL until asked for */
    struct scope_table *scopes;       /* NULL until asked for */
    Dwarf_Files *files;
    size_t file_count;
    const char *directory; /* the compiler's; NULL: unknown */
};

struct unit_table {
    size_t count, capacity;
    struct unit *units;
    struct range_table ranges; /* of places in `units` */
};

static void unit_add(struct unit_table *table, Dwarf_CU *unit)
{
    Dwarf_Die die, split;
    Dwarf_Half version;
    uint8_t type;
    if (dwarf_cu_info(unit, &version, &type, &die, &split, NULL, NULL, NULL) != 0)
        return;
    if (dwarf_tag(&die) != DW_TAG_compile_unit && dwarf_tag(&die) != DW_TAG_skeleton_unit)
        return;
    table->units =
        memory_grown(table->units, table->count, &table->capacity, sizeof(table->units[0]));
    struct unit *added = &table->units[table->count];
    *added = (struct unit){.skeleton = die, .die = split.addr != NULL ? split : die};
    if (range_table_add(&table->ranges, &die, table->count))
        table->count++;
}

struct unit_table *unit_table_new(Dwarf *dwarf)
{
    struct unit_table *table = memory_zeroed(1, sizeof(*table));
    Dwarf_CU *unit = NULL;
    while (dwarf != NULL && dwarf_get_units(dwarf, unit, &unit, NULL, NULL, NULL, NULL) == 0)
        unit_add(table, unit);
    range_table_sort(&table->ranges);
    return table;
}

static void unit_close(struct unit *unit)
{
    function_table_free(unit->functions);
    scope_table_free(unit->scopes);
}

void unit_table_free(struct unit_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        unit_close(&table->units[i]);
    range_table_clear(&table->ranges);
    free(table->units);
    free(table);
}

static void unit_open(struct unit *unit)
{
    Dwarf_Attribute attribute;
    if (unit->functions != NULL)
        return;
    if (dwarf_attr(&unit->skeleton, DW_AT_comp_dir, &attribute) != NULL)
        unit->directory = dwarf_formstring(&attribute);
    unit->functions = function_table_new(&unit->die);
    if (dwarf_getsrcfiles(&unit->die, &unit->files, &unit->file_count) != 0)
        unit->file_count = 0;
}

static const char *linkage_name(Dwarf_Die *function)
{
    Dwarf_Attribute attribute;
    Dwarf_Attribute *found =
        dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) != NULL
            ? &attribute
            : dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute);
    return found != NULL ? dwarf_formstring(found) : NULL;
}

static int64_t number_attribute(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr_integrate(die, name, &attribute) == NULL ||
        dwarf_formudata(&attribute, &value) != 0 || value > INT32_MAX)
        return 0;
    return (int64_t)value;
}

/* C has neither namespaces nor classes. */
static bool unit_has_scopes(struct unit *unit)
{
    switch (dwarf_srclang(&unit->die)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_Mips_Assembler:
        return false;
    default:
        return true;
    }
}

static void frame_name(struct frame *frame, struct unit *unit, Dwarf_Die *function)
{
    frame->start_line = number_attribute(function, DW_AT_decl_line);
    frame->name = linkage_name(function);
    frame->linkage = frame->name != NULL;
    if (frame->linkage)
        return;
    frame->name = dwarf_diename(function);
    if (!unit_has_scopes(unit))
        return;
    if (unit->scopes == NULL)
        unit->scopes = scope_table_new(&unit->die);
    frame->readable = scope_table_name(unit->scopes, function);
}

/* Where `inlined` was called from: its caller's line. */
static void frame_call(struct frame *caller, struct unit *unit, Dwarf_Die *inlined)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    if (dwarf_attr(inlined, DW_AT_call_line, &attribute) != NULL &&
        dwarf_formudata(&attribute, &line) == 0 && line <= INT32_MAX)
        caller->line = (int64_t)line;
    if (dwarf_attr(inlined, DW_AT_call_file, &attribute) != NULL &&
        dwarf_formudata(&attribute, &file) == 0 && file < unit->file_count)
        caller->file = dwarf_filesrc(unit->files, file, NULL, NULL);
}

/* The line table's word on `address`. */
static void frame_line(struct frame *frame, struct unit *unit, uint64_t address)
{
    int line = 0;
    Dwarf_Line *found = dwarf_getsrc_die(&unit->skeleton, address);
    if (found == NULL)
        return;
    frame->file = dwarf_linesrc(found, NULL, NULL);
    if (dwarf_lineno(found, &line) == 0)
        frame->line = line;
}

size_t unit_table_frames(struct unit_table *table, uint64_t address, struct frame *frames,
                         uint64_t *start)
{
    Dwarf_Die scopes[FRAMES_MAX];
    size_t place = 0;
    *start = 0;
    if (!range_table_find(&table->ranges, address, &place))
        return 0;
    struct unit *unit = &table->units[place];
    unit_open(unit);
    size_t depth = function_table_scopes(unit->functions, address, scopes, FRAMES_MAX, start);
    size_t count = depth > 0 ? depth : 1;
    for (size_t i = 0; i < count; i++)
        frames[i] = (struct frame){.directory = unit->directory};
    /* scopes[0] is the function that was compiled, the last the innermost inlined one. */
    frame_line(&frames[0], unit, address);
    for (size_t i = 0; i < depth; i++) {
        frame_name(&frames[i], unit, &scopes[depth - 1 - i]);
        if (i + 1 < depth)
            frame_call(&frames[i + 1], unit, &scopes[depth - 1 - i]);
    }
    return frames[0].file != NULL || depth > 0 ? count : 0;
}
