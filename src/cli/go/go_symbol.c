#include "go_symbol.h"

#include "cli/ground/load.h"

#include <string.h>

/* Since Go 1.18. */
enum {
    HEAD_BYTES = 72, /* struct pcHeader */
    HEAD_QUANTUM = 6,
    HEAD_POINTER = 7,
    HEAD_COUNT = 8,
    HEAD_NAMES = 32,
    HEAD_UNITS = 40,
    HEAD_FILES = 48,
    HEAD_PCS = 56,
    HEAD_FUNCTIONS = 64,
    ENTRY_BYTES = 8, /* struct functab */
    /* struct _func */
    FUNCTION_ENTRY = 0,
    FUNCTION_NAME = 4,
    FUNCTION_FILES = 20,
    FUNCTION_LINES = 24,
    FUNCTION_TABLES = 28, /* how many pcdata tables follow its head */
    FUNCTION_UNIT = 32,
    FUNCTION_DATA = 39, /* how many funcdata words follow them, a byte */
    FUNCTION_BYTES = 40,
    TABLE_INLINED = 2, /* PCDATA_InlTreeIndex */
    DATA_INLINED = 3,  /* FUNCDATA_InlTree */
    /* struct inlinedCall, Go 1.19 */
    INLINED_BYTES = 20,
    INLINED_NAME = 12,
    INLINED_MAX = 1 << 20,
    VARINT_BYTES_MAX = 5
};

/* `count` bytes at an offset of the table, or NULL. */
static const unsigned char *table_at(const struct go_symbols *symbols, uint64_t base,
                                     uint64_t offset, size_t count)
{
    uint64_t at;
    if (__builtin_add_overflow(base, offset, &at) || at > symbols->size_bytes ||
        count > symbols->size_bytes - at)
        return NULL;
    return symbols->table + at;
}

/* A text that ends within the table; else "". */
static const char *text_at(const struct go_symbols *symbols, uint64_t base, uint64_t offset)
{
    const unsigned char *at = table_at(symbols, base, offset, 1);
    size_t left = at ? symbols->size_bytes - (size_t)(at - symbols->table) : 0;
    return at && memchr(at, '\0', left) ? (const char *)at : "";
}

const char *go_symbols_open(struct go_symbols *symbols, const struct go_binary *binary)
{
    size_t size_bytes = 0;
    const unsigned char *table = go_binary_section(binary, ".gopclntab", &size_bytes);
    if (!table)
        table = go_binary_section(binary, ".data.rel.ro.gopclntab", &size_bytes);
    if (!table || size_bytes < HEAD_BYTES)
        return "it has no table of its functions";
    if (load32(table) != binary->layout->pclntab_magic || table[HEAD_POINTER] != 8)
        return "its table of functions is of an unknown form";
    *symbols = (struct go_symbols){.binary = binary,
                                   .table = table,
                                   .size_bytes = size_bytes,
                                   .function_count = load64(table + HEAD_COUNT),
                                   .text_start = binary->addresses[GO_TEXT],
                                   .names = load64(table + HEAD_NAMES),
                                   .units = load64(table + HEAD_UNITS),
                                   .files = load64(table + HEAD_FILES),
                                   .pcs = load64(table + HEAD_PCS),
                                   .functions = load64(table + HEAD_FUNCTIONS),
                                   .quantum = table[HEAD_QUANTUM]};
    uint64_t room = size_bytes / ENTRY_BYTES;
    if (symbols->function_count == 0 || symbols->function_count >= room ||
        !table_at(symbols, symbols->functions, 0, symbols->function_count * ENTRY_BYTES))
        return "its table of functions is damaged";
    return NULL;
}

/* The function that has the offset `at` from the beginning of the code: the last that begins at or before it. */
static const unsigned char *find_function(const struct go_symbols *symbols, uint64_t at)
{
    const unsigned char *entries = symbols->table + symbols->functions;
    uint64_t low = 0, high = symbols->function_count;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (load32(entries + middle * ENTRY_BYTES) <= at)
            low = middle;
        else
            high = middle;
    }
    const unsigned char *end = table_at(symbols, symbols->functions,
                                        symbols->function_count * ENTRY_BYTES, sizeof(uint32_t));
    if (load32(entries + low * ENTRY_BYTES) > at || !end || load32(end) <= at)
        return NULL;
    return table_at(symbols, symbols->functions, load32(entries + low * ENTRY_BYTES + 4),
                    FUNCTION_BYTES);
}

