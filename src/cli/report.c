#include "report.h"

#include "message.h"
#include "output.h"
#include "prune.h"
#include "render.h"
#include "symbol.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapdiff [options] PROFILE                 what is live, and who asked for it\n"
    "       heapdiff --base OLD [options] NEW          what grew since OLD\n"
    "       heapdiff run [options] -- COMMAND          run a program recorded\n"
    "       heapdiff snap PID [-o FILE]                a profile of a running program, now\n"
    "       heapdiff recover [PID | BLACKBOX] [-o FILE]   the profile of one that was killed\n"
    "       heapdiff export --format FORMAT PROFILE    for other tools\n"
    "\n"
    "PROFILE is any pprof heap profile, gzip'd or not; \"-\" is standard input.\n"
    "Options are pprof's, with one dash or two:\n"
    "\n"
    "  --base OLD             subtract OLD; percentages are of all that changed\n"
    "  --diff-base OLD        subtract OLD; percentages are of OLD's total\n"
    "  --normalize            scale NEW to OLD's totals first\n"
    "  --top N                show N rows (0: all)\n"
    "  --top, --cum           pprof's table: flat and cum, sorted by flat or by cum\n"
    "  --tree                 pprof's table of callers and callees\n"
    "  --traces               every stack\n"
    "  --json                 everything, for programs; see heapdiff(1)\n"
    "  --sample-index NAME    what to count: inuse_space (the default), inuse_objects,\n"
    "                         alloc_space, alloc_objects ...; each is an option too: "
    "--alloc-space\n"
    "  --focus REGEX          only stacks through a matching function or file\n"
    "  --ignore REGEX         no stacks through a matching function or file\n"
    "  --functions, --lines, --files, --addresses    what makes a row\n"
    "  --skip REGEX           fold stacks over these functions too, as over malloc and its kin\n"
    "  --no-skip              do not fold stacks over malloc and its kin\n"
    "  --unit UNIT            auto, bytes, KiB, MiB, GiB\n"
    "  --nodefraction F       pprof's tables leave out nodes with less cum (default: 0.005)\n"
    "  --relative-percentages percentages are of what --focus and --ignore leave\n"
    "  --color WHEN           auto, always, never\n"
    "  --help, --version\n";

int report_help(void)
{
    fputs(usage, stdout);
    return output_finish_stdout() ? 0 : 1;
}

/* What is loaded for one report. */
struct session {
    struct options options;
    struct profile *base, *fresh, *diff;
    struct filter *filter;
    struct report report;
};

static struct profile *load(const char *path)
{
    const char *reason;
    struct profile *profile = profile_load(path, &reason);
    if (!profile)
        message_error(path, "%s", reason);
    return profile;
}

static bool session_load(struct session *session)
{
    const struct options *options = &session->options;
    if (options->base_path && !(session->base = load(options->base_path)))
        return false;
    session->fresh = load(options->profile_path);
    if (!session->fresh || !options->base_path)
        return session->fresh != NULL;
    struct diff_options how = {.relative = options->relative, .normalize = options->normalize};
    const char *reason;
    session->diff =
        profile_diff(session->base, session->fresh, &how, &session->report.match, &reason);
    return session->diff || message_error(options->profile_path, "%s", reason);
}

static bool choose_type(struct session *session, const struct profile *profile)
{
    const char *name = session->options.sample_type;
    session->report.type = name ? profile_type_meant(profile, name) : profile->default_type;
    if (session->report.type != PROFILE_NONE)
        return true;
    char *types = profile_types_text(profile);
    message_error(session->options.profile_path, "no sample type \"%s\"; there are: %s", name,
                  types);
    free(types);
    return false;
}

static void render(const struct session *session)
{
    const struct report *report = &session->report;
    if (session->options.json) {
        render_json(stdout, report);
        return;
    }
    struct page page = page_of(stdout);
    if (session->options.colour != COLOUR_AUTO)
        page.colour = session->options.colour == COLOUR_ALWAYS;
    render_head(&page, report);
    if (session->options.view == VIEW_TOP)
        render_top(&page, report);
    else if (session->options.view == VIEW_TREE)
        render_tree(&page, report);
    else if (session->options.view == VIEW_TRACES)
        render_traces(&page, report);
    else
        render_sites(&page, report);
}

static bool session_run(struct session *session)
{
    if (!session_load(session))
        return false;
    struct profile *shown = session->diff ? session->diff : session->fresh;
    session->report.options = &session->options;
    session->report.shown = shown;
    session->report.fresh = session->fresh;
    session->report.base = session->base;
    session->report.filter = session->filter;
    if (!choose_type(session, shown))
        return false;
    symbolize(shown);
    session->report.problem = symbol_problem(shown);
    session->report.base_problem = session->base ? symbol_problem(session->base) : NULL;
    profile_prune(shown);
    filter_mark(session->filter, shown);
    render(session);
    return output_finish_stdout();
}

static void session_close(struct session *session)
{
    profile_free(session->diff);
    profile_free(session->fresh);
    profile_free(session->base);
    filter_free(session->filter);
}

int command_report(int argc, char **argv)
{
    struct session session = {0};
    enum options_result result = options_parse(&session.options, argc, argv);
    if (result == OPTIONS_HELP)
        return report_help();
    if (result != OPTIONS_RUN)
        return 2;
    char *message;
    session.filter = filter_new(&session.options.filter, &message);
    if (!session.filter) {
        int status = message_usage(NULL, "%s", message);
        free(message);
        return status;
    }
    signal(SIGPIPE, SIG_DFL); /* "| head" ends the command in silence */
    bool done = session_run(&session);
    session_close(&session);
    return done ? 0 : 1;
}
