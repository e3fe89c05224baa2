/* plot_frame.h: what line and bar charts share: size and margins, axes with ticks, grid, texts,
   legend. Units are pixels. */
#ifndef HEED_PLOT_PLOT_FRAME_H
#define HEED_PLOT_PLOT_FRAME_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>

enum { PLOT_SERIES_LIMIT = 8, PLOT_TICK_LIMIT = 32, PLOT_LABEL = 24 };
extern const char *const heed_plot_colors[PLOT_SERIES_LIMIT];

typedef struct plot_axis {
    double low, high; /* of the picture, after padding */
    bool logarithmic;
    double ticks[PLOT_TICK_LIMIT];
    char labels[PLOT_TICK_LIMIT][PLOT_LABEL];
    int count;
} plot_axis;

typedef struct plot_frame {
    heed_buffer *svg;
    int width, height;
    double left, right, top, bottom; /* of the area inside the axes */
    plot_axis x, y;
} plot_frame;

/* An axis over [low, high]: ticks at 1, 2 or 5 times powers of ten, about `wanted` of them. When
   low == high the axis is widened. */
void heed_plot_axis(plot_axis *axis, double low, double high, bool logarithmic, int wanted);
double heed_plot_place(const plot_axis *axis, double value); /* 0 at low, 1 at high */
/* an estimate: the font is the viewer's */
double heed_plot_text_width(const char *text, double size);

/* A value in three significant digits: 1.53, 25,412, 1.23M. */
void heed_plot_figure(char label[PLOT_LABEL], double value);

/* Appends a number with two decimals, whatever the locale. */
void heed_plot_number(heed_buffer *svg, double value);
/* Appends <text> with the text escaped; anchor is start, middle or end; degrees turns it around its
   place. */
typedef struct plot_text {
    double x, y, size;
    const char *anchor, *color;
    bool bold;
    double degrees;
} plot_text;
void heed_plot_text(heed_buffer *svg, plot_text place, const char *text);
/* Appends <line> from (x1, y1) to (x2, y2). */
typedef struct plot_line {
    double x1, y1, x2, y2;
    const char *color;
    double thickness;
} plot_line;
void heed_plot_line(heed_buffer *svg, plot_line line);

typedef struct plot_heading {
    const char *title, *subtitle, *x_label, *y_label, *const *legend;
    size_t legend_count;
} plot_heading;
/* Begins the document: background, title, subtitle, legend. Sets the margins; `below` is the room
   under the x axis. frame->y is ready. */
void heed_plot_begin(plot_frame *frame, const plot_heading *heading, double below);
/* The horizontal grid with its labels; the lower and left axes. */
void heed_plot_grid(const plot_frame *frame, const char *y_label);

#endif
