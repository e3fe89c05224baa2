#include "plot/plot.h"

#include "plot/plot_frame.h"
#include "support/test.h"
#include <float.h>
#include <math.h>

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) count++;
    return count;
}

/* Tags are closed, attributes quoted, every coordinate is a number inside a generous frame. */
static void check_document(const char *svg)
{
    int open = 0;
    assert_memory_equal(svg, "<svg ", 5);
    for (const char *at = strchr(svg, '<'); at; at = strchr(at + 1, '<')) {
        const char *end = strchr(at, '>');
        size_t quotes = 0;
        assert_non_null(end);
        for (const char *c = at; c < end; c++) quotes += *c == '"';
        assert_int_equal(quotes % 2, 0);
        if (at[1] == '/') open--;
        else if (end[-1] != '/') open++;
        assert_true(open >= 0 && !memchr(at + 1, '<', (size_t)(end - at - 1)));
    }
    assert_int_equal(open, 0);
    assert_string_equal(svg + strlen(svg) - 7, "</svg>\n");
    assert_null(strstr(svg, "nan"));
    if (strstr(svg, "inf")) fail_msg("%.200s", strstr(svg, "inf") - 100);
}

static char *draw(const heed_line_chart *chart)
{
    heed_buffer svg = {0};
    assert_ok(heed_plot_lines(&svg, chart, &error));
    check_document(svg.data);
    return svg.data;
}

static void a_curve_has_axes_legend_and_title(void **state)
{
    (void)state;
    const double x[] = {1, 500, 1000, 1500, 2000}, y[] = {4.5, 2.5, 2, 1.8, 1.7},
                 vy[] = {4.4, 2.6, 2.1, 1.9, 1.85};
    const heed_plot_series series[] = {
        {"training", x, y, 5, .smooth = true},
        {"validation <&>", x, vy, 5, .markers = true},
    };
    const heed_line_chart chart = {
        .title = "a \"title\" & \x01\xFF",
        .subtitle = "sub",
        .x_label = "step",
        .y_label = "loss",
        .series = series,
        .count = 2,
    };
    char *svg = draw(&chart);
    const char *const parts[] = {
        "a \"title\" &amp; ??",     ">sub<",   ">step<", ">loss<", ">training<",
        "validation &lt;&amp;&gt;", ">2,000<", ">4.5<",  ">2.0<"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(svg, parts[i])) fail_msg("%s is missing", parts[i]);
    assert_int_equal(occurrences(svg, "<circle"), 5);
    assert_int_equal(occurrences(svg, "<path"), 3); /* the smoothed series has two */
    free(svg);
}

static void gaps_break_the_curve(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4, 5, 6, 7}, y[] = {1, 2, NAN, 4, INFINITY, 3, 2, 0};
    heed_plot_series series = {.label = "s", .x = x, .y = y, .count = 8};
    heed_line_chart chart = {.series = &series, .count = 1};
    char *svg = draw(&chart);
    const char *path = strstr(svg, " d=\"");
    assert_int_equal(occurrences(path, "M"), 3);
    assert_int_equal(occurrences(path, "h0"), 1); /* 4 stands alone: a dot */
    free(svg);
    chart.logarithmic_y = true; /* zero cannot be shown */
    svg = draw(&chart);
    assert_int_equal(occurrences(strstr(svg, " d=\""), "L"), 2);
    free(svg);
    series.smooth = true;
    svg = draw(&chart);
    assert_int_equal(occurrences(svg, "<path"), 2);
    free(svg);
}

static void a_million_points_stay_small_and_keep_extremes(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    double *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y);
    assert_true(x && y);
    for (int i = 0; i < COUNT; i++) {
        x[i] = i;
        y[i] = 1 + 0.1 * (i % 7);
    }
    y[654321] = 10;
    const heed_plot_series series = {.label = "s", .x = x, .y = y, .count = COUNT};
    heed_line_chart chart = {.series = &series, .count = 1};
    char *svg = draw(&chart);
    assert_true(strlen(svg) < 60000);
    double highest = 1e9;
    for (const char *at = strstr(svg, " d=\""); *at && *at != '>'; at++)
        if (*at == 'L') highest = fmin(highest, strtod(strchr(at, ' '), NULL));
    assert_true(highest < 80); /* the one point of value 10 is drawn near the top */
    free(svg);
    free(x);
    free(y);
}

