#include "box_facts.h"

#include "fact.h"
#include "pprof.h"

/* Collections. */

static void put_collection(struct pprof_out *out, const struct box_collection *entry)
{
    static const char truths[BOX_TRUTHS][16] = PPROF_TRUTHS, kinds[2][8] = {"minor", "full"};
    struct fact_words words = {.length = 0};
    fact_words_word(&words, "source", entry->source, sizeof(entry->source));
    fact_words_word(&words, "kind", kinds[entry->is_full != 0], sizeof(kinds[0]));
    if (entry->truth < BOX_TRUTHS)
        fact_words_word(&words, "truth", truths[entry->truth], sizeof(truths[0]));
    fact_words_known(&words, "time_ns", entry->time_ns);
    fact_words_known(&words, "mark", entry->mark);
    fact_words_known(&words, "before", entry->before_bytes);
    fact_words_known(&words, "after", entry->after_bytes);
    fact_words_known(&words, "pause_ns", entry->pause_ns);
    fact_words_known(&words, "rss_before", entry->rss_before_bytes);
    fact_words_known(&words, "rss", entry->rss_bytes);
    fact_words_known(&words, "goal", entry->goal_bytes);
    fact_words_word(&words, "reason", entry->reason, sizeof(entry->reason));
    fact_words_put(out, PPROF_FACT_COLLECTION, entry->number, &words);
}

/* The oldest that is kept comes first. */
static void put_collections(struct pprof_out *out, const struct box_view *view)
{
    uint64_t count = view->header->collection_count;
    uint64_t first = count > BOX_COLLECTIONS_KEPT ? count - BOX_COLLECTIONS_KEPT : 0;
    for (uint64_t i = first; i < count; i++) {
        const struct box_collection *entry =
            box_view_entry(view, BOX_COLLECTIONS, 1 + i % BOX_COLLECTIONS_KEPT);
        if (entry && entry->number == i + 1)
            put_collection(out, entry);
    }
}

/* The state is more than one word: last. */
static void put_runtimes(struct pprof_out *out, const struct box_header *header)
{
    static const char truths[BOX_TRUTHS][16] = PPROF_TRUTHS,
                      states[BOX_RUNTIME_STATES][16] = PPROF_RUNTIME_STATES;
    for (uint64_t i = 0; i < BOX_RUNTIMES_MAX; i++) {
        const struct box_runtime *entry = &header->runtimes[i];
        struct fact_words words = {.length = 0};
        if (entry->state == BOX_RUNTIME_NONE || entry->state >= BOX_RUNTIME_STATES ||
            entry->truth >= BOX_TRUTHS)
            continue;
        fact_words_word(&words, "name", entry->name, sizeof(entry->name));
        fact_words_word(&words, "version", entry->version, sizeof(entry->version));
        fact_words_word(&words, "truth", truths[entry->truth], sizeof(truths[0]));
        fact_words_word(&words, "state", states[entry->state], sizeof(states[0]));
        fact_words_put(out, PPROF_FACT_RUNTIME, i + 1, &words);
    }
}

static void add_ages(struct fact_words *words, const struct age_site *age)
{
    for (unsigned i = 0; age && i < AGE_COHORTS; i++) {
        const char key[] = {(char)('0' + i), '\0'};
        fact_words_known(words, key, age->bytes[i]);
    }
}

/* Bytes at the last marks, the oldest first; runs of equal ones as one. */
static void add_history(struct fact_words *words, const struct box_history *history, uint64_t marks)
{
    uint64_t bytes[BOX_HISTORY_MARKS], any = 0;
    unsigned count = marks < BOX_HISTORY_MARKS ? (unsigned)marks : BOX_HISTORY_MARKS;
    for (unsigned i = 0; i < count; i++) {
        bytes[i] = history->live_bytes[(marks - count + 1 + i) % BOX_HISTORY_MARKS];
        any |= bytes[i];
    }
    if (any == 0)
        return;
    fact_words_key(words, "h");
    for (unsigned i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && bytes[end] == bytes[i]; end++)
            ;
        if (i > 0)
            fact_words_text(words, ",", 1);
        fact_words_number(words, bytes[i]);
        if (end > i + 1) {
            fact_words_text(words, "x", 1);
            fact_words_number(words, end - i);
        }
    }
}

static void put_program_facts(struct pprof_out *out, const struct box_header *header)
{
    fact_text(out, PPROF_FACT_VERSION, HEAPDIFF_VERSION, sizeof(HEAPDIFF_VERSION));
    fact_text(out, PPROF_FACT_PROGRAM, header->name, sizeof(header->name));
    fact_known(out, PPROF_FACT_PID, header->pid > 0 ? (uint64_t)header->pid : 0);
    fact_known(out, PPROF_FACT_PARENT, header->parent_pid > 0 ? (uint64_t)header->parent_pid : 0);
    fact_text(out, PPROF_FACT_COMMAND_LINE, header->command_line, sizeof(header->command_line));
    fact_text(out, PPROF_FACT_HOST, header->host, sizeof(header->host));
    fact_text(out, PPROF_FACT_ALLOCATOR, header->allocator, sizeof(header->allocator));
    fact_text(out, PPROF_FACT_OPTIONS, header->options, sizeof(header->options));
}

/* The program's. One of ours may have come since they were counted. */
static uint64_t count_threads(const struct box_header *header,
                              const struct box_profile_facts *facts)
{
    uint64_t own = __atomic_load_n(&header->own_threads, __ATOMIC_RELAXED);
    uint64_t all = facts->threads ? facts->threads : header->threads;
    return all > own ? all - own : all;
}

