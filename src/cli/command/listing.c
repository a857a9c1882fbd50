#include "listing.h"

#include "cli/ground/memory.h"
#include "cli/ground/message.h"
#include "cli/ground/name_text.h"
#include "cli/ground/output.h"
#include "cli/process/box_search.h"
#include "cli/report/number_text.h"
#include "cli/report/page.h"

#include <stdlib.h>

enum {
    PROGRAM_COLUMNS = 16,
    PID_COLUMNS = 9,
    TIME_COLUMNS = 25, /* with the zone's name, and two before it */
    SIZE_COLUMNS = 11,
    STATE_COLUMNS = 5
};

/* One black box, as it is shown. */
struct row {
    struct name_text program, path;
    const char *state, *reason; /* reason: why it cannot be read; NULL: it can */
    uint64_t start_ns, size_bytes;
    int pid;
};

static const char *state_text(const struct box_file *box)
{
    if (box_file_process(box) != 0)
        return "alive";
    return box->view.header->state == BOX_STATE_DONE ? "done" : "dead";
}

static struct row row_of(const char *path)
{
    struct box_file box;
    struct row row = {.path = name_plain(path), .state = "?"};
    row.reason = box_file_open(&box, path);
    if (row.reason)
        return row;
    row.program = name_plain_fitted(box.program, PROGRAM_COLUMNS);
    row.state = state_text(&box);
    row.start_ns = box.view.header->start_time_ns;
    row.size_bytes = box.size_bytes;
    row.pid = box.view.header->pid;
    box_file_close(&box);
    return row;
}

/* The newest last, where the eye is. */
static int by_start(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

static void put_row(const struct page *page, const struct row *row)
{
    struct number_style style;
    char pid[16];
    if (row->reason) {
        page_format(page, PAINT_PLAIN, "%s: %s\n", row->path.text, row->reason);
        return;
    }
    number_style_choose(&style, "bytes", "auto");
    snprintf(pid, sizeof pid, "%d", row->pid);
    page_left(page, PAINT_PLAIN, row->program.text, PROGRAM_COLUMNS);
    page_right(page, PAINT_PLAIN, pid, PID_COLUMNS);
    page_right(page, PAINT_PLAIN, number_time((int64_t)row->start_ns).text, TIME_COLUMNS);
    page_right(page, PAINT_PLAIN, number_text((int64_t)row->size_bytes, &style).text, SIZE_COLUMNS);
    page_spaces(page, 2);
    page_left(page, PAINT_PLAIN, row->state, STATE_COLUMNS);
    page_format(page, PAINT_PLAIN, "  %s\n", row->path.text);
}

static void put_titles(const struct page *page)
{
    page_left(page, PAINT_DIM, "PROGRAM", PROGRAM_COLUMNS);
    page_right(page, PAINT_DIM, "PID", PID_COLUMNS);
    page_right(page, PAINT_DIM, "STARTED", TIME_COLUMNS);
    page_right(page, PAINT_DIM, "SIZE", SIZE_COLUMNS);
    page_put(page, PAINT_DIM, "  STATE  BLACK BOX\n");
}

/* They stay until somebody takes them away. */
static void say_dead(const struct row *rows, size_t count)
{
    struct number_style style;
    size_t dead = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].state[0] != 'd')
            continue;
        dead++;
        bytes += rows[i].size_bytes;
    }
    number_style_choose(&style, "bytes", "auto");
    if (dead > 0)
        message_note("%zu black box%s of ended processes, %s: \"heapdiff recover --all\" makes "
                     "their profiles, with --delete it only removes them",
                     dead, dead > 1 ? "es" : "", number_text((int64_t)bytes, &style).text);
}

bool listing_print(void)
{
    struct path_list list = {0};
    struct page page = page_of(stdout);
    box_search_usual(&list);
    struct row *rows = memory_zeroed(list.count, sizeof *rows);
    for (size_t i = 0; i < list.count; i++)
        rows[i] = row_of(list.paths[i]);
    qsort(rows, list.count, sizeof *rows, by_start);
    if (list.count == 0)
        message_note("no black boxes in /dev/shm, $TMPDIR or here");
    else
        put_titles(&page);
    for (size_t i = 0; i < list.count; i++)
        put_row(&page, &rows[i]);
    bool printed = output_finish_stdout();
    say_dead(rows, list.count);
    free(rows);
    path_list_free(&list);
    return printed;
}
