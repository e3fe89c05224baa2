/* plot_frame.h: declares what line and bar charts share: size and margins, axes with ticks, grid,
   texts, legend. Units are pixels. */
#ifndef HEED_PLOT_PLOT_FRAME_H
#define HEED_PLOT_PLOT_FRAME_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>

enum { PLOT_SERIES_LIMIT = 8, PLOT_TICK_LIMIT = 32, PLOT_LABEL = 24 };
extern const char *const heed_plot_colors[PLOT_SERIES_LIMIT];

/* An axis with its ticks. */
typedef struct plot_axis {
    double low, high; /* the range of the picture, after padding */
    bool logarithmic;
    double ticks[PLOT_TICK_LIMIT];
    char labels[PLOT_TICK_LIMIT][PLOT_LABEL];
    int count;
} plot_axis;

/* The document, and where its parts are. */
typedef struct plot_frame {
    heed_buffer *svg;
    int width, height;
    double left, right, top, bottom; /* the area inside the axes */
    plot_axis x, y;
} plot_frame;

/* Makes an axis over [low, high] with about `wanted` ticks at 1, 2 or 5 times powers of ten. If low
   == high, the axis is widened. */
void heed_plot_axis(plot_axis *axis, double low, double high, bool logarithmic, int wanted);
double heed_plot_place(const plot_axis *axis, double value); /* 0 at low, 1 at high */
/* Estimates the width of a text in pixels; the viewer chooses the font. */
double heed_plot_text_width(const char *text, double size);

/* Writes a value in three significant digits: 1.53, 25,412, 1.23M. */
void heed_plot_figure(char label[PLOT_LABEL], double value);

/* Appends a number with at most two decimals, whatever the locale. */
void heed_plot_number(heed_buffer *svg, double value);
/* Appends <text> with the text escaped. `anchor` is start, middle or end; `degrees` turns the text
   around its place. */
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

/* The texts of a chart; `legend` has legend_count entries. */
typedef struct plot_heading {
    const char *title, *subtitle, *x_label, *y_label, *const *legend;
    size_t legend_count;
} plot_heading;
/* Begins the document with background, title, subtitle and legend, and sets the margins. `below` is
   the space under the x axis. frame->y must be set. */
void heed_plot_begin(plot_frame *frame, const plot_heading *heading, double below);
/* Draws the grid with the labels of the ticks, the lower and the left axis, and the label of the y
   axis. */
void heed_plot_grid(const plot_frame *frame, const char *y_label);

#endif
