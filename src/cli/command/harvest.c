#include "harvest.h"

#include "cli/export/export.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/moment.h"
#include "cli/ground/value.h"
#include "cli/process/box_search.h"
#include "cli/process/name_pattern.h"
#include "cli/report/number_text.h"
#include "cli/symbol/symbol.h"
#include "format/pprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_CLOCK_SLACK_NS = 20000000 /* file times come from the last timer tick */ };

static bool is_of_run(const struct harvest *harvest, const struct box_header *header)
{
    return header->start_time_ns >= harvest->start_ns &&
           strncmp(header->options, harvest->variable, sizeof(header->options)) == 0;
}

/* The box of a process that ended without a word. */
static bool recover_box(const struct harvest *harvest, const struct box_file *box)
{
    const struct box_header *header = box->view.header;
    struct box_profile_facts facts = box_file_facts(box, NULL);
    char *host = memory_text(header->host, strnlen(header->host, sizeof(header->host)));
    struct name_values values = {.program = box->program,
                                 .host = host,
                                 .pid = header->pid,
                                 .counter = header->snapshots + 1,
                                 .time_s = facts.time_ns / 1000000000u};
    char *name = name_pattern_free_name(harvest->pattern, &values);
    char *path = box_file_save(box, &facts, name);
    bool done = path != NULL;
    if (done && !box_file_delete(box))
        done = message_error(box->path, "cannot be deleted: %s", strerror(errno));
    free(path);
    free(name);
    free(host);
    return done;
}

static bool gather_box(struct harvest *harvest, const char *path)
{
    struct box_file box;
    bool done = true;
    if (box_file_open(&box, path))
        return true; /* not one of ours, or gone since */
    if (is_of_run(harvest, box.view.header)) {
        if (box_file_process(&box) != 0)
            harvest->running++;
        else if (box.view.header->state == BOX_STATE_DONE)
            box_file_delete(&box); /* its final profile is there */
        else
            done = recover_box(harvest, &box);
    }
    box_file_close(&box);
    return done;
}

static bool gather_boxes(struct harvest *harvest)
{
    struct path_list list = {0};
    bool done = true;
    const char *slash = strrchr(harvest->pattern, '/');
    char *beside = memory_text(harvest->pattern, slash ? (size_t)(slash - harvest->pattern) : 0);
    box_search_directory(&list, harvest->box_directory ? harvest->box_directory : "/dev/shm");
    if (*beside != '\0')
        box_search_directory(&list, beside);
    for (size_t i = 0; i < list.count; i++)
        done &= gather_box(harvest, list.paths[i]);
    path_list_free(&list);
    free(beside);
    return done;
}

static bool is_fresh(const struct harvest *harvest, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    return moment_of(status.st_mtim) + FILE_CLOCK_SLACK_NS >= harvest->start_ns;
}

/* Puts the symbols into the file. */
static bool symbolize_file(struct profile *profile, const char *path)
{
    symbolize(profile);
    return export_pprof_file(profile, path);
}

static void say_profile(const struct profile *profile, const char *path)
{
    int type = profile_type(profile, "inuse_space");
    const char *source = profile_fact(profile, PPROF_FACT_SOURCE);
    int64_t live_bytes = 0, stacks = 0;
    for (size_t i = 0; type != PROFILE_NONE && i < profile->sample_count; i++) {
        live_bytes = value_sum(live_bytes, profile->samples[i].values[type]);
        stacks += profile->samples[i].values[type] != 0;
    }
    struct number_style style;
    number_style_choose(&style, "bytes", "auto");
    message_note("wrote %s (%s; %s live in %s stack%s)", path, source ? source : "snapshot",
                 number_text(live_bytes, &style).text, number_count(stacks, false).text,
                 stacks == 1 ? "" : "s");
}

/* Whether a process of this run wrote it. */
static bool profile_is_of_run(const struct harvest *harvest, const struct profile *profile)
{
    const char *variable = profile_fact(profile, PPROF_FACT_OPTIONS);
    int64_t start_ns = profile_fact_number(profile, PPROF_FACT_START_TIME, 0);
    return variable && strcmp(variable, harvest->variable) == 0 &&
           (uint64_t)start_ns >= harvest->start_ns;
}

static bool gather_profile(struct harvest *harvest, const char *path)
{
    const char *reason;
    if (!is_fresh(harvest, path))
        return true;
    struct profile *profile = profile_load(path, &reason);
    if (!profile) /* somebody else's file under a name of ours, or one that keep= has deleted */
        return true;
    bool done = true;
    if (profile_is_of_run(harvest, profile)) {
        harvest->profiles++;
        harvest->others += profile_fact_number(profile, PPROF_FACT_PID, 0) != harvest->pid;
        if (harvest->symbols)
            done = symbolize_file(profile, path);
        if (!harvest->quiet)
            say_profile(profile, path);
    }
    profile_free(profile);
    return done;
}

static int by_name(const void *left, const void *right)
{
    return strverscmp(*(char *const *)left, *(char *const *)right);
}

static bool gather_profiles(struct harvest *harvest)
{
    struct path_list list = {0};
    struct name_values any = {0};
    bool done = true;
    name_pattern_search(&list, "", harvest->pattern, &any);
    if (list.count > 0)
        qsort(list.paths, list.count, sizeof(*list.paths), by_name);
    for (size_t i = 0; i < list.count; i++)
        done &= gather_profile(harvest, list.paths[i]);
    path_list_free(&list);
    return done;
}

bool harvest_gather(struct harvest *harvest)
{
    harvest->profiles = harvest->others = harvest->running = 0;
    bool done = gather_boxes(harvest);
    return gather_profiles(harvest) && done;
}
