/* plot_lines.c: draws line charts. */
#include "base/memory.h"
#include "plot/plot.h"
#include "plot/plot_frame.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    double x, y;
} point;

/* Points in order, and the look of the line through them. */
typedef struct {
    const double *x, *y;
    size_t count;
    const char *color, *style;
} curve;

/* Can the chart show this point? */
static bool usable(const heed_line_chart *chart, double x, double y)
{
    return isfinite(x) && isfinite(y) && (!chart->logarithmic_y || y > 0);
}

/* Extends a range so that it has the value. */
static void widen(double range[2], double value)
{
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

/* Computes the ranges of all usable points; [0, 1] if there are none. */
static void measure(const heed_line_chart *chart, double x[2], double y[2])
{
    x[0] = y[0] = INFINITY;
    x[1] = y[1] = -INFINITY;
    for (size_t s = 0; s < chart->count; s++)
        for (size_t i = 0; i < chart->series[s].count; i++)
            if (usable(chart, chart->series[s].x[i], chart->series[s].y[i])) {
                widen(x, chart->series[s].x[i]);
                widen(y, chart->series[s].y[i]);
            }
    if (x[0] <= x[1]) return;
    x[0] = 0;
    x[1] = 1;
    y[0] = chart->logarithmic_y ? 0.1 : 0;
    y[1] = 1;
}

/* Adds space above and below the curves, but none below zero if no value is negative. */
static void pad(double y[2], bool logarithmic)
{
    double low = y[0], high = y[1];
    if (low == high) return;
    if (logarithmic) {
        double factor = pow(high / low, 0.04);
        low /= factor;
        high *= factor;
    } else {
        double room = 0.04 * (high - low);
        low = low >= 0 && low < room ? 0 : low - room;
        high += room;
    }
    if (!isfinite(low) || !isfinite(high) || (logarithmic && low <= 0)) return;
    y[0] = low;
    y[1] = high;
}

/* Sets out[i] to the mean of the points around i in its run of usable points, over 1/50 of the
   series. Near the beginning of a run the window is narrower and symmetric, so that the steep start
   of a loss curve is kept; at the end of a run it is cut off. */
static void smooth(double *out, const heed_line_chart *chart, const heed_plot_series *series)
{
    size_t reach = series->count / 100 + 1;
    for (size_t start = 0, end; start < series->count; start = end) {
        end = start;
        while (end < series->count && usable(chart, series->x[end], series->y[end])) end++;
        double sum = 0;
        size_t first = start, last = start; /* the sum covers [first, last) */
        for (size_t i = start; i < end; i++) {
            size_t left = i - start < reach ? i - start : reach;
            size_t right = end - 1 - i < left ? end - 1 - i : left;
            while (last <= i + right) sum += series->y[last++];
            while (first < i - left) sum -= series->y[first++];
            out[i] = sum / (double)(last - first);
        }
        if (end < series->count) {
            out[end] = NAN;
            end++;
        }
    }
}

/* Returns the place of a point in the picture. */
static point place(const plot_frame *frame, double x, double y)
{
    return (point){frame->left + heed_plot_place(&frame->x, x) * (frame->right - frame->left),
                   frame->bottom - heed_plot_place(&frame->y, y) * (frame->bottom - frame->top)};
}

static void put_point(heed_buffer *svg, char command, point p)
{
    heed_buffer_byte(svg, command);
    heed_plot_number(svg, p.x);
    heed_buffer_byte(svg, ' ');
    heed_plot_number(svg, p.y);
}

/* Appends a path through the points. If several points fall into one column of pixels, only the
   first, lowest, highest and last are drawn, because nothing else of them can be seen. Source:
   Jugel et al. 2014, "M4: a visualization-oriented time series data aggregation". */
static void put_path(const plot_frame *frame, const heed_line_chart *chart, const curve *points)
{
    const double *x = points->x, *y = points->y;
    const size_t count = points->count;
    bool drawing = false;
    for (size_t i = 0; i < count;) {
        if (!usable(chart, x[i], y[i])) {
            drawing = false;
            i++;
            continue;
        }
        point p = place(frame, x[i], y[i]);
        double column = floor(p.x);
        size_t end = i + 1, low = i, high = i;
        for (; end < count && usable(chart, x[end], y[end]) &&
               floor(place(frame, x[end], y[end]).x) == column;
             end++) {
            if (y[end] < y[low]) low = end;
            if (y[end] > y[high]) high = end;
        }
        size_t earlier = low < high ? low : high;
        size_t later = low < high ? high : low;
        const size_t drawn[4] = {i, earlier, later, end - 1};
        for (int k = 0; k < 4; k++) {
            if (k && drawn[k] <= drawn[k - 1]) continue;
            put_point(frame->svg, drawing ? 'L' : 'M', place(frame, x[drawn[k]], y[drawn[k]]));
            drawing = true;
        }
        bool alone = end == i + 1 && (end == count || !usable(chart, x[end], y[end])) &&
                     (i == 0 || !usable(chart, x[i - 1], y[i - 1]));
        if (alone) heed_buffer_text(frame->svg, "h0"); /* with round caps this is a dot */
        i = end;
    }
}

static void put_curve(const plot_frame *frame, const heed_line_chart *chart, const curve *points)
{
    heed_buffer_printf(frame->svg,
                       "<path fill=\"none\" stroke=\"%s\" stroke-linejoin=\"round\" "
                       "stroke-linecap=\"round\" %s d=\"",
                       points->color, points->style);
    put_path(frame, chart, points);
    heed_buffer_text(frame->svg, "\"/>\n");
}

/* Draws a dot at each point. */
static void put_markers(const plot_frame *frame, const heed_line_chart *chart, const curve *points)
{
    for (size_t i = 0; i < points->count; i++) {
        if (!usable(chart, points->x[i], points->y[i])) continue;
        point p = place(frame, points->x[i], points->y[i]);
        heed_buffer_printf(
            frame->svg,
            "<circle r=\"3.5\" fill=\"%s\" stroke=\"#ffffff\" stroke-width=\"1.2\" cx=\"",
            points->color);
        heed_plot_number(frame->svg, p.x);
        heed_buffer_text(frame->svg, "\" cy=\"");
        heed_plot_number(frame->svg, p.y);
        heed_buffer_text(frame->svg, "\"/>\n");
    }
}

/* Draws a series: its values, or its mean over its pale values, and its markers. */
static heed_status put_series(const plot_frame *frame, const heed_line_chart *chart, size_t index,
                              heed_error *error)
{
    const heed_plot_series *series = &chart->series[index];
    curve values = {.x = series->x,
                    .y = series->y,
                    .count = series->count,
                    .color = heed_plot_colors[index],
                    .style = "stroke-width=\"2\""};
    if (series->smooth && series->count > 2) {
        double *mean = heed_allocate(series->count, sizeof *mean);
        if (!mean) return heed_fail_memory(error, series->count * sizeof *mean, "a smoothed curve");
        smooth(mean, chart, series);
        curve means = values;
        means.y = mean;
        values.style = "stroke-width=\"1\" stroke-opacity=\"0.28\"";
        put_curve(frame, chart, &values);
        put_curve(frame, chart, &means);
        free(mean);
    } else {
        put_curve(frame, chart, &values);
    }
    if (series->markers) put_markers(frame, chart, &values);
    return HEED_OK;
}

heed_status heed_plot_lines(heed_buffer *svg, const heed_line_chart *chart, heed_error *error)
{
    const char *labels[PLOT_SERIES_LIMIT];
    double x[2], y[2];
    if (chart->count > PLOT_SERIES_LIMIT)
        return heed_fail(error, HEED_E_ARG, "a chart of %zu series, expected at most %d",
                         chart->count, PLOT_SERIES_LIMIT);
    for (size_t s = 0; s < chart->count; s++) labels[s] = chart->series[s].label;
    plot_frame frame = {.svg = svg, .width = 800, .height = 480};
    if (chart->width > 0) frame.width = chart->width;
    if (chart->height > 0) frame.height = chart->height;
    measure(chart, x, y);
    pad(y, chart->logarithmic_y);
    heed_plot_axis(&frame.x, x[0], x[1], false, frame.width / 110 + 1);
    heed_plot_axis(&frame.y, y[0], y[1], chart->logarithmic_y, frame.height / 70 + 1);
    const plot_heading heading = {chart->title,   chart->subtitle, chart->x_label,
                                  chart->y_label, labels,          chart->count};
    heed_plot_begin(&frame, &heading, 34);
    heed_plot_grid(&frame, chart->y_label);
    for (size_t s = 0; s < chart->count; s++) HEED_TRY(put_series(&frame, chart, s, error));
    heed_buffer_text(svg, "</svg>\n");
    return svg->failed ? heed_fail_memory(error, svg->length, "a chart") : HEED_OK;
}
