#include "growth.h"

#include "snapshot.h"
#include "preload/ground/facts.h"
#include "preload/ground/options.h"
#include "preload/ground/sys.h"
#include "preload/tables/delta.h"
#include "preload/tables/site.h"

enum {
    GROWTH_LOOK_NS = 10000000, /* between two looks: reading statm costs a microsecond */
    GROWTH_BYTES_MIN = 4 << 20 /* growth below this is start-up noise */
};

static struct {
    uint64_t looked_ns; /* uptime of the last look; taken by the thread that moves it on */
    uint64_t snapshot_ns;
    uint64_t rss_bytes;
    uint64_t live_bytes;
} state;

/* Roughly: other threads go on counting. */
static uint64_t live_bytes(void)
{
    int64_t bytes = site_live_bytes() + delta_live_bytes();
    return bytes > 0 ? (uint64_t)bytes : 0;
}

void growth_restart(void)
{
    state.snapshot_ns = state.looked_ns = sys_uptime_ns();
    state.rss_bytes = facts_rss_bytes();
    state.live_bytes = live_bytes();
}

int growth_snapshot(const char *source, const char *path)
{
    if (options.every_percent > 0 || options.interval_ns > 0)
        growth_restart();
    return snapshot_take(source, path);
}

static bool grew(uint64_t now_bytes, uint64_t then_bytes)
{
    return now_bytes > then_bytes && now_bytes - then_bytes >= GROWTH_BYTES_MIN &&
           (now_bytes - then_bytes) / options.every_percent >= then_bytes / 100;
}

static const char *due(uint64_t now_ns)
{
    if (options.interval_ns > 0 && now_ns - state.snapshot_ns >= options.interval_ns)
        return "interval";
    if (options.every_percent > 0 &&
        (grew(facts_rss_bytes(), state.rss_bytes) || grew(live_bytes(), state.live_bytes)))
        return "growth";
    return NULL;
}

void growth_check(void)
{
    uint64_t now_ns = sys_uptime_ns();
    uint64_t looked_ns = __atomic_load_n(&state.looked_ns, __ATOMIC_RELAXED);
    if (now_ns - looked_ns < GROWTH_LOOK_NS ||
        !__atomic_compare_exchange_n(&state.looked_ns, &looked_ns, now_ns, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    const char *source = due(now_ns);
    if (source)
        growth_snapshot(source, NULL);
}
