#include "options.h"

#include "cli/ground/message.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODE_FRACTION_PER_MILLE = 5 }; /* pprof's default */

enum option_code {
    OPTION_BASE = 256, /* above all characters */
    OPTION_DIFF_BASE,
    OPTION_NORMALIZE,
    OPTION_TOP,
    OPTION_TREE,
    OPTION_TRACES,
    OPTION_CUM,
    OPTION_FLAT,
    OPTION_COLLECTED,
    OPTION_LIMIT,
    OPTION_NODE_FRACTION,
    OPTION_RELATIVE,
    OPTION_SAMPLE_INDEX,
    OPTION_FOCUS,
    OPTION_IGNORE,
    OPTION_SKIP,
    OPTION_NO_SKIP,
    OPTION_UNIT,
    OPTION_JSON,
    OPTION_COLOUR,
    OPTION_NO_COLOUR,
    OPTION_HELP,
    OPTION_GRANULARITY, /* + enum granularity */
    OPTION_TYPE = 512   /* + index into sample_types */
};

/* Every type has an option of its own, as in pprof: --inuse-space. */
static const char *const sample_types[] = {
    "inuse_space",       "inuse_objects",  "alloc_space", "alloc_objects",  "collected_space",
    "collected_objects", "resident_space", "since_space", "survived_space",
};

static const struct option long_options[] = {
    {"base", required_argument, NULL, OPTION_BASE},
    {"diff-base", required_argument, NULL, OPTION_DIFF_BASE},
    {"normalize", no_argument, NULL, OPTION_NORMALIZE},
    {"top", optional_argument, NULL, OPTION_TOP},
    {"text", no_argument, NULL, OPTION_TOP},
    {"tree", no_argument, NULL, OPTION_TREE},
    {"traces", no_argument, NULL, OPTION_TRACES},
    {"cum", no_argument, NULL, OPTION_CUM},
    {"flat", no_argument, NULL, OPTION_FLAT},
    {"collected", no_argument, NULL, OPTION_COLLECTED},
    {"nodecount", required_argument, NULL, OPTION_LIMIT},
    {"nodefraction", required_argument, NULL, OPTION_NODE_FRACTION},
    {"relative-percentages", no_argument, NULL, OPTION_RELATIVE},
    {"sample-index", required_argument, NULL, OPTION_SAMPLE_INDEX},
    {"focus", required_argument, NULL, OPTION_FOCUS},
    {"ignore", required_argument, NULL, OPTION_IGNORE},
    {"skip", required_argument, NULL, OPTION_SKIP},
    {"no-skip", no_argument, NULL, OPTION_NO_SKIP},
    {"unit", required_argument, NULL, OPTION_UNIT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"color", optional_argument, NULL, OPTION_COLOUR},
    {"colour", optional_argument, NULL, OPTION_COLOUR},
    {"no-color", no_argument, NULL, OPTION_NO_COLOUR},
    {"help", no_argument, NULL, OPTION_HELP},
    {"functions", no_argument, NULL, OPTION_GRANULARITY + GRANULARITY_FUNCTIONS},
    {"lines", no_argument, NULL, OPTION_GRANULARITY + GRANULARITY_LINES},
    {"files", no_argument, NULL, OPTION_GRANULARITY + GRANULARITY_FILES},
    {"addresses", no_argument, NULL, OPTION_GRANULARITY + GRANULARITY_ADDRESSES},
    {"inuse-space", no_argument, NULL, OPTION_TYPE},
    {"inuse-objects", no_argument, NULL, OPTION_TYPE + 1},
    {"alloc-space", no_argument, NULL, OPTION_TYPE + 2},
    {"alloc-objects", no_argument, NULL, OPTION_TYPE + 3},
    {"collected-space", no_argument, NULL, OPTION_TYPE + 4},
    {"collected-objects", no_argument, NULL, OPTION_TYPE + 5},
    {"resident-space", no_argument, NULL, OPTION_TYPE + 6},
    {"since-space", no_argument, NULL, OPTION_TYPE + 7},
    {"survived-space", no_argument, NULL, OPTION_TYPE + 8},
    {NULL, 0, NULL, 0},
};

static bool wrong(const char *what, const char *value)
{
    message_usage(NULL, "%s%s%s", what, value ? " " : "", value ? value : "");
    return false;
}

/* pprof writes -sample_index; the table has sample-index. Changes the name in place. */
static void dashes_for_underscores(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] != '-')
            continue;
        for (char *at = argv[i]; *at && *at != '='; at++)
            if (*at == '_')
                *at = '-';
    }
}

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '\0';
}

static bool parse_limit(struct choice *choice, const char *text)
{
    if (!is_number(text) || strlen(text) > 9)
        return wrong("not a number of rows:", text);
    choice->limit = strtol(text, NULL, 10);
    return true;
}

/* "--top" alone is pprof's table; "--top 20" and "--top=20" limit the rows of whatever is shown. */
static bool parse_top(struct choice *choice, int argc, char **argv)
{
    if (optarg)
        return parse_limit(choice, optarg);
    if (optind < argc && is_number(argv[optind]))
        return parse_limit(choice, argv[optind++]);
    choice->view = VIEW_TOP;
    return true;
}

