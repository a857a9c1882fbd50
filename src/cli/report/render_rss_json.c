/* The ledger of any process as JSON; the schema is in heapdiff(1). */
#include "render_rss.h"

#include "ledger_json.h"
#include "cli/ground/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { JSON_SCHEMA = 1, JSON_LINES_DEPTH = 3 };

static void put_json_mapping(struct json *json, const struct rss_look *look, size_t index)
{
    const struct smaps_vma *vma = &look->scene.smaps.vmas[index];
    struct vma_label label = vma_label_of(&look->scene, index);
    char text[48];
    json_open(json, NULL, '{');
    snprintf(text, sizeof(text), "%08" PRIx64 "-%08" PRIx64, vma->start, vma->end);
    json_text(json, "address", text);
    snprintf(text, sizeof(text), "%c%c%c%c", vma->read ? 'r' : '-', vma->write ? 'w' : '-',
             vma->execute ? 'x' : '-', vma->shared ? 's' : 'p');
    json_text(json, "mode", text);
    json_text(json, "name", vma->name);
    for (int field = 0; field < SMAPS_FIELDS; field++)
        if (vma->bytes[field] != 0 || field == SMAPS_RSS)
            json_number(json, smaps_field_name(field), (int64_t)vma->bytes[field]);
    json_open(json, "lines", '[');
    for (size_t i = 0; i < 2; i++) {
        if (label.parts[i].bytes == 0)
            continue;
        json_open(json, NULL, '{');
        json_text(json, "kind", ledger_kind_key(label.parts[i].kind));
        json_text(json, "name", label.parts[i].name);
        json_number(json, "bytes", (int64_t)label.parts[i].bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
    vma_label_free(&label);
}

static void put_json_gap(struct json *json, const struct rss_report *report)
{
    const struct rss_gap *gap = report->gap;
    json_open(json, "profile", '{');
    json_text(json, "path", report->profile_path);
    json_truth(json, "go", gap->is_go);
    if (gap->age_ns >= 0)
        json_number(json, "age_ns", gap->age_ns);
    json_text_known(json, "truth", gap->truth);
    json_truth(json, "too_old", gap->too_old);
    json_truth(json, "other_program", gap->other_program);
    json_number(json, "named_bytes", gap->named_bytes);
    json_number(json, "covered_bytes", gap->covered_bytes);
    json_number(json, "unnamed_bytes", gap->unnamed_bytes);
    json_number(json, "not_resident_bytes", gap->absent_bytes);
    if (gap->go.known) {
        json_number(json, "go_collections", gap->go.collections);
        json_number(json, "go_profile_collection", gap->go.published_collection);
        json_number(json, "go_heap_alloc_bytes", gap->go.allocated_bytes);
        json_number(json, "go_heap_in_use_bytes", gap->go.in_use_bytes);
        json_number(json, "go_heap_idle_bytes", gap->go.idle_bytes);
        json_number(json, "go_heap_released_bytes", gap->go.released_bytes);
    }
    json_open(json, "rest", '{');
    for (int kind = 0; kind < LEDGER_KINDS; kind++)
        json_number_known(json, ledger_kind_key(kind), gap->rest[kind]);
    json_close(json, '}');
    json_close(json, '}');
}

void render_rss_json(FILE *out, const struct rss_report *report)
{
    const struct rss_look *look = report->look;
    struct json json = {.out = out, .lines_depth = JSON_LINES_DEPTH, .empty = true};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", JSON_SCHEMA);
    json_text(&json, "program", look->name);
    json_number(&json, "pid", look->process.pid);
    json_number(&json, "threads", (int64_t)look->scene.threads.count);
    json_number(&json, "time_ns", look->time_ns);
    json_number(&json, "start_time_ns", look->start_ns);
    json_number_known(&json, "stopped_ns", look->stopped_ns);
    json_number_known(&json, "not_stopped_threads", (int64_t)look->restless_count);
    ledger_json_book(&json, &look->book);
    if (report->gap)
        put_json_gap(&json, report);
    if (report->mappings) {
        json_open(&json, "mappings", '[');
        for (size_t i = 0; i < look->scene.smaps.count; i++)
            put_json_mapping(&json, look, i);
        json_close(&json, ']');
    }
    json_close(&json, '}');
    fputc('\n', out);
}
