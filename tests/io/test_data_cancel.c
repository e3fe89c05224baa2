/* Reading data files: whoever may cancel is asked every few hundred lines. */
#include "io/data.h"

#include "base/buffer.h"
#include "support/counter.h"
#include "support/work.h"

enum { LINES = 3000, LINES_UNASKED = 300 };

static char *write_lines(const char *name, const char *line)
{
    heed_buffer text = {0};
    for (int i = 0; i < LINES; i++) heed_buffer_printf(&text, line, i);
    char *path = strdup(scratch_file(&work, name, text.data, text.length));
    heed_buffer_free(&text);
    return path;
}

static void check(const char *const *paths, size_t count, bool pairs)
{
    counter c = {0};
    heed_data_files files = {
        .paths = paths, .count = count, .pairs = pairs, .cancel = counter_cancel(&c)};
    heed_data *data = NULL;
    assert_ok(heed_data_open_files(&data, &files, &error));
    heed_data_close(data);
    long all = c.asked;
    if (all < LINES / LINES_UNASKED)
        fail_msg("%s: asked %ld times in %d lines", paths[0], all, LINES);
    for (long at = 1; at <= all; at = counter_next(at, all)) {
        c = (counter){.yes_from = at};
        assert_fails(HEED_E_CANCELLED, "stopped while reading",
                     heed_data_open_files(&data, &files, &error));
        assert_null(data);
    }
}

static void every_format_of_lines_asks(void **state)
{
    (void)state;
    char *jsonl = write_lines("a.jsonl", "{\"text\": \"line %d\"}\n"),
         *tsv = write_lines("b.tsv", "one %d\ttwo\n");
    char *source = write_lines("c.en", "one %d\n"), *target = write_lines("c.de", "eins %d\n");
    check((const char *const[]){jsonl}, 1, false);
    check((const char *const[]){tsv}, 1, false);
    check((const char *const[]){source, target}, 2, true);
    free(jsonl);
    free(tsv);
    free(source);
    free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_format_of_lines_asks)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
