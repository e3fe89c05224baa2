/* The list of a file's tensors: by place, by name, found or not. */
#include "io/stored.h"

#include "support/test.h"

static void tensors_are_sorted_and_found(void **state)
{
    (void)state;
    heed_stored_tensor tensors[] = {{.name = "c", .offset = 8, .bytes = 4}, {.name = "b", .offset = 0, .bytes = 8}, {.name = "z", .offset = 8},
                                    {.name = "a", .offset = 8}, {.name = "ab", .offset = 12, .bytes = 1}};
    enum { COUNT = sizeof tensors / sizeof *tensors };
    static const char *const by_place[COUNT] = {"b", "a", "z", "c", "ab"}, *const names[COUNT] = {"a", "ab", "b", "c", "z"};
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
    heed_stored_sort(NULL, 0), heed_stored_index(NULL, NULL, 0);
    assert_null(heed_stored_find(NULL, 0, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tensors_are_sorted_and_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
