/*
 * interval_json.h - how far an estimate may be off, as a member of JSON.
 *
 * Owns: nothing. Context: cli. Not here: variances (estimate.h).
 */
#ifndef HEAPDIFF_CLI_INTERVAL_JSON_H
#define HEAPDIFF_CLI_INTERVAL_JSON_H

#include "cli/ground/json.h"
#include "cli/profile/estimate.h"

/* Half the width of its 95 % interval; nothing for what is exact. */
static inline void interval_json_put(struct json *json, const char *key, double variance)
{
    if (variance > 0)
        json_number(json, key, estimate_interval(variance));
}

#endif
