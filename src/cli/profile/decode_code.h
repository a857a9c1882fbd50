/*
 * decode_code.h - mappings, functions and locations of profile.proto.
 *
 * Owns: nothing; what is decoded is the profile's. Context: cli. Not here: samples (decode_sample.h), the whole
 *   (profile_decode.c).
 */
#ifndef HEAPDIFF_CLI_DECODE_CODE_H
#define HEAPDIFF_CLI_DECODE_CODE_H

#include "decoder.h"

/* Each decodes one message into place `index` of its kind; false with decoder->reason set. */
bool decode_mapping(struct decoder *decoder, struct wire_in content, size_t index);
bool decode_function(struct decoder *decoder, struct wire_in content, size_t index);
bool decode_location(struct decoder *decoder, struct wire_in content, size_t index);

#endif
