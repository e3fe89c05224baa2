/* plot_bars.c: draws bar charts. */
#include "plot/plot.h"
#include "plot/plot_frame.h"
#include <math.h>

enum { LINE_LIMIT = 3, LINE_HEIGHT = 15 };

/* Breaks a name at its blanks into at most three lines that fit `width`. If svg is not NULL, the
   lines are drawn. Returns the number of lines. */
static int put_name(heed_buffer *svg, const char *name, double x, double y, double width)
{
    int lines = 0;
    while (*name && lines < LINE_LIMIT) {
        char line[128];
        size_t length = 0, fits = 0;
        for (; name[length] && length < sizeof line - 1; length++) {
            line[length] = name[length];
            if (name[length + 1] != ' ' && name[length + 1] != 0) continue;
            line[length + 1] = 0;
            if (fits && heed_plot_text_width(line, 12) > width && lines < LINE_LIMIT - 1) break;
            fits = length + 1;
        }
        if (!fits) fits = length;
        line[fits] = 0;
        const plot_text place = {
            .x = x,
            .y = y + lines * LINE_HEIGHT,
            .size = 12,
            .anchor = "middle",
            .color = "#6b7280",
        };
        if (svg) heed_plot_text(svg, place, line);
        for (name += fits; *name == ' '; name++) continue;
        lines++;
    }
    return lines;
}

/* Draws a bar from zero to its value, with the value at its end if the bar is wide enough. */
static void put_bar(const plot_frame *frame, double x, double width, double value,
                    const char *color)
{
    double scale = frame->bottom - frame->top;
    double zero = frame->bottom - heed_plot_place(&frame->y, 0) * scale;
    double end = frame->bottom - heed_plot_place(&frame->y, value) * scale;
    double top = fmin(zero, end);
    char label[PLOT_LABEL];
    heed_buffer_printf(frame->svg, "<rect rx=\"1.5\" fill=\"%s\" x=\"", color);
    heed_plot_number(frame->svg, x);
    heed_buffer_text(frame->svg, "\" y=\"");
    heed_plot_number(frame->svg, top);
    heed_buffer_text(frame->svg, "\" width=\"");
    heed_plot_number(frame->svg, width);
    heed_buffer_text(frame->svg, "\" height=\"");
    heed_plot_number(frame->svg, fmax(fabs(end - zero), 0.5));
    heed_buffer_text(frame->svg, "\"/>\n");
    heed_plot_figure(label, value);
    /* the largest size at which the figure fits the bar */
    double size = fmin(12, width / (0.56 * 4.5));
    if (size < 7) return;
    const plot_text place = {
        .x = x + width / 2,
        .y = value < 0 ? end + size + 2 : top - 4,
        .size = size,
        .anchor = "middle",
        .color = "#1f2937",
    };
    heed_plot_text(frame->svg, place, label);
}

/* Draws the bars of each group around its middle. Missing values take no space. */
static void put_groups(const plot_frame *frame, const heed_bar_chart *chart)
{
    double span = (frame->right - frame->left) / (double)chart->group_count;
    double width = fmin(span * 0.78 / (double)chart->bar_count, 64);
    for (size_t g = 0; g < chart->group_count; g++) {
        const double *values = chart->values + g * chart->bar_count;
        double middle = frame->left + ((double)g + 0.5) * span, present = 0;
        for (size_t b = 0; b < chart->bar_count; b++) present += isfinite(values[b]) != 0;
        double x = middle - present * width / 2;
        for (size_t b = 0; b < chart->bar_count; b++) {
            if (!isfinite(values[b])) continue;
            put_bar(frame, x + width * 0.04, width * 0.92, values[b], heed_plot_colors[b]);
            x += width;
        }
        if (chart->groups[g])
            put_name(frame->svg, chart->groups[g], middle, frame->bottom + 19, span - 8);
    }
}

/* Makes the axis of values, from the lowest value or zero to the highest value or zero, with space
   for the figures at the ends of the bars. */
static void measure(const heed_bar_chart *chart, plot_axis *axis, int height)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < chart->group_count * chart->bar_count; i++) {
        if (!isfinite(chart->values[i])) continue;
        low = fmin(low, chart->values[i]);
        high = fmax(high, chart->values[i]);
    }
    double room = 0.08 * (high - low);
    if (low == 0 && high == 0) high = 1; /* nothing to show */
    if (low < 0) low -= room;
    if (high > 0) high += room;
    heed_plot_axis(axis, low, high, false, height / 70 + 1);
}

/* Returns the number of lines of the longest name of a group. */
static int name_lines(const heed_bar_chart *chart, int width)
{
    int lines = 1;
    double span = (width - 110) / (double)chart->group_count;
    for (size_t g = 0; g < chart->group_count; g++) {
        int wanted = chart->groups[g] ? put_name(NULL, chart->groups[g], 0, 0, span - 8) : 0;
        if (wanted > lines) lines = wanted;
    }
    return lines;
}

heed_status heed_plot_bars(heed_buffer *svg, const heed_bar_chart *chart, heed_error *error)
{
    if (chart->bar_count > PLOT_SERIES_LIMIT)
        return heed_fail(error, HEED_E_ARG, "a chart of %zu bars a group, expected at most %d",
                         chart->bar_count, PLOT_SERIES_LIMIT);
    plot_frame frame = {.svg = svg, .width = 800, .height = 480};
    if (chart->width > 0) frame.width = chart->width;
    if (chart->height > 0) frame.height = chart->height;
    measure(chart, &frame.y, frame.height);
    const plot_heading heading = {
        .title = chart->title,
        .subtitle = chart->subtitle,
        .y_label = chart->y_label,
        .legend = chart->bars,
        .legend_count = chart->bar_count > 1 ? chart->bar_count : 0,
    };
    heed_plot_begin(&frame, &heading, 19 + name_lines(chart, frame.width) * LINE_HEIGHT);
    heed_plot_grid(&frame, chart->y_label);
    if (chart->bar_count) put_groups(&frame, chart);
    heed_buffer_text(svg, "</svg>\n");
    return svg->failed ? heed_fail_memory(error, svg->length, "a chart") : HEED_OK;
}