static void put_moment_facts(struct pprof_out *out, const struct box_header *header,
                             const struct box_profile_facts *facts)
{
    fact_known(out, PPROF_FACT_START_TIME, header->start_time_ns);
    fact_known(out, PPROF_FACT_SNAPSHOT_TIME, facts->time_ns);
    fact_text(out, PPROF_FACT_SOURCE, facts->source ? facts->source : "", 64);
    fact_known(out, PPROF_FACT_RSS, facts->rss_bytes ? facts->rss_bytes : header->rss_bytes);
    fact_known(out, PPROF_FACT_RSS_PEAK,
               facts->rss_peak_bytes ? facts->rss_peak_bytes : header->rss_peak_bytes);
    fact_known(out, PPROF_FACT_OWN, header->own_bytes);
    fact_known(out, PPROF_FACT_THREADS, count_threads(header, facts));
    fact_count(out, PPROF_FACT_COLLECTIONS, header->collections);
    fact_known(out, PPROF_FACT_COLLECTION_TIME, header->collection_time_ns);
    fact_known(out, PPROF_FACT_PEAK, header->peak_bytes);
    fact_known(out, PPROF_FACT_PEAK_TIME, header->peak_time_ns);
    fact_known(out, PPROF_FACT_AGES, facts->ages != NULL);
}

static void put_sum_facts(struct pprof_out *out, const struct ledger *ledger)
{
    static const char names[LEDGER_SOURCES][16] = LEDGER_SOURCE_NAMES;
    enum ledger_source source = ledger ? ledger->source : LEDGER_NOT_MEASURED;
    fact_text(out, PPROF_FACT_LEDGER_SOURCE, names[source], sizeof(names[0]));
    if (source == LEDGER_NOT_MEASURED)
        return;
    fact_count(out, PPROF_FACT_LEDGER_RSS, ledger->rss_bytes);
    fact_signed(out, PPROF_FACT_LEDGER_DRIFT, (int64_t)(ledger->rss_bytes - ledger->sum_bytes));
    fact_known(out, PPROF_FACT_LEDGER_STOPPED, ledger->stopped);
}

/* What is no part of the sum; forecasts. */
static void put_ledger_facts(struct pprof_out *out, const struct ledger *ledger)
{
    put_sum_facts(out, ledger);
    if (!ledger)
        return;
    fact_known(out, PPROF_FACT_SWAP, ledger->swap_bytes);
    fact_known(out, PPROF_FACT_PAGE_TABLES, ledger->page_table_bytes);
    fact_known(out, PPROF_FACT_HUGETLB, ledger->hugetlb_bytes);
    fact_known(out, PPROF_FACT_PSS, ledger->pss_bytes);
    fact_known(out, PPROF_FACT_USS, ledger->uss_bytes);
    fact_known(out, PPROF_FACT_LAZY_FREE, ledger->lazy_free_bytes);
    fact_known(out, PPROF_FACT_HUGE_PAGES, ledger->huge_page_bytes);
    fact_known(out, PPROF_FACT_CGROUP, ledger->cgroup_bytes);
    fact_known(out, PPROF_FACT_CGROUP_LIMIT, ledger->cgroup_limit_bytes);
    fact_known(out, PPROF_FACT_TRIM, ledger->trim_bytes);
    fact_known(out, PPROF_FACT_TRIM_LIMIT, ledger->trim_is_limit);
    fact_known(out, PPROF_FACT_PURGE, ledger->purge_bytes);
}

static void put_lost_facts(struct pprof_out *out, const struct box_header *header)
{
    fact_count(out, PPROF_FACT_LOST_BLOCKS, header->lost.blocks);
    fact_count(out, PPROF_FACT_LOST_NESTED, header->lost.nested_events);
    fact_count(out, PPROF_FACT_LOST_CUT, header->lost.cut_stacks);
    fact_count(out, PPROF_FACT_LOST_UNWIND, header->lost.unwind_ends);
    fact_count(out, PPROF_FACT_LOST_RANGES, header->lost.ranges);
    fact_count(out, PPROF_FACT_LOST_SNAPSHOTS, header->lost.snapshots);
    fact_known(out, PPROF_FACT_LOST_HISTORIES, header->lost.histories);
    fact_known(out, PPROF_FACT_UNCLEAN_CUTS, header->lost.cuts);
    fact_known(out, PPROF_FACT_UNWIND_CHECKED, header->unwind_checked);
    fact_known(out, PPROF_FACT_UNWIND_DIFFER, header->unwind_differences);
    fact_known(out, PPROF_FACT_UNWIND_FULL, header->unwind_full);
    fact_known(out, PPROF_FACT_SPILLED, (header->flags & BOX_FLAG_SPILLED) != 0);
}

void box_facts_put(struct pprof_out *out, const struct box_view *view,
                   const struct box_profile_facts *facts)
{
    put_program_facts(out, view->header);
    put_moment_facts(out, view->header, facts);
    put_lost_facts(out, view->header);
    put_ledger_facts(out, facts->ledger);
    put_collections(out, view);
    put_runtimes(out, view->header);
}

void box_facts_site(struct pprof_out *out, uint64_t sample, const struct box_facts_site *site)
{
    struct fact_words words = {.length = 0};
    add_ages(&words, site->age);
    if (site->history) {
        add_history(&words, site->history, site->marks);
        fact_words_known(&words, "p", site->history->peak_bytes);
    }
    if (words.length > 0)
        fact_words_put(out, PPROF_FACT_SITE, sample, &words);
}
