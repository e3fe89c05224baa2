/* Paths of which a part is not there yet. */
#include "base/path.h"
#include "support/work.h"

#include <unistd.h>

static void expect_real(const char *path, const char *expected)
{
    char *real = NULL;
    assert_ok(heed_path_resolve(&real, path, &error));
    assert_string_equal(real, expected);
    free(real);
}

static void test_resolve(void **state)
{
    (void)state;
    char folder[512], link[512], path[600], expected[600];
    char *real = realpath(work.folder, NULL);
    assert_non_null(real);
    snprintf(folder, sizeof folder, "%s/there", real);
    assert_ok(heed_directory_make(folder, &error));
    snprintf(link, sizeof link, "%s/link", real);
    assert_int_equal(symlink("there", link), 0);
    expect_real("/", "/");
    expect_real(link, folder);
    static const char *const ends[][2] = {
        {"", ""},
        {"/", ""},
        {"//", ""},
        {"/.", ""},
        {"/../there", ""},
        {"/new", "/new"},
        {"//new/er/", "/new/er"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(path, sizeof path, "%s%s", link, ends[i][0]);
        snprintf(expected, sizeof expected, "%s%s", folder, ends[i][1]);
        expect_real(path, expected);
    }
    assert_int_equal(chdir(folder), 0);
    snprintf(expected, sizeof expected, "%s/a/b", folder);
    expect_real("a/b", expected);
    expect_real(".", folder);
    assert_int_equal(chdir("/"), 0);
    free(real);
}

static void test_inside(void **state)
{
    (void)state;
    assert_true(heed_path_is_inside("/a/b", "/a/b"));
    assert_true(heed_path_is_inside("/a/b/c", "/a/b"));
    assert_true(heed_path_is_inside("/a/b/c", "/a/b/"));
    assert_true(heed_path_is_inside("/a", "/"));
    assert_false(heed_path_is_inside("/a/bc", "/a/b"));
    assert_false(heed_path_is_inside("/a", "/a/b"));
}

static void test_unmake(void **state)
{
    (void)state;
    char path[512], kept[512];
    size_t existed = 0;
    snprintf(kept, sizeof kept, "%s/x", work.folder);
    snprintf(path, sizeof path, "%s/x/y//z/", work.folder);
    char *part = heed_path_existing(path, &existed);
    assert_string_equal(part, work.folder);
    assert_int_equal(existed, strlen(work.folder));
    free(part);
    assert_ok(heed_directory_make(path, &error));
    heed_directory_unmake(path, existed);
    assert_false(heed_path_exists(kept));
    assert_true(heed_path_exists(work.folder));
    /* what is not empty stays, with all above it */
    snprintf(path, sizeof path, "%s/x/y", work.folder);
    assert_ok(heed_directory_make(path, &error));
    scratch_file(&work, "x/file", "1", 1);
    heed_directory_unmake(path, existed);
    assert_true(heed_path_exists(kept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_resolve),
                                       cmocka_unit_test(test_inside),
                                       cmocka_unit_test(test_unmake)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
