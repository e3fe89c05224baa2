/* plot_frame.c: draws texts, lines, axes, grid and legend. */
#include "plot/plot_frame.h"

#include "base/utf8.h"
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Colors that people who cannot tell red from green can distinguish: neighbors differ in lightness
   too. */
const char *const heed_plot_colors[PLOT_SERIES_LIMIT] = {
    "#2563eb", "#ea580c", "#059669", "#9333ea", "#dc2626", "#0891b2", "#a16207", "#475569"};

#define INK "#1f2937"
#define QUIET "#6b7280"
#define GRID "#e5e7eb"
enum { LEGEND_ROW = 20, LEGEND_SWATCH = 26 };

double heed_plot_text_width(const char *text, double size)
{
    return 0.56 * size * (double)heed_utf8_count(text, strlen(text));
}

void heed_plot_number(heed_buffer *svg, double value)
{
    long long hundredths = llround(fmin(fmax(value, -1e9), 1e9) * 100);
    unsigned long long size = (unsigned long long)(hundredths < 0 ? -hundredths : hundredths);
    heed_buffer_printf(svg, "%s%llu", hundredths < 0 ? "-" : "", size / 100);
    if (size % 10) heed_buffer_printf(svg, ".%02llu", size % 100);
    else if (size % 100) heed_buffer_printf(svg, ".%llu", size % 100 / 10);
}

/* Appends name="value". */
static void put_attribute(heed_buffer *svg, const char *name, double value)
{
    heed_buffer_printf(svg, " %s=\"", name);
    heed_plot_number(svg, value);
    heed_buffer_byte(svg, '"');
}

/* Appends text for XML. */
static void put_escaped(heed_buffer *svg, const char *text)
{
    for (size_t at = 0, used, length = strlen(text); at < length; at += used) {
        uint32_t point;
        bool valid;
        used = heed_utf8_next(text + at, length - at, &point, &valid);
        /* XML does not allow these characters. */
        if (!valid || point < 0x20 || point == 0xFFFE || point == 0xFFFF)
            heed_buffer_byte(svg, '?');
        else if (point == '&') heed_buffer_text(svg, "&amp;");
        else if (point == '<') heed_buffer_text(svg, "&lt;");
        else if (point == '>') heed_buffer_text(svg, "&gt;");
        else heed_buffer_append(svg, text + at, used);
    }
}

void heed_plot_text(heed_buffer *svg, plot_text place, const char *text)
{
    heed_buffer_text(svg, "<text");
    put_attribute(svg, "x", place.x);
    put_attribute(svg, "y", place.y);
    put_attribute(svg, "font-size", place.size);
    heed_buffer_printf(svg, " fill=\"%s\" text-anchor=\"%s\"", place.color, place.anchor);
    if (place.bold) heed_buffer_text(svg, " font-weight=\"600\"");
    if (place.degrees != 0) {
        heed_buffer_text(svg, " transform=\"rotate(");
        heed_plot_number(svg, place.degrees);
        heed_buffer_byte(svg, ' ');
        heed_plot_number(svg, place.x);
        heed_buffer_byte(svg, ' ');
        heed_plot_number(svg, place.y);
        heed_buffer_text(svg, ")\"");
    }
    heed_buffer_byte(svg, '>');
    put_escaped(svg, text);
    heed_buffer_text(svg, "</text>\n");
}

void heed_plot_line(heed_buffer *svg, plot_line line)
{
    heed_buffer_text(svg, "<line");
    put_attribute(svg, "x1", line.x1);
    put_attribute(svg, "y1", line.y1);
    put_attribute(svg, "x2", line.x2);
    put_attribute(svg, "y2", line.y2);
    heed_buffer_printf(svg, " stroke=\"%s\"", line.color);
    put_attribute(svg, "stroke-width", line.thickness);
    heed_buffer_text(svg, "/>\n");
}

/* Returns the unit in which a number is shown (1, 1e6, 1e9 or 1e12) and its suffix. */
static double unit_of(double size, const char **suffix)
{
    static const struct {
        double unit;
        const char *suffix;
    } units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1, ""}};
    int u = 0;
    while (u < 3 && size < units[u].unit) u++;
    *suffix = units[u].suffix;
    return units[u].unit;
}

/* Writes a number in units of `unit` with `decimals` decimals, and with a comma before the last
   three digits of the integer part. It does not use printf for the decimals because that obeys the
   locale. */
