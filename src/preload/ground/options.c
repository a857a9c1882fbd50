#include "options.h"

#include "sys.h"
#include "text.h"

#include <signal.h>
#include <string.h>

struct options options;

struct option {
    const char *key;
    const char *fallback;
    const char *help;
    bool (*read)(const char *value, void *field);
    void *field;
};

static bool read_text(const char *value, void *field)
{
    strcpy(field, value); /* fits: values are cut to OPTIONS_VALUE_BYTES_MAX by their reader */
    return true;
}

static bool read_pattern(const char *value, void *field)
{
    for (const char *at = value; (at = strchr(at, '%')) != NULL; at += 2)
        if (at[1] == '\0' || !strchr("npcht%", at[1]))
            return false;
    return *value != '\0' && read_text(value, field);
}

static bool read_flag(const char *value, void *field)
{
    static const char *const yes[] = {"on", "yes", "1"}, *const no[] = {"off", "no", "0"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, yes[i]) == 0)
            return *(bool *)field = true;
        if (strcmp(value, no[i]) == 0)
            return !(*(bool *)field = false);
    }
    return false;
}

static bool read_trace(const char *value, void *field)
{
    bool flag = false;
    if (!read_flag(value, &flag))
        return read_pattern(value, field);
    return read_text(flag ? "1" : "", field);
}

static bool read_blackbox(const char *value, void *field)
{
    return (*value == '\0' || *value == '/' || strcmp(value, "off") == 0) &&
           read_text(value, field);
}

static bool read_allocator(const char *value, void *field)
{
    if (*value != '\0' && strcmp(value, "jemalloc") != 0)
        return false;
    return read_text(value, field);
}

static bool read_unwind(const char *value, void *field)
{
    static const char *const names[] = {"rules", "libunwind", "check"}; /* by enum options_unwind */
    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            *(int *)field = i;
            return true;
        }
    return false;
}

static bool read_signal_name(const char *value, int *number)
{
    static const struct {
        const char *name;
        int number;
    } names[] = {{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"HUP", SIGHUP},       {"WINCH", SIGWINCH},
                 {"URG", SIGURG},   {"IO", SIGIO},     {"VTALRM", SIGVTALRM}, {"none", 0}};
    if (strncmp(value, "SIG", 3) == 0)
        value += 3;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(value, names[i].name) == 0) {
            *number = names[i].number;
            return true;
        }
    return false;
}

/* What a handler can be installed for, without the faults that runtimes live by, and without the
   signals that libc keeps for itself (cancellation, setuid). */
static bool can_listen_to(uint64_t number)
{
    static const uint64_t refused = 1ull << SIGKILL | 1ull << SIGSTOP | 1ull << SIGSEGV |
                                    1ull << SIGBUS | 1ull << SIGILL | 1ull << SIGFPE |
                                    1ull << SIGTRAP | 1ull << SIGABRT | 1ull << SIGCHLD |
                                    1ull << 32 | 1ull << 33;
    return number <= 64 && (number == 64 || !(refused >> number & 1));
}

static bool read_signal(const char *value, void *field)
{
    uint64_t number;
    const char *at = value;
    if (read_signal_name(value, field))
        return true;
    if (!text_read_number(&at, &number) || *at != '\0' || !can_listen_to(number))
        return false;
    *(int *)field = (int)number;
    return true;
}

static bool read_collect_signal(const char *value, void *field)
{
    options.collect_signal_wanted = true;
    return read_signal(value, field);
}

static bool read_percent(const char *value, void *field)
{
    uint64_t number;
    if (!text_read_number(&value, &number) || number > 1000000)
        return false;
    *(uint32_t *)field = (uint32_t)number;
    return *value == '\0' ? number == 0 : strcmp(value, "%") == 0;
}

static bool read_interval(const char *value, void *field)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"", 1000000000u},
                 {"s", 1000000000u},
                 {"ms", 1000000u},
                 {"m", 60000000000u},
                 {"h", 3600000000000u}};
    uint64_t number;
    if (!text_read_number(&value, &number) || number > 10000000)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(value, units[i].unit) == 0)
            return !__builtin_mul_overflow(number, units[i].ns, (uint64_t *)field);
    return false;
}

/* Bytes, with k, m or g for KiB, MiB, GiB. */
static bool read_size(const char *value, void *field)
{
    static const char units[] = "kmg";
    uint64_t number;
    if (!text_read_number(&value, &number))
        return false;
    const char *unit = *value != '\0' ? strchr(units, *value | 0x20) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (number > (uint64_t)OPTIONS_SIZE_MAX >> shift)
        return false;
    *(uint64_t *)field = number << shift;
    return value[unit != NULL] == '\0';
}

static bool read_seed(const char *value, void *field)
{
    return text_read_number(&value, field) && *value == '\0';
}

static bool read_keep(const char *value, void *field)
{
    uint64_t number;
    if (!text_read_number(&value, &number) || *value != '\0' || number > OPTIONS_KEEP_MAX)
        return false;
    *(uint32_t *)field = (uint32_t)number;
    return true;
}

