#include "symbol_table.h"

#include "cli/ground/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    NESTED_MAX = 32,   /* symbols looked at behind an address: labels inside a function */
    RANK_SIZELESS = 8, /* assembler functions and labels: up to the next symbol at most */
    RANK_BINDING = 2
};

struct symbol_table {
    size_t count, capacity;
    struct symbol *symbols; /* by start */
};

static int symbol_compare(const void *left, const void *right)
{
    const struct symbol *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    /* The one shown comes last: a search looks backwards. */
    return a->rank != b->rank ? (a->rank > b->rank ? -1 : 1) : strcmp(b->name, a->name);
}

/* Sized before sizeless, global before weak before local, plain names before __reserved ones. */
static uint64_t symbol_rank(const GElf_Sym *symbol, const char *name)
{
    uint64_t binding = GELF_ST_BIND(symbol->st_info);
    uint64_t order = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;
    return (symbol->st_size == 0 ? RANK_SIZELESS : 0) + order * RANK_BINDING +
           (name[0] == '_' && name[1] == '_');
}

/* The code section a symbol lies in; false when it lies in none. */
static bool symbol_section(Elf *elf, GElf_Word index, GElf_Shdr *section)
{
    Elf_Scn *found = elf != NULL ? elf_getscn(elf, index) : NULL;
    return found != NULL && gelf_getshdr(found, section) != NULL &&
           (section->sh_flags & SHF_EXECINSTR) != 0;
}

static bool symbol_read(Dwfl_Module *module, int index, struct symbol *symbol)
{
    GElf_Sym entry;
    GElf_Word section_index = 0;
    GElf_Addr start = 0;
    GElf_Shdr section;
    Elf *elf = NULL;
    Dwarf_Addr bias = 0;
    const char *name =
        dwfl_module_getsym_info(module, index, &entry, &start, &section_index, &elf, &bias);
    if (name == NULL || name[0] == '\0' || name[0] == '$' || section_index == SHN_UNDEF)
        return false;
    /* '$': marks of aarch64 and arm, not names. */
    int type = GELF_ST_TYPE(entry.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
        return false;
    if (!symbol_section(elf, section_index, &section))
        return false;
    uint64_t section_limit = section.sh_addr + bias + section.sh_size;
    uint64_t size = entry.st_size != 0 ? entry.st_size : section_limit - start;
    *symbol = (struct symbol){start, start + size, name, symbol_rank(&entry, name)};
    return start < section_limit && start + size > start;
}

struct symbol_table *symbol_table_new(Dwfl_Module *module)
{
    struct symbol_table *table = memory_zeroed(1, sizeof(*table));
    int count = dwfl_module_getsymtab(module);
    for (int i = 0; i < count; i++) {
        table->symbols =
            memory_grown(table->symbols, table->count, &table->capacity, sizeof(table->symbols[0]));
        table->count += symbol_read(module, i, &table->symbols[table->count]);
    }
    if (table->count > 0)
        qsort(table->symbols, table->count, sizeof(table->symbols[0]), symbol_compare);
    return table;
}

void symbol_table_free(struct symbol_table *table)
{
    if (table == NULL)
        return;
    free(table->symbols);
    free(table);
}

/* Symbols that start at or before `address`. */
static size_t symbols_before(const struct symbol_table *table, uint64_t address)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct symbol *symbol_table_find(const struct symbol_table *table, uint64_t address)
{
    size_t before = symbols_before(table, address);
    for (size_t i = 0; i < NESTED_MAX && i < before; i++) {
        const struct symbol *symbol = &table->symbols[before - 1 - i];
        if (symbol->rank < RANK_SIZELESS && address < symbol->limit)
            return symbol;
    }
    const struct symbol *nearest = before > 0 ? &table->symbols[before - 1] : NULL;
    bool sizeless = nearest != NULL && nearest->rank >= RANK_SIZELESS;
    return sizeless && address < nearest->limit ? nearest : NULL;
}
