#include "text/vocabulary.h"

#include "tokenizer_support.h"

static void finds_what_was_added(void **state)
{
    (void)state;
    heed_vocabulary vocabulary = {0};
    char token[32];
    assert_int_equal(heed_vocabulary_find(&vocabulary, "a", 1), -1);
    for (int i = 0; i < 50000; i++) {
        int length = snprintf(token, sizeof token, "t%d", i * 7);
        assert_ok(heed_vocabulary_add(&vocabulary, token, (size_t)length, 200000 - 3 * i, "test",
                                      &error));
    }
    assert_ok(heed_vocabulary_add(&vocabulary, "a\0b", 3, 5, "test", &error));
    assert_ok(heed_vocabulary_add(&vocabulary, "", 0, 6, "test", &error));
    assert_ok(heed_vocabulary_seal(&vocabulary, "test", &error));
    for (int i = 0; i < 50000; i++) {
        int length = snprintf(token, sizeof token, "t%d", i * 7);
        int32_t id = heed_vocabulary_find(&vocabulary, token, (size_t)length);
        assert_int_equal(id, 200000 - 3 * i);
        const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(&vocabulary, id);
        assert_string_equal(heed_vocabulary_string(&vocabulary, entry), token);
        assert_null(heed_vocabulary_entry_of(&vocabulary, id + 1));
    }
    assert_int_equal(heed_vocabulary_find(&vocabulary, "a\0b", 3), 5);
    assert_int_equal(heed_vocabulary_find(&vocabulary, "a", 1), -1);
    assert_int_equal(heed_vocabulary_find(&vocabulary, "", 0), 6);
    assert_int_equal(heed_vocabulary_id_limit(&vocabulary), 200001);
    assert_int_equal(vocabulary.longest, 7);
    assert_null(heed_vocabulary_entry_of(&vocabulary, -1));
    heed_vocabulary_free(&vocabulary);
}

static void later_ids_count_and_ids_are_unique(void **state)
{
    (void)state;
    heed_vocabulary vocabulary = {0};
    assert_ok(heed_vocabulary_add(&vocabulary, "a", 1, 0, "test", &error));
    assert_ok(heed_vocabulary_add(&vocabulary, "a", 1, 9, "test", &error));
    assert_int_equal(vocabulary.count, 1);
    assert_int_equal(heed_vocabulary_find(&vocabulary, "a", 1), 9);
    assert_ok(heed_vocabulary_add(&vocabulary, "b", 1, 9, "test", &error));
    assert_fails(HEED_E_FORMAT, "\"a\" and \"b\" share id 9",
                 heed_vocabulary_seal(&vocabulary, "test", &error));
    assert_fails(HEED_E_FORMAT, "id -1",
                 heed_vocabulary_add(&vocabulary, "c", 1, -1, "test", &error));
    assert_fails(HEED_E_FORMAT, "id 2147483647",
                 heed_vocabulary_add(&vocabulary, "c", 1, INT32_MAX, "test", &error));
    heed_vocabulary_free(&vocabulary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_was_added),
                                       cmocka_unit_test(later_ids_count_and_ids_are_unique)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
