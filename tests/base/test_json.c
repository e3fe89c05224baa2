#include "base/json.h"

#include "support/test.h"
#include <float.h>
#include <locale.h>
#include <math.h>

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    assert_ok(heed_json_parse(&json, text, strlen(text), "text", &error));
    return json;
}

static heed_status parse_status(const char *text, size_t length, heed_error *error)
{
    json_t *json = NULL;
    /* its own block, without a NUL, so that a sanitizer sees a read past the end */
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    if (length) memcpy(copy, text, length);
    heed_status status = heed_json_parse(&json, copy, length, "text", error);
    assert_true((status == HEED_OK) == (json != NULL));
    json_decref(json);
    free(copy);
    return status;
}

static void values_are_read(void **state)
{
    (void)state;
    json_t *json = parse(" {\"a\" : [1, -2, 0, -0, 1.5, 1e3, 2E-2, 9223372036854775807, "
                         "-9223372036854775808, 1000000000000000019884624838656],\r\n"
                         "\t\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\": \"x\\u0000y\", "
                         "\"t\":true,\"f\":false,\"n\":null,\"e\":{},\"\":[]} ");
    const json_t *list = json_object_get(json, "a");
    assert_int_equal(json_array_size(list), 10);
    assert_true(json_is_integer(json_array_get(list, 3)) &&
                json_integer_value(json_array_get(list, 3)) == 0);
    assert_true(json_real_value(json_array_get(list, 4)) == 1.5 &&
                json_real_value(json_array_get(list, 5)) == 1000);
    assert_true(json_real_value(json_array_get(list, 6)) == 0.02);
    assert_true(json_integer_value(json_array_get(list, 7)) == INT64_MAX &&
                json_integer_value(json_array_get(list, 8)) == INT64_MIN);
    assert_true(json_is_real(json_array_get(list, 9)) &&
                json_real_value(json_array_get(list, 9)) == 1e30);
    const json_t *odd = json_object_get(json, "\xC3\xA9\xF0\x9F\x98\x80\"\\/\b\f\n\r\t");
    assert_int_equal(json_string_length(odd), 3);
    assert_memory_equal(json_string_value(odd), "x\0y", 3);
    assert_true(json_is_true(json_object_get(json, "t")) &&
                json_is_false(json_object_get(json, "f")));
    assert_true(json_is_null(json_object_get(json, "n")) &&
                json_is_object(json_object_get(json, "e")));
    json_decref(json);
}

static void what_is_no_json_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "column 1 (byte 0): the end, expected a JSON object or array"},
        {"7", "expected a JSON object or array"},
        {"\"x\"", "expected a JSON object or array"},
        {"{", "expected a key in quotes"},
        {"{\n \"a\" 1}", "line 2, column 6 (byte 7): '1', expected ':' after a key"},
        {"{\"a\":}", "'}', expected a value"},
        {"{\"a\":1,}", "expected a key in quotes"},
        {"{\"a\":1 \"b\":2}", "expected ',' or '}'"},
        {"{a:1}", "'a', expected a key in quotes"},
        {"[1,]", "']', expected a value"},
        {"[1 2]", "expected ',' or ']'"},
        {"[", "the end, expected a value"},
        {"[1", "the end, expected ',' or ']'"},
        {"[] []", "expected the end"},
        {"[nul]", "expected a value"},
        {"[nan]", "expected a value"},
        {"[Nan]", "expected a value"},
        {"[+Infinity]", "expected a value"},
        {"[-NaN]", "expected a value"},
        {"[+1]", "'+', expected a value"},
        {"[01]", "expected ',' or ']'"},
        {"[-]", "expected a value"},
        {"[1.]", "a digit after the decimal point"},
        {"[.5]", "expected a value"},
        {"[1e]", "a digit in the exponent"},
        {"[\"a]", "expected \" at the end of a string"},
        {"[\"a\nb\"]", "byte 0x0A, expected \" at the end of a string, control characters escaped"},
        {"[\"\\x\"]", "after a backslash"},
        {"[\"\\", "after a backslash"},
        {"[\"\\u12g4\"]", "four hexadecimal digits"},
        {"[\"\\u12", "four hexadecimal digits"},
        {"[\"\xC3\"]", "byte 0xC3, expected valid UTF-8"},
        {"[\"\xED\xA0\x80\"]", "expected valid UTF-8"},
        {"[\"\xC0\x80\"]", "expected valid UTF-8"},
        {"\xEF\xBB\xBF\xEF\xBB\xBF{}", "byte 0xEF, expected a JSON object or array"},
        {"\xFF\xFE{", "UTF-16, expected UTF-8"},
        {"\xFE\xFF", "UTF-16, expected UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(HEED_E_FORMAT, cases[i].part,
                     parse_status(cases[i].text, strlen(cases[i].text), &error));
    assert_fails(HEED_E_FORMAT, "byte 0x00", parse_status("[1\0]", 4, &error));
    assert_fails(HEED_E_FORMAT, "byte 0x00", parse_status("[\"\\\0\"]", 6, &error));
    assert_fails(HEED_E_FORMAT, "byte 0x00", parse_status("[\"\\u\0\0\0\0\"]", 10, &error));
}

