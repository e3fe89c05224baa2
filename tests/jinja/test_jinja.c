/* Chat templates: every case of the fixtures chat-templates (what apply_chat_template of
   transformers renders) and jinja (single features, and random templates, rendered by jinja2 as
   transformers sets it up), refusals, limits. Called with the name of a file, it runs the cases of
   that file instead; tools/oracle/jinja_cases.py writes such files. */
#include "base/json.h"
#include "base/utf8.h"
#include "support/test.h"
#include "jinja/jinja.h"

static const char *extra_file;

static void *slurp(const char *path, size_t *length)
{
    heed_buffer bytes = {0};
    assert_ok(heed_file_read(path, (size_t)256 << 20, &bytes, &error));
    *length = bytes.length;
    return bytes.data ? bytes.data : calloc(1, 1);
}

/* Renders as the case says; the text, and, in `spans`, code points where generated text begins and
   ends. */
static heed_status render(const char *source, size_t length, const json_t *variables,
                          heed_jinja_output *output, heed_error *error)
{
    heed_jinja *jinja = NULL;
    heed_status status = heed_jinja_new(&jinja, source, length, "template", error);
    if (status == HEED_OK) status = heed_jinja_render(jinja, variables, 0, NULL, output, error);
    heed_jinja_free(jinja);
    return status;
}

static bool spans_agree(const heed_jinja_output *output, const json_t *spans)
{
    if (!spans) return true;
    if (json_array_size(spans) != output->span_count) return false;
    for (size_t i = 0; i < output->span_count; i++) {
        const json_t *pair = json_array_get(spans, i);
        size_t begin = heed_utf8_count(output->text.data, output->spans[i].begin),
               end = heed_utf8_count(output->text.data, output->spans[i].end);
        if ((json_int_t)begin != json_integer_value(json_array_get(pair, 0)) ||
            (json_int_t)end != json_integer_value(json_array_get(pair, 1)))
            return false;
    }
    return true;
}

/* Number of cases that differ; each is printed. */
static size_t run_case(const char *source, size_t length, const json_t *variables,
                       const json_t *wanted, const json_t *spans, size_t line)
{
    heed_jinja_output output = {0};
    heed_error error = {0};
    heed_status status = render(source, length, variables, &output, &error);
    const bool refused = status != HEED_OK, is_text = json_is_string(wanted);
    const char *expected = is_text ? json_string_value(wanted) : "(error)", *found = error.message;
    if (!refused) found = output.text.data ? output.text.data : "";
    bool same = refused;
    if (is_text)
        same = !refused && output.text.length == json_string_length(wanted) &&
               memcmp(found, expected, output.text.length) == 0 && spans_agree(&output, spans);
    if (!same)
        print_message("line %zu: %.*s\n  wanted %s\n  found  %s\n", line,
                      (int)(length < 300 ? length : 300), source, expected, found);
    assert_true(!refused || (error.status == status && error.message[0]));
    heed_jinja_output_free(&output);
    return !same;
}

static size_t run_lines(const char *path,
                        void (*prepare)(json_t *line, char **source, size_t *length), size_t *cases)
{
    size_t length, differ = 0, number = 0;
    char *text = slurp(path, &length), *at = text;
    while (at < text + length) {
        char *end = memchr(at, '\n', (size_t)(text + length - at));
        if (!end) end = text + length;
        json_t *line = NULL;
        assert_ok(heed_json_parse(&line, at, (size_t)(end - at), path, &error));
        char *source;
        size_t source_length;
        prepare(line, &source, &source_length);
        const json_t *variables = json_object_get(line, "variables");
        differ += run_case(source, source_length, variables ? variables : line,
                           json_object_get(line, "rendered"), json_object_get(line, "spans"),
                           ++number);
        free(source);
        json_decref(line);
        at = end + 1;
    }
    free(text);
    *cases = number;
    return differ;
}

static void named_template(json_t *line, char **source, size_t *length)
{
    char path[512];
    snprintf(path, sizeof path, "%s/chat-templates/%s.jinja", HEED_FIXTURES,
             json_string_value(json_object_get(line, "template")));
    *source = slurp(path, length);
}

static void own_source(json_t *line, char **source, size_t *length)
{
    const json_t *text = json_object_get(line, "source");
    *length = json_string_length(text);
    *source = malloc(*length + 1);
    assert_non_null(*source);
    memcpy(*source, json_string_value(text), *length + 1);
}

static void conversations_render_as_in_transformers(void **state)
{
    char path[512];
    size_t cases;
    (void)state;
    snprintf(path, sizeof path, "%s/chat-templates/cases.jsonl", HEED_FIXTURES);
    assert_int_equal(run_lines(path, named_template, &cases), 0);
    assert_int_equal(cases, 84);
}

static void features_render_as_in_jinja2(void **state)
{
    char path[512];
    size_t cases;
    (void)state;
    snprintf(path, sizeof path, "%s/jinja/cases.jsonl", HEED_FIXTURES);
    assert_int_equal(run_lines(extra_file ? extra_file : path, own_source, &cases), 0);
    assert_true(cases > 0);
    if (extra_file) print_message("%zu cases\n", cases);
}

/* What a template answers to an object of variables, with limits. */
static heed_status answer(const char *source, const heed_jinja_limits *limits, heed_error *error)
{
    heed_jinja *jinja = NULL;
    heed_jinja_output output = {0};
    json_t *variables = json_object();
    heed_status status = heed_jinja_new(&jinja, source, strlen(source), "t", error);
    if (status == HEED_OK) status = heed_jinja_render(jinja, variables, 0, limits, &output, error);
    json_decref(variables);
    heed_jinja_output_free(&output);
    heed_jinja_free(jinja);
    return status;
}

