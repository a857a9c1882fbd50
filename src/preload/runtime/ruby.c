#include "ruby.h"

#include "runtime.h"
#include "symbol.h"

#include "preload/ground/facts.h"
#include "preload/ground/sys.h"
#include "preload/ground/text.h"
#include "preload/views/collection.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uintptr_t value; /* VALUE, ID */
typedef void (*event_fn)(uint32_t event, value data, value self, value method, value class);

/* RUBY_INTERNAL_EVENT_GC_* */
enum { START = 0x400000, END_SWEEP = 0x1000000, ENTER = 0x2000000, EXIT = 0x4000000 };

/* Minor collections are told of from this length on; others are counted. */
enum { MINOR_NS = 1000000 };

/* In the order of `symbols`. */
struct api {
    void (*rb_add_event_hook)(event_fn call, uint32_t events, value data);
    size_t (*rb_gc_stat)(value name);
    value (*rb_gc_latest_gc_info)(value name);
    value (*rb_intern)(const char *name);
    value (*rb_id2sym)(value identifier);
    const char *ruby_version;
};

static const char *const symbols[] = {
    "rb_add_event_hook", "rb_gc_stat", "rb_gc_latest_gc_info", "rb_intern", "rb_id2sym",
    "ruby_version",      NULL,
};

/* Of GC.latest_gc_info. */
static const char *const causes[] = {"nofree", "oldgen", "oldmalloc", "shady", "force",
                                     "newobj", "malloc", "method",    "capi",  "stress"};
enum { CAUSES = sizeof(causes) / sizeof(causes[0]) };

extern const struct runtime runtime_ruby;

/* Under Ruby's lock. */
static struct {
    struct api api;
    bool is_watched;
    value major_count, major_by, by, causes[CAUSES];
    uint64_t majors;                  /* GC.stat(:major_gc_count) so far */
    uint64_t minors;                  /* since the last major one, not told of */
    uint64_t enter_ns;                /* 0: outside */
    uint64_t pause_ns;                /* of this collection, which sweeps piece by piece */
    uint64_t before_bytes, rss_bytes; /* of one that is major; 0: not known */
} ruby;

static const char *cause(value name)
{
    for (unsigned i = 0; i < CAUSES; i++)
        if (ruby.causes[i] == name)
            return causes[i];
    return NULL;
}

static void put_reason(struct text *reason)
{
    const char *major = cause(ruby.api.rb_gc_latest_gc_info(ruby.major_by));
    const char *by = cause(ruby.api.rb_gc_latest_gc_info(ruby.by));
    text_put(reason, major ? major : "");
    text_put(reason, major && by ? ", " : "");
    text_put(reason, by ? "by " : "");
    text_put(reason, by ? by : "");
    if (ruby.minors == 0)
        return;
    text_put(reason, ", after ");
    text_put_number(reason, ruby.minors);
    text_put(reason, " minor");
}

static void tell(bool is_minor, uint64_t pause_ns)
{
    char room[BOX_REASON_BYTES_MAX];
    struct text reason = text_on(room, sizeof(room));
    if (is_minor && pause_ns < MINOR_NS) {
        ruby.minors++;
        return;
    }
    put_reason(&reason);
    ruby.minors = 0;
    const struct collection_event event = {.source = "ruby",
                                           .reason = room,
                                           .is_minor = is_minor,
                                           .truth = BOX_TRUTH_EXACT,
                                           .pause_ns = pause_ns,
                                           .before_bytes = ruby.before_bytes,
                                           .rss_before_bytes = ruby.rss_bytes};
    collection_mark(&event);
}

/* Why it is a major one is known by now, and what it finds is not freed yet. */
static void begins(void)
{
    bool is_major = cause(ruby.api.rb_gc_latest_gc_info(ruby.major_by)) != NULL;
    ruby.before_bytes = is_major ? collection_live_bytes() : 0;
    ruby.rss_bytes = is_major ? facts_rss_bytes() : 0;
}

static void has_ended(void)
{
    uint64_t majors = ruby.api.rb_gc_stat(ruby.major_count);
    bool is_minor = majors == ruby.majors;
    ruby.majors = majors;
    tell(is_minor, ruby.pause_ns);
    ruby.before_bytes = ruby.rss_bytes = ruby.pause_ns = 0;
}

static void on_event(uint32_t event, value data, value self, value method, value class)
{
    (void)data, (void)self, (void)method, (void)class;
    if (ruby.enter_ns != 0)
        ruby.pause_ns += sys_uptime_ns() - ruby.enter_ns;
    if (event == START)
        begins();
    else if (event == END_SWEEP)
        has_ended();
    ruby.enter_ns = event == EXIT ? 0 : sys_uptime_ns();
}

static value symbol(const char *name)
{
    return ruby.api.rb_id2sym(ruby.api.rb_intern(name));
}

/* What is asked for the first time makes names of its own: not in the middle of a collection. */
static void look_up(void)
{
    ruby.major_count = symbol("major_gc_count");
    ruby.major_by = symbol("major_by");
    ruby.by = symbol("gc_by");
    for (unsigned i = 0; i < CAUSES; i++)
        ruby.causes[i] = symbol(causes[i]);
    ruby.majors = ruby.api.rb_gc_stat(ruby.major_count);
    ruby.api.rb_gc_latest_gc_info(ruby.by);
}

/* 2.7 to 3.4. */
static bool is_known(const char *version)
{
    return version && version[1] == '.' &&
           ((version[0] == '2' && version[2] >= '7') || (version[0] == '3' && version[2] <= '4'));
}

static bool bind(const struct module *module)
{
    void **functions = (void **)(void *)&ruby.api;
    bool is_whole = true;
    static_assert(sizeof(ruby.api) + sizeof(symbols[0]) == sizeof(symbols), "each has its name");
    for (unsigned i = 0; symbols[i]; i++) {
        functions[i] = (void *)(uintptr_t)symbol_find(module, symbols[i]);
        is_whole = is_whole && functions[i];
    }
    return is_whole && is_known(ruby.api.ruby_version);
}

void ruby_began(const void *code)
{
    struct module module;
    if (ruby.is_watched || !runtime_is_on(&runtime_ruby) ||
        !module_find((uint64_t)(uintptr_t)code, &module))
        return;
    if (!bind(&module)) {
        runtime_say(&runtime_ruby, BOX_RUNTIME_UNKNOWN, ruby.api.ruby_version);
        return;
    }
    ruby.is_watched = true;
    look_up();
    ruby.api.rb_add_event_hook(on_event, START | END_SWEEP | ENTER | EXIT, 0);
    runtime_say(&runtime_ruby, BOX_RUNTIME_WATCHED, ruby.api.ruby_version);
}

const struct runtime runtime_ruby = {.name = "ruby", .symbols = symbols, .truth = BOX_TRUTH_EXACT};