static bool parse_fraction(struct choice *choice, const char *text)
{
    char *end;
    choice->node_fraction = strtod(text, &end);
    if (end == text || *end || !(choice->node_fraction >= 0 && choice->node_fraction <= 1))
        return wrong("not a fraction between 0 and 1:", text);
    return true;
}

static bool parse_colour(struct choice *choice, const char *text)
{
    if (!text || strcmp(text, "always") == 0)
        choice->colour = COLOUR_ALWAYS;
    else if (strcmp(text, "never") == 0)
        choice->colour = COLOUR_NEVER;
    else if (strcmp(text, "auto") == 0)
        choice->colour = COLOUR_AUTO;
    else
        return wrong("--color is auto, always or never, not", text);
    return true;
}

static bool parse_unit(struct choice *choice, const char *text)
{
    struct number_style style;
    choice->unit = text;
    return number_style_choose(&style, "bytes", text) || wrong("not a unit:", text);
}

static void choose_base(struct choice *choice, bool relative)
{
    choice->base_path = optarg;
    choice->relative = relative;
}

/* Options that choose what is counted; false when `code` is none of them. */
static bool parse_choice(struct choice *choice, int code)
{
    if (code >= OPTION_TYPE) {
        choice->sample_type = sample_types[code - OPTION_TYPE];
        return true;
    }
    if (code >= OPTION_GRANULARITY) {
        choice->granularity_given = true;
        choice->granularity = (enum granularity)(code - OPTION_GRANULARITY);
        return true;
    }
    return false;
}

/* Options without a value, and those whose value is taken as it is; false when none of them. */
static bool parse_plain(struct choice *choice, int code)
{
    switch (code) {
    case OPTION_BASE:
    case OPTION_DIFF_BASE:
        choose_base(choice, code == OPTION_DIFF_BASE);
        return true;
    case OPTION_NORMALIZE:
        return choice->normalize = true;
    case OPTION_TREE:
        choice->view = VIEW_TREE;
        return true;
    case OPTION_TRACES:
        choice->view = VIEW_TRACES;
        return true;
    case OPTION_CUM:
        return choice->by_cum = true;
    case OPTION_FLAT:
        choice->by_cum = false;
        return true;
    case OPTION_COLLECTED:
        return choice->collected = true;
    case OPTION_RELATIVE:
        return choice->total_of_kept = true;
    case OPTION_SAMPLE_INDEX:
        choice->sample_type = optarg;
        return true;
    case OPTION_FOCUS:
        choice->filter.focus = optarg;
        return true;
    case OPTION_IGNORE:
        choice->filter.ignore = optarg;
        return true;
    case OPTION_SKIP:
        choice->filter.skip = optarg;
        return true;
    case OPTION_NO_SKIP:
        return choice->filter.no_skip = true;
    case OPTION_JSON:
        return choice->json = true;
    case OPTION_NO_COLOUR:
        choice->colour = COLOUR_NEVER;
        return true;
    }
    return false;
}

static bool parse_one(struct choice *choice, int code, int argc, char **argv)
{
    if (parse_choice(choice, code) || parse_plain(choice, code))
        return true;
    switch (code) {
    case OPTION_TOP:
        return parse_top(choice, argc, argv);
    case OPTION_LIMIT:
        return parse_limit(choice, optarg);
    case OPTION_NODE_FRACTION:
        return parse_fraction(choice, optarg);
    case OPTION_UNIT:
        return parse_unit(choice, optarg);
    case OPTION_COLOUR:
        return parse_colour(choice, optarg);
    }
    if (code == ':')
        return wrong("a value is missing after", argv[optind - 1]);
    return wrong("unknown or ambiguous option", argv[optind - 1]);
}

static bool check(struct choice *choice, int argc, char **argv)
{
    if (optind >= argc)
        return wrong("no profile is given", NULL);
    choice->profile_path = argv[optind];
    if (argc - optind == 2 && !choice->base_path)
        return wrong("two profiles: write --base OLD NEW to compare them", NULL);
    if (argc - optind > 1)
        return wrong("one profile too many:", argv[optind + 1]);
    if (choice->normalize && !choice->base_path)
        return wrong("--normalize needs --base or --diff-base", NULL);
    if (choice->json && choice->view != VIEW_SITES && choice->view != VIEW_TOP)
        return wrong("--json has all stacks: leave out --tree and --traces", NULL);
    if (choice->by_cum && choice->view == VIEW_SITES)
        choice->view = VIEW_TOP;
    return true;
}

enum options_result options_parse(struct choice *choice, int argc, char **argv)
{
    *choice = (struct choice){.limit = -1, .node_fraction = NODE_FRACTION_PER_MILLE / 1000.0};
    choice->granularity = GRANULARITY_FUNCTIONS;
    dashes_for_underscores(argc, argv);
    optind = 0; /* glibc: start afresh, also after another parse */
    opterr = 0;
    for (int code; (code = getopt_long_only(argc, argv, ":", long_options, NULL)) != -1;) {
        if (code == OPTION_HELP)
            return OPTIONS_HELP;
        if (!parse_one(choice, code, argc, argv))
            return OPTIONS_WRONG;
    }
    return check(choice, argc, argv) ? OPTIONS_RUN : OPTIONS_WRONG;
}
