#include "line.h"

#include "preload/ground/sys.h"

#include <string.h>

enum {
    SLOTS_FIRST = 256, /* a page: most processes have fewer than 128 lines */
    SLOTS_MOST = 2 * LINE_ROOM,
    NAME_MORE_BYTES = 32 /* than its subject */
};

static const struct {
    enum ledger_category category;
    const char *before, *after;
} kinds[LINE_KINDS] = {
    [LINE_OTHER] = {LEDGER_OTHER, "", ""},
    [LINE_METADATA] = {LEDGER_METADATA, "", ""},
    [LINE_OWN] = {LEDGER_OWN, "", ""},
    [LINE_KERNEL] = {LEDGER_KERNEL, "", ""},
    [LINE_TEXT] = {LEDGER_FILE, "[file: ", " text]"},
    [LINE_RODATA] = {LEDGER_FILE, "[file: ", " rodata]"},
    [LINE_DATA] = {LEDGER_FILE, "[file: ", " data]"},
    [LINE_PRIVATE] = {LEDGER_FILE, "[file: ", " private dirty]"},
    [LINE_SHARED] = {LEDGER_FILE, "[file: ", " shared]"},
    [LINE_BSS] = {LEDGER_DATA, "[data: ", " bss]"},
    [LINE_LOADER] = {LEDGER_DATA, "[data: ", "]"},
    [LINE_STACK] = {LEDGER_STACK, "[stack: ", "]"},
    [LINE_THREAD] = {LEDGER_STACK, "[stack: thread ", "]"},
};

static size_t table_bytes(void)
{
    return LINE_ROOM * sizeof(struct line) + SLOTS_MOST * sizeof(uint32_t);
}

bool line_open(struct line_table *table)
{
    *table = (struct line_table){.lines = sys_pages(table_bytes())};
    if (!table->lines)
        return false;
    table->slots = (uint32_t *)(table->lines + LINE_ROOM);
    table->slot_count = SLOTS_FIRST;
    line_find(table, LINE_OTHER, "");
    return true;
}

static uint32_t hash_of(enum line_kind kind, const char *subject)
{
    uint32_t hash = 2166136261u + (uint32_t)kind;
    for (; *subject != '\0'; subject++)
        hash = (hash ^ (unsigned char)*subject) * 16777619u;
    return hash ^ hash >> 15;
}

/* The slot that has the line, or is to have it. */
static uint32_t slot_of(const struct line_table *table, enum line_kind kind, const char *subject)
{
    uint32_t at = hash_of(kind, subject) % table->slot_count;
    for (; table->slots[at] != 0; at = (at + 1) % table->slot_count) {
        const struct line *line = &table->lines[table->slots[at] - 1];
        if (line->kind == kind && strcmp(line->subject, subject) == 0)
            break;
    }
    return at;
}

/* Twice as many slots, where they are. */
static void spread(struct line_table *table)
{
    memset(table->slots, 0, table->slot_count * sizeof(*table->slots));
    table->slot_count *= 2;
    for (uint32_t i = 0; i < table->count; i++)
        table->slots[slot_of(table, table->lines[i].kind, table->lines[i].subject)] = i + 1;
}

uint32_t line_find(struct line_table *table, enum line_kind kind, const char *subject)
{
    uint32_t at = slot_of(table, kind, subject);
    if (table->slots[at] != 0)
        return table->slots[at] - 1;
    if (table->count == LINE_ROOM)
        return 0;
    table->lines[table->count] = (struct line){.subject = subject, .kind = kind};
    table->slots[at] = ++table->count;
    if (2 * table->count > table->slot_count)
        spread(table);
    return table->count - 1;
}

/* Writes the leaf frame to `to`; returns what is behind it. */
static char *name_write(const struct line *line, char *to)
{
    const char *parts[] = {kinds[line->kind].before, line->subject, kinds[line->kind].after};
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        size_t length = strlen(parts[i]);
        memcpy(to, parts[i], length);
        to += length;
    }
    *to = '\0';
    return to + 1;
}

bool line_finish(struct line_table *table, struct ledger *ledger)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < table->count; i++)
        bytes += sizeof(struct ledger_line) + NAME_MORE_BYTES + strlen(table->lines[i].subject);
    struct ledger_line *lines = sys_pages(bytes);
    if (!lines)
        return false;
    table->names = lines;
    table->names_bytes = bytes;
    char *names = (char *)(lines + table->count);
    ledger->lines = lines;
    ledger->line_count = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct line *line = &table->lines[i];
        if (line->bytes == 0)
            continue;
        lines[ledger->line_count++] =
            (struct ledger_line){kinds[line->kind].category, names, line->bytes};
        names = name_write(line, names);
    }
    return true;
}

void line_close(struct line_table *table)
{
    if (table->lines)
        sys_pages_free(table->lines, table_bytes());
    if (table->names)
        sys_pages_free(table->names, table->names_bytes);
    *table = (struct line_table){0};
}
