#include "base/file.h"

#include "support/work.h"
#include <fcntl.h>
#include <sys/stat.h>

static void expect_content(const char *path, const char *expected)
{
    heed_buffer text = {0};
    assert_ok(heed_file_read(path, 1 << 20, &text, &error));
    assert_int_equal(text.length, strlen(expected));
    assert_string_equal(text.data, expected);
    heed_buffer_free(&text);
}

static void files_are_read_whole(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    assert_ok(heed_file_read_whole(scratch_file(&work, "whole", "a\0b", 3), &bytes, &size, &error));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "a\0b", 4); /* a NUL follows */
    free(bytes);
    assert_ok(heed_file_read_whole(scratch_file(&work, "none", "", 0), &bytes, &size, &error));
    assert_true(size == 0 && bytes[0] == 0);
    free(bytes);
    assert_ok(heed_file_read_whole("/dev/null", &bytes, &size, &error));
    assert_true(size == 0 && bytes[0] == 0);
    free(bytes);
    assert_fails(HEED_E_IO, "check the path",
                 heed_file_read_whole(scratch_path(&work, "absent"), &bytes, &size, &error));
    assert_fails(HEED_E_IO, "expected a regular file, found a folder",
                 heed_file_read_whole(work.folder, &bytes, &size, &error));
    assert_null(bytes);
    heed_file_reader reader;
    assert_int_equal(mkfifo(scratch_path(&work, "pipe"), 0600), 0);
    assert_fails(HEED_E_IO, "expected a regular file",
                 heed_file_reader_open(&reader, work.path, &error)); /* it is not waited for */
}

static void a_file_is_read_by_position(void **state)
{
    (void)state;
    heed_file_reader reader;
    char bytes[8] = "";
    const char *path = scratch_file(&work, "shrinks", "0123456789", 10);
    assert_ok(heed_file_reader_open(&reader, path, &error));
    assert_int_equal(reader.size, 10);
    assert_ok(heed_file_reader_get(&reader, 7, bytes, 3, &error));
    assert_memory_equal(bytes, "789", 3);
    assert_ok(heed_file_reader_get(&reader, 10, bytes, 0, &error));
    assert_fails(HEED_E_IO, "shrinks: the file ends at byte 10, expected",
                 heed_file_reader_get(&reader, 7, bytes, 4, &error));
    assert_int_equal(truncate(path, 8), 0); /* by another program, while it is open */
    assert_fails(HEED_E_IO, "another program has cut it short",
                 heed_file_reader_get(&reader, 7, bytes, 3, &error));
    assert_fails(HEED_E_IO, "shrinks: the file ends at byte 8, expected 10",
                 heed_file_reader_get(&reader, 9, bytes, 1, &error));
    heed_file_reader_close(&reader);
    heed_file_reader_close(&reader);
    assert_fails(HEED_E_IO, "found a folder", heed_file_reader_open(&reader, work.folder, &error));
    heed_file_reader_close(&reader);
}

static void reading_is_limited(void **state)
{
    (void)state;
    heed_buffer text = {0};
    const char *path = scratch_file(&work, "ten", "0123456789", 10);
    assert_ok(heed_file_read(path, 10, &text, &error));
    assert_ok(heed_file_read(path, 10, &text, &error)); /* appends */
    assert_string_equal(text.data, "01234567890123456789");
    assert_fails(HEED_E_FORMAT, "10 bytes, expected at most 9",
                 heed_file_read(path, 9, &text, &error));
    heed_buffer_free(&text);
    assert_ok(heed_file_read(scratch_file(&work, "none", "", 0), 10, &text, &error));
    assert_string_equal(text.data, "");
    heed_buffer_free(&text);
    assert_fails(HEED_E_FORMAT, "more than 10 bytes",
                 heed_file_read("/proc/self/status", 10, &text,
                                /* its size is said to be 0 */
                                &error));
    heed_buffer_free(&text);
}