static void put_figure(char label[PLOT_LABEL], double value, int decimals, double unit,
                       const char *suffix)
{
    char text[96];
    double scale = pow(10, decimals);
    long long digits = llround(fabs(value) / unit * scale), whole = digits / (long long)scale;
    const char *sign = value < 0 && digits ? "\xE2\x88\x92" : "";
    int used;
    if (whole < 1000) used = snprintf(text, sizeof text, "%s%lld", sign, whole);
    else used = snprintf(text, sizeof text, "%s%lld,%03lld", sign, whole / 1000, whole % 1000);
    if (decimals && digits)
        used += snprintf(text + used, sizeof text - (size_t)used, ".%0*lld", decimals,
                         digits % (long long)scale);
    if (digits) snprintf(text + used, sizeof text - (size_t)used, "%s", suffix);
    snprintf(label, PLOT_LABEL, "%.*s", PLOT_LABEL - 1, text);
}

/* Returns how many decimals show three digits of a number, or all that matter of a small one. */
static int decimals_of(double size)
{
    if (size >= 100 || size == 0) return 0;
    if (size >= 10) return 1;
    return size >= 0.1 ? 2 : 4;
}

void heed_plot_figure(char label[PLOT_LABEL], double value)
{
    double size = fabs(value);
    const char *suffix;
    if (size >= 1e15 || (size < 1e-3 && size > 0)) {
        snprintf(label, PLOT_LABEL, "%.3g", value);
        return;
    }
    double unit = unit_of(size, &suffix);
    put_figure(label, value, decimals_of(size / unit), unit, suffix);
}

/* Writes the label of a tick with as many decimals as the step between ticks needs. */
static void label_tick(char label[PLOT_LABEL], double value, double step, double largest)
{
    const char *suffix;
    if (largest >= 1e15 || largest < 1e-3) {
        snprintf(label, PLOT_LABEL, "%.3g", value);
        return;
    }
    double unit = unit_of(largest, &suffix);
    int decimals = 0;
    for (double scaled = step / unit; decimals < 6 && fabs(scaled - round(scaled)) > 1e-6 * scaled;
         scaled *= 10)
        decimals++;
    put_figure(label, value, decimals, unit, suffix);
}

static void add_tick(plot_axis *axis, double value, double step, double largest)
{
    if (axis->count == PLOT_TICK_LIMIT || !isfinite(value)) return;
    label_tick(axis->labels[axis->count], value, step, largest);
    axis->ticks[axis->count++] = value;
}

/* Returns the one of 1, 2, 5 and 10 that is nearest to a number from 1 to 10. */
static double round_factor(double ratio)
{
    if (ratio < 1.5) return 1;
    if (ratio < 3.5) return 2;
    return ratio < 7.5 ? 5 : 10;
}

/* Adds ticks at multiples of a round step. */
static void linear_ticks(plot_axis *axis, int wanted)
{
    double raw = axis->high / wanted - axis->low / wanted;
    double power = pow(10, floor(log10(raw)));
    double step = power * round_factor(raw / power);
    double largest = fmax(fabs(axis->low), fabs(axis->high));
    double first = ceil(axis->low / step - 1e-9);
    for (int k = 0; k < PLOT_TICK_LIMIT && (first + k) * step <= axis->high + 1e-9 * step; k++)
        add_tick(axis, (first + k) * step, step, largest);
}

/* Adds ticks at powers of ten, and at 2 and 5 times these on short axes. */
static void logarithmic_ticks(plot_axis *axis, int wanted)
{
    static const double parts[] = {1, 2, 5};
    double first = floor(log10(axis->low)), last = ceil(log10(axis->high));
    int decades = (int)(last - first);
    int every = decades > wanted ? (decades + wanted - 1) / wanted : 1;
    for (int d = 0; d <= decades; d += every)
        for (int p = 0; p < (decades <= 3 ? 3 : 1); p++) {
            double value = parts[p] * pow(10, first + d);
            if (value >= axis->low * (1 - 1e-9) && value <= axis->high * (1 + 1e-9))
                add_tick(axis, value, value, value);
        }
}

void heed_plot_axis(plot_axis *axis, double low, double high, bool logarithmic, int wanted)
{
    *axis = (plot_axis){.low = low, .high = high, .logarithmic = logarithmic};
    if (!(low < high)) {
        double room = low != 0 ? fabs(low) * 0.1 : 1;
        axis->low = logarithmic ? low / 2 : fmax(low - room, -DBL_MAX);
        axis->high = fmin(logarithmic ? high * 2 : high + room, DBL_MAX);
    }
    if (logarithmic) logarithmic_ticks(axis, wanted);
    if (axis->count < 2) {
        axis->count = 0;
        linear_ticks(axis, wanted);
    }
}

double heed_plot_place(const plot_axis *axis, double value)
{
    if (axis->logarithmic)
        return (log(value) - log(axis->low)) / (log(axis->high) - log(axis->low));
    /* The halves are subtracted because the difference of two doubles can overflow. */
    return (value / 2 - axis->low / 2) / (axis->high / 2 - axis->low / 2);
}

/* Draws the legend in rows from x on; if svg is NULL, only counts them. Returns the number of
   rows. */
