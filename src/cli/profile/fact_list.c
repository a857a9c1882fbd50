#include "fact_list.h"

#include "cli/ground/memory.h"
#include "format/pprof.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fact_list_put(struct fact_list *list, const char *key, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = memory_text("", 0);
    va_end(arguments);
    list->texts = memory_grown(list->texts, list->count, &list->capacity, sizeof(*list->texts));
    list->texts[list->count++] = memory_format(PPROF_FACT_PREFIX "%s: %s", key, text);
    free(text);
}

void fact_list_put_known(struct fact_list *list, const char *key, int64_t value)
{
    if (value != 0)
        fact_list_put(list, key, "%" PRId64, value);
}

void fact_list_give(struct fact_list *list, struct profile *profile)
{
    profile->comments = profile_alloc(profile, list->count, sizeof(*profile->comments));
    profile->comment_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        profile->comments[i] = profile_text(profile, list->texts[i]);
        free(list->texts[i]);
    }
    free(list->texts);
    *list = (struct fact_list){.count = 0};
}