/* What Python's json module reads beyond RFC 8259 is read; the value is neither a number nor
   anything else. */
static void what_python_reads_is_read(void **state)
{
    (void)state;
    json_t *json = parse("\xEF\xBB\xBF{\"a\":1,\"n\":[NaN,Infinity,-Infinity,1e400,-1e400],\"a\":{"
                         "\"b\":1,\"b\":2},\"c\":7}");
    static const char *const spelled[] = {"NaN", "Infinity", "-Infinity", "1e400", "-1e400"};
    static const double read[] = {NAN, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < 5; i++) {
        const json_t *value = json_array_get(json_object_get(json, "n"), i);
        assert_string_equal(heed_json_foreign(value), spelled[i]);
        assert_string_equal(heed_json_type(value), spelled[i]);
        double number = heed_json_foreign_number(spelled[i]);
        assert_true(isnan(read[i]) ? isnan(number) : number == read[i]);
        assert_false(json_is_number(value) || json_is_string(value) || json_is_null(value));
    }
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "a"), "b")), 2);
    assert_string_equal(json_object_iter_key(json_object_iter(json)),
                        "a"); /* the place of the first */
    assert_null(heed_json_foreign(json));
    json_decref(json);
    json = parse("{\"x\":1e400,\"i\":-Infinity,\"s\":\"a\\ud83db\",\"\\udc00\":[\"\\ud800\\ud800\","
                 "\"\\ud83d\\ude00\"]}");
    double number = 1;
    int64_t integer = 1;
    assert_fails(HEED_E_FORMAT, "f: \"x\" is 1e400, expected a finite number",
                 heed_json_number(json, "x", &number, "f", &error));
    assert_fails(HEED_E_FORMAT, "f: \"i\" is -Infinity, expected an integer",
                 heed_json_integer(json, "i", &integer, "f", &error));
    assert_memory_equal(json_string_value(json_object_get(json, "s")),
                        "a\xED\xA0\xBD"
                        "b",
                        5);
    heed_buffer text = {0};
    heed_json_put(&text, json, JSON_COMPACT);
    assert_string_equal(text.data,
                        "{\"x\":null,\"i\":null,\"s\":\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                        "b\","
                        "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\":["
                        "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                        "\xEF\xBF\xBD\xEF\xBF\xBD\",\"\xF0\x9F\x98\x80\"]}");
    json_decref(json);
    json = parse("{\"a\\u0000b\":1,\"a\":2,\"a\\u0000b\":3}");
    assert_int_equal(json_object_size(json), 2);
    assert_int_equal(json_integer_value(json_object_get(json, "a")), 2);
    assert_int_equal(json_integer_value(json_object_getn(json, "a\0b", 3)), 3);
    json_decref(json);
    json = parse("{\"a\":[1,NaN,{\"b\":-1e400}],\"c\":\"x\"}");
    heed_buffer_clear(&text);
    heed_json_put_found(&text, json);
    assert_string_equal(text.data, "{\"a\":[1,NaN,{\"b\":-1e400}],\"c\":\"x\"}");
    heed_buffer_free(&text);
    json_decref(json);
}

