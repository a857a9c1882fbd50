#include "export_command.h"

#include "arguments.h"
#include "cli/export/export.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"
#include "cli/profile/comparison.h"
#include "cli/profile/input.h"
#include "cli/profile/prune.h"
#include "cli/report/render.h"
#include "cli/symbol/symbol.h"

#include <assert.h>
#include <errno.h>
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

/* `comparison` is symbolized. Failures are kept by the output. */
typedef void export_writer(const struct comparison *comparison, int type, struct output *output);

static void pprof_write(const struct comparison *comparison, int type, struct output *output)
{
    (void)type; /* all of them */
    output_pack(output);
    export_pprof(comparison->shown, &output->sink);
}

static void pprof_go_write(const struct comparison *comparison, int type, struct output *output)
{
    (void)type;
    output_pack(output);
    export_pprof_go(comparison->shown, &output->sink);
}

static void collapsed_write(const struct comparison *comparison, int type, struct output *output)
{
    profile_prune(comparison->shown);
    export_collapsed(output->file, comparison->shown, type);
}

static void speedscope_write(const struct comparison *comparison, int type, struct output *output)
{
    profile_prune(comparison->shown);
    export_speedscope(output->file, comparison->shown, type);
}

/* The report's own schema, over all samples. */
static void json_write(const struct comparison *comparison, int type, struct output *output)
{
    const struct choice choice = {
        .profile_path = comparison->path, .base_path = comparison->base_path, .limit = -1};
    char *message = NULL;
    struct filter *filter = filter_new(&choice.filter, &message);
    struct ledger_pair ledger =
        ledger_pair_of(comparison->shown, comparison->fresh, comparison->base, &choice.filter);
    struct collection_book book = collection_book_of(comparison->fresh), base_book = {0};
    if (comparison->base)
        base_book = collection_book_of(comparison->base);
    const struct report report = {.choice = &choice,
                                  .shown = comparison->shown,
                                  .fresh = comparison->fresh,
                                  .base = comparison->base,
                                  .match = comparison->match,
                                  .type = type,
                                  .filter = filter,
                                  .ledger = &ledger,
                                  .book = &book,
                                  .base_book = &base_book};
    assert(filter != NULL); /* no expression, no mistake in it */
    profile_prune(comparison->shown);
    filter_mark(filter, comparison->shown);
    render_json(output->file, &report);
    collection_book_free(&book);
    collection_book_free(&base_book);
    ledger_pair_clear(&ledger);
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

static int option_take(struct export_options *options, int option, char **argv)
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
    default:
        return arguments_refused("export", option, long_options, argv);
    }
}

/* pprof's single-dash spellings are legal too. */
static int options_read(struct export_options *options, int argc, char **argv)
{
    int option, status = GO_ON;
    arguments_begin();
    while (status == GO_ON &&
           (option = getopt_long_only(argc, argv, ":o:h", long_options, NULL)) != -1)
        status = option_take(options, option, argv);
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

/* inuse_space, where there is one, unless said otherwise. */
static int choose_type(const struct comparison *comparison, const char *asked)
{
    bool usual = profile_type(comparison->shown, "inuse_space") != PROFILE_NONE;
    return comparison_type(comparison, asked != NULL || !usual ? asked : "inuse_space");
}

/* False after a message. */
static bool fits(const struct comparison *comparison, const struct export_format *format,
                 bool to_stdout)
{
    if (format->possible != NULL && !format->possible(comparison->shown))
        return message_error(input_name(comparison->path),
                             "has no sample type of Go's heap profiles");
    if (format->binary && to_stdout && isatty(STDOUT_FILENO))
        return message_error("standard output", "is a terminal: name a file with -o");
    return true;
}

static bool run(struct comparison *comparison, const struct export_options *options)
{
    struct output output;
    bool to_stdout = options->output == NULL || strcmp(options->output, "-") == 0;
    const char *name = to_stdout ? "standard output" : options->output;
    if (!comparison_open(comparison, &(struct diff_options){0}))
        return false;
    int type = choose_type(comparison, options->sample_index);
    if (type == PROFILE_NONE || !fits(comparison, options->format, to_stdout))
        return false;
    symbolize(comparison->shown);
    if (!output_open(&output, options->output))
        return message_error(name, "%s", strerror(errno));
    options->format->write(comparison, type, &output);
    return output_commit(&output, OUTPUT_REPLACE) || message_error(name, "%s", strerror(errno));
}

int command_export(int argc, char **argv)
{
    struct export_options options = {0};
    int status = options_read(&options, argc, argv);
    if (status != GO_ON)
        return status;
    struct comparison comparison = {.path = options.profile, .base_path = options.base};
    bool written = run(&comparison, &options);
    comparison_close(&comparison);
    return written ? 0 : 1;
}
