/* The log, and the pictures drawn from it, with each allocation failing in turn. */
#include "train/log.h"
#include "plot/plot.h"
#include "support/fail_alloc.h"
#include "support/test.h"

static heed_status write_two(void *path, heed_error *error)
{
    heed_log *log = NULL;
    HEED_TRY(heed_log_open(&log, path, error));
    heed_status status = heed_log_write(
        log, (heed_log_field[]){HEED_LOG_I("step", 1), HEED_LOG_F("loss", 0.5)}, 2, error);
    if (status == HEED_OK)
        status = heed_log_write(
            log, (heed_log_field[]){HEED_LOG_I("step", 2), HEED_LOG_T("note", "x")}, 2, error);
    heed_log_close(log);
    return status;
}

static heed_status read_back(void *path, heed_error *error)
{
    heed_log_series series;
    HEED_TRY(heed_log_truncate(path, 1, error));
    HEED_TRY(heed_log_read(&series, path, "loss", error));
    heed_log_series_free(&series);
    return HEED_OK;
}

static heed_status draw(void *context, heed_error *error)
{
    (void)context;
    static const double x[] = {1, 2, 3, 4}, y[] = {4, 3, 2.5, 2};
    static const char *const names[] = {"a", "b"};
    const heed_plot_series series = {.label = "s", .x = x, .y = y, .count = 4, .smooth = true};
    const heed_line_chart chart = {.title = "t", .series = &series, .count = 1};
    const heed_bar_chart bars = {
        .groups = names, .bars = names, .values = y, .group_count = 2, .bar_count = 2};
    heed_buffer svg = {0};
    heed_status status = heed_plot_lines(&svg, &chart, error);
    if (status == HEED_OK) status = heed_plot_bars(&svg, &bars, error);
    heed_buffer_free(&svg);
    return status;
}

static void logs_and_plots_survive_each_failure(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path(&work, "log.jsonl"));
    assert_true(fail_alloc_each(write_two, path) > 2);
    assert_true(fail_alloc_each(read_back, path) > 5);
    assert_true(fail_alloc_each(draw, NULL) > 3);
    heed_log_series series;
    assert_ok(heed_log_read(&series, path, "loss", &error));
    assert_true(series.count > 0);
    heed_log_series_free(&series);
    scratch_remove(&work);
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(logs_and_plots_survive_each_failure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