static void messages_name_line_and_remedy(void **state)
{
    (void)state;
    assert_fails(HEED_E_FORMAT, "t: line 3: found \"endfor\"",
                 answer("a\n\n{% endfor %}", NULL, &error));
    assert_fails(HEED_E_FORMAT, "the template ends where one of these tags was expected: endfor",
                 answer("{% for x in y %}", NULL, &error));
    assert_fails(HEED_E_FORMAT, "\"}}\" was expected", answer("{{ x ", NULL, &error));
    assert_fails(HEED_E_FORMAT, "line 2: cannot take an attribute of \"x\", which is undefined",
                 answer("\n{{ x.y }}", NULL, &error));
    assert_fails(HEED_E_FORMAT, "int + string has no meaning",
                 answer("{{ 1 + 'a' }}", NULL, &error));
    assert_fails(HEED_E_ARG, "the template refuses the conversation: only users",
                 answer("{{ raise_exception('only users') }}", NULL, &error));
    assert_fails(HEED_E_UNSUPPORTED, "the tag \"include\" of Jinja is not supported",
                 answer("{% include 'x' %}", NULL, &error));
    assert_fails(HEED_E_UNSUPPORTED, "there is no filter \"xmlattr\"",
                 answer("{{ x | xmlattr }}", NULL, &error));
    assert_fails(HEED_E_FORMAT, "templates may not use \"append\"",
                 answer("{% set l = [] %}{{ l.append(1) }}", NULL, &error));
    assert_fails(HEED_E_FORMAT, "templates may not use \"__class__\"",
                 answer("{{ ''.__class__ }}", NULL, &error));
}

static void limits_hold(void **state)
{
    heed_jinja_limits limits = {
        .steps = 100000, .output = 100000, .memory = 16 << 20, .depth = 200};
    static char deep[100000];
    (void)state;
    assert_fails(
        HEED_E_FORMAT, "takes more than 100000 steps",
        answer("{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
               &limits, &error));
    assert_fails(HEED_E_FORMAT, "bytes of text",
                 answer("{% for a in range(1000) %}{{ 'x' * 1000 }}{% endfor %}", &limits, &error));
    limits.memory = 1 << 20;
    assert_fails(HEED_E_FORMAT, "values take more than",
                 answer("{% set n = namespace(x='ab') %}{% for a in range(100) %}{% set n.x = n.x "
                        "+ n.x %}{% endfor %}",
                        &limits, &error));
    assert_fails(HEED_E_FORMAT, "nested more than 200 levels deep",
                 answer("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", &limits, &error));
    assert_fails(HEED_E_FORMAT, "nested more than 200 levels deep",
                 answer("{% set n = namespace(x=[]) %}{% for a in range(500) %}{% set n.x = [n.x] "
                        "%}{% endfor %}{{ n.x }}",
                        &limits, &error));
    assert_fails(HEED_E_FORMAT, "nested more than 200 levels deep",
                 answer("{% set n = namespace() %}{% set n.n = n %}{{ n }}", &limits, &error));
    assert_fails(HEED_E_FORMAT, "a range has more than",
                 answer("{{ range(1000000) | length }}", NULL, &error));
    assert_fails(HEED_E_FORMAT, "too long",
                 answer("{{ 'x' * 9000000000000000000 }}", NULL, &error));
    for (const char *part = "(["; *part; part++) {
        memcpy(deep, "{{ ", 3);
        memset(deep + 3, *part, sizeof deep - 4);
        assert_fails(HEED_E_FORMAT, "nested more than 200 levels deep", answer(deep, NULL, &error));
    }
    for (size_t i = 0; i + 14 < sizeof deep; i += 12) memcpy(deep + i, "{% if x %}  ", 13);
    assert_fails(HEED_E_FORMAT, "nested more than 200 levels deep", answer(deep, NULL, &error));
    memcpy(deep, "{{ x", 4);
    for (size_t i = 4; i + 2 < sizeof deep; i += 2) memcpy(deep + i, ".y", 3);
    assert_fails(HEED_E_FORMAT, "nested more than 200 levels deep", answer(deep, NULL, &error));
}

static void the_time_is_told(void **state)
{
    static const char source[] = "{{ strftime_now('%Y-%m-%d') }}";
    heed_jinja *jinja;
    heed_jinja_output output = {0};
    json_t *variables = json_object();
    (void)state;
    assert_ok(heed_jinja_new(&jinja, source, sizeof source - 1, "t", &error));
    assert_ok(heed_jinja_render(jinja, variables, 1700000000, NULL, &output, &error));
    assert_memory_equal(output.text.data, "2023-11-1", 9); /* the 14th or 15th, by the zone */
    heed_jinja_output_free(&output);
    heed_jinja_free(jinja);
    json_decref(variables);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(features_render_as_in_jinja2),
                                       cmocka_unit_test(conversations_render_as_in_transformers),
                                       cmocka_unit_test(messages_name_line_and_remedy),
                                       cmocka_unit_test(limits_hold),
                                       cmocka_unit_test(the_time_is_told)};
    const struct CMUnitTest only_file[] = {cmocka_unit_test(features_render_as_in_jinja2)};
    if (count > 1) extra_file = arguments[1];
    return extra_file ? cmocka_run_group_tests(only_file, NULL, NULL)
                      : cmocka_run_group_tests(tests, NULL, NULL);
}
