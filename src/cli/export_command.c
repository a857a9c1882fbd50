#include "export_command.h"

#include "diff.h"
#include "export.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "render.h"
#include "symbol.h"

#include <assert.h>
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

/* What is loaded for one export. */
struct export_job {
    struct profile *base, *fresh, *diff; /* base and diff: NULL without --base */
    struct profile *shown;               /* the one of them that is written */
    enum diff_match match;
    int type;
    const char *path, *base_path;
};

/* Failures are kept by the output. */
typedef void export_writer(const struct export_job *job, struct output *output);

static void pprof_write(const struct export_job *job, struct output *output)
{
    output_pack(output);
    export_pprof(job->shown, &output->sink);
}

static void pprof_go_write(const struct export_job *job, struct output *output)
{
    output_pack(output);
    export_pprof_go(job->shown, &output->sink);
}

static void collapsed_write(const struct export_job *job, struct output *output)
{
    export_collapsed(output->file, job->shown, job->type);
}

static void speedscope_write(const struct export_job *job, struct output *output)
{
    export_speedscope(output->file, job->shown, job->type);
}

/* The report's own schema, over all samples. */
static void json_write(const struct export_job *job, struct output *output)
{
    const struct options options = {
        .profile_path = job->path, .base_path = job->base_path, .limit = -1};
    char *message = NULL;
    struct filter *filter = filter_new(&options.filter, &message);
    const struct report report = {.options = &options,
                                  .shown = job->shown,
                                  .fresh = job->fresh,
                                  .base = job->base,
                                  .match = job->match,
                                  .type = job->type,
                                  .filter = filter};
    assert(filter != NULL); /* no expression, no mistake in it */
    filter_mark(filter, job->shown);
    render_json(output->file, &report);
    filter_free(filter);
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
    {"json", json_write, false, NULL},
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
        return output_finish_stdout() ? 0 : 1;
    case ':':
        return message_usage("export", "a value is missing after %s", argument);
    default:
        return message_usage("export", "unknown or ambiguous option %s", argument);
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

/* Loads and symbolizes; false after a message. */
static bool job_load(struct export_job *job)
{
    const struct diff_options as_base = {0};
    const char *reason = NULL;
    job->fresh = profile_read(job->path);
    if (job->fresh == NULL)
        return false;
    job->shown = job->fresh;
    if (job->base_path != NULL) {
        job->base = profile_read(job->base_path);
        if (job->base == NULL)
            return false;
        job->diff = profile_diff(job->base, job->fresh, &as_base, &job->match, &reason);
        if (job->diff == NULL)
            return message_error(job->path, "%s", reason);
        job->shown = job->diff;
    }
    symbolize(job->shown);
    return true;
}

static void job_free(struct export_job *job)
{
    profile_free(job->diff);
    profile_free(job->base);
    profile_free(job->fresh);
}

/* The index of the sample type asked for; inuse_space unless said otherwise. */
static int type_choose(const char *asked, const struct profile *profile)
{
    if (asked != NULL)
        return profile_type_meant(profile, asked);
    int usual = profile_type(profile, "inuse_space");
    return usual != PROFILE_NONE ? usual : profile->default_type;
}

/* False after a message. */
static bool job_fits(const struct export_job *job, const struct export_options *options)
{
    const struct export_format *format = options->format;
    bool to_stdout = options->output == NULL || strcmp(options->output, "-") == 0;
    if (job->type == PROFILE_NONE) {
        char *types = profile_types_text(job->shown);
        message_error(job->path, "no sample type \"%s\"; there are: %s", options->sample_index,
                      types);
        free(types);
        return false;
    }
    if (format->possible != NULL && !format->possible(job->shown))
        return message_error(job->path, "has no sample type of Go's heap profiles");
    if (format->binary && to_stdout && isatty(STDOUT_FILENO))
        return message_error("standard output", "is a terminal: name a file with -o");
    return true;
}

static bool job_run(struct export_job *job, const struct export_options *options)
{
    struct output output;
    const char *name = options->output != NULL ? options->output : "standard output";
    if (!job_load(job))
        return false;
    job->type = type_choose(options->sample_index, job->shown);
    if (!job_fits(job, options))
        return false;
    if (!output_open(&output, options->output))
        return message_error(name, "%s", strerror(errno));
    options->format->write(job, &output);
    return output_commit(&output, OUTPUT_REPLACE) || message_error(name, "%s", strerror(errno));
}

int command_export(int argc, char **argv)
{
    struct export_options options = {0};
    int status = options_read(&options, argc, argv);
    if (status != GO_ON)
        return status;
    struct export_job job = {.path = options.profile, .base_path = options.base};
    bool written = job_run(&job, &options);
    job_free(&job);
    return written ? 0 : 1;
}