/* Formats that have no room for it keep to RFC 8259. */
static void the_strict_reader_refuses_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\"a\":1,\"a\":2}", "(byte 7): a duplicate key"},
        {"{\"a\":{\"b\":1,\"b\":1}}", "duplicate"},
        {"{\"a\\u0000\":1}", "NUL"},
        {"[NaN]", "expected a value"},
        {"[-Infinity]", "expected a value"},
        {"[1e999]", "beyond the range of a double"},
        {"[-1e999]", "beyond the range of a double"},
        {"[\"\\ud800\"]", "half a surrogate pair"},
        {"[\"\\udc00\"]", "half a surrogate pair"},
        {"[\"\\ud800\\u0041\"]", "half a surrogate pair"},
        {"[\"\\ud800\\ud800\"]", "half a surrogate pair"},
        {"\xEF\xBB\xBF{}", "byte 0xEF, expected a JSON object or array"},
    };
    json_t *json = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(
            HEED_E_FORMAT, cases[i].part,
            heed_json_parse_strict(&json, cases[i].text, strlen(cases[i].text), "text", &error));
}

static void every_cut_of_a_document_is_an_error(void **state)
{
    (void)state;
    const char *text = "{\"a\":[1,-2.5e+3,\"x\\u00e9\\ud83d\\ude00\\n\",{\"b\":null}],"
                       "\"\xF0\x9F\x98\x80\":[true,false,[]]}";
    for (size_t cut = 0; cut < strlen(text); cut++)
        assert_fails(HEED_E_FORMAT, "expected", parse_status(text, cut, &error));
    assert_ok(parse_status(text, strlen(text), &error));
}

static void nesting_is_limited(void **state)
{
    (void)state;
    char text[2000] = {0};
    for (int depth = 255; depth <= 257; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        if (depth <= 256) assert_ok(parse_status(text, strlen(text), &error));
        else assert_fails(HEED_E_FORMAT, "256 levels", parse_status(text, strlen(text), &error));
    }
}

static void members_have_types(void **state)
{
    (void)state;
    json_t *json = parse(
        "{\"i\":7,\"r\":7.0,\"h\":7.5,\"big\":1e300,\"s\":\"x\",\"t\":true,\"n\":null,\"l\":[]}");
    int64_t integer = -1;
    double number = -1;
    bool flag = false;
    const char *text = "old";
    assert_ok(heed_json_integer(json, "i", &integer, "f", &error));
    assert_int_equal(integer, 7);
    integer = -1;
    assert_ok(heed_json_integer(json, "r", &integer, "f", &error));
    assert_int_equal(integer, 7);
    assert_ok(heed_json_integer(json, "n", &integer, "f", &error));
    assert_ok(heed_json_integer(json, "absent", &integer, "f", &error));
    assert_int_equal(integer, 7);
    assert_fails(HEED_E_FORMAT, "f: \"h\" is a number, expected an integer",
                 heed_json_integer(json, "h", &integer, "f", &error));
    assert_fails(HEED_E_FORMAT, "expected an integer",
                 heed_json_integer(json, "big", &integer, "f", &error));
    assert_fails(HEED_E_FORMAT, "\"s\" is a string, expected an integer",
                 heed_json_integer(json, "s", &integer, "f", &error));
    assert_ok(heed_json_number(json, "i", &number, "f", &error));
    assert_true(number == 7);
    assert_fails(HEED_E_FORMAT, "is an array, expected a number",
                 heed_json_number(json, "l", &number, "f", &error));
    assert_ok(heed_json_boolean(json, "t", &flag, "f", &error));
    assert_true(flag);
    assert_fails(HEED_E_FORMAT, "expected true or false",
                 heed_json_boolean(json, "i", &flag, "f", &error));
    assert_ok(heed_json_string(json, "n", &text, "f", &error));
    assert_string_equal(text, "old");
    assert_ok(heed_json_string(json, "s", &text, "f", &error));
    assert_string_equal(text, "x");
    assert_fails(HEED_E_FORMAT, "is a boolean, expected a string",
                 heed_json_string(json, "t", &text, "f", &error));
    json_decref(json);
}

