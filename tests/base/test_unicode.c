/* Every property of every code point against what the `tokenizers` library 0.23.3 answers: size and
   hash (FNV-1a over three bytes a code point) of the set, computed with the library by classifying
   all 1,112,064 code points. */
#include "base/unicode.h"

#include "support/test.h"

static uint64_t mix(uint64_t hash, uint32_t c)
{
    for (int shift = 0; shift < 24; shift += 8) hash = (hash ^ (c >> shift & 255)) * 0x100000001B3u;
    return hash;
}

typedef bool member(uint32_t c, unsigned class);

static bool has_class(uint32_t c, unsigned class)
{
    return (heed_char_class(c) & class) != 0;
}
static bool is_space(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_space(c);
}
static bool is_numeric(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_numeric(c);
}
static bool is_mark(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_mark(c);
}
static bool is_accent(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_accent(c);
}
static bool is_punctuation(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_punctuation(c);
}
static bool is_control(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_control(c);
}
static bool is_chinese(uint32_t c, unsigned class)
{
    (void)class;
    return heed_char_is_chinese(c);
}

static const struct {
    const char *name;
    member *test;
    unsigned class;
    size_t count;
    uint64_t hash;
} sets[] = {
    {"letters", has_class, HEED_CHAR_LETTER, 141028, 0xA663550A20CFACE3u},
    {"numbers", has_class, HEED_CHAR_NUMBER, 1911, 0x21C196FD942FB50Bu},
    {"marks", has_class, HEED_CHAR_MARK, 2501, 0x13D7D0AC7E8CFEE4u},
    {"capitals", has_class, HEED_CHAR_UPPER, 1889, 0xB242BBC3316135CBu},
    {"small letters", has_class, HEED_CHAR_LOWER, 2258, 0x0B14F1B3D3CFC337u},
    {"letters without case", has_class, HEED_CHAR_CASELESS, 136881, 0xDE56050684A12435u},
    {"blanks", has_class, HEED_CHAR_SPACE, 25, 0x93037DDF68B12EEFu},
    {"blanks", is_space, 0, 25, 0x93037DDF68B12EEFu},
    {"word characters", has_class, HEED_CHAR_WORD, 144667, 0x0A783C182510DB60u},
    {"digits", is_numeric, 0, 1924, 0x35EF3A26993A2B39u},
    {"StripAccents", is_mark, 0, 2097, 0x5668665CE241555Du},
    {"BERT's accents", is_accent, 0, 1567, 0x861852FF4AC0C573u},
    {"BERT's punctuation", is_punctuation, 0, 726, 0xB3A0AA4346D226CBu},
    {"BERT's control characters", is_control, 0, 137680, 0x835CA331468F7BAEu},
    {"BERT's ideographs", is_chinese, 0, 81264, 0xB5BCF4DF809ACA65u},
};

static void sets_agree_with_the_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        uint64_t hash = 0xCBF29CE484222325u;
        size_t count = 0;
        for (uint32_t c = 0; c < 0x110000; c++) {
            if ((c >= 0xD800 && c < 0xE000) || !sets[i].test(c, sets[i].class)) continue;
            hash = mix(hash, c);
            count++;
        }
        if (count != sets[i].count || hash != sets[i].hash)
            fail_msg("%s: %zu code points, expected %zu", sets[i].name, count, sets[i].count);
    }
}

static void lower_case_of_special_letters(void **state)
{
    (void)state;
    uint32_t lower[3];
    assert_int_equal(heed_char_lower(0x130, lower), 2);
    assert_true(lower[0] == 'i' && lower[1] == 0x307);
    assert_int_equal(heed_char_lower(0x1E9E, lower), 1);
    assert_int_equal(lower[0], 0xDF);
    assert_int_equal(heed_char_lower(0x16EA0, lower), 1);
    assert_int_equal(lower[0], 0x16EBB); /* Unicode 17 */
    assert_int_equal(heed_char_lower('z', lower), 1);
    assert_int_equal(lower[0], 'z');
}

static void decomposition_and_composition(void **state)
{
    (void)state;
    uint32_t parts[HEED_DECOMPOSITION_MAX];
    assert_int_equal(heed_char_decompose(0x1ED9, false, parts), 3);
    assert_true(parts[0] == 'o' && parts[1] == 0x323 && parts[2] == 0x302);
    assert_int_equal(heed_char_decompose(0xFDFA, true, parts), 18);
    assert_int_equal(heed_char_decompose(0xFDFA, false, parts), 1);
    assert_int_equal(heed_char_decompose(0xAC01, false, parts), 3);
    assert_int_equal(heed_char_compose('e', 0x301), 0xE9);
    assert_int_equal(heed_char_compose(0x1100, 0x1161), 0xAC00);
    assert_int_equal(heed_char_compose(0xAC00, 0x11A8), 0xAC01);
    assert_int_equal(heed_char_compose('e', 'e'), 0);
    assert_int_equal(heed_char_compose(0x915, 0x93C), 0); /* excluded from composition */
    assert_int_equal(heed_char_combining_class(0x323), 220);
    assert_int_equal(heed_char_combining_class(0x1ABF), 0); /* younger than the library's tables */
}

static void white_space_is_stripped_as_python_does(void **state)
{
    (void)state;
    static const char padded[] = "\x1C\t \u3000a \u00E9\u2003\xC2\x85";
    const char *text = padded;
    size_t length = sizeof padded - 1;
    heed_strip_right(text, &length);
    assert_int_equal(length, 6 + sizeof "a \u00E9" - 1);
    heed_strip_left(&text, &length);
    assert_int_equal(length, sizeof "a \u00E9" - 1);
    assert_memory_equal(text, "a \u00E9", length);
    text = " \n";
    length = 2;
    heed_strip_left(&text, &length);
    assert_int_equal(length, 0);
    length = 2;
    heed_strip_right(" \n", &length);
    assert_int_equal(length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sets_agree_with_the_library),
                                       cmocka_unit_test(white_space_is_stripped_as_python_does),
                                       cmocka_unit_test(lower_case_of_special_letters),
                                       cmocka_unit_test(decomposition_and_composition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
