#include "recover.h"

#include "box_search.h"
#include "listing.h"
#include "message.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct recover_options {
    const char *wanted_path; /* NULL: NAME.PID.N.prof */
    bool keep;               /* the box stays */
};

static bool recover_box(const struct box_file *box, const struct recover_options *options)
{
    struct process process;
    int pid = box_file_process(box);
    bool running = pid != 0 && process_read(&process, pid);
    struct box_profile_facts facts = box_file_facts(box, running ? &process : NULL);
    char *path = box_file_save(box, &facts, options->wanted_path);
    const char *fate = "kept";
    if (!path)
        return false;
    if (running)
        fate = "kept: the process still runs";
    else if (!options->keep)
        fate = box_file_delete(box) ? "deleted" : "it could not be deleted";
    message_note("%s: recovered %s (pid %d) from %s (%s)", path, box->program,
                 box->view.header->pid, box->path, fate);
    free(path);
    return true;
}

static bool is_pid(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0' && access(text, F_OK) != 0;
}

/* A running process's box may lie anywhere; a dead one's only in the usual places. */
static const char *open_box_of(struct box_file *box, const char *text)
{
    struct process process;
    errno = 0;
    long pid = strtol(text, NULL, 10);
    if (errno != 0 || pid > INT_MAX)
        return "not a process number";
    const char *reason = box_search_pid(box, (int)pid);
    if (reason && process_read(&process, (int)pid))
        return box_search_process(box, &process);
    return reason;
}

static bool recover(const char *target, const struct recover_options *options)
{
    struct box_file box;
    const char *reason = is_pid(target) ? open_box_of(&box, target) : box_file_open(&box, target);
    if (reason)
        return message_error(target, "%s", reason);
    bool done = recover_box(&box, options);
    box_file_close(&box);
    return done;
}

static int print_help(void)
{
    puts("usage: heapdiff recover [PID | BLACKBOX] [-o FILE] [--keep]\n"
         "Makes a profile from the black box of a process that was killed or crashed, and deletes\n"
         "the box. Without an argument, lists the black boxes in /dev/shm, $TMPDIR and here.\n"
         "  -o, --output FILE   write FILE (default: NAME.PID.N.prof here)\n"
         "      --keep          leave the black box where it is");
    return output_finish_stdout() ? 0 : 1;
}

int command_recover(int argc, char **argv)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"keep", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct recover_options wanted = {0};
    int option;
    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        if (option == 'h')
            return print_help();
        if (option == ':')
            return message_usage("recover", "a value is missing after %s", argv[optind - 1]);
        if (option == 'o')
            wanted.wanted_path = optarg;
        else if (option == 'k')
            wanted.keep = true;
        else
            return message_usage("recover", "unknown or ambiguous option %s", argv[optind - 1]);
    }
    if (argc - optind > 1)
        return message_usage("recover", "one PID or BLACKBOX is wanted");
    if (argc == optind)
        return listing_print() ? 0 : 1;
    return recover(argv[optind], &wanted) ? 0 : 1;
}
