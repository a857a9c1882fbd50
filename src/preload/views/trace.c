#include "trace.h"

#include "pattern.h"
#include "preload/ground/arena.h"
#include "preload/ground/options.h"
#include "preload/ground/permit.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { TRACE_LINE_BYTES = 320, TRACE_PATH_BYTES = 1024 };

static char pattern[TRACE_PATH_BYTES]; /* "": stderr */

void trace_init(const char *directory)
{
    if (options.trace[0] == '\0' || strcmp(options.trace, "1") == 0)
        return;
    if (pattern_absolute(pattern, sizeof(pattern), directory, options.trace))
        return;
    pattern[0] = '\0';
    sys_say("trace: the path is too long; collections are told on stderr");
}

/* `value` / `unit`, with `digits` of them behind the point. */
static void put_parts(struct text *text, uint64_t value, uint64_t unit, unsigned digits)
{
    uint64_t scale = 1;
    for (unsigned i = 0; i < digits; i++)
        scale *= 10;
    uint64_t rest = (uint64_t)((unsigned __int128)(value % unit) * scale / unit);
    text_put_number(text, value / unit);
    text_put(text, ".");
    for (scale /= 10; scale > 0 && rest < scale; scale /= 10)
        text_put(text, scale > 1 ? "0" : "");
    text_put_number(text, rest);
}

/* What is not known is left out. */
static void put_megabytes(struct text *text, const char *before, uint64_t bytes)
{
    if (bytes == 0)
        return;
    text_put(text, before);
    put_parts(text, bytes, 1000000, 1);
}

/* After a mark something is known to be live, if only nothing. */
static void put_heap(struct text *text, const struct box_collection *collection)
{
    bool known = collection->after_bytes != 0 ||
                 (collection->is_full && collection->truth != BOX_TRUTH_TOTALS);
    if (!known && collection->before_bytes == 0)
        return;
    put_megabytes(text, " ", collection->before_bytes);
    text_put(text, collection->before_bytes ? " -> " : " ");
    if (known)
        put_parts(text, collection->after_bytes, 1000000, 1);
    else
        text_put(text, "?");
    text_put(text, " MB,");
}

static void put_line(struct text *text, const struct box_collection *collection)
{
    uint64_t start_ns = arena.header->start_time_ns;
    uint64_t since_ns = collection->time_ns > start_ns ? collection->time_ns - start_ns : 0;
    text_put(text, "collection ");
    text_put_number(text, collection->number);
    text_put(text, " @");
    put_parts(text, since_ns, 1000000000, 3);
    text_put(text, "s ");
    text_put(text, collection->source);
    text_put(text, collection->is_full ? ":" : " (minor):");
    put_heap(text, collection);
    put_megabytes(text, " RSS ", collection->rss_before_bytes);
    put_megabytes(text, collection->rss_before_bytes ? " -> " : " RSS ", collection->rss_bytes);
    text_put(text, " MB");
    if (collection->pause_ns) {
        text_put(text, ", pause ");
        put_parts(text, collection->pause_ns, 1000000, 3);
        text_put(text, " ms");
    }
    put_megabytes(text, ", goal ", collection->goal_bytes);
    text_put(text, collection->goal_bytes ? " MB" : "");
    if (collection->reason[0] != '\0') {
        text_put(text, ", ");
        text_put(text, collection->reason);
    }
}

/* Once: who cannot be told of a collection will not be told of the next one either. */
static void say_lost(const char *path, const char *why)
{
    static bool said;
    char line[TRACE_PATH_BYTES];
    if (__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
        return;
    struct text text = text_on(line, sizeof(line));
    text_put(&text, "trace: collections are not told: ");
    text_put(&text, path);
    text_put(&text, why);
    sys_say(line);
}

/* No descriptor stays open: programs close those that they do not know. A FIFO that nobody reads is not
   waited for. */
static void append(const char *line, size_t length)
{
    char path[TRACE_PATH_BYTES];
    struct pattern_values values = {.name = arena.header->name,
                                    .host = arena.header->host,
                                    .pid = (uint64_t)arena.header->pid,
                                    .time_s = arena.header->start_time_ns / 1000000000u};
    if (!pattern_expand(path, sizeof(path), pattern, &values))
        return;
    long fd = sys_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY, 0644);
    if (sys_failed(fd)) {
        say_lost(path, fd == -ENXIO ? ": nobody reads it" : ": it cannot be written to");
        return;
    }
    long result = sys_write_quietly((int)fd, line, length);
    if (sys_failed(result))
        say_lost(path,
                 result == -EAGAIN ? ": its reader is too slow" : ": it cannot be written to");
    sys_close((int)fd);
}

void trace_collection(const struct box_collection *collection)
{
    char line[TRACE_LINE_BYTES];
    if (options.trace[0] == '\0' || !permit_has(PERMIT_LINES))
        return;
    struct text text = text_on(line, sizeof(line) - 1);
    put_line(&text, collection);
    if (pattern[0] == '\0') {
        sys_say(line);
        return;
    }
    line[text.length] = '\n'; /* there is room */
    append(line, text.length + 1);
}
