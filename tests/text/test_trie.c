#include "support/test.h"
#include "text/trie.h"

static bool is_even(const void *context, int32_t value)
{
    (void)context;
    return value % 2 == 0;
}

static int32_t match(const heed_trie *trie, const char *text, heed_trie_filter *takes, size_t *size)
{
    *size = 0;
    return heed_trie_match(trie, text, strlen(text), takes, NULL, size);
}

static void the_longest_string_is_found(void **state)
{
    (void)state;
    heed_trie trie = {0};
    size_t size;
    const char *const strings[] = {"a", "ab", "abcd", "b", "\xC3\xA9", ""};
    for (int32_t i = 0; i < 6; i++)
        assert_true(heed_trie_add(&trie, strings[i], strlen(strings[i]), i));
    assert_true(heed_trie_add(&trie, "ab", 2, 99)); /* the first of equals counts */
    assert_int_equal(match(&trie, "abcx", NULL, &size), 1);
    assert_int_equal(size, 2);
    assert_int_equal(match(&trie, "abcdx", NULL, &size), 2);
    assert_int_equal(size, 4);
    assert_int_equal(match(&trie, "ab", is_even, &size), 0);
    assert_int_equal(size, 1);
    assert_int_equal(match(&trie, "b", is_even, &size), -1);
    assert_int_equal(match(&trie, "\xC3", NULL, &size), -1);
    assert_int_equal(match(&trie, "", NULL, &size), -1);
    heed_trie_free(&trie);
}

/* Growing keeps what is there: every string of up to four letters out of five. */
static void many_strings_are_found(void **state)
{
    (void)state;
    heed_trie trie = {0};
    char text[5];
    size_t size;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < 5 * 5 * 5 * 5; i++) {
            for (int32_t j = 0, rest = i; j < 4; j++, rest /= 5) text[j] = (char)('a' + rest % 5);
            text[4] = 0;
            if (pass == 0) assert_true(heed_trie_add(&trie, text, 4, i));
            else assert_int_equal(match(&trie, text, NULL, &size), i);
        }
    heed_trie_free(&trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_longest_string_is_found),
                                       cmocka_unit_test(many_strings_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