static const struct option table[] = {
    {"out", "%n.%p.%c.prof",
     "name of the profiles: %n program, %p pid, %c counter, %h host, %t time", read_pattern,
     options.out},
    {"signal", "USR1", "signal that writes a snapshot; none: none", read_signal, &options.signal},
    {"sample", "0", "record one allocation in so many bytes (512k), on average; 0: every one",
     read_size, &options.sample_bytes},
    {"collect_signal", "USR2",
     "signal that marks a collection; none: none. Default: while the program has no use for it",
     read_collect_signal, &options.collect_signal},
    {"seed", "0", "of the choice of samples; 0: another one each time", read_seed, &options.seed},
    {"every", "0", "a snapshot whenever RSS or live bytes grew by so much: every=10%", read_percent,
     &options.every_percent},
    {"interval", "0", "a snapshot by time: interval=60s (ms, s, m, h)", read_interval,
     &options.interval_ns},
    {"keep", "0", "keep the newest so many snapshots only; 0: all", read_keep, &options.keep},
    {"final", "on", "a profile at exit and exec", read_flag, &options.final},
    {"ledger", "on", "snapshots explain every resident byte; off: sites alone", read_flag,
     &options.ledger},
    {"trace", "off", "a line for each collection: on: on stderr; else the name of a file, as out",
     read_trace, options.trace},
    {"runtimes", "all",
     "whose garbage collections are noticed: all, none, or names: boehm+lua (see libheapdiff(7))",
     read_text, options.runtimes},
    {"blackbox", "", "directory of the black box; off: none. Default /dev/shm, else beside out",
     read_blackbox, options.blackbox},
    {"children", "on", "children are recorded too; off: this process alone", read_flag,
     &options.children},
    {"only", "", "record programs whose name matches this extended regular expression", read_text,
     options.only},
    {"allocator", "", "run the program on another allocator: jemalloc", read_allocator,
     options.allocator},
    {"unwind", "rules", "stacks by heapdiff's rules, by libunwind (slow), or check: both, compared",
     read_unwind, &options.unwind},
};

enum { OPTION_COUNT = sizeof(table) / sizeof(table[0]) };

static void options_help(void)
{
    char buffer[2048];
    struct text text = text_on(buffer, sizeof(buffer));
    text_put(&text, "HEAPDIFF=key=value,key=value  (\\, for a comma in a value)\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        text_put(&text, "  ");
        text_put(&text, table[i].key);
        text_put(&text, "=");
        text_put(&text, table[i].fallback);
        text_put(&text, "\n      ");
        text_put(&text, table[i].help);
        text_put(&text, "\n");
    }
    sys_write_all(2, buffer, text.length);
}

static bool options_complain(const char *what, const char *word)
{
    char buffer[512];
    struct text text = text_on(buffer, sizeof(buffer));
    text_put(&text, "HEAPDIFF: ");
    text_put(&text, what);
    text_put(&text, word);
    text_put(&text, " (HEAPDIFF=help lists the keys); running unprofiled");
    sys_say(buffer);
    return false;
}

/* Sets one "key=value"; `pair` has no comma left in it. */
static bool options_set(char *pair)
{
    char *value = strchr(pair, '=');
    if (!value)
        return options_complain("no value: ", pair);
    *value++ = '\0';
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(pair, table[i].key) != 0)
            continue;
        bool fits = strlen(value) < OPTIONS_VALUE_BYTES_MAX;
        return (fits && table[i].read(value, table[i].field)) ||
               options_complain("bad value for ", pair);
    }
    return options_complain("unknown key: ", pair);
}

/* Copies up to the next bare comma into `pair`, resolving "\,"; returns what follows, or NULL. */
static const char *options_next(const char *at, char *pair)
{
    for (; *at != '\0' && *at != ','; at++) {
        if (at[0] == '\\' && at[1] == ',')
            at++;
        *pair++ = *at;
    }
    *pair = '\0';
    return *at == ',' ? at + 1 : NULL;
}

enum options_result options_read(const char *variable)
{
    char pair[OPTIONS_TEXT_BYTES_MAX];
    options = (struct options){0};
    for (int i = 0; i < OPTION_COUNT; i++)
        table[i].read(table[i].fallback, table[i].field);
    options.collect_signal_wanted = false;
    if (!variable || *variable == '\0')
        return OPTIONS_OK;
    if (strcmp(variable, "help") == 0) {
        options_help();
        return OPTIONS_HELP;
    }
    if (strlen(variable) >= sizeof(options.text)) {
        options_complain("too long", "");
        return OPTIONS_BAD;
    }
    strcpy(options.text, variable);
    for (const char *at = variable; at;) {
        at = options_next(at, pair);
        if (*pair != '\0' && !options_set(pair))
            return OPTIONS_BAD;
    }
    return OPTIONS_OK;
}
