/*
 * json.h - JSON written piece by piece.
 *
 * What it is: commas, nesting, indentation of the outer levels and escapes. Texts that are not
 *   UTF-8 get U+FFFD for what is wrong.
 * Owns: nothing. Context: cli. Not here: any schema.
 */
#ifndef HEAPDIFF_CLI_JSON_H
#define HEAPDIFF_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    int depth;       /* of open objects and arrays */
    int lines_depth; /* members of what lies no deeper than this get lines of their own */
    bool empty;      /* nothing stands in the innermost yet */
};

/* `key` NULL: an element of an array. */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);                 /* '}' or ']' */
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, int64_t number);
/* What is not known is left out: 0, NULL, "". */
void json_number_known(struct json *json, const char *key, int64_t number);
void json_text_known(struct json *json, const char *key, const char *text);
void json_truth(struct json *json, const char *key, bool truth);
/* With four decimals. */
void json_real(struct json *json, const char *key, double number);

#endif
