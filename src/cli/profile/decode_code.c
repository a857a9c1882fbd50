#include "decode_code.h"

#include "format/pprof.h"

static void mapping_flag(struct mapping *mapping, const struct wire_field *field)
{
    if (field->number == PPROF_MAPPING_HAS_FUNCTIONS)
        mapping->has_functions = field->value;
    else if (field->number == PPROF_MAPPING_HAS_FILENAMES)
        mapping->has_filenames = field->value;
    else if (field->number == PPROF_MAPPING_HAS_LINE_NUMBERS)
        mapping->has_line_numbers = field->value;
    else if (field->number == PPROF_MAPPING_HAS_INLINE_FRAMES)
        mapping->has_inline_frames = field->value;
}

bool decode_mapping(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct mapping *mapping = &decoder->profile->mappings[index];
    uint64_t id = 0;
    *mapping = (struct mapping){.filename = "", .build_id = ""};
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number == PPROF_MAPPING_ID)
            id = field.value;
        else if (field.number == PPROF_MAPPING_START)
            mapping->start = field.value;
        else if (field.number == PPROF_MAPPING_LIMIT)
            mapping->limit = field.value;
        else if (field.number == PPROF_MAPPING_OFFSET)
            mapping->offset = field.value;
        else if (field.number == PPROF_MAPPING_FILENAME)
            mapping->filename = decoder_string(decoder, field.value);
        else if (field.number == PPROF_MAPPING_BUILD_ID)
            mapping->build_id = decoder_string(decoder, field.value);
        else
            mapping_flag(mapping, &field);
    }
    id_map_put(&decoder->mappings, id);
    return !decoder->reason;
}

bool decode_function(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct function *function = &decoder->profile->functions[index];
    uint64_t id = 0;
    *function = (struct function){.name = "", .system_name = "", .filename = ""};
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number == PPROF_FUNCTION_ID)
            id = field.value;
        else if (field.number == PPROF_FUNCTION_NAME)
            function->name = decoder_string(decoder, field.value);
        else if (field.number == PPROF_FUNCTION_SYSTEM_NAME)
            function->system_name = decoder_string(decoder, field.value);
        else if (field.number == PPROF_FUNCTION_FILENAME)
            function->filename = decoder_string(decoder, field.value);
        else if (field.number == PPROF_FUNCTION_START_LINE)
            function->start_line = (int64_t)field.value;
    }
    id_map_put(&decoder->functions, id);
    return !decoder->reason;
}

/* A line without a function says nothing and is left out. */
static void decode_line(struct decoder *decoder, struct wire_in content, struct location *location)
{
    uint64_t function = 0, line = 0;
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number == PPROF_LINE_FUNCTION)
            function = field.value;
        else if (field.number == PPROF_LINE_LINE)
            line = field.value;
    }
    if (function == 0 || decoder->reason)
        return;
    location->lines[location->line_count++] = (struct line){
        .function = decoder_index(decoder, &decoder->functions, function), .line = (int64_t)line};
}

bool decode_location(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct location *location = &decoder->profile->locations[index];
    uint64_t id = 0;
    location->mapping = PROFILE_NONE;
    location->lines =
        decoder_reserve(decoder, decoder_count_messages(decoder, content, PPROF_LOCATION_LINE),
                        sizeof(struct line));
    if (!location->lines)
        return false;
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number == PPROF_LOCATION_ID)
            id = field.value;
        else if (field.number == PPROF_LOCATION_MAPPING && field.value != 0)
            location->mapping = decoder_index(decoder, &decoder->mappings, field.value);
        else if (field.number == PPROF_LOCATION_ADDRESS)
            location->address = field.value;
        else if (field.number == PPROF_LOCATION_IS_FOLDED)
            location->is_folded = field.value;
        else if (field.number == PPROF_LOCATION_LINE && field.type == WIRE_BYTES)
            decode_line(decoder, field.content, location);
    }
    id_map_put(&decoder->locations, id);
    return !decoder->reason;
}
