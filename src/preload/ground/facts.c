#include "facts.h"

#include "proc.h"
#include "sys.h"
#include "text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

/* Field 22 of /proc/self/stat; the name in parentheses may hold anything. */
static uint64_t start_ticks(void)
{
    char stat[1024];
    uint64_t ticks = 0;
    if (sys_read_file("/proc/self/stat", stat, sizeof(stat)) <= 0)
        return 0;
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    at++;
    return text_read_number(&at, &ticks) ? ticks : 0;
}

static void read_command_line(char *out, size_t room_bytes)
{
    long length = sys_read_file("/proc/self/cmdline", out, room_bytes);
    if (length <= 0) {
        out[0] = '\0';
        return;
    }
    for (long i = 0; i < length - 1; i++)
        if (out[i] == '\0')
            out[i] = ' ';
}

static void identify_host(struct box_header *header)
{
    struct utsname host;
    if (sys_failed(sys_call1(SYS_uname, (long)&host)))
        return;
    struct text text = text_on(header->host, sizeof(header->host));
    text_put(&text, host.nodename);
}

/*
 * The name that top shows, uncut: of the file the kernel was asked to run, so that a symbolic link or
 * a script gives its own name. After fexecve that is a descriptor: then the executable's.
 */
static const char *program_name(const struct box_header *header)
{
    const char *asked = (const char *)getauxval(AT_EXECFN);
    if (!asked || strncmp(asked, "/dev/fd/", 8) == 0 || *text_base_name(asked) == '\0')
        asked = header->executable;
    return text_base_name(asked);
}

void facts_identify(struct box_header *header)
{
    long length = sys_call4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe",
                            (long)header->executable, sizeof(header->executable) - 1);
    if (sys_failed(length)) { /* no /proc: what the kernel was asked to run */
        struct text text = text_on(header->executable, sizeof(header->executable));
        text_put(&text, (const char *)getauxval(AT_EXECFN));
    } else {
        header->executable[length] = '\0';
    }
    struct text name = text_on(header->name, sizeof(header->name));
    text_put(&name, program_name(header));
    read_command_line(header->command_line, sizeof(header->command_line));
    identify_host(header);
    header->page_bytes = (uint32_t)getauxval(AT_PAGESZ);
    facts_fork(header, 0);
}

void facts_fork(struct box_header *header, int parent_pid)
{
    header->pid = sys_pid();
    header->parent_pid = parent_pid;
    header->start_time_ns = sys_time_ns();
    header->start_ticks = start_ticks();
    header->own_threads = 0;
}

static void read_sizes(const char *status, struct box_header *header)
{
    uint64_t rss_kib = text_find_number(status, "\nVmRSS");
    uint64_t peak_kib = text_find_number(status, "\nVmHWM");
    uint64_t threads = text_find_number(status, "\nThreads");
    header->rss_bytes = rss_kib ? rss_kib * 1024 : header->rss_bytes;
    header->rss_peak_bytes = peak_kib ? peak_kib * 1024 : header->rss_peak_bytes;
    header->threads = threads ? (uint32_t)threads : header->threads;
}

/* By pieces: the line of groups alone may be longer than a stack of ours. */
void facts_measure(struct box_header *header)
{
    char piece[2048];
    size_t kept = 0;
    header->update_time_ns = sys_time_ns();
    struct proc_file file;
    long got;
    if (!proc_open(&file, "/proc/self/status"))
        return;
    while ((got = proc_read(&file, piece + kept, sizeof(piece) - 1 - kept)) > 0) {
        piece[kept + (size_t)got] = '\0';
        read_sizes(piece, header);
        const char *line = strrchr(piece, '\n'); /* begun: the next piece has the rest */
        kept = line && line > piece ? strlen(line) : 0;
        if (kept > 0)
            memmove(piece, line, kept);
    }
    proc_close(&file);
}

/* "SIZE RESIDENT SHARED TEXT LIB DATA DT", in pages. */
struct facts_memory facts_memory(void)
{
    char statm[128];
    enum { SIZE, RESIDENT, DATA = 5, FIELDS };
    uint64_t pages[FIELDS] = {0}, page_bytes = getauxval(AT_PAGESZ);
    long fd = proc_descriptor("/proc/self/statm"), got;
    if (sys_failed(fd))
        return (struct facts_memory){0};
    got = sys_read((int)fd, statm, sizeof(statm) - 1);
    sys_close((int)fd);
    statm[got > 0 ? got : 0] = '\0';
    const char *at = statm;
    for (int field = 0; field < FIELDS && text_read_number(&at, &pages[field]); field++)
        at += *at == ' ';
    return (struct facts_memory){pages[SIZE] * page_bytes, pages[RESIDENT] * page_bytes,
                                 pages[DATA] * page_bytes};
}

uint64_t facts_rss_bytes(void)
{
    return facts_memory().resident_bytes;
}

void facts_directory(char *path, unsigned room_bytes)
{
    long length = sys_call2(SYS_getcwd, (long)path, room_bytes);
    if (sys_failed(length) || path[0] != '/')
        strcpy(path, "/");
}
