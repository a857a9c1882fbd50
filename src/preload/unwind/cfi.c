#include "cfi.h"
#include "cfi_program.h"
#include "cfi_read.h"

enum {
    FORMAT_ABSOLUTE = 0x00,
    FORMAT_ULEB = 0x01,
    FORMAT_U16 = 0x02,
    FORMAT_U32 = 0x03,
    FORMAT_U64 = 0x04,
    FORMAT_SLEB = 0x09,
    FORMAT_S16 = 0x0a,
    FORMAT_S32 = 0x0b,
    FORMAT_S64 = 0x0c,
    INDEX_VERSION = 1,
    INDEX_TABLE_ENCODING = 0x3b /* data-relative, 4 signed bytes: what every linker writes */
};

static uint64_t pointer_value(struct cfi_cursor *cursor, uint8_t format)
{
    switch (format) {
    case FORMAT_ABSOLUTE:
    case FORMAT_U64:
    case FORMAT_S64:
        return cfi_fixed(cursor, 8);
    case FORMAT_ULEB:
        return cfi_uleb(cursor);
    case FORMAT_SLEB:
        return (uint64_t)cfi_sleb(cursor);
    case FORMAT_U16:
        return cfi_fixed(cursor, 2);
    case FORMAT_U32:
        return cfi_fixed(cursor, 4);
    case FORMAT_S16:
        return (uint64_t)cfi_signed(cursor, 2);
    case FORMAT_S32:
        return (uint64_t)cfi_signed(cursor, 4);
    default:
        cursor->bad = true;
        return 0;
    }
}

uint64_t cfi_pointer(struct cfi_cursor *cursor, uint8_t encoding, uint64_t data)
{
    uint64_t place = (uint64_t)(uintptr_t)cursor->at;
    uint64_t value = pointer_value(cursor, encoding & CFI_POINTER_FORMAT);
    switch (encoding & CFI_POINTER_RELATIVE) {
    case 0:
        return value;
    case CFI_POINTER_PC:
        return value + place;
    case CFI_POINTER_DATA:
        return value + data;
    default:
        cursor->bad = true;
        return 0;
    }
}

/* A cursor from `at` to the section's end; an empty one when `at` is outside. */
static struct cfi_cursor section_cursor(const struct cfi_section *section, uint64_t at)
{
    const uint8_t *start = (const uint8_t *)(uintptr_t)at;
    if (start < section->start || start >= section->end)
        start = section->end;
    return (struct cfi_cursor){start, section->end, start == section->end};
}

/* Opens the entry at `at`: *entry is its body after the length; false for the terminator. */
static bool entry_open(const struct cfi_section *section, uint64_t at, struct cfi_cursor *entry)
{
    *entry = section_cursor(section, at);
    uint64_t length = cfi_fixed(entry, 4);
    if (length == UINT32_MAX)
        length = cfi_fixed(entry, 8);
    if (entry->bad || length == 0 || length > cfi_left(entry))
        return false;
    entry->end = entry->at + length;
    return true;
}

/* The letters of a common entry after 'z'. Unknown ones end the reading: the length is known. */
static void augmentation_read(struct cfi_frame *frame, const char *letters, size_t length,
                              struct cfi_cursor *data)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t encoding;
        switch (letters[i]) {
        case 'R':
            frame->pointer_encoding = cfi_u8(data);
            break;
        case 'L':
            cfi_u8(data);
            break;
        case 'P':
            encoding = cfi_u8(data);
            cfi_pointer(data, encoding & CFI_POINTER_FORMAT, 0);
            break;
        case 'S':
            frame->signal = true;
            break;
        case 'B': /* aarch64: return addresses are signed with key B */
        case 'G': /* aarch64: the frame is tagged */
            break;
        default:
            return;
        }
    }
}

/* Reads a common entry (CIE); *code is its program. */
static bool common_read(struct cfi_frame *frame, uint64_t at, struct cfi_cursor *code)
{
    struct cfi_cursor entry;
    if (!entry_open(&frame->section, at, &entry) || cfi_fixed(&entry, 4) != 0)
        return false;
    uint8_t version = cfi_u8(&entry);
    const uint8_t *end = memchr(entry.at, 0, cfi_left(&entry));
    if ((version != 1 && version != 3) || end == NULL)
        return false;
    const char *letters = (const char *)entry.at;
    size_t letter_count = (size_t)(end - entry.at);
    entry.at = end + 1;
    frame->code_align = cfi_uleb(&entry);
    frame->data_align = cfi_sleb(&entry);
    frame->return_column = version == 1 ? cfi_u8(&entry) : (uint32_t)cfi_uleb(&entry);
    frame->has_augmentation = letter_count > 0 && letters[0] == 'z';
    if (!frame->has_augmentation && letter_count > 0)
        return false; /* "eh" of gcc 2: nobody can step over what we do not know */
    if (frame->has_augmentation) {
        uint64_t length = cfi_uleb(&entry);
        const uint8_t *data = cfi_skip(&entry, length);
        if (data == NULL)
            return false;
        struct cfi_cursor augmentation = {data, data + length, false};
        augmentation_read(frame, letters + 1, letter_count - 1, &augmentation);
        entry.bad |= augmentation.bad;
    }
    *code = entry;
    return !entry.bad && frame->return_column < ARCH_REGISTERS;
}