static void numbers_and_strings_survive_a_round_trip(void **state)
{
    (void)state;
    static const double numbers[] = {0,
                                     -0.0,
                                     1,
                                     -1,
                                     0.1,
                                     1.0 / 3,
                                     1e22,
                                     1e23,
                                     123456789012345680,
                                     DBL_MAX,
                                     DBL_MIN,
                                     5e-324,
                                     -2.5e-7,
                                     4.0 / 3 * 1e-300};
    heed_buffer buffer = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        heed_buffer_clear(&buffer);
        heed_buffer_text(&buffer, "[");
        heed_json_put_number(&buffer, numbers[i]);
        heed_buffer_text(&buffer, "]");
        json_t *json = parse(buffer.data);
        assert_true(json_number_value(json_array_get(json, 0)) == numbers[i]);
        json_decref(json);
    }
    heed_buffer_clear(&buffer);
    heed_json_put_number(&buffer, 0.1);
    heed_json_put_number(&buffer, NAN);
    heed_json_put_number(&buffer, -INFINITY);
    assert_string_equal(buffer.data, "0.1nullnull");
    heed_buffer_clear(&buffer);
    const char text[] = "q\" b\\ \b\f\n\r\t\x01\x1F\x7F \xC3\xA9 \xF0\x9F\x98\x80 bad \xFF\xC3";
    heed_buffer_byte(&buffer, '[');
    heed_json_put_string(&buffer, text, sizeof text); /* with its NUL */
    heed_buffer_byte(&buffer, ']');
    json_t *json = parse(buffer.data);
    const char expected[] =
        "q\" b\\ \b\f\n\r\t\x01\x1F\x7F \xC3\xA9 \xF0\x9F\x98\x80 bad \xEF\xBF\xBD\xEF\xBF\xBD";
    assert_int_equal(json_string_length(json_array_get(json, 0)), sizeof expected);
    assert_memory_equal(json_string_value(json_array_get(json, 0)), expected, sizeof expected);
    json_decref(json);
    heed_buffer_free(&buffer);
}

/* Programs that call setlocale(LC_ALL, "") must read and write the same files. */
static void numbers_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    bool set = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !set; i++)
        set = setlocale(LC_NUMERIC, names[i]) != NULL;
    if (!set) skip();
    heed_buffer buffer = {0};
    json_t *json = parse("[-1.25e2]");
    heed_json_put_number(&buffer, 0.5);
    heed_json_put_number(&buffer, json_real_value(json_array_get(json, 0)));
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(buffer.data, "0.5-125");
    heed_buffer_free(&buffer);
    json_decref(json);
}

static void files_are_read_whole(void **state)
{
    (void)state;
    json_t *json = NULL;
    assert_ok(heed_json_read(&json, HEED_FIXTURES "/gpt2/config.json", &error));
    assert_string_equal(json_string_value(json_object_get(json, "model_type")), "gpt2");
    json_decref(json);
    assert_fails(HEED_E_IO, "check the path", heed_json_read(&json, "/nonexistent.json", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_read),
                                       cmocka_unit_test(what_is_no_json_is_named),
                                       cmocka_unit_test(what_python_reads_is_read),
                                       cmocka_unit_test(the_strict_reader_refuses_it),
                                       cmocka_unit_test(every_cut_of_a_document_is_an_error),
                                       cmocka_unit_test(nesting_is_limited),
                                       cmocka_unit_test(members_have_types),
                                       cmocka_unit_test(numbers_and_strings_survive_a_round_trip),
                                       cmocka_unit_test(numbers_do_not_depend_on_the_locale),
                                       cmocka_unit_test(files_are_read_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
