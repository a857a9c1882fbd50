#include "runtime_unknown.h"

FORBIDDEN(rb_add_event_hook)
FORBIDDEN(rb_gc_stat)
FORBIDDEN(rb_gc_latest_gc_info)
FORBIDDEN(rb_intern)
FORBIDDEN(rb_id2sym)

extern const char ruby_version[];
const char ruby_version[] = "9.9.0";

void ruby_init(void);

void ruby_init(void)
{
}

void unknown_use(void)
{
    ruby_init();
}
