/* The list of a file's tensors: by place, by name, found or not. */
#include "io/stored.h"

#include "support/test.h"

static void tensors_are_sorted_and_found(void **state)
{
    (void)state;
    /* clang-format off */
    heed_stored_tensor tensors[] = {
        {.name = "c", .offset = 8, .bytes = 4},
        {.name = "b", .offset = 0, .bytes = 8},
        {.name = "z", .offset = 8},
        {.name = "a", .offset = 8},
        {.name = "ab", .offset = 12, .bytes = 1},
    };
    /* clang-format on */
    enum { COUNT = sizeof tensors / sizeof *tensors };
    static const char *const by_place[COUNT] = {"b", "a", "z", "c", "ab"}, *const names[COUNT] = {
                                                                               "a", "ab", "b", "c",
                                                                               "z"};
    heed_stored_tensor *by_name[COUNT];
    heed_stored_sort(tensors, COUNT);
    heed_stored_index(by_name, tensors, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(tensors[i].name, by_place[i]);
        assert_string_equal(by_name[i]->name, names[i]);
        assert_ptr_equal(heed_stored_find(by_name, COUNT, names[i]), by_name[i]);
    }
    assert_null(heed_stored_find(by_name, COUNT, "aa"));
    assert_null(heed_stored_find(by_name, COUNT, ""));
    heed_stored_sort(NULL, 0);
    heed_stored_index(NULL, NULL, 0);
    assert_null(heed_stored_find(NULL, 0, "a"));
}

/* A byte of a file whose bytes are all alike in no region. */
static unsigned char byte_at(size_t at)
{
    return (unsigned char)(at * 7 + (at >> 8) * 13 + (at >> 16) * 29);
}

static char *make_large(scratch *work, size_t size)
{
    char *path = heed_path_join(work->folder, "large");
    unsigned char *bytes = malloc(size);
    assert_true(path && bytes);
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at(i);
    FILE *file = fopen(path, "wb");
    assert_true(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    free(bytes);
    return path;
}

/* Parts forward, backward, larger than the window, of a small tensor between those of a large
   one. */
static void windows_show_every_part(void **state)
{
    (void)state;
    enum { FIRST = 1000, SIZE = HEED_STORED_WINDOW * 2 + 12345 };
    static const size_t parts[][2] = {
        {0, 1},
        {0, 4096},
        {HEED_STORED_WINDOW - 5, 10},
        {SIZE - 7, 7},
        {100, 50},
        {HEED_STORED_WINDOW + 3, 1 << 20},
        {5, HEED_STORED_WINDOW + 77},
        {0, SIZE},
        {SIZE, 0},
        {17, 1},
    };
    scratch work;
    heed_file_reader reader;
    scratch_make(&work);
    char *path = make_large(&work, FIRST + SIZE);
    assert_ok(heed_file_reader_open(&reader, path, &error));
    const heed_stored_tensor large = {
        .name = "large", .offset = FIRST, .bytes = SIZE, .reader = &reader};
    const heed_stored_tensor small = {.name = "small", .bytes = FIRST, .reader = &reader};
    heed_stored_window window = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const void *bytes = NULL;
        window.tensor = &large;
        assert_ok(heed_stored_window_get(&window, parts[i][0], parts[i][1], &bytes, &error));
        for (size_t k = 0; k < parts[i][1]; k += k + 1000 < parts[i][1] ? 997 : 1)
            if (((const unsigned char *)bytes)[k] != byte_at(FIRST + parts[i][0] + k))
                fail_msg("part %zu, byte %zu", i, k);
        window.tensor = &small;
        assert_ok(heed_stored_window_get(&window, 10, 20, &bytes, &error));
        assert_int_equal(*(const unsigned char *)bytes, byte_at(10));
    }
    heed_stored_window_free(&window);
    heed_file_reader_close(&reader);
    free(path);
    scratch_remove(&work);
}

/* Another program cuts the file short, or writes into it, while it is open. */
static void files_that_change_are_named(void **state)
{
    (void)state;
    scratch work;
    heed_file_reader reader;
    heed_stored_window window = {0};
    const void *bytes = NULL;
    scratch_make(&work);
    char *path = make_large(&work, 1000), rest[900];
    scratch_age(path);
    assert_ok(heed_file_reader_open(&reader, path, &error));
    const heed_stored_tensor tensor = {.name = "x", .offset = 100, .bytes = 900, .reader = &reader};
    window.tensor = &tensor;
    assert_ok(heed_file_reader_check(&reader, &error));
    assert_int_equal(truncate(path, 500), 0);
    assert_fails(HEED_E_IO, "/large: the file ends at byte 500, expected 1000 bytes",
                 heed_stored_window_get(&window, 0, 10, &bytes, &error));
    assert_fails(HEED_E_IO, "/large: the file ends",
                 heed_stored_read(&tensor, 0, rest, 900, &error));
    assert_fails(HEED_E_IO, "/large: another program has changed the file",
                 heed_file_reader_check(&reader, &error));
    assert_int_equal(truncate(path, 1000), 0); /* its size is as before, its bytes are not */
    assert_ok(heed_stored_window_get(&window, 0, 10, &bytes, &error));
    assert_fails(HEED_E_IO, "(1000 bytes at first, 1000 now)",
                 heed_file_reader_check(&reader, &error));
    heed_stored_window_free(&window);
    heed_file_reader_close(&reader);
    free(path);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tensors_are_sorted_and_found),
                                       cmocka_unit_test(windows_show_every_part),
                                       cmocka_unit_test(files_that_change_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
