#include "attach.h"

#include "arguments.h"
#include "cli/go/go_debug.h"
#include "cli/go/go_profile.h"
#include "cli/report/render_go.h"

#include "cli/export/export.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/moment.h"
#include "cli/ground/output.h"
#include "cli/process/name_pattern.h"
#include "cli/process/stop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PATTERN "%n.%p.%c.prof"

struct attach_options {
    int pid;
    const char *path; /* NULL: by the usual name */
    bool exact, quiet;
    struct number_style style;
};

static const struct option known[] = {
    {"output", required_argument, NULL, 'o'}, {"exact", no_argument, NULL, 'e'},
    {"quiet", no_argument, NULL, 'q'},        {"unit", required_argument, NULL, 'u'},
    {"help", no_argument, NULL, 'h'},         {0}};

static int print_help(void)
{
    puts(
        "usage: heapdiff attach PID [-o FILE] [--exact]\n"
        "Reads what a running Go program's runtime knows of its heap, from outside and without a "
        "change\n"
        "to it: per site what pprof would say, what was live at the last collection, and what was\n"
        "allocated since; the collector's history; the resident memory. Written as a profile.\n"
        "  -o, --output FILE   write FILE (default: NAME.PID.N.prof here)\n"
        "      --exact         stop the process meanwhile (ptrace), for figures of one moment\n"
        "      --quiet         no report on standard output\n"
        "      --unit UNIT     auto, bytes, KiB, MiB, GiB");
    return output_finish_stdout() ? 0 : 1;
}

/* -1: go on; else the exit status. */
static int parse_one(struct attach_options *options, int option, char **argv)
{
    switch (option) {
    case 'h':
        return print_help();
    case 'o':
        options->path = optarg;
        return -1;
    case 'e':
        options->exact = true;
        return -1;
    case 'q':
        options->quiet = true;
        return -1;
    case 'u':
        if (number_style_choose(&options->style, "bytes", optarg))
            return -1;
        return message_usage("attach", "not a unit: %s", optarg);
    }
    return arguments_refused("attach", option, known, argv);
}

static int parse(struct attach_options *options, int argc, char **argv)
{
    *options = (struct attach_options){.pid = 0};
    number_style_choose(&options->style, "bytes", "auto");
    arguments_begin();
    for (int option; (option = getopt_long(argc, argv, ":o:h", known, NULL)) != -1;) {
        int status = parse_one(options, option, argv);
        if (status >= 0)
            return status;
    }
    int status = arguments_pid("attach", argc, argv, &options->pid);
    return status == 0 ? -1 : status;
}

/* False, after one line. */
static bool failed(int pid, char *reason)
{
    char what[16];
    snprintf(what, sizeof(what), "%d", pid);
    message_error(what, "%s", reason);
    free(reason);
    return false;
}

/* What must be read while the process stands still, if it does. */
static bool look(struct go_process *process, int pid)
{
    const char *problem;
    if (!rss_look_take(&process->look, pid, false))
        return false;
    char *reason = go_binary_open(&process->binary, &process->look.memory);
    reason = reason ? reason : go_debug_check(&process->binary);
    if (!reason && (problem = go_symbols_open(&process->symbols, &process->binary)))
        reason = memory_format("%s", problem);
    if (!reason)
        reason = go_heap_read(&process->heap, &process->binary, process->look.memory.pid);
    process->look.time_ns = (int64_t)moment_now(CLOCK_REALTIME); /* of the later of the two looks */
    return !reason || failed(pid, reason);
}

static bool look_exactly(struct go_process *process, int pid)
{
    struct stop stop;
    uint64_t before = moment_now(CLOCK_MONOTONIC);
    char *reason = stop_all(&stop, pid);
    if (reason)
        return failed(pid, reason);
    bool good = look(process, pid);
    stop_release(&stop);
    process->look.book.stopped = stop.restless_count == 0;
    process->look.stopped_ns = (int64_t)(moment_now(CLOCK_MONOTONIC) - before);
    return good;
}

/* A process calls itself what it wants: that must not lead to another directory. */
static char *path_of(const struct attach_options *options, const struct go_process *process)
{
    char program[THREAD_NAME_BYTES];
    snprintf(program, sizeof(program), "%s", process->look.name);
    for (char *at = program; *at; at++)
        if (*at == '/' || *at < ' ' || *at == 0x7f)
            *at = '_';
    struct name_values values = {.program = program, .pid = options->pid, .counter = 1};
    if (options->path)
        return memory_format("%s", options->path);
    return name_pattern_free_name(DEFAULT_PATTERN, &values);
}

static bool attach(const struct attach_options *options)
{
    struct go_process process = {.look = {.dir = {.fd = -1}, .memory = {.fd = -1}},
                                 .binary = {.fd = -1}};
    bool good =
        options->exact ? look_exactly(&process, options->pid) : look(&process, options->pid);
    if (good && !process.heap.settled)
        message_note("%d: it collects more often than it can be read: figures are of more than one "
                     "moment (--exact stops it meanwhile)",
                     options->pid);
    if (good) {
        struct profile *profile = go_profile_of(&process);
        char *path = path_of(options, &process);
        good = export_pprof_file(profile, path);
        if (good && !options->quiet && strcmp(path, "-") != 0) {
            struct page page = page_of(stdout);
            render_go(&page, profile, &options->style);
            good = output_finish_stdout();
            message_note("wrote %s", path);
        }
        free(path);
        profile_free(profile);
    }
    go_heap_free(&process.heap);
    go_binary_close(&process.binary);
    rss_look_free(&process.look);
    return good;
}

int command_attach(int argc, char **argv)
{
    struct attach_options options;
    int status = parse(&options, argc, argv);
    if (status >= 0)
        return status;
    return attach(&options) ? 0 : 1;
}