/* Reads the head of the function's entry (FDE) at `at`; *entry stands behind it. */
static bool entry_head(struct cfi_frame *frame, uint64_t at, struct cfi_cursor *common,
                       struct cfi_cursor *entry)
{
    if (!entry_open(&frame->section, at, entry))
        return false;
    uint64_t place = (uint64_t)(uintptr_t)entry->at;
    uint64_t back = cfi_fixed(entry, 4);
    frame->pointer_encoding = FORMAT_ABSOLUTE;
    frame->signal = false;
    if (back == 0 || back > place || !common_read(frame, place - back, common))
        return false;
    frame->start = cfi_pointer(entry, frame->pointer_encoding, 0);
    frame->size_bytes = cfi_pointer(entry, frame->pointer_encoding & CFI_POINTER_FORMAT, 0);
    return !entry->bad;
}

/* True when the entry at `at` covers `address`; *common and *code are the two programs to run. */
static bool entry_read(struct cfi_frame *frame, uint64_t at, uint64_t address,
                       struct cfi_cursor *common, struct cfi_cursor *code)
{
    if (!entry_head(frame, at, common, code) || address < frame->start ||
        address - frame->start >= frame->size_bytes)
        return false;
    if (frame->has_augmentation)
        cfi_skip(code, cfi_uleb(code));
    return !code->bad;
}

static int64_t table_word(const uint8_t *table, uint64_t i)
{
    int32_t word;
    memcpy(&word, table + i * sizeof(word), sizeof(word));
    return word;
}

/* The place of the entry whose start is the last at or before `address`; 0: none. */
static uint64_t table_find(const struct cfi_section *section, const uint8_t *table, uint64_t count,
                           uint64_t address)
{
    uint64_t base = (uint64_t)(uintptr_t)section->index;
    int64_t target = (int64_t)(address - base);
    uint64_t low = 0;
    uint64_t high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (table_word(table, 2 * middle) <= target)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : base + (uint64_t)table_word(table, 2 * low - 1);
}

/* No table: reads the entries one after the other, from .eh_frame's first. */
static uint64_t entries_scan(struct cfi_frame *frame, uint64_t at, uint64_t address)
{
    struct cfi_cursor entry;
    while (entry_open(&frame->section, at, &entry)) {
        struct cfi_cursor common;
        struct cfi_cursor code;
        if (entry_read(frame, at, address, &common, &code))
            return at;
        at = (uint64_t)(uintptr_t)entry.end;
    }
    return 0;
}

/* The place of the entry to look at for `address`; 0: none. */
static uint64_t index_find(struct cfi_frame *frame, uint64_t address)
{
    const struct cfi_section *section = &frame->section;
    uint64_t base = (uint64_t)(uintptr_t)section->index;
    struct cfi_cursor index = section_cursor(section, base);
    uint8_t version = cfi_u8(&index);
    uint8_t frames_encoding = cfi_u8(&index);
    uint8_t count_encoding = cfi_u8(&index);
    uint8_t table_encoding = cfi_u8(&index);
    uint64_t frames = cfi_pointer(&index, frames_encoding, base);
    if (index.bad || version != INDEX_VERSION)
        return 0;
    if (count_encoding == CFI_POINTER_OMIT || table_encoding != INDEX_TABLE_ENCODING)
        return entries_scan(frame, frames, address);
    uint64_t count = cfi_pointer(&index, count_encoding, base);
    if (index.bad || count > cfi_left(&index) / 8)
        return 0;
    return table_find(section, index.at, count, address);
}

bool cfi_find(const struct cfi_section *section, uint64_t address, struct cfi_frame *frame)
{
    struct cfi_cursor common;
    struct cfi_cursor code;
    frame->section = *section;
    uint64_t at = section->index != NULL
                      ? index_find(frame, address)
                      : entries_scan(frame, (uint64_t)(uintptr_t)section->start, address);
    if (at == 0 || !entry_read(frame, at, address, &common, &code))
        return false;
    memset(&frame->rules, 0, sizeof(frame->rules));
    /* The common program has no locations: it runs to its end. */
    if (!cfi_program_run(frame, &common, NULL, UINT64_MAX))
        return false;
    struct cfi_rules initial = frame->rules;
    return cfi_program_run(frame, &code, &initial, address);
}

bool cfi_span(const struct cfi_section *section, uint64_t *low, uint64_t *high)
{
    struct cfi_frame frame = {.section = *section};
    struct cfi_cursor entry, common, code;
    uint64_t at = (uint64_t)(uintptr_t)section->start;
    *low = UINT64_MAX;
    *high = 0;
    for (; entry_open(section, at, &entry); at = (uint64_t)(uintptr_t)entry.end) {
        if (!entry_head(&frame, at, &common, &code) || frame.size_bytes == 0)
            continue;
        uint64_t end = frame.start + frame.size_bytes;
        *low = frame.start < *low ? frame.start : *low;
        *high = end > *high ? end : *high;
    }
    return *low < *high;
}
