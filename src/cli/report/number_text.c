#include "number_text.h"

#include "cli/ground/character.h"
#include "cli/ground/value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct unit {
    const char *name, *pprof_name; /* both are understood; the first is printed */
    double divisor;
};

static const struct unit units[] = {
    {"B", "bytes", 1},
    {"KiB", "kB", 1024.0},
    {"MiB", "MB", 1024.0 * 1024},
    {"GiB", "GB", 1024.0 * 1024 * 1024},
    {"TiB", "TB", 1024.0 * 1024 * 1024 * 1024},
    {"PiB", "PB", 1024.0 * 1024 * 1024 * 1024 * 1024},
    {"EiB", "EB", 1024.0 * 1024 * 1024 * 1024 * 1024 * 1024},
};
enum { UNITS = sizeof units / sizeof units[0] };

bool number_style_choose(struct number_style *style, const char *unit, const char *output)
{
    *style = (struct number_style){.unit = unit};
    if (!output || strcasecmp(output, "auto") == 0 || strcasecmp(output, "minimum") == 0)
        return true;
    for (int i = 0; i < UNITS; i++) {
        if (strcasecmp(output, units[i].name) != 0 && strcasecmp(output, units[i].pprof_name) != 0)
            continue;
        style->suffix = units[i].name;
        style->divisor = units[i].divisor;
        return true;
    }
    return false;
}

struct number_text number_count(int64_t value, bool sign)
{
    char digits[NUMBER_TEXT_BYTES];
    struct number_text number = {""};
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value_magnitude(value));
    char *at = number.text;
    if (value < 0 || (sign && value > 0))
        *at++ = value < 0 ? '-' : '+';
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return number;
}

/* The largest unit in which `value` is 1 or more, rounded as it will be printed. */
static const struct unit *unit_for(int64_t value)
{
    int i = 0;
    while (i + 1 < UNITS && (double)value_magnitude(value) >= units[i + 1].divisor * 0.99995)
        i++;
    return &units[i];
}

static struct number_text bytes_text(int64_t value, const struct number_style *style, bool sign)
{
    const char *suffix = style->suffix;
    double divisor = style->divisor;
    if (value == 0)
        return (struct number_text){"0"};
    if (!suffix) {
        suffix = unit_for(value)->name;
        divisor = unit_for(value)->divisor;
    }
    struct number_text number = number_count(value, sign);
    if (divisor > 1) {
        const char *plus = sign && value > 0 ? "+" : "";
        int decimals = style->suffix ? 2 : 1; /* with one unit for all, small values need more */
        snprintf(number.text, sizeof number.text, "%s%.*f %s", plus, decimals,
                 (double)value / divisor, suffix);
        return number;
    }
    size_t length = strlen(number.text);
    snprintf(number.text + length, sizeof number.text - length, " %s", suffix);
    return number;
}

static struct number_text styled(int64_t value, const struct number_style *style, bool sign)
{
    if (strcmp(style->unit, "bytes") == 0)
        return bytes_text(value, style, sign);
    struct number_text number = number_count(value, sign);
    size_t length = strlen(number.text);
    if (strcmp(style->unit, "count") != 0 && style->unit[0])
        snprintf(number.text + length, sizeof number.text - length, " %.12s", style->unit);
    character_make_plain(number.text); /* the unit is a profile's word */
    return number;
}

struct number_text number_text(int64_t value, const struct number_style *style)
{
    return styled(value, style, false);
}

struct number_text number_text_signed(int64_t value, const struct number_style *style)
{
    return styled(value, style, true);
}

struct number_text number_percent(int64_t part, int64_t whole)
{
    struct number_text number = {""};
    if (whole == 0)
        return number;
    double percent = 100 * (double)part / (double)whole;
    if (part == 0)
        strcpy(number.text, "0%");
    else
        snprintf(number.text, sizeof number.text, "%.2f%%", percent);
    return number;
}

struct number_text number_time(int64_t time_ns)
{
    struct number_text number = {""};
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm parts;
    if (!localtime_r(&seconds, &parts) ||
        strftime(number.text, sizeof number.text, "%Y-%m-%d %H:%M:%S %Z", &parts) == 0)
        snprintf(number.text, sizeof number.text, "%lld s", (long long)seconds);
    return number;
}

/* "2 h 5 min", "2 h" */
static void put_two(struct number_text *number, long long large, const char *large_unit,
                    long long small, const char *small_unit)
{
    int length = snprintf(number->text, sizeof number->text, "%lld %s", large, large_unit);
    if (small > 0)
        snprintf(number->text + length, sizeof number->text - (size_t)length, " %lld %s", small,
                 small_unit);
}

struct number_text number_duration(int64_t duration_ns)
{
    struct number_text number = {""};
    char *text = number.text;
    size_t room = sizeof number.text;
    long long milliseconds = value_magnitude(duration_ns) / 1000000;
    long long seconds = milliseconds / 1000, minutes = seconds / 60, hours = minutes / 60;
    if (milliseconds < 1000)
        snprintf(text, room, "%lld ms", milliseconds);
    else if (seconds < 60)
        snprintf(text, room, "%lld.%lld s", seconds, milliseconds / 100 % 10);
    else if (minutes < 60)
        put_two(&number, minutes, "min", seconds % 60, "s");
    else if (hours < 48)
        put_two(&number, hours, "h", minutes % 60, "min");
    else
        put_two(&number, hours / 24, "d", hours % 24, "h");
    return number;
}
