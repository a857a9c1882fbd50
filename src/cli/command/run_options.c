#include "run_options.h"

#include "arguments.h"
#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/process/name_pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VARIABLE_BYTES_MAX = 1024, /* what the preload reads */
    OPTION_ALLOCATOR = 256,
    OPTION_CHILDREN,
    OPTION_EXACT,
    OPTION_FORCE,
    OPTION_SYMBOLS,
    OPTION_KEY /* this and later: entries of `keys` */
};

#define DEFAULT_PATTERN "%n.%p.%c.prof"

/* Options that are keys of HEAPDIFF under their own name. */
static const char *const keys[] = {"sample", "every", "interval", "keep",
                                   "signal", "only",  "blackbox"};
enum { KEY_COUNT = sizeof(keys) / sizeof(keys[0]) };

static const char help[] =
    "usage: heapdiff run [options] [--] COMMAND [ARGUMENT...]\n"
    "Runs COMMAND, records its allocations, and symbolizes the profiles it wrote. When it was\n"
    "killed, its profile is recovered from the black box.\n"
    "  -o, --output PATTERN   names of the profiles (default " DEFAULT_PATTERN "): %n program,\n"
    "                         %p pid, %c counter, %h host, %t time\n"
    "      --allocator NAME   run it on jemalloc, tcmalloc, mimalloc or a library's path\n"
    "      --sample SIZE      record one allocation in so many bytes (512k): estimates\n"
    "      --every N%         a snapshot whenever memory grew by so much\n"
    "      --interval TIME    a snapshot every TIME (60s, 5m)\n"
    "      --keep N           keep the newest N snapshots only\n"
    "      --signal NAME      signal that writes a snapshot (default USR1), or none\n"
    "      --only REGEX       record programs whose name matches\n"
    "      --no-children      record COMMAND alone\n"
    "      --blackbox DIR     where the black box lies, or off\n"
    "  -O KEY=VALUE           any key of HEAPDIFF (HEAPDIFF=help lists them)\n"
    "      --exact            stop COMMAND's other threads (ptrace) while a snapshot lists its\n"
    "                         resident pages: the ledger then adds up to RSS\n"
    "      --no-symbols       leave the profiles without symbols\n"
    "      --force            run also what cannot be recorded\n"
    "  -q, --quiet            no line for each profile";

/* Appends "key=value" to the variable, commas in the value escaped. */
static void add_pair(struct run_options *options, const char *key, const char *value)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *file = open_memstream(&text, &size_bytes);
    if (!file)
        abort();
    fprintf(file, "%s%s%s=", options->variable, *options->variable != '\0' ? "," : "", key);
    for (; *value != '\0'; value++) {
        if (*value == ',')
            fputc('\\', file);
        fputc(*value, file);
    }
    fclose(file);
    free(options->variable);
    options->variable = text;
}

/* A relative pattern begins where we are, not where each recorded process happens to start. */
static void add_pattern(struct run_options *options, const char *pattern)
{
    char *directory = *pattern == '/' ? NULL : getcwd(NULL, 0);
    if (!directory) {
        add_pair(options, "out", pattern);
        return;
    }
    char *quoted = name_pattern_quote(directory);
    char *absolute = memory_format("%s/%s", strcmp(quoted, "/") == 0 ? "" : quoted, pattern);
    add_pair(options, "out", absolute);
    free(absolute);
    free(quoted);
    free(directory);
}

static int add_given_pair(struct run_options *options, const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair)
        return message_usage("run", "-O wants KEY=VALUE: %s", pair);
    char *key = memory_text(pair, (size_t)(equals - pair));
    if (strcmp(key, "out") == 0)
        add_pattern(options, equals + 1);
    else
        add_pair(options, key, equals + 1);
    free(key);
    return 0;
}

static int apply(struct run_options *options, int option)
{
    if (option >= OPTION_KEY && option < OPTION_KEY + KEY_COUNT)
        add_pair(options, keys[option - OPTION_KEY], optarg);
    else if (option == 'o')
        add_pattern(options, optarg);
    else if (option == 'O')
        return add_given_pair(options, optarg);
    else if (option == 'q')
        options->quiet = true;
    else if (option == OPTION_ALLOCATOR)
        options->allocator = optarg;
    else if (option == OPTION_CHILDREN)
        add_pair(options, "children", "off");
    else if (option == OPTION_EXACT)
        options->exact = true;
    else if (option == OPTION_FORCE)
        options->force = true;
    else if (option == OPTION_SYMBOLS)
        options->symbols = false;
    return 0;
}

static int read_all(struct run_options *options, int argc, char **argv)
{
    struct option table[KEY_COUNT + 9] = {{"output", required_argument, NULL, 'o'},
                                          {"allocator", required_argument, NULL, OPTION_ALLOCATOR},
                                          {"no-children", no_argument, NULL, OPTION_CHILDREN},
                                          {"exact", no_argument, NULL, OPTION_EXACT},
                                          {"force", no_argument, NULL, OPTION_FORCE},
                                          {"no-symbols", no_argument, NULL, OPTION_SYMBOLS},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'}};
    for (int i = 0; i < KEY_COUNT; i++)
        table[8 + i] = (struct option){keys[i], required_argument, NULL, OPTION_KEY + i};
    int option, status = 0;
    arguments_begin();
    while (status == 0 && (option = getopt_long(argc, argv, "+:o:O:qh", table, NULL)) != -1) {
        if (option == 'h') {
            puts(help);
            return -1;
        }
        if (option == ':' || option == '?')
            return arguments_refused("run", option, table, argv);
        status = apply(options, option);
    }
    return status;
}

int run_options_read(struct run_options *options, int argc, char **argv)
{
    const char *before = getenv("HEAPDIFF");
    *options = (struct run_options){.symbols = true};
    options->variable = memory_format("%s", before ? before : "");
    int status = read_all(options, argc, argv);
    if (status == 0 && optind == argc)
        status = message_usage("run", "no command given");
    if (status != 0)
        return status;
    char *pattern = run_options_value(options, "out", DEFAULT_PATTERN);
    if (*pattern != '/')
        add_pattern(options, pattern);
    free(pattern);
    options->command = argv + optind;
    if (strlen(options->variable) >= VARIABLE_BYTES_MAX)
        return message_usage("run", "the options are longer than %d bytes", VARIABLE_BYTES_MAX);
    return 0;
}

void run_options_free(struct run_options *options)
{
    free(options->variable);
    *options = (struct run_options){0};
}

/* Copies a value up to the next bare comma, escapes resolved; returns where it ended. */
static const char *copy_value(const char *at, char **value)
{
    char *text = memory_zeroed(strlen(at) + 1, 1);
    *value = text;
    for (; *at != '\0' && *at != ','; at++) {
        if (at[0] == '\\' && at[1] == ',')
            at++;
        *text++ = *at;
    }
    return *at == ',' ? at + 1 : at;
}

char *run_options_value(const struct run_options *options, const char *key, const char *fallback)
{
    char *found = fallback ? memory_format("%s", fallback) : NULL;
    size_t length = strlen(key);
    for (const char *at = options->variable; *at != '\0';) {
        char *pair;
        at = copy_value(at, &pair);
        if (strncmp(pair, key, length) == 0 && pair[length] == '=') {
            free(found); /* the last one counts */
            found = memory_format("%s", pair + length + 1);
        }
        free(pair);
    }
    return found;
}
