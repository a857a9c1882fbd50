#include "arguments.h"

#include "cli/ground/message.h"
#include "cli/process/process.h"

#include <stdbool.h>

void arguments_begin(void)
{
    optind = 0; /* glibc: start afresh, also after another list */
    opterr = 0;
}

static bool is_known(int option, const struct option *known)
{
    for (; known->name; known++)
        if (known->val == option)
            return true;
    return false;
}

int arguments_refused(const char *command, int option, const struct option *known, char **argv)
{
    if (option == ':')
        return message_usage(command, "a value is missing after %s", argv[optind - 1]);
    /* An unknown letter: in a group like -qZ, optind may still be that of the group itself. */
    if (optopt != 0 && !is_known(optopt, known))
        return message_usage(command, "unknown option -%c", optopt);
    return message_usage(command, "unknown or ambiguous option %s", argv[optind - 1]);
}

int arguments_pid(const char *command, int argc, char **argv, int *pid)
{
    if (argc - optind != 1)
        return message_usage(command, "one PID is wanted");
    *pid = process_parse_pid(argv[optind]);
    return *pid == 0 ? message_usage(command, "not a PID: \"%s\"", argv[optind]) : 0;
}
