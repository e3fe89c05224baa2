/* The one reader of lines: ends of lines, byte order marks, blank lines, text that is none, files
   that are none. */
#include "base/lines.h"

#include "support/one_file.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static void put(const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Writes the lines into `text`, each in brackets. */
static heed_status read_all(const char *from, char *text, size_t size, heed_error *error)
{
    heed_line_file *file = NULL;
    heed_text line;
    size_t used = 0;
    text[0] = 0;
    heed_status status = heed_line_file_open(&file, from, error);
    for (bool found = true; status == HEED_OK && found;) {
        status = heed_line_file_next(file, &line, &found, error);
        if (status != HEED_OK || !found) break;
        assert_int_equal(line.bytes[line.length], 0);
        used += (size_t)snprintf(text + used, size - used, "[%.*s]", (int)line.length, line.bytes);
        assert_true(used < size);
    }
    heed_line_file_close(file);
    return status;
}

static void lines_end_in_either_way(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *lines;
    } cases[] = {
        {"", ""},
        {"a", "[a]"},
        {"a\n", "[a]"},
        {"a\r\n", "[a]"},
        {"a\r", "[a\r]"},
        {"a\r\r\n", "[a\r]"},
        {"\n", "[]"},
        {"\n\na\n\n", "[][][a][]"},
        {" a \r\n\t\r\nb", "[ a ][\t][b]"},
        {"\xEF\xBB\xBF", ""},
        {"\xEF\xBB\xBF"
         "a\nb",
         "[a][b]"},
        {"\xEF\xBB\xBF\r\nb", "[][b]"},
        {"a\n\xEF\xBB\xBF"
         "b",
         "[a][\xEF\xBB\xBF"
         "b]"},
        {"\xC3\xA9\n\xF0\x9F\x98\x80", "[\xC3\xA9][\xF0\x9F\x98\x80]"},
    };
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(cases[i].bytes, strlen(cases[i].bytes));
        assert_ok(read_all(path, text, sizeof text, &error));
        assert_string_equal(text, cases[i].lines);
    }
}

static void what_is_no_text_is_named(void **state)
{
    (void)state;
    char text[256];
    put("ok\ncaf\xE9\n", 8);
    assert_fails(HEED_E_FORMAT, ", line 2: byte 6 of the file (0xe9) is not valid UTF-8",
                 read_all(path, text, sizeof text, &error));
    put("ok\nok\na\0b\n", 10);
    assert_fails(HEED_E_FORMAT, ", line 3: a NUL byte at column 2",
                 read_all(path, text, sizeof text, &error));
    put("a\0", 2);
    assert_fails(HEED_E_FORMAT, ", line 1: a NUL byte", read_all(path, text, sizeof text, &error));
    put("\xFF\xFE"
        "a\0\n\0",
        6);
    assert_fails(HEED_E_FORMAT, "UTF-16, expected UTF-8",
                 read_all(path, text, sizeof text, &error));
    put("cut \xC3", 5);
    assert_fails(HEED_E_FORMAT, "line 1: byte 4", read_all(path, text, sizeof text, &error));
}

static void what_is_no_file_is_named(void **state)
{
    (void)state;
    char text[16];
    assert_fails(HEED_E_IO, "/tmp: a folder, expected a file",
                 read_all("/tmp", text, sizeof text, &error));
    assert_fails(HEED_E_IO, "/nonexistent: cannot open",
                 read_all("/nonexistent", text, sizeof text, &error));
    assert_fails(HEED_E_IO, "cannot read", read_all("/proc/self/mem", text, sizeof text, &error));
    assert_ok(read_all("/dev/null", text, sizeof text, &error));
    assert_string_equal(text, "");
}

