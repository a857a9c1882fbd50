#include "rss.h"

#include "arguments.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"
#include "cli/profile/input.h"
#include "cli/profile/profile.h"
#include "cli/report/render_rss.h"

#include <stdio.h>
#include <string.h>

enum rss_option {
    OPTION_EXACT = 256,
    OPTION_VMA,
    OPTION_JSON,
    OPTION_PROFILE,
    OPTION_UNIT,
    OPTION_COLOUR,
    OPTION_NO_COLOUR,
    OPTION_HELP
};

struct rss_options {
    int pid;
    bool exact, mappings, json;
    const char *profile_path; /* NULL: none */
    struct number_style style;
    bool colour, plain; /* always, never */
};

static const struct option known[] = {
    {"exact", no_argument, NULL, OPTION_EXACT},
    {"vma", no_argument, NULL, OPTION_VMA},
    {"json", no_argument, NULL, OPTION_JSON},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"color", optional_argument, NULL, OPTION_COLOUR},
    {"colour", optional_argument, NULL, OPTION_COLOUR},
    {"no-color", no_argument, NULL, OPTION_NO_COLOUR},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

static int print_help(void)
{
    puts("usage: heapdiff rss [options] PID\n"
         "Where the resident memory of any process is, from outside: by file, stack, heap and "
         "other\n"
         "mappings, adding up to the kernel's RSS. The process need not have been started under "
         "heapdiff.\n"
         "  --exact          stop the process meanwhile (ptrace), for figures of one moment\n"
         "  --profile FILE   set a heap profile in pprof's format against it: what it names, and "
         "the rest\n"
         "  --vma            a row for each mapping, too\n"
         "  --json           all of it as JSON\n"
         "  --unit UNIT      auto, bytes, KiB, MiB, GiB\n"
         "  --color WHEN     auto, always, never");
    return output_finish_stdout() ? 0 : 1;
}

static bool parse_colour(struct rss_options *options, const char *when)
{
    options->colour = !when || strcmp(when, "always") == 0;
    options->plain = when && strcmp(when, "never") == 0;
    return options->colour || options->plain || strcmp(when, "auto") == 0;
}

/* 0, or the exit status after what was wrong has been printed. */
static int parse_one(struct rss_options *options, int option, char **argv)
{
    switch (option) {
    case OPTION_EXACT:
        options->exact = true;
        return 0;
    case OPTION_VMA:
        options->mappings = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_PROFILE:
        options->profile_path = optarg;
        return 0;
    case OPTION_UNIT:
        if (number_style_choose(&options->style, "bytes", optarg))
            return 0;
        return message_usage("rss", "not a unit: %s", optarg);
    case OPTION_NO_COLOUR:
        return parse_colour(options, "never") ? 0 : 2;
    case OPTION_COLOUR:
        if (parse_colour(options, optarg))
            return 0;
        return message_usage("rss", "--color is auto, always or never, not %s", optarg);
    }
    return arguments_refused("rss", option, known, argv);
}

/* -1: go on; else the exit status. */
static int parse(struct rss_options *options, int argc, char **argv)
{
    *options = (struct rss_options){0};
    number_style_choose(&options->style, "bytes", "auto");
    arguments_begin();
    for (int option; (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        if (option == OPTION_HELP || option == 'h')
            return print_help();
        int status = parse_one(options, option, argv);
        if (status != 0)
            return status;
    }
    int status = arguments_pid("rss", argc, argv, &options->pid);
    return status == 0 ? -1 : status;
}

/* False, after one line, when there is no gap to be told. */
static bool find_gap(struct rss_gap *gap, const struct rss_look *look, const char *path)
{
    const char *reason;
    struct profile *profile = profile_load(path, &reason);
    if (profile)
        reason = rss_gap_of(gap, look, profile);
    profile_free(profile);
    return !reason || message_error(input_name(path), "%s", reason);
}

static bool print(const struct rss_options *options, const struct rss_report *report)
{
    struct page page = page_of(stdout);
    page.colour = (page.colour && !options->plain) || options->colour;
    if (options->json)
        render_rss_json(stdout, report);
    else
        render_rss(&page, report);
    return output_finish_stdout();
}

int command_rss(int argc, char **argv)
{
    struct rss_options options;
    int status = parse(&options, argc, argv);
    if (status >= 0)
        return status;
    struct rss_look look;
    struct rss_gap gap;
    if (!rss_look_take(&look, options.pid, options.exact))
        return 1;
    struct rss_report report = {.look = &look,
                                .profile_path = options.profile_path,
                                .style = options.style,
                                .mappings = options.mappings};
    bool good = true;
    if (options.profile_path) {
        good = find_gap(&gap, &look, options.profile_path);
        report.gap = &gap;
    }
    good = good && print(&options, &report);
    rss_look_free(&look);
    return good ? 0 : 1;
}
