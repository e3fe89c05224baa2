#include "base/utf8.h"

#include "support/test.h"

/* The substitution examples of the Unicode standard (15.0, tables 3-8 to 3-11) and what Python's
   decode("utf-8", "replace") gives. */
static void broken_text_is_replaced_by_maximal_parts(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        uint32_t points[16];
    } cases[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41",
         9,
         {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41}},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41",
         9,
         {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41}},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42",
         9,
         {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41, 0xFFFD, 0xFFFD, 0x42}},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 9, {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD, 0x41}},
        {"a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10, {'a', 0xE9, 0x20AC, 0x1F600}},
        {"\xF4\x8F\xBF\xBF\xEE\x80\x80\xED\x9F\xBF", 10, {0x10FFFF, 0xE000, 0xD7FF}},
        {"\xE2\x82", 2, {0xFFFD}},
        {"\xF5\x80", 2, {0xFFFD, 0xFFFD}},
        {"", 0, {0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count = 0;
        /* a block of the exact size shows reads past the end to a sanitizer */
        char *copy = malloc(cases[i].length + 1);
        char *text = copy + 1;
        memcpy(text, cases[i].bytes, cases[i].length);
        for (size_t at = 0; at < cases[i].length; count++) {
            uint32_t point;
            bool valid;
            at += heed_utf8_next(text + at, cases[i].length - at, &point, &valid);
            assert_int_equal(point, cases[i].points[count]);
            assert_int_equal(valid, point != 0xFFFD);
        }
        assert_int_equal(heed_utf8_count(text, cases[i].length), count);
        assert_true(count == 16 || cases[i].points[count] == 0);
        free(copy);
    }
}

static void the_first_broken_part_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t valid;
    } cases[] = {
        {"", 0},
        {"eight and more letters", 22},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 9},
        {"12345678\xFF", 8},
        {"1234567\xFF", 7},
        {"\x80", 0},
        {"ab\xED\xA0\x80", 2},
        {"12345678\xC3", 8},
        {"abc\xC0\xAF", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].text);
        assert_int_equal(heed_utf8_valid_bytes(cases[i].text, length), cases[i].valid);
        assert_int_equal(heed_utf8_valid(cases[i].text, length), cases[i].valid == length);
    }
}

static void every_code_point_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char bytes[4];
        uint32_t back;
        bool valid;
        size_t length = heed_utf8_put(point, bytes);
        assert_int_equal(heed_utf8_next(bytes, length, &back, &valid), length);
        bool surrogate = point >= 0xD800 && point < 0xE000;
        assert_int_equal(back, surrogate ? 0xFFFD : point);
        assert_true(valid);
        for (size_t cut = 1; cut < length; cut++)
            assert_int_equal(heed_utf8_incomplete(bytes, cut), cut);
        assert_int_equal(heed_utf8_incomplete(bytes, length), 0);
    }
    char bytes[4];
    assert_int_equal(heed_utf8_put(0x110000, bytes), 3);
    assert_memory_equal(bytes, "\xEF\xBF\xBD", 3);
}

static void only_what_can_still_become_a_character_is_held_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t held;
    } cases[] = {
        {"abc", 0},
        {"abc\xC3", 1},
        {"abc\xF0\x9F\x98", 3},
        {"\xE2\x82", 2},
        {"\xC3\xA9", 0},
        {"\x80\x80\x80", 0},
        {"\xED\xA0", 0},
        {"\xE0\x80", 0},
        {"\xF4\x90", 0},
        {"\xC0", 0},
        {"\xFF", 0},
        {"\xF5", 0},
        {"", 0},
        {"\xE2\x82\xAC\xE2", 1},
        {"\xF0\x80\x80", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(heed_utf8_incomplete(cases[i].text, strlen(cases[i].text)), cases[i].held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_text_is_replaced_by_maximal_parts),
        cmocka_unit_test(the_first_broken_part_is_found),
        cmocka_unit_test(every_code_point_survives_a_round_trip),
        cmocka_unit_test(only_what_can_still_become_a_character_is_held_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
