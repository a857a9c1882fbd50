/* heapdiff: which command is meant. A profile named like a command is written ./run. */
#include "attach.h"
#include "collections.h"
#include "export_command.h"
#include "recover.h"
#include "report.h"
#include "rss.h"
#include "run.h"
#include "snap.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", command_run},         {"snap", command_snap},
    {"recover", command_recover}, {"export", command_export},
    {"report", command_report},   {"rss", command_rss},
    {"attach", command_attach},   {"collections", command_collections},
};

static int version(void)
{
    puts("heapdiff " HEAPDIFF_VERSION);
    return output_finish_stdout() ? 0 : 1;
}

static bool is_option(const char *argument, const char *name)
{
    return argument[0] == '-' && strcmp(argument + 1 + (argument[1] == '-'), name) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return message_usage(NULL, "no profile is given");
    if (is_option(argv[1], "help") || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return report_help();
    if (is_option(argv[1], "version") || strcmp(argv[1], "-V") == 0)
        return version();
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return command_report(argc, argv);
}
