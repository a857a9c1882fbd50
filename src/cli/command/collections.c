#include "collections.h"

#include "arguments.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"
#include "cli/profile/input.h"
#include "cli/report/collection_json.h"
#include "cli/report/render_collection.h"
#include "cli/symbol/symbol.h"

#include <stdio.h>
#include <string.h>

struct collections_options {
    const char *path;
    bool json;
    struct number_style style;
};

static int print_help(void)
{
    puts(
        "usage: heapdiff collections PROFILE\n"
        "\n"
        "The last 64 collections and marks of a program: when, by what, bytes live before, after\n"
        "and now, pause, RSS, the next one's goal; what has come and gone since the last one; who\n"
        "is suspected of leaking.\n"
        "\n"
        "  --unit UNIT    auto, bytes, KiB, MiB, GiB\n"
        "  --json         for programs; see heapdiff(1)\n"
        "  --help");
    return output_finish_stdout() ? 0 : 1;
}

/* -1: go on; else the exit status. */
static int parse(struct collections_options *options, int argc, char **argv)
{
    static const struct option known[] = {{"unit", required_argument, NULL, 'u'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    number_style_choose(&options->style, "bytes", "auto");
    arguments_begin();
    for (int option; (option = getopt_long(argc, argv, ":h", known, NULL)) != -1;) {
        if (option == 'h')
            return print_help();
        options->json |= option == 'j';
        if (option == 'j')
            continue;
        if (option != 'u')
            return arguments_refused("collections", option, known, argv);
        if (!number_style_choose(&options->style, "bytes", optarg))
            return message_usage("collections", "not a unit: %s", optarg);
    }
    if (argc - optind != 1)
        return message_usage("collections", "one profile is wanted");
    options->path = argv[optind];
    return -1;
}

static void put_history(const struct collections_options *options,
                        const struct collection_book *book, struct profile *profile)
{
    struct page page = page_of(stdout);
    symbolize(profile);
    if (options->json)
        collection_json(stdout, options->path, book, profile);
    else
        render_collection_history(&page, book, profile, &options->style);
}

int command_collections(int argc, char **argv)
{
    struct collections_options options = {0};
    const char *reason;
    int status = parse(&options, argc, argv);
    if (status >= 0)
        return status;
    struct profile *profile = profile_load(options.path, &reason);
    if (!profile)
        return message_error(input_name(options.path), "%s", reason) ? 0 : 1;
    struct collection_book book = collection_book_of(profile);
    bool good = book.marks > 0 || book.count > 0;
    if (good) {
        put_history(&options, &book, profile);
        good = output_finish_stdout();
    } else {
        message_error(input_name(options.path),
                      "no collection had been marked; see heapdiff(1), collections");
    }
    collection_book_free(&book);
    profile_free(profile);
    return good ? 0 : 1;
}
