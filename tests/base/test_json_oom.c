/* Reading JSON with each allocation failing in turn: never a syntax error, never a value that lost
   something. */
#include "base/json.h"
#include "support/fail_alloc.h"
#include "support/test.h"

static heed_status parse(void *text, heed_error *error)
{
    json_t *json = NULL;
    heed_status status = heed_json_parse(&json, text, strlen(text), "text", error);
    if (status == HEED_OK) {
        const char *string = json_string_value(
            json_array_get(json_object_get(json, "a long key, longer than any small buffer"), 0));
        assert_string_equal(string,
                            "a long string with an escape \xF0\x9F\x98\x80 and more text after it");
    }
    json_decref(json);
    return status;
}

static heed_status read_config(void *path, heed_error *error)
{
    json_t *json = NULL;
    heed_status status = heed_json_read(&json, path, error);
    json_decref(json);
    return status;
}

static void parsing_survives_each_failure(void **state)
{
    (void)state;
    fail_alloc_each(parse, "{\"a long key, longer than any small buffer\":[\"a long string with an "
                           "escape \\ud83d\\ude00 and more text after it\","
                           "1,2.5,1e300,12345678901234567890123456789,{\"x\":[[],{}]},true,null]}");
    assert_true(fail_alloc_each(read_config, HEED_FIXTURES "/gpt2/config.json") > 50);
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(parsing_survives_each_failure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