static void writing_replaces_the_whole_file(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path(&work, "written"));
    assert_ok(heed_file_write(path, "first", 5, &error));
    expect_content(path, "first");
    assert_ok(heed_file_write(path, "", 0, &error));
    expect_content(path, "");
    heed_file_writer writer;
    assert_ok(heed_file_writer_open(&writer, path, &error));
    assert_ok(heed_file_writer_put(&writer, "one ", 4, &error));
    assert_ok(heed_file_writer_put(&writer, "two", 3, &error));
    assert_int_equal(writer.written, 7);
    expect_content(path, "");
    assert_ok(heed_file_writer_finish(&writer, &error));
    heed_file_writer_close(&writer);
    heed_file_writer_close(&writer);
    expect_content(path, "one two");
    assert_ok(heed_file_writer_open(&writer, path, &error));
    assert_ok(heed_file_writer_put(&writer, "given up", 8, &error));
    heed_file_writer_close(&writer);
    expect_content(path, "one two");
    assert_fails(HEED_E_IO, "check the path", heed_file_write("/nonexistent/x", "", 0, &error));
    assert_ok(heed_directory_make(scratch_path(&work, "folder"), &error));
    assert_fails(HEED_E_IO, "this is a folder", heed_file_write(work.path, "x", 1, &error));
    assert_int_equal(chdir(work.folder), 0);
    assert_ok(heed_file_write("relative", "x", 1, &error)); /* no slash: the folder to sync is . */
    expect_content("relative", "x");
}

/* /dev/full says ENOSPC to every write. */
static void a_full_disk_is_said_so(void **state)
{
    (void)state;
    assert_fails(HEED_E_IO,
                 "/dev/full: cannot write: No space left on device; free some disk space",
                 heed_file_write("/dev/full", "new", 3, &error));
}

static void folders_are_made_and_removed(void **state)
{
    (void)state;
    char deep[600], base[512];
    snprintf(base, sizeof base, "%s", scratch_path(&work, "d"));
    snprintf(deep, sizeof deep, "%s/e//f/", base);
    assert_ok(heed_directory_make(deep, &error));
    assert_ok(heed_directory_make(deep, &error));
    assert_true(heed_path_is_directory(deep));
    scratch_file(&work, "d/e/x", "x", 1);
    scratch_file(&work, "outside", "kept", 4);
    assert_int_equal(symlink(work.folder, scratch_path(&work, "d/link")), 0);
    assert_fails(HEED_E_IO, "make the folder",
                 heed_directory_make(scratch_path(&work, "d/e/x/y"), &error));
    assert_ok(heed_directory_remove(base, &error));
    assert_false(heed_path_exists(base));
    expect_content(scratch_path(&work, "outside"), "kept"); /* links are removed, not followed */
    assert_ok(heed_directory_remove(base, &error));
    assert_int_equal(symlink(work.folder, base), 0);
    assert_fails(HEED_E_IO, "open the folder", heed_directory_remove(base, &error));
    expect_content(scratch_path(&work, "outside"), "kept"); /* not even the first one */
    assert_fails(HEED_E_IO, "open the folder",
                 heed_directory_remove(scratch_path(&work, "outside"), &error));
    assert_ok(heed_path_sync(work.folder, &error));
    assert_fails(HEED_E_IO, "cannot open", heed_path_sync("/nonexistent", &error));
    assert_false(heed_path_is_directory(scratch_path(&work, "outside")));
}

static void paths_are_joined(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}, {"a", "", "a/"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *joined = heed_path_join(cases[i][0], cases[i][1]);
        assert_string_equal(joined, cases[i][2]);
        free(joined);
    }
}

static void links_are_replaced(void **state)
{
    (void)state;
    char link[512], target[64] = {0};
    snprintf(link, sizeof link, "%s", scratch_path(&work, "link"));
    for (int i = 0; i < 3; i++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "target-%d", i);
        assert_ok(heed_link_replace(wanted, link, &error));
        assert_true(readlink(link, target, sizeof target - 1) > 0);
        assert_string_equal(target, wanted);
    }
    scratch_file(&work, "link.tmp", "a user's", 8);
    assert_ok(heed_link_replace("again", link, &error));
    expect_content(scratch_path(&work, "link.tmp"), "a user's");
    assert_fails(HEED_E_IO, "make the link", heed_link_replace("x", "/nonexistent/link", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_whole),   cmocka_unit_test(a_file_is_read_by_position),
        cmocka_unit_test(reading_is_limited),     cmocka_unit_test(writing_replaces_the_whole_file),
        cmocka_unit_test(a_full_disk_is_said_so), cmocka_unit_test(folders_are_made_and_removed),
        cmocka_unit_test(paths_are_joined),       cmocka_unit_test(links_are_replaced)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
