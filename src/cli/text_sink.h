/*
 * text_sink.h - text and JSON strings written to a sink.
 *
 * Owns: nothing. Context: cli. Not here: the sinks. All return false when the sink failed.
 */
#ifndef HEAPDIFF_CLI_TEXT_SINK_H
#define HEAPDIFF_CLI_TEXT_SINK_H

#include "format/sink.h"

bool text_write(struct sink *sink, const char *text);
bool text_format(struct sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `text` in quotes; bytes that are no UTF-8 come out as U+FFFD. */
bool text_json(struct sink *sink, const char *text);

#endif
