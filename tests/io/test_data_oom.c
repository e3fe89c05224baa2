#include "io/data.h"
#include "support/fail_alloc.h"
#include "support/test.h"

static scratch work;

static heed_status open_folder(void *folder, heed_error *error)
{
    heed_data *data = NULL;
    heed_status status = heed_data_open(&data, (const char *const[]){folder}, 1, error);
    heed_data_close(data);
    return status;
}

static heed_status open_pairs(void *path, heed_error *error)
{
    heed_data *data = NULL;
    heed_status status = heed_data_open_pairs(&data, path, path, error);
    heed_data_close(data);
    return status;
}

static void opening_survives_each_failure(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"t/a.txt", "dos\r\nlines\r\n"},
        {"t/b.jsonl", "{\"text\":\"x\"}\n{\"text\":\"y\"}\n"},
        {"p/a.tsv", "a\tb\nc\td\n"},
        {"b/a.bin", "abcd"},
    };
    static const char *const folders[] = {"t", "p", "b"};
    char path[512];
    for (int i = 0; i < 3; i++)
        assert_ok(heed_directory_make(scratch_path(&work, folders[i]), &error));
    for (int i = 0; i < 4; i++) scratch_file(&work, files[i][0], files[i][1], strlen(files[i][1]));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s", scratch_path(&work, folders[i]));
        assert_true(fail_alloc_each(open_folder, path) > 5);
    }
    snprintf(path, sizeof path, "%s", scratch_path(&work, "p/a.tsv"));
    assert_true(fail_alloc_each(open_pairs, path) > 5);
}

int main(void)
{
    fail_alloc_cover_jansson();
    scratch_make(&work);
    const struct CMUnitTest tests[] = {cmocka_unit_test(opening_survives_each_failure)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&work);
    return failed;
}
