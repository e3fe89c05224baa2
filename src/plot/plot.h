/* plot.h: draws line charts (loss curves) and bar charts (benchmark tables) as SVG text. */
#ifndef HEED_PLOT_PLOT_H
#define HEED_PLOT_PLOT_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* A curve. Points whose x or y is not finite are gaps. Thousands of points are thinned to what the
   picture can show; extremes are kept. */
typedef struct heed_plot_series {
    const char *label; /* for the legend */
    const double *x, *y;
    size_t count;
    bool markers; /* draws a dot at each point, for sparse series such as validation losses */
    /* draws the values pale and their running mean over them, for noisy series such as training
       losses */
    bool smooth;
} heed_plot_series;

/* A line chart. */
typedef struct heed_line_chart {
    const char *title, *subtitle, *x_label, *y_label; /* each may be NULL */
    const heed_plot_series *series;
    size_t count;       /* at most 8 */
    int width, height;  /* pixels; 0 means 800 x 480 */
    bool logarithmic_y; /* points <= 0 are then gaps */
} heed_line_chart;

/* Groups of bars: values[g * bar_count + b] is the value of bar b in group g. A value that is not
   finite is left out. */
typedef struct heed_bar_chart {
    const char *title, *subtitle, *y_label;
    const char *const *groups;
    const char *const *bars; /* (bar_count) names for the legend */
    const double *values;
    size_t group_count, bar_count; /* at most 8 bars */
    int width, height;
} heed_bar_chart;

/* Append a complete SVG document to `svg`. A chart without points has only axes.
   Errors: HEED_E_ARG for more than 8 series or bars; HEED_E_NOMEM. */
heed_status heed_plot_lines(heed_buffer *svg, const heed_line_chart *chart, heed_error *error);
heed_status heed_plot_bars(heed_buffer *svg, const heed_bar_chart *chart, heed_error *error);

#endif
