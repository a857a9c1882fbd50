/*
 * decode_sample.h - samples of profile.proto: a stack, values and labels.
 *
 * Owns: nothing; what is decoded is the profile's. Context: cli. Not here: code (decode_code.h), the whole
 *   (profile_decode.c).
 */
#ifndef HEAPDIFF_CLI_DECODE_SAMPLE_H
#define HEAPDIFF_CLI_DECODE_SAMPLE_H

#include "decoder.h"

/* Decodes one message into place `index` of its kind; false with decoder->reason set. */
bool decode_sample(struct decoder *decoder, struct wire_in content, size_t index);

#endif
