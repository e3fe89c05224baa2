/* plot.h: line charts (loss curves) and bar charts (benchmark tables) as SVG text. */
#ifndef HEED_PLOT_PLOT_H
#define HEED_PLOT_PLOT_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* A curve. Points whose x or y is not finite are gaps. Thousands of points are thinned to what the
   picture can show, keeping extremes. */
typedef struct heed_plot_series {
    const char *label; /* for the legend */
    const double *x, *y;
    size_t count;
    bool markers; /* a dot at each point: sparse series such as validation losses */
    /* the values pale, and over them their running mean: noisy series such as training losses */
    bool smooth;
} heed_plot_series;

typedef struct heed_line_chart {
    const char *title, *subtitle, *x_label, *y_label; /* each may be NULL */
    const heed_plot_series *series;
    size_t count;       /* up to 8 */
    int width, height;  /* pixels; 0: 800 x 480 */
    bool logarithmic_y; /* points <= 0 are gaps then */
} heed_line_chart;

/* Groups of bars: value of bar b in group g at values[g * bars + b]; a value that is not finite is
   left out. */
typedef struct heed_bar_chart {
    const char *title, *subtitle, *y_label;
    const char *const *groups;
    const char *const *bars; /* one legend entry each */
    const double *values;
    size_t group_count, bar_count; /* up to 8 bars */
    int width, height;
} heed_bar_chart;

/* Append a complete SVG document to `svg`. HEED_E_ARG for more than 8 series or bars, HEED_E_NOMEM.
   A chart without points has axes only. */
heed_status heed_plot_lines(heed_buffer *svg, const heed_line_chart *chart, heed_error *error);
heed_status heed_plot_bars(heed_buffer *svg, const heed_bar_chart *chart, heed_error *error);

#endif