/* Takes a varint off [*at, end); false when it does not end there. */
static bool take_varint(const unsigned char **at, const unsigned char *end, uint32_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && *at < end; i++) {
        unsigned char byte = *(*at)++;
        *value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The value that one of a function's tables has for an offset from its entry; -1: none. */
static int32_t table_value(const struct go_symbols *symbols, uint32_t offset, uint64_t wanted)
{
    const unsigned char *at = table_at(symbols, symbols->pcs, offset, 1);
    const unsigned char *end = symbols->table + symbols->size_bytes;
    uint32_t value = UINT32_MAX, step, advance;
    uint64_t pc = 0;
    for (bool first = true; offset != 0 && at; first = false) {
        if (!take_varint(&at, end, &step) || (step == 0 && !first) ||
            !take_varint(&at, end, &advance))
            return -1;
        value += (step >> 1) ^ -(step & 1);
        pc += (uint64_t)advance * symbols->quantum;
        if (wanted < pc)
            return (int32_t)value;
    }
    return -1;
}

/* The words behind a function's head: pcdata tables, then offsets of funcdata. */
static uint32_t word_of(const struct go_symbols *symbols, const unsigned char *function,
                        uint64_t index)
{
    uint64_t head = (uint64_t)(function - symbols->table) + FUNCTION_BYTES;
    const unsigned char *word = table_at(symbols, head, 4 * index, 4);
    return word ? load32(word) : UINT32_MAX;
}

/* The name of what was inlined at that offset; NULL: nothing was. */
static const char *inlined_name(const struct go_symbols *symbols, const unsigned char *function,
                                uint64_t offset)
{
    uint32_t tables = load32(function + FUNCTION_TABLES);
    if (tables <= TABLE_INLINED || function[FUNCTION_DATA] <= DATA_INLINED)
        return NULL;
    int32_t index = table_value(symbols, word_of(symbols, function, TABLE_INLINED), offset);
    uint32_t data = word_of(symbols, function, (uint64_t)tables + DATA_INLINED);
    if (index < 0 || index >= INLINED_MAX || data == UINT32_MAX)
        return NULL;
    uint64_t address = symbols->binary->addresses[GO_FUNCTION_DATA] + data;
    const unsigned char *call =
        go_binary_at(symbols->binary, address + (uint64_t)index * INLINED_BYTES, INLINED_BYTES);
    const char *name = call ? text_at(symbols, symbols->names, load32(call + INLINED_NAME)) : "";
    return name[0] ? name : NULL;
}

static const char *file_of(const struct go_symbols *symbols, const unsigned char *function,
                           uint64_t offset)
{
    int32_t number = table_value(symbols, load32(function + FUNCTION_FILES), offset);
    uint64_t unit = load32(function + FUNCTION_UNIT);
    const unsigned char *word =
        number < 0 ? NULL : table_at(symbols, symbols->units, 4 * (unit + (uint64_t)number), 4);
    return word && load32(word) != UINT32_MAX ? text_at(symbols, symbols->files, load32(word)) : "";
}

bool go_symbols_frame(const struct go_symbols *symbols, uint64_t pc, struct go_frame *frame)
{
    uint64_t at = pc - symbols->binary->bias - symbols->text_start;
    const unsigned char *function = at > UINT32_MAX ? NULL : find_function(symbols, at);
    *frame = (struct go_frame){.function = "", .file = ""};
    if (!function || load32(function + FUNCTION_ENTRY) > at)
        return false;
    uint64_t offset = at - load32(function + FUNCTION_ENTRY);
    const char *inlined = inlined_name(symbols, function, offset);
    frame->function =
        inlined ? inlined : text_at(symbols, symbols->names, load32(function + FUNCTION_NAME));
    frame->file = file_of(symbols, function, offset);
    int32_t line = table_value(symbols, load32(function + FUNCTION_LINES), offset);
    frame->line = line > 0 ? line : 0;
    return frame->function[0] != '\0';
}
