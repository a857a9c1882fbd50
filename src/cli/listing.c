#include "listing.h"

#include "box_search.h"
#include "memory.h"
#include "message.h"
#include "number_text.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ROW_FORMAT "%-16s %8s  %-19s %10s  %-7s %s\n"

/* Local time, as "2024-05-01 13:37:00"; malloc'd. */
static char *time_text(uint64_t time_ns)
{
    time_t seconds = (time_t)(time_ns / 1000000000u);
    struct tm parts;
    char text[32];
    if (time_ns == 0 || !localtime_r(&seconds, &parts) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts) == 0)
        return memory_format("-");
    return memory_format("%s", text);
}

/* Names come from other people's files: nothing that a terminal would act on. */
static char *printable(const char *text)
{
    char *copy = memory_format("%s", text);
    for (char *at = copy; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    return copy;
}

static const char *state_text(const struct box_file *box)
{
    if (box_file_process(box) != 0)
        return "alive";
    return box->view.header->state == BOX_STATE_DONE ? "done" : "dead";
}

static void print_box(const char *path)
{
    struct box_file box;
    const char *reason = box_file_open(&box, path);
    char *shown_path = printable(path);
    if (reason) {
        printf(ROW_FORMAT, "?", "-", "-", "-", "?", shown_path);
        message_error(path, "%s", reason);
    } else {
        char *pid = memory_format("%d", box.view.header->pid);
        char *start = time_text(box.view.header->start_time_ns);
        struct number_style style;
        number_style_choose(&style, "bytes", "auto");
        struct number_text size = number_text((int64_t)box.size_bytes, &style);
        printf(ROW_FORMAT, box.program, pid, start, size.text, state_text(&box), shown_path);
        free(start);
        free(pid);
        box_file_close(&box);
    }
    free(shown_path);
}

bool listing_print(void)
{
    struct path_list list = {0};
    box_search_usual(&list);
    if (list.count == 0)
        message_note("no black boxes in /dev/shm, $TMPDIR or here");
    else
        printf(ROW_FORMAT, "PROGRAM", "PID", "STARTED", "SIZE", "STATE", "BLACK BOX");
    for (size_t i = 0; i < list.count; i++)
        print_box(list.paths[i]);
    path_list_free(&list);
    return output_finish_stdout();
}