static int put_legend(heed_buffer *svg, const plot_heading *heading, double x, double y,
                      double right)
{
    double at = x;
    int rows = heading->legend_count ? 1 : 0;
    for (size_t i = 0; i < heading->legend_count; i++) {
        const char *label = heading->legend[i] ? heading->legend[i] : "";
        double width = LEGEND_SWATCH + heed_plot_text_width(label, 13) + 18;
        if (at > x && at + width > right) {
            at = x;
            y += LEGEND_ROW;
            rows++;
        }
        if (svg) {
            heed_buffer_printf(svg, "<rect rx=\"2\" fill=\"%s\"",
                               heed_plot_colors[i % PLOT_SERIES_LIMIT]);
            put_attribute(svg, "x", at);
            put_attribute(svg, "y", y - 8);
            heed_buffer_text(svg, " width=\"18\" height=\"6\"/>\n");
            heed_plot_text(
                svg,
                (plot_text){
                    .x = at + LEGEND_SWATCH, .y = y, .size = 13, .anchor = "start", .color = INK},
                label);
        }
        at += width;
    }
    return rows;
}

void heed_plot_begin(plot_frame *frame, const plot_heading *heading, double below)
{
    heed_buffer *svg = frame->svg;
    double widest = 0, y = 14;
    for (int i = 0; i < frame->y.count; i++)
        widest = fmax(widest, heed_plot_text_width(frame->y.labels[i], 12));
    frame->left = 20 + widest + (heading->y_label ? 26 : 0);
    frame->right = frame->width - 28;
    heed_buffer_printf(svg,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                       "viewBox=\"0 0 %d %d\" "
                       "font-family=\"system-ui, -apple-system, "
                       "'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\">\n<rect "
                       "width=\"100%%\" height=\"100%%\" "
                       "fill=\"#ffffff\"/>\n",
                       frame->width, frame->height, frame->width, frame->height);
    const plot_text title = {
        .x = frame->left, .y = y + 18, .size = 18, .anchor = "start", .color = INK, .bold = true};
    if (heading->title) {
        heed_plot_text(svg, title, heading->title);
        y += 18;
    }
    const plot_text subtitle = {
        .x = frame->left, .y = y + 20, .size = 13, .anchor = "start", .color = QUIET};
    if (heading->subtitle) {
        heed_plot_text(svg, subtitle, heading->subtitle);
        y += 20;
    }
    y += 24;
    int rows = put_legend(svg, heading, frame->left, y, frame->right);
    frame->top = rows ? y + (rows - 1) * LEGEND_ROW + 14 : y - 8;
    frame->bottom = fmax(frame->height - below - (heading->x_label ? 24 : 0), frame->top + 40);
    if (heading->x_label)
        heed_plot_text(svg,
                       (plot_text){.x = (frame->left + frame->right) / 2,
                                   .y = frame->height - 12,
                                   .size = 13,
                                   .anchor = "middle",
                                   .color = QUIET},
                       heading->x_label);
}

void heed_plot_grid(const plot_frame *frame, const char *y_label)
{
    heed_buffer *svg = frame->svg;
    for (int i = 0; i < frame->y.count; i++) {
        double y = frame->bottom -
                   heed_plot_place(&frame->y, frame->y.ticks[i]) * (frame->bottom - frame->top);
        heed_plot_line(svg, (plot_line){frame->left, y, frame->right, y, GRID, 1});
        heed_plot_text(
            svg,
            (plot_text){
                .x = frame->left - 8, .y = y + 4, .size = 12, .anchor = "end", .color = QUIET},
            frame->y.labels[i]);
    }
    for (int i = 0; i < frame->x.count; i++) {
        double x = frame->left +
                   heed_plot_place(&frame->x, frame->x.ticks[i]) * (frame->right - frame->left);
        heed_plot_line(svg, (plot_line){x, frame->top, x, frame->bottom, GRID, 1});
        heed_plot_line(svg, (plot_line){x, frame->bottom, x, frame->bottom + 5, QUIET, 1});
        heed_plot_text(
            svg,
            (plot_text){
                .x = x, .y = frame->bottom + 19, .size = 12, .anchor = "middle", .color = QUIET},
            frame->x.labels[i]);
    }
    if (y_label) {
        double middle = (frame->top + frame->bottom) / 2;
        heed_plot_text(svg,
                       (plot_text){.x = 20,
                                   .y = middle,
                                   .size = 13,
                                   .anchor = "middle",
                                   .color = QUIET,
                                   .degrees = -90},
                       y_label);
    }
    heed_plot_line(svg,
                   (plot_line){frame->left, frame->bottom, frame->right, frame->bottom, QUIET, 1});
    heed_plot_line(svg, (plot_line){frame->left, frame->top, frame->left, frame->bottom, QUIET, 1});
}