/* Longer than any buffer, with ends of lines on the borders between reads. */
static void long_lines_are_whole(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (size_t length = 65533; length <= 65539; length++) {
        heed_line_file *file = NULL;
        heed_text line;
        bool found = false;
        memset(bytes, 'x', SIZE);
        bytes[length] = '\r';
        bytes[length + 1] = '\n';
        put(bytes, SIZE);
        assert_ok(heed_line_file_open(&file, path, &error));
        assert_ok(heed_line_file_next(file, &line, &found, &error));
        assert_true(found && line.length == length && !memcmp(line.bytes, bytes, length));
        assert_ok(heed_line_file_next(file, &line, &found, &error));
        assert_true(found && line.length == SIZE - length - 2 && heed_line_file_number(file) == 2);
        assert_ok(heed_line_file_next(file, &line, &found, &error));
        assert_false(found);
        heed_line_file_close(file);
    }
    free(bytes);
}

/* A pipe hands out a line as soon as it is there. */
static void pipes_are_read_as_they_come(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDIN_FILENO);
    heed_line_file *file = NULL;
    heed_text line;
    bool found = false;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    assert_ok(heed_line_file_open(&file, "-", &error));
    assert_int_equal(write(ends[1], "one\ntw", 6), 6);
    assert_ok(heed_line_file_next(file, &line, &found, &error));
    assert_true(found && !strcmp(line.bytes, "one"));
    assert_int_equal(write(ends[1], "o\n", 2), 2);
    close(ends[1]);
    assert_ok(heed_line_file_next(file, &line, &found, &error));
    assert_true(found && !strcmp(line.bytes, "two"));
    assert_ok(heed_line_file_next(file, &line, &found, &error));
    assert_false(found);
    heed_line_file_close(file);
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(ends[0]);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_ends_the_wait(void **state)
{
    (void)state;
    int ends[2];
    char name[64];
    heed_line_file *file = NULL;
    heed_text line;
    bool found = false;
    struct sigaction action = {.sa_handler = on_alarm};
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    sigaction(SIGALRM, &action, NULL);
    assert_ok(heed_line_file_open(&file, name, &error));
    alarm(1);
    assert_fails(HEED_E_CANCELLED, "interrupted", heed_line_file_next(file, &line, &found, &error));
    assert_int_equal(write(ends[1], "a\n", 2), 2);
    assert_ok(heed_line_file_next(file, &line, &found, &error));
    assert_true(found && !strcmp(line.bytes, "a"));
    heed_line_file_close(file);
    close(ends[0]);
    close(ends[1]);
}

/* Another program cuts the file short, or writes into it, while it is read. */
static void files_that_change_are_named(void **state)
{
    (void)state;
    enum { LINES = 100000 };
    char *bytes = malloc(2 * LINES);
    assert_non_null(bytes);
    for (int i = 0; i < LINES; i++) {
        bytes[2 * i] = 'a';
        bytes[2 * i + 1] = '\n';
    }
    scratch work;
    scratch_make(&work);
    const char *path = scratch_file(&work, "long", bytes, 2 * LINES);
    for (int cut = 0; cut < 2; cut++) {
        heed_line_file *file = NULL;
        heed_text line;
        heed_error error = {0};
        heed_status status = HEED_OK;
        scratch_age(path);
        assert_ok(heed_line_file_open(&file, path, &error));
        for (bool found = true; found && status == HEED_OK;) {
            status = heed_line_file_next(file, &line, &found, &error);
            if (heed_line_file_number(file) != 1) continue;
            if (cut) assert_int_equal(truncate(path, LINES), 0);
            else scratch_file(&work, "long", bytes, 2 * LINES);
        }
        assert_int_equal(status, HEED_E_IO);
        assert_non_null(strstr(error.message, "/long: another program has changed the file"));
        heed_line_file_close(file);
    }
    scratch_remove(&work);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_in_either_way),     cmocka_unit_test(what_is_no_text_is_named),
        cmocka_unit_test(what_is_no_file_is_named),    cmocka_unit_test(long_lines_are_whole),
        cmocka_unit_test(pipes_are_read_as_they_come), cmocka_unit_test(a_signal_ends_the_wait),
        cmocka_unit_test(files_that_change_are_named)};
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