static void any_numbers_make_a_picture(void **state)
{
    (void)state;
    static const double values[][3] = {
        {0, 0, 0},           {5, 5, 5},
        {-5, -5, -5},        {-DBL_MAX, 0, DBL_MAX},
        {0, 5e-324, 1e-323}, {1, 1 + DBL_EPSILON, 1},
        {NAN, NAN, NAN},     {1e-7, 2e-7, 3e-7},
        {1e12, 2e12, 5e13},  {1e17, 2e17, 3e18},
        {-1, 0, 1},          {1e-300, 1, 1e300},
        {0, 1, DBL_MAX},     {-DBL_MAX, -DBL_MAX, -DBL_MAX},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t j = 0; j < sizeof values / sizeof *values; j++)
            for (int flags = 0; flags < 4; flags++) {
                const heed_plot_series series = {"s", values[i],           values[j],
                                                 3,   .smooth = flags & 1, .markers = true};
                free(draw(
                    &(heed_line_chart){.series = &series, .count = 1, .logarithmic_y = flags & 2}));
            }
    free(draw(&(heed_line_chart){0}));
    free(draw(&(heed_line_chart){.width = 1, .height = 1, .title = "t"}));
    const heed_plot_series many[9] = {{0}};
    heed_buffer svg = {0};
    assert_fails(HEED_E_ARG, "at most 8",
                 heed_plot_lines(&svg, &(heed_line_chart){.series = many, .count = 9}, &error));
    free(draw(&(heed_line_chart){.series = many, .count = 8}));
}

static void ticks_are_round_and_labelled(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        bool logarithmic;
        const char *labels;
    } cases[] = {
        {0, 1, false, "0 0.2 0.4 0.6 0.8 1.0 "},
        {1.4, 4.6, false, "1.5 2.0 2.5 3.0 3.5 4.0 4.5 "},
        {0, 2000, false, "0 500 1,000 1,500 2,000 "},
        {0, 3e6, false, "0 0.5M 1.0M 1.5M 2.0M 2.5M 3.0M "},
        {-10, 10, false,
         "\xE2\x88\x92"
         "10 \xE2\x88\x92"
         "5 0 5 10 "},
        {0, 0.001, false, "0 0.0002 0.0004 0.0006 0.0008 0.0010 "},
        {1, 1000, true, "1 2 5 10 20 50 100 200 500 1,000 "},
        {0.1, 100000, true, "0.1 10 1,000 100,000 "},
        {2, 3, true, "2.0 2.2 2.4 2.6 2.8 3.0 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[256] = "";
        plot_axis axis;
        heed_plot_axis(&axis, cases[i].low, cases[i].high, cases[i].logarithmic, 5);
        for (int t = 0; t < axis.count; t++) strcat(strcat(found, axis.labels[t]), " ");
        assert_string_equal(found, cases[i].labels);
    }
    static const struct {
        double value;
        const char *label;
    } figures[] = {
        {0, "0"},
        {1.5349, "1.53"},
        {33.25, "33.3"},
        {880, "880"},
        {25412, "25,412"},
        {1234567, "1.23M"},
        {-3, "\xE2\x88\x92"
             "3.00"},
        {0.0123, "0.0123"},
        {2e-5, "2e-05"},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        char label[PLOT_LABEL];
        heed_plot_figure(label, figures[i].value);
        assert_string_equal(label, figures[i].label);
    }
}

static void bars_have_names_and_figures(void **state)
{
    (void)state;
    const char *const groups[] = {"prefill with a rather long name that breaks", "decode", NULL},
                      *const bars[] = {"heed", "other"};
    const double values[] = {1.44, 1, 1.53, NAN, -0.5, 0};
    heed_buffer svg = {0};
    const heed_bar_chart chart = {
        .title = "t",
        .y_label = "y",
        .groups = groups,
        .bars = bars,
        .values = values,
        .group_count = 3,
        .bar_count = 2,
        .width = 400,
    };
    assert_ok(heed_plot_bars(&svg, &chart, &error));
    check_document(svg.data);
    assert_int_equal(occurrences(svg.data, "<rect rx=\"1.5\""), 5);
    assert_non_null(strstr(svg.data, ">1.44<"));
    assert_non_null(strstr(svg.data, ">prefill with<"));
    assert_non_null(strstr(svg.data, ">decode<"));
    heed_buffer_free(&svg);
    assert_ok(heed_plot_bars(&svg, &(heed_bar_chart){0}, &error));
    check_document(svg.data);
    assert_fails(HEED_E_ARG, "at most 8",
                 heed_plot_bars(&svg, &(heed_bar_chart){.bar_count = 9}, &error));
    heed_buffer_free(&svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_curve_has_axes_legend_and_title),
        cmocka_unit_test(gaps_break_the_curve),
        cmocka_unit_test(a_million_points_stay_small_and_keep_extremes),
        cmocka_unit_test(any_numbers_make_a_picture),
        cmocka_unit_test(ticks_are_round_and_labelled),
        cmocka_unit_test(bars_have_names_and_figures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
