/* Whether a file can be written is known before, and the question leaves no trace. */
#include "base/output.h"

#include "support/work.h"
#include <dirent.h>
#include <sys/stat.h>

static int entries(const char *folder)
{
    int count = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    while (readdir(stream)) count++;
    closedir(stream);
    return count;
}

static char *in_work(const char *name)
{
    return strdup(scratch_path(&work, name));
}

static void what_can_be_written_is_fine(void **state)
{
    (void)state;
    char *file = strdup(scratch_file(&work, "file", "old", 3)), *absent = in_work("new"),
         *fifo = in_work("fifo");
    char *link = in_work("link"), *dangling = in_work("dangling");
    assert_int_equal(mkfifo(fifo, 0666), 0);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(symlink(absent, dangling), 0);
    int before = entries(work.folder);
    const char *const paths[] = {file, absent, fifo, link, dangling, "-", "/dev/null"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_ok(heed_path_check_output(paths[i], &error));
    assert_int_equal(entries(work.folder), before);
    heed_buffer content = {0};
    assert_ok(heed_file_read(file, 100, &content, &error));
    assert_int_equal(content.length, 3);
    heed_buffer_free(&content);
    free(file);
    free(absent);
    free(fifo);
    free(link);
    free(dangling);
}

static void what_cannot_is_told(void **state)
{
    (void)state;
    char *under_file = in_work("file/x"), *nowhere = in_work("none/x"), *folder = in_work("folder"),
         *slash = in_work("none/");
    assert_int_equal(mkdir(folder, 0777), 0);
    int before = entries(work.folder);
    const char *const paths[] = {under_file, nowhere, folder, slash, ""};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        heed_error error = {0};
        heed_status status = heed_path_check_output(paths[i], &error);
        if (status != HEED_E_IO && status != HEED_E_ARG)
            fail_msg("\"%s\": %s", paths[i], heed_status_name(status));
        assert_true(strlen(error.message) > 10);
    }
    assert_int_equal(entries(work.folder), before);
    free(under_file);
    free(nowhere);
    free(folder);
    free(slash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_can_be_written_is_fine),
                                       cmocka_unit_test(what_cannot_is_told)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
