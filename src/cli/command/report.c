#include "report.h"

#include "options.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"
#include "cli/profile/comparison.h"
#include "cli/profile/input.h"
#include "cli/profile/prune.h"
#include "cli/report/render.h"
#include "cli/report/render_collection.h"
#include "cli/symbol/symbol.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapdiff [options] PROFILE                 what is live, and who asked for it\n"
    "       heapdiff --base OLD [options] NEW          what grew since OLD\n"
    "       heapdiff run [options] -- COMMAND          run a program recorded\n"
    "       heapdiff snap PID [-o FILE]                a profile of a running program, now\n"
    "       heapdiff rss PID                           where any program's resident memory is\n"
    "       heapdiff attach PID [-o FILE]              a profile of any Go program, from outside\n"
    "       heapdiff collections PROFILE               when memory was collected, what was left\n"
    "       heapdiff recover [PID | BLACKBOX] [-o FILE]   the profile of one that was killed\n"
    "       heapdiff export --format FORMAT PROFILE    for other tools\n"
    "\n"
    "PROFILE is any pprof heap profile, gzip'd or not, or Go's as text; \"-\" is standard input.\n"
    "Options are pprof's, with one dash or two:\n"
    "\n"
    "  --base OLD             subtract OLD; percentages are of all that changed\n"
    "  --diff-base OLD        subtract OLD; percentages are of OLD's total\n"
    "  --normalize            scale NEW to OLD's totals first\n"
    "  --top N                show N rows (0: all)\n"
    "  --top, --cum           pprof's table: flat and cum, sorted by flat or by cum\n"
    "  --collected            live now less live at the last collection; with --base: live at\n"
    "                         the last collection, then and then\n"
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
    struct choice choice;
    struct comparison comparison;
    struct filter *filter;
    struct ledger_pair ledger;
    struct collection_book book, base_book;
    struct report report;
};

static void render(const struct session *session)
{
    const struct report *report = &session->report;
    if (session->choice.json) {
        render_json(stdout, report);
        return;
    }
    struct page page = page_of(stdout);
    if (session->choice.colour != COLOUR_AUTO)
        page.colour = session->choice.colour == COLOUR_ALWAYS;
    render_head(&page, report);
    if (session->choice.view == VIEW_TOP)
        render_top(&page, report);
    else if (session->choice.view == VIEW_TREE)
        render_tree(&page, report);
    else if (session->choice.view == VIEW_TRACES)
        render_traces(&page, report);
    else
        render_sites(&page, report);
    struct number_style style;
    number_style_choose(&style, "bytes", session->choice.unit);
    if (report->base || session->choice.view != VIEW_SITES)
        return;
    render_collection_suspects(&page, report->book, report->shown, &style);
    render_collection_verdict(&page, report->book, &style);
}

/* --collected: with a base then and then are compared, else then and now. */
static bool choose_collected(const struct session *session, const char **type_name)
{
    const struct comparison *comparison = &session->comparison;
    if (session->book.marks == 0)
        return message_error(input_name(comparison->path), "no collection had been marked");
    *type_name = comparison->base ? "collected_space" : "stale_space";
    return comparison->base || collection_add_staleness(comparison->shown);
}

static bool session_run(struct session *session)
{
    const struct choice *choice = &session->choice;
    struct comparison *comparison = &session->comparison;
    struct diff_options how = {.relative = choice->relative, .normalize = choice->normalize};
    comparison->path = choice->profile_path;
    comparison->base_path = choice->base_path;
    if (!comparison_open(comparison, &how))
        return false;
    struct profile *shown = comparison->shown, *base = comparison->base;
    session->book = collection_book_of(comparison->fresh);
    if (base)
        session->base_book = collection_book_of(base);
    const char *type_name = choice->sample_type;
    if (choice->collected && !choose_collected(session, &type_name))
        return false;
    int type = comparison_type(comparison, type_name);
    if (type == PROFILE_NONE)
        return false;
    symbolize(shown);
    session->ledger = ledger_pair_of(shown, comparison->fresh, base, &choice->filter);
    if (choice->normalize)
        ledger_sites_clear(&session->ledger.sites); /* they are scaled, RSS is not */
    profile_prune(shown);
    filter_mark(session->filter, shown);
    session->report = (struct report){.choice = choice,
                                      .shown = shown,
                                      .fresh = comparison->fresh,
                                      .base = base,
                                      .match = comparison->match,
                                      .type = type,
                                      .filter = session->filter,
                                      .ledger = &session->ledger,
                                      .book = &session->book,
                                      .base_book = &session->base_book,
                                      .problem = symbol_problem(shown),
                                      .base_problem = base ? symbol_problem(base) : NULL};
    render(session);
    return output_finish_stdout();
}

static void session_close(struct session *session)
{
    ledger_pair_clear(&session->ledger);
    collection_book_free(&session->book);
    collection_book_free(&session->base_book);
    comparison_close(&session->comparison);
    filter_free(session->filter);
}

int command_report(int argc, char **argv)
{
    struct session session = {0};
    enum options_result result = options_parse(&session.choice, argc, argv);
    if (result == OPTIONS_HELP)
        return report_help();
    if (result != OPTIONS_RUN)
        return 2;
    char *message;
    session.filter = filter_new(&session.choice.filter, &message);
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
