/* Multiple choice: log-likelihoods of fixture choices, which transformers computed as lm-evaluation-harness asks for them; verdicts; bad
   lines. */
#include "base/utf8.h"
#include "generate/choices.h"
#include "generate/support.h"
#include "io/lines.h"
#include <math.h>

static json_t *line_of(const char *text)
{
    json_t *json = NULL;
    assert_ok(heed_json_parse(&json, text, strlen(text), "line", &error));
    return json;
}

static void likelihoods_are_those_of_transformers(void **state)
{
    fixture f = fixture_open("llama", 2);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    heed_tokenizer *tokenizer;
    heed_file_map map;
    char path[512];
    (void)state;
    assert_ok(heed_tokenizer_load(&tokenizer, f.oracle.folder, &error));
    snprintf(path, sizeof path, "%s/choices/llama.jsonl", HEED_FIXTURES);
    assert_ok(heed_file_map_open(&map, path, &error));
    heed_lines lines = {.rest = {(const char *)map.data, map.size}};
    heed_text line;
    size_t count = 0;
    for (; heed_lines_next(&lines, &line); count++) {
        json_t *json = NULL;
        heed_question question;
        double sums[8];
        assert_ok(heed_json_parse(&json, line.bytes, line.length, path, &error));
        assert_ok(heed_question_read(&question, json, path, lines.number, &error));
        assert_true(question.count <= 8);
        assert_ok(heed_score_choices(session, tokenizer, &question, &(heed_choice_options){0}, sums, &error));
        assert_int_equal(heed_session_held(session), 0);
        for (size_t i = 0; i < question.count; i++) {
            double wanted = json_number_value(json_array_get(json_object_get(json, "log_likelihoods"), i));
            if (!(fabs(sums[i] - wanted) <= 1e-5 * fmax(1, fabs(wanted))))
                fail_msg("line %zu, choice %zu: %.9g, expected %.9g", lines.number, i, sums[i], wanted);
        }
        json_decref(json);
    }
    assert_true(count > 30);
    heed_file_map_close(&map);
    heed_tokenizer_free(tokenizer);
    heed_session_free(session);
    fixture_close(&f);
}

static void the_best_choice_depends_on_the_measure(void **state)
{
    heed_question question;
    json_t *json = line_of("{\"context\": \"c\", \"choices\": [\"ab\", \"\xC3\xBC\xC3\xBC\xC3\xBC\", \"abcdefgh\"], \"answer\": \"abcdefgh\"}");
    (void)state;
    assert_ok(heed_question_read(&question, json, "f", 1, &error));
    assert_int_equal(question.answer, 2);
    heed_verdict verdict = heed_question_judge(&question, (const double[]){-3, -4.2, -11.5}); /* by characters 1.5 1.4 1.4375, by bytes 1.5 .7 1.4375 */
    assert_int_equal(verdict.plain, 0);
    assert_int_equal(verdict.by_characters, 1);
    assert_int_equal(verdict.by_bytes, 1);
    verdict = heed_question_judge(&question, (const double[]){-5, -5, -8});
    assert_int_equal(verdict.plain, 0); /* the first of equals */
    assert_int_equal(verdict.by_characters, 2);
    assert_int_equal(verdict.by_bytes, 1);
    json_decref(json);
}

static void broken_lines_are_named(void **state)
{
    static const char *const broken[] = {"{\"choices\": [\"a\", \"b\"], \"answer\": 0}", "{\"context\": \"c\", \"choices\": [\"a\"], \"answer\": 0}",
        "{\"context\": \"c\", \"choices\": [\"a\", 1], \"answer\": 0}", "{\"context\": \"c\", \"choices\": [\"a\", \"\"], \"answer\": 0}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": 2}", "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": -1}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": \"z\"}", "{\"context\": \"c\", \"choices\": [\"a\", \"b\"]}", "[]"};
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        heed_question question;
        json_t *json = line_of(broken[i]);
        assert_fails(HEED_E_FORMAT, "f: line 7: expected", heed_question_read(&question, json, "f", 7, &error));
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(likelihoods_are_those_of_transformers), cmocka_unit_test(the_best_choice_depends_on_the_measure),
                                       cmocka_unit_test(broken_lines_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
