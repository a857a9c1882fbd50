#include "export_command.h"

#include "diff.h"
#include "export.h"
#include "memory.h"
#include "message.h"
#include "symbol.h"
#include "target.h"
#include "zlib_sink.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: heapdiff export --format FORMAT [options] PROFILE\n"
    "\n"
    "  --format FORMAT      pprof (symbolized), pprof-go (the four sample types of Go), "
    "collapsed,\n"
    "                       speedscope, json\n"
    "  --base OLD           export what changed since OLD\n"
    "  --sample-index NAME  sample type of collapsed and speedscope (default: inuse_space)\n"
    "  -o, --output FILE    write FILE, whole or not at all (default: standard output)\n"
    "  -h, --help           this text\n";

/* What an export is made of, after all is loaded. */
struct export_job {
    struct profile *profile;
    int type;
    struct sink *sink;
};

typedef bool export_writer(const struct export_job *job);

static bool packed_write(const struct export_job *job,
                         bool (*encode)(const struct profile *, struct sink *))
{
    struct zlib_sink *packed = memory_zeroed(1, sizeof(*packed));
    zlib_sink_open(packed, job->sink);
    bool written = encode(job->profile, &packed->sink);
    written &= zlib_sink_close(packed);
    free(packed);
    return written;
}

static bool pprof_write(const struct export_job *job)
{
    return packed_write(job, export_pprof);
}

static bool pprof_go_write(const struct export_job *job)
{
    return packed_write(job, export_pprof_go);
}

static bool collapsed_write(const struct export_job *job)
{
    return export_collapsed(job->profile, job->type, job->sink);
}

static bool speedscope_write(const struct export_job *job)
{
    return export_speedscope(job->profile, job->type, job->sink);
}

static const struct export_format {
    const char *name;
    export_writer *write;
    bool binary;                                     /* not for a terminal */
    bool (*possible)(const struct profile *profile); /* NULL: always */
} formats[] = {
    {"pprof", pprof_write, true, NULL},
    {"pprof-go", pprof_go_write, true, export_pprof_go_possible},
    {"collapsed", collapsed_write, false, NULL},
    {"speedscope", speedscope_write, false, NULL},
};

struct export_options {
    const struct export_format *format;
    const char *base, *sample_index, *output, *profile;
};

static const struct export_format *format_named(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

enum { OPTION_FORMAT = 256, OPTION_BASE, OPTION_SAMPLE_INDEX };

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"base", required_argument, NULL, OPTION_BASE},
    {"sample-index", required_argument, NULL, OPTION_SAMPLE_INDEX},
    {"sample_index", required_argument, NULL, OPTION_SAMPLE_INDEX},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {0}};

enum { GO_ON = -1 /* in place of an exit status */ };

static int option_take(struct export_options *options, int option, const char *argument)
{
    switch (option) {
    case OPTION_FORMAT:
        options->format = format_named(optarg);
        return options->format != NULL ? GO_ON
                                       : message_usage("export", "no format \"%s\"", optarg);
    case OPTION_BASE:
        options->base = optarg;
        return GO_ON;
    case OPTION_SAMPLE_INDEX:
        options->sample_index = optarg;
        return GO_ON;
    case 'o':
        options->output = optarg;
        return GO_ON;
    case 'h':
        fputs(usage, stdout);
        return 0;
    case ':':
        return message_usage("export", "%s needs a value", argument);
    default:
        return message_usage("export", "no option \"%s\"", argument);
    }
}

/* pprof's single-dash spellings are legal too. */
static int options_read(struct export_options *options, int argc, char **argv)
{
    int option, status = GO_ON;
    optind = 0; /* start afresh, wherever main() got to */
    opterr = 0;
    while (status == GO_ON &&
           (option = getopt_long_only(argc, argv, ":o:h", long_options, NULL)) != -1)
        status = option_take(options, option, argv[optind - 1]);
    if (status != GO_ON)
        return status;
    if (options->format == NULL)
        return message_usage("export", "--format is missing");
    if (argc - optind != 1)
        return message_usage("export",
                             argc > optind ? "more than one profile" : "no profile named");
    options->profile = argv[optind];
    return GO_ON;
}

static struct profile *profile_read(const char *path)
{
    const char *reason = NULL;
    struct profile *profile = profile_load(path, &reason);
    if (profile == NULL)
        message_error(path, "%s", reason);
    return profile;
}

/* The profile, or what changed since the base; symbolized. NULL after a message. */
static struct profile *profile_prepare(const struct export_options *options)
{
    const struct diff_options as_base = {0};
    enum diff_match match;
    const char *reason = NULL;
    struct profile *fresh = profile_read(options->profile);
    if (fresh == NULL || options->base == NULL) {
        if (fresh != NULL)
            symbolize(fresh);
        return fresh;
    }
    struct profile *base = profile_read(options->base), *diff = NULL;
    if (base != NULL) {
        diff = profile_diff(base, fresh, &as_base, &match, &reason);
        if (diff == NULL)
            message_error(options->profile, "%s", reason);
    }
    profile_free(base);
    profile_free(fresh);
    if (diff != NULL)
        symbolize(diff);
    return diff;
}

/* The index of the sample type asked for; inuse_space unless said otherwise. */
static int type_choose(const struct export_options *options, const struct profile *profile)
{
    if (options->sample_index != NULL)
        return profile_type(profile, options->sample_index);
    int usual = profile_type(profile, "inuse_space");
    return usual != PROFILE_NONE ? usual : profile->default_type;
}

static bool job_refused(const struct export_options *options, const struct export_job *job)
{
    const struct export_format *format = options->format;
    bool to_stdout = options->output == NULL || strcmp(options->output, "-") == 0;
    if (job->type == PROFILE_NONE)
        return !message_error(options->profile, "has no sample type \"%s\"", options->sample_index);
    if (format->possible != NULL && !format->possible(job->profile))
        return !message_error(options->profile, "has no sample type of Go's heap profiles");
    if (format->binary && to_stdout && isatty(STDOUT_FILENO))
        return !message_error("standard output", "is a terminal: name a file with -o");
    return false;
}

static bool job_run(const struct export_options *options, struct profile *profile)
{
    struct target target;
    const char *name = options->output != NULL ? options->output : "standard output";
    struct export_job job = {profile, type_choose(options, profile), &target.sink};
    if (job_refused(options, &job))
        return false;
    if (!target_open(&target, options->output))
        return message_error(name, "%s", strerror(errno));
    bool written = options->format->write(&job);
    if (!target_close(&target, written))
        return message_error(name, "%s", strerror(errno));
    return true;
}

int command_export(int argc, char **argv)
{
    struct export_options options = {0};
    int status = options_read(&options, argc, argv);
    if (status != GO_ON)
        return status;
    struct profile *profile = profile_prepare(&options);
    bool written = profile != NULL && job_run(&options, profile);
    profile_free(profile);
    return written ? 0 : 1;
}
