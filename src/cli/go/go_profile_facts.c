#include "go_profile_facts.h"

#include "go_facts.h"
#include "cli/ground/value.h"
#include "format/pprof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_ledger_facts(struct fact_list *facts, const struct ledger_book *book)
{
    fact_list_put(facts, PPROF_FACT_LEDGER_SOURCE, "%s", ledger_source_key(book->source));
    fact_list_put(facts, PPROF_FACT_LEDGER_RSS, "%" PRId64, book->rss_bytes);
    fact_list_put(facts, PPROF_FACT_LEDGER_DRIFT, "%" PRId64, book->drift_bytes);
    fact_list_put_known(facts, PPROF_FACT_LEDGER_STOPPED, book->stopped);
    fact_list_put(facts, PPROF_FACT_RSS, "%" PRId64, book->rss_bytes);
    for (int i = 0; i < LEDGER_BESIDES; i++)
        fact_list_put_known(facts, ledger_beside_key((enum ledger_beside)i), book->beside[i]);
}

/* Arguments end in NUL. */
static void put_command_line(struct fact_list *facts, const struct process_dir *dir)
{
    size_t size_bytes;
    char *text = process_dir_text(dir, "cmdline", &size_bytes);
    for (size_t i = 0; text && i + 1 < size_bytes; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    if (text && text[0])
        fact_list_put(facts, PPROF_FACT_COMMAND_LINE, "%s", text);
    free(text);
}

static void put_process_facts(struct fact_list *facts, const struct go_process *process)
{
    const struct rss_look *look = &process->look;
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    fact_list_put(facts, PPROF_FACT_VERSION, "%s", HEAPDIFF_VERSION);
    fact_list_put(facts, PPROF_FACT_PROGRAM, "%s", look->name);
    fact_list_put(facts, PPROF_FACT_PID, "%d", look->process.pid);
    put_command_line(facts, &look->dir);
    fact_list_put(facts, PPROF_FACT_HOST, "%s", host);
    fact_list_put(facts, PPROF_FACT_START_TIME, "%" PRId64, look->start_ns);
    fact_list_put(facts, PPROF_FACT_SNAPSHOT_TIME, "%" PRId64, look->time_ns);
    fact_list_put(facts, PPROF_FACT_SOURCE, "attach");
    fact_list_put_known(facts, PPROF_FACT_THREADS, (int64_t)look->scene.threads.count);
    fact_list_put(facts, PPROF_FACT_GO_VERSION, "%s", process->binary.version);
}

static void put_published(struct fact_list *facts, const struct go_heap *heap,
                          const struct go_published *published)
{
    uint64_t number = heap->figures.collections;
    int64_t bytes = 0;
    for (size_t i = 0; i < published->count; i++)
        bytes = value_sum(bytes, published->bytes[i]);
    fact_list_put(facts, PPROF_FACT_GO_PUBLISHED, "%" PRId64, bytes);
    fact_list_put_known(facts, PPROF_FACT_GO_SWEEPING, !heap->swept);
    number = heap->advanced || number == 0 ? number : number - 1;
    if (number == 0)
        return;
    fact_list_put(facts, PPROF_FACT_GO_AS_OF, "%" PRIu64, number);
    fact_list_put_known(facts, PPROF_FACT_GO_AS_OF_TIME,
                        (int64_t)heap->figures.pause_end_ns[(number - 1) % GO_PAUSES]);
}

/* What a site had at the collection before the last, which is what pprof says, and at the last. */
static void put_histories(struct fact_list *facts, const struct go_heap *heap,
                          const struct go_published *published)
{
    char key[48], before[32] = "";
    for (size_t i = 0; i < published->count; i++) {
        int64_t last = published->samples[i].values[PPROF_COLLECTED_SPACE];
        if (heap->figures.collections == 0 || (published->bytes[i] == 0 && last == 0))
            continue;
        if (!heap->advanced && heap->figures.collections > 1)
            snprintf(before, sizeof(before), "%" PRId64 ",", published->bytes[i]);
        snprintf(key, sizeof(key), PPROF_FACT_SITE "%zu", i);
        fact_list_put(facts, key, "h=%s%" PRId64, before, last);
    }
}

void go_profile_facts_put(struct fact_list *facts, const struct go_process *process,
                          const struct go_published *published)
{
    const struct go_figures *figures = &process->heap.figures;
    put_process_facts(facts, process);
    put_ledger_facts(facts, &process->look.book);
    go_facts_put(facts, figures, figures->rate == 1 ? "exact" : "sampled");
    put_published(facts, &process->heap, published);
    put_histories(facts, &process->heap, published);
}
