#include "render.h"

#include "cli/profile/estimate.h"

#include <stdio.h>

const struct value_type *report_type(const struct report *report)
{
    return &report->shown->types[report->type];
}

struct number_style report_style(const struct report *report)
{
    struct number_style style;
    number_style_choose(&style, report_type(report)->unit, report->choice->unit);
    return style;
}

struct number_style report_bytes_style(const struct report *report)
{
    struct number_style style;
    number_style_choose(&style, "bytes", report->choice->unit);
    return style;
}

struct interval_text report_interval(const struct report *report, int64_t value, double variance)
{
    struct number_style style = report_style(report);
    struct interval_text interval = {""};
    if (variance > 0)
        snprintf(interval.text, sizeof interval.text, " +- %s%s",
                 number_text(estimate_interval(variance), &style).text,
                 report->base && estimate_is_noise(value, variance) ? " (within noise)" : "");
    return interval;
}
