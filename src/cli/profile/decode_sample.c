#include "decode_sample.h"

#include "format/pprof.h"

static const char REASON_VALUES[] = "damaged profile: a sample has too few or too many values";

static bool decode_label(struct decoder *decoder, struct wire_in content, struct label *label)
{
    *label = (struct label){.key = "", .unit = ""};
    for (struct wire_field field; decoder_next(decoder, &content, &field);) {
        if (field.number == PPROF_LABEL_KEY)
            label->key = decoder_string(decoder, field.value);
        else if (field.number == PPROF_LABEL_STR && field.value != 0)
            label->text = decoder_string(decoder, field.value);
        else if (field.number == PPROF_LABEL_NUM)
            label->number = (int64_t)field.value;
        else if (field.number == PPROF_LABEL_NUM_UNIT)
            label->unit = decoder_string(decoder, field.value);
    }
    return !decoder->reason;
}

static bool put_location(struct decoder *decoder, struct sample *sample, uint64_t id)
{
    sample->locations[sample->depth++] = (uint32_t)decoder_index(decoder, &decoder->locations, id);
    return !decoder->reason;
}

static bool put_value(struct decoder *decoder, struct sample *sample, uint64_t value)
{
    sample->values[decoder->value_count++] = (int64_t)value;
    return true;
}

static bool decode_sample_field(struct decoder *decoder, struct sample *sample,
                                struct wire_field *field)
{
    if (field->number == PPROF_SAMPLE_LOCATION)
        return decoder_each_number(decoder, field, sample, put_location);
    if (field->number == PPROF_SAMPLE_VALUE)
        return decoder_each_number(decoder, field, sample, put_value);
    if (field->number == PPROF_SAMPLE_LABEL && field->type == WIRE_BYTES)
        return decode_label(decoder, field->content, &sample->labels[sample->label_count++]);
    return true;
}

bool decode_sample(struct decoder *decoder, struct wire_in content, size_t index)
{
    struct sample *sample = &decoder->profile->samples[index];
    size_t depth = decoder_count(decoder, content, PPROF_SAMPLE_LOCATION);
    if (decoder_count(decoder, content, PPROF_SAMPLE_VALUE) != decoder->profile->type_count)
        return decoder_fail(decoder, REASON_VALUES);
    sample->locations = decoder_reserve(decoder, depth, sizeof *sample->locations);
    sample->values = decoder_reserve(decoder, decoder->profile->type_count, sizeof *sample->values);
    sample->labels =
        decoder_reserve(decoder, decoder_count_messages(decoder, content, PPROF_SAMPLE_LABEL),
                        sizeof *sample->labels);
    if (decoder->reason)
        return false;
    decoder->value_count = 0;
    for (struct wire_field field; decoder_next(decoder, &content, &field);)
        if (!decode_sample_field(decoder, sample, &field))
            return false;
    return !decoder->reason;
}
