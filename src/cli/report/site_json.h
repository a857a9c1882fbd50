/*
 * site_json.h - every stack of a report as JSON, and the frames they share.
 *
 * Owns: nothing. Context: cli. Not here: rows, which add sites up (render_json.c).
 */
#ifndef HEAPDIFF_CLI_SITE_JSON_H
#define HEAPDIFF_CLI_SITE_JSON_H

#include "render.h"
#include "cli/ground/json.h"

/* "frames" and "sites": each stack by itself, largest first; its frames are named by their index. */
void site_json_put(struct json *json, const struct report *report);

#endif
