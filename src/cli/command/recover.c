#include "recover.h"

#include "arguments.h"
#include "listing.h"
#include "cli/ground/message.h"
#include "cli/ground/output.h"
#include "cli/process/box_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct recover_options {
    const char *wanted_path; /* NULL: NAME.PID.N.prof */
    bool keep;               /* the box stays */
    bool only_delete;        /* no profile */
    bool all;                /* every ended process of ours */
};

static bool make_profile(const struct box_file *box, const struct recover_options *options)
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

static bool delete_box(const struct box_file *box)
{
    if (box_file_process(box) != 0)
        return message_error(box->path, "not deleted: its process still runs");
    if (!box_file_delete(box))
        return message_error(box->path, "cannot be deleted: %s", strerror(errno));
    message_note("%s: deleted, %s (pid %d)", box->path, box->program, box->view.header->pid);
    return true;
}

static bool take(const struct box_file *box, const struct recover_options *options)
{
    return options->only_delete ? delete_box(box) : make_profile(box, options);
}

/* A running process's box may lie anywhere; a dead one's only in the usual places. */
static const char *open_box_of(struct box_file *box, int pid)
{
    struct process process;
    const char *reason = box_search_pid(box, pid);
    if (reason && process_read(&process, pid))
        return box_search_process(box, &process);
    return reason;
}

static bool recover(const char *target, const struct recover_options *options)
{
    struct box_file box;
    int pid = process_parse_pid(target);
    bool is_file = pid == 0 || access(target, F_OK) == 0;
    const char *reason = is_file ? box_file_open(&box, target) : open_box_of(&box, pid);
    if (reason)
        return message_error(target, "%s", reason);
    bool done = take(&box, options);
    box_file_close(&box);
    return done;
}

/* Everybody may write to /dev/shm: only boxes of our own processes are taken, and of those none that
   is still written to. A box whose final profile is there needs no other. */
static bool recover_found(const char *path, const struct recover_options *options, size_t *taken)
{
    struct box_file box;
    bool done = true;
    if (box_file_open(&box, path))
        return true;
    if (box.user == geteuid() && box_file_process(&box) == 0) {
        bool finished = box.view.header->state == BOX_STATE_DONE && !options->keep;
        done = finished ? delete_box(&box) : take(&box, options);
        ++*taken;
    }
    box_file_close(&box);
    return done;
}

static bool recover_all(const struct recover_options *options)
{
    struct path_list list = {0};
    size_t taken = 0;
    bool done = true;
    box_search_usual(&list);
    for (size_t i = 0; i < list.count; i++)
        done &= recover_found(list.paths[i], options, &taken);
    path_list_free(&list);
    if (taken == 0)
        message_note("no black box of an ended process of yours in /dev/shm, $TMPDIR or here");
    return done;
}

static int print_help(void)
{
    puts("usage: heapdiff recover [PID | BLACKBOX]... [-o FILE] [--keep]\n"
         "       heapdiff recover --all [--keep]\n"
         "       heapdiff recover --delete PID | BLACKBOX ... | --all\n"
         "Makes a profile from the black box of a process that was killed or crashed, and deletes\n"
         "the box. Without an argument, lists the black boxes in /dev/shm, $TMPDIR and here.\n"
         "  -o, --output FILE   write FILE (default: NAME.PID.N.prof here)\n"
         "      --all           those of all your processes that have ended\n"
         "      --keep          leave the black boxes where they are\n"
         "      --delete        delete black boxes of ended processes, without a profile");
    return output_finish_stdout() ? 0 : 1;
}

/* 0 when the options go together and with `count` arguments, else the exit status. */
static int check(const struct recover_options *options, int count)
{
    if (options->all && count > 0)
        return message_usage("recover", "--all takes no PID or BLACKBOX");
    if (options->only_delete && !options->all && count == 0)
        return message_usage("recover", "--delete what? A PID, a BLACKBOX or --all");
    if (options->only_delete && (options->keep || options->wanted_path))
        return message_usage("recover", "--delete makes no profile and keeps no black box");
    if (options->wanted_path && (options->all || count != 1))
        return message_usage("recover", "-o is for one PID or BLACKBOX");
    return 0;
}

static int run(const struct recover_options *options, char **targets, int count)
{
    bool done = true;
    if (options->all)
        return recover_all(options) ? 0 : 1;
    if (count == 0)
        return listing_print() ? 0 : 1;
    for (int i = 0; i < count; i++)
        done &= recover(targets[i], options);
    return done ? 0 : 1;
}

int command_recover(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"keep", no_argument, NULL, 'k'},
        {"all", no_argument, NULL, 'a'},          {"delete", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct recover_options wanted = {0};
    int option;
    arguments_begin();
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        if (option == 'h')
            return print_help();
        if (option == 'o')
            wanted.wanted_path = optarg;
        else if (option == 'k')
            wanted.keep = true;
        else if (option == 'a')
            wanted.all = true;
        else if (option == 'd')
            wanted.only_delete = true;
        else
            return arguments_refused("recover", option, options, argv);
    }
    int status = check(&wanted, argc - optind);
    return status != 0 ? status : run(&wanted, argv + optind, argc - optind);
}
