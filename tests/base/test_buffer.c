#include "base/buffer.h"

#include "support/test.h"

static void pieces_are_joined(void **state)
{
    (void)state;
    heed_buffer buffer = {0};
    char expected[20000] = "";
    size_t length = 0;
    for (int i = 0; i < 1000; i++) {
        length += (size_t)sprintf(expected + length, "%d,x%s;", i, "text");
        heed_buffer_printf(&buffer, "%d,", i);
        heed_buffer_byte(&buffer, 'x');
        heed_buffer_text(&buffer, "text");
        heed_buffer_append(&buffer, ";;", 1);
        assert_int_equal(buffer.data[buffer.length], 0);
    }
    assert_int_equal(buffer.length, length);
    assert_string_equal(buffer.data, expected);
    heed_buffer_clear(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_string_equal(buffer.data, "");
    heed_buffer_append(&buffer, "a\0b", 3);
    assert_memory_equal(buffer.data, "a\0b", 4);
    heed_buffer_free(&buffer);
    assert_null(buffer.data);
    heed_buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "");
    heed_buffer_free(&buffer);
    heed_buffer_clear(&buffer);
    heed_buffer_free(&buffer);
}

static void failure_is_sticky(void **state)
{
    (void)state;
    heed_buffer buffer = {0};
    heed_buffer_text(&buffer, "kept");
    heed_buffer_append(&buffer, "x", SIZE_MAX);
    assert_true(buffer.failed);
    heed_buffer_text(&buffer, "dropped");
    heed_buffer_printf(&buffer, "%s", "dropped");
    assert_string_equal(buffer.data, "kept");
    heed_buffer_free(&buffer);
    assert_false(buffer.failed);
    heed_buffer_append(&buffer, "x", SIZE_MAX - 4);
    assert_true(buffer.failed && !buffer.data);
    heed_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_are_joined),
                                       cmocka_unit_test(failure_is_sticky)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
