#include "base/error.h"

#include "support/test.h"

static void the_first_error_wins(void **state)
{
    (void)state;
    heed_error error = {0};
    assert_int_equal(heed_fail(&error, HEED_E_SHAPE, "first %d", 1), HEED_E_SHAPE);
    assert_int_equal(heed_fail(&error, HEED_E_IO, "second"), HEED_E_IO);
    assert_int_equal(error.status, HEED_E_SHAPE);
    assert_string_equal(error.message, "first 1");
    assert_int_equal(heed_fail(NULL, HEED_E_IO, "nobody listens"), HEED_E_IO);
    assert_int_equal(heed_fail_memory(NULL, 7, "x"), HEED_E_NOMEM);
}

static void messages_are_one_printable_line(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *shown;
    } cases[] = {
        {"a\x1b[31mb\n", "a?[31mb?"},
        {"caf\xC3\xA9 \xE2\x86\x92", "caf\xC3\xA9 \xE2\x86\x92"},
        {"\xFF\xC3", "??"},
        {"\x7F\xC2\x9B", "???"},
        {"\t\r", "??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_error error = {0};
        heed_fail(&error, HEED_E_FORMAT, "%s", cases[i].raw);
        assert_string_equal(error.message, cases[i].shown);
    }
    char raw[700] = {0};
    for (int i = 0; i < 300; i++) memcpy(raw + 2 * i, "\xC3\xA9", 2);
    heed_error error = {0};
    heed_fail(&error, HEED_E_FORMAT, "%s", raw); /* 511 bytes: the cut halves a character */
    assert_int_equal(strlen(error.message), 511);
    assert_string_equal(error.message + 508, "\xC3\xA9?");
}

static void prefixes_keep_status_and_fit(void **state)
{
    (void)state;
    heed_error error = {0};
    assert_int_equal(heed_error_prefix(&error, "nothing"), HEED_OK);
    assert_int_equal(heed_error_prefix(NULL, "nothing"), HEED_OK);
    assert_string_equal(error.message, "");
    heed_fail(&error, HEED_E_DTYPE, "tensor x");
    assert_int_equal(heed_error_prefix(&error, "file %s", "y"), HEED_E_DTYPE);
    assert_string_equal(error.message, "file y: tensor x");
    char longer[600];
    memset(longer, 'z', sizeof longer);
    longer[599] = 0;
    heed_error full = {0};
    heed_fail(&full, HEED_E_IO, "%s", longer);
    heed_error_prefix(&full, "%s", longer);
    assert_int_equal(strlen(full.message), 511);
    assert_memory_equal(full.message + 255, ": z", 3);
}

static void statuses_have_names(void **state)
{
    (void)state;
    for (int status = HEED_OK; status <= HEED_E_CANCELLED; status++) {
        assert_string_not_equal(heed_status_name((heed_status)status), "unknown status");
        for (int other = HEED_OK; other < status; other++)
            assert_string_not_equal(heed_status_name((heed_status)status),
                                    heed_status_name((heed_status)other));
    }
    assert_string_equal(heed_status_name((heed_status)99), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_wins), cmocka_unit_test(messages_are_one_printable_line),
        cmocka_unit_test(prefixes_keep_status_and_fit), cmocka_unit_test(statuses_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
