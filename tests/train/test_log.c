#include "train/log.h"

#include "base/json.h"
#include "support/work.h"
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static void expect_text(const char *path, const char *expected)
{
    heed_buffer text = {0};
    assert_ok(heed_file_read(path, 1 << 20, &text, &error));
    assert_string_equal(text.data, expected);
    heed_buffer_free(&text);
}

static heed_status write_step(heed_log *log, int64_t step, double loss, heed_error *error)
{
    const heed_log_field fields[] = {HEED_LOG_I("step", step), HEED_LOG_F("loss", loss)};
    return heed_log_write(log, fields, 2, error);
}

static void lines_are_json_and_round_trip(void **state)
{
    (void)state;
    const char *path = scratch_path(&work, "a.jsonl");
    heed_log *log = NULL;
    const heed_log_field fields[] = {
        HEED_LOG_I("step", 3),
        HEED_LOG_F("loss", 0.1),
        HEED_LOG_F("bad", NAN),
        HEED_LOG_F("worse", -INFINITY),
        HEED_LOG_T("note", "a \"b\"\n\xFF"),
        HEED_LOG_I("big", INT64_MIN),
    };
    assert_ok(heed_log_open(&log, path, &error));
    assert_ok(heed_log_write(log, fields, 6, &error));
    assert_ok(heed_log_write(log, fields, 0, &error));
    expect_text(path, "{\"step\":3,\"loss\":0.1,\"bad\":null,\"worse\":null,\"note\":\"a "
                      "\\\"b\\\"\\n\xEF\xBF\xBD\",\"big\":-9223372036854775808}\n{}\n");
    heed_log_close(log);
    assert_ok(heed_log_open(&log, path, &error)); /* appends */
    assert_ok(write_step(log, 4, 2.0 / 3, &error));
    assert_ok(write_step(log, 5, (double)0.3f, &error));
    assert_ok(write_step(log, 6, NAN, &error));
    heed_log_close(log);
    heed_log_close(NULL);
    heed_log_series series;
    assert_ok(heed_log_read(&series, path, "loss", &error));
    assert_int_equal(series.count, 4);
    assert_true(series.x[1] == 4 && series.y[1] == 2.0 / 3 && (float)series.y[2] == 0.3f &&
                isnan(series.y[3]));
    heed_log_series_free(&series);
    assert_ok(heed_log_read(&series, path, "absent", &error));
    assert_int_equal(series.count, 0);
    heed_log_series_free(&series);
    assert_fails(HEED_E_IO, "check the path",
                 heed_log_read(&series, "/nonexistent.jsonl", "loss", &error));
}

static void resuming_drops_later_steps(void **state)
{
    (void)state;
    const char text[] = "{\"family\":\"heed\"}\n{\"step\":1,\"loss\":2}\n\n{\"step\":2,\"loss\":1."
                        "5}\r\n{\"step\":2,\"eval_loss\":1}\n{\"step\":3}\n{\"step\":4,\"lo";
    const char *path = scratch_file(&work, "b.jsonl", text, strlen(text));
    assert_ok(heed_log_truncate(path, 2, &error));
    expect_text(path, "{\"family\":\"heed\"}\n{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1.5}"
                      "\r\n{\"step\":2,\"eval_loss\":1}\n");
    assert_ok(heed_log_truncate(path, 2, &error));
    assert_ok(heed_log_truncate(path, 0, &error));
    expect_text(path, "{\"family\":\"heed\"}\n");
    assert_ok(heed_log_truncate(scratch_path(&work, "absent.jsonl"), 2, &error));
    scratch_file(&work, "b.jsonl", "{\"step\":1}\n{\"step\":\n{}\n", 22);
    assert_fails(HEED_E_FORMAT, "b.jsonl, line 2: column 9 (byte 8): the end, expected a value",
                 heed_log_truncate(scratch_path(&work, "b.jsonl"), 2, &error));
    scratch_file(&work, "b.jsonl", "[1]\n", 4);
    assert_fails(HEED_E_FORMAT, "line 1: expected a JSON object a line",
                 heed_log_truncate(scratch_path(&work, "b.jsonl"), 2, &error));
    scratch_file(&work, "b.jsonl", "{\"step\":\"x\"}\n", 13);
    assert_fails(HEED_E_FORMAT, "expected an integer",
                 heed_log_truncate(scratch_path(&work, "b.jsonl"), 2, &error));
}

/* Whatever byte a kill stopped at: opening leaves whole lines, and appending goes on after them. */
static void a_cut_log_is_whole_again(void **state)
{
    (void)state;
    char text[12000];
    size_t length = (size_t)sprintf(text, "{\"step\":1}\n{\"step\":2}\n{\"note\":\"");
    memset(text + length, 'x', 9000); /* longer than the piece that is read at once */
    length += 9000;
    for (size_t cut = 0; cut <= length; cut += cut < 40 ? 1 : 1024) {
        const char *path = scratch_file(&work, "c.jsonl", text, cut);
        heed_log *log = NULL;
        assert_ok(heed_log_open(&log, path, &error));
        assert_ok(write_step(log, 3, 1, &error));
        heed_log_close(log);
        heed_log_series series;
        assert_ok(heed_log_read(&series, path, "loss", &error));
        assert_int_equal(series.count, 1);
        heed_log_series_free(&series);
        heed_buffer found = {0};
        assert_ok(heed_file_read(path, 1 << 20, &found, &error));
        const size_t line = 11, lines = cut / line < 2 ? cut / line : 2, whole = lines * line;
        assert_int_equal(found.length, whole + strlen("{\"step\":3,\"loss\":1}\n"));
        heed_buffer_free(&found);
    }
}

static void full_disk_keeps_whole_lines(void **state)
{
    (void)state;
    const char *path = scratch_path(&work, "d.jsonl");
    heed_log *log = NULL;
    assert_ok(heed_log_open(&log, path, &error));
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){.rlim_cur = 1000, .rlim_max = before.rlim_max};
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    heed_error error = {0};
    heed_status status = HEED_OK;
    int lines = 0;
    while (status == HEED_OK && lines < 1000) status = write_step(log, ++lines, 1, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, old);
    assert_int_equal(status, HEED_E_IO);
    assert_non_null(strstr(error.message, "d.jsonl: cannot write"));
    assert_ok(write_step(log, 7, 1, &error));
    heed_log_close(log);
    heed_log_series series;
    assert_ok(heed_log_read(&series, path, "loss", &error));
    assert_int_equal(series.count,
                     lines + 1); /* the line that failed was kept and came with the next */
    heed_log_series_free(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_json_and_round_trip),
                                       cmocka_unit_test(resuming_drops_later_steps),
                                       cmocka_unit_test(a_cut_log_is_whole_again),
                                       cmocka_unit_test(full_disk_keeps_whole_lines)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
