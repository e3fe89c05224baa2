/* Multiple choice: log-likelihoods of fixture choices, which transformers computed as
   lm-evaluation-harness asks for them; verdicts; bad lines. */
#include "base/utf8.h"
#include "evaluate/choices.h"
#include "generate/support.h"
#include "base/lines.h"
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
    char path[512], *bytes = NULL;
    size_t size = 0;
    (void)state;
    assert_ok(heed_tokenizer_load(&tokenizer, f.oracle.folder, &error));
    snprintf(path, sizeof path, "%s/choices/llama.jsonl", HEED_FIXTURES);
    assert_ok(heed_file_read_whole(path, &bytes, &size, &error));
    heed_lines lines = {.rest = {bytes, size}};
    heed_text line;
    size_t count = 0;
    for (; heed_lines_next(&lines, &line); count++) {
        json_t *json = NULL;
        heed_question question;
        double sums[8];
        assert_ok(heed_json_parse(&json, line.bytes, line.length, path, &error));
        assert_ok(heed_question_read(&question, json, path, lines.number, &error));
        assert_true(question.count <= 8);
        assert_ok(heed_score_choices(session, tokenizer, &question, &(heed_choice_options){0}, sums,
                                     &error));
        assert_int_equal(heed_session_held(session), 0);
        for (size_t i = 0; i < question.count; i++) {
            double wanted = json_number_value(
                json_array_get(json_object_get(json, "log_likelihoods"), i));
            if (!(fabs(sums[i] - wanted) <= 1e-5 * fmax(1, fabs(wanted))))
                fail_msg("line %zu, choice %zu: %.9g, expected %.9g", lines.number, i, sums[i],
                         wanted);
        }
        json_decref(json);
    }
    assert_true(count > 30);
    free(bytes);
    heed_tokenizer_free(tokenizer);
    heed_session_free(session);
    fixture_close(&f);
}

static void the_best_choice_depends_on_the_measure(void **state)
{
    heed_question question;
    json_t *json = line_of(
        "{\"context\": \"c\", \"choices\": [\"ab\", \"\xC3\xBC\xC3\xBC\xC3\xBC\", \"abcdefgh\"], "
        "\"answer\": \"abcdefgh\"}");
    (void)state;
    assert_ok(heed_question_read(&question, json, "f", 1, &error));
    assert_int_equal(question.answer, 2);
    /* by characters 1.5 1.4 1.4375, by bytes 1.5 .7 1.4375 */
    heed_verdict verdict = heed_question_judge(&question, (const double[]){-3, -4.2, -11.5});
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
    static const char *const broken[] = {
        "{\"choices\": [\"a\", \"b\"], \"answer\": 0}",
        "{\"context\": \"c\", \"choices\": [\"a\"], \"answer\": 0}",
        "{\"context\": \"c\", \"choices\": [\"a\", 1], \"answer\": 0}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"\"], \"answer\": 0}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": 2}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": -1}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"b\"], \"answer\": \"z\"}",
        "{\"context\": \"c\", \"choices\": [\"a\", \"b\"]}",
        "[]"};
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        heed_question question;
        json_t *json = line_of(broken[i]);
        assert_fails(HEED_E_FORMAT, "f: line 7: expected",
                     heed_question_read(&question, json, "f", 7, &error));
        json_decref(json);
    }
}

/* ---- choices without tokens, choices that do not fit ---- */

/* A vocabulary that joins "a" and "b", drops blanks and puts <s> before and </s> after a text. */
static const char joining[] =
    "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"<s>\": 0, \"</s>\": 1, \"a\": 2, \"b\": 3,"
    " \"c\": 4, \"ab\": 5}, \"merges\": [[\"a\", \"b\"]]}, \"pre_tokenizer\": {\"type\":"
    " \"WhitespaceSplit\"}, \"added_tokens\": [{\"id\": 0, \"content\": \"<s>\", \"special\": "
    "true},"
    " {\"id\": 1, \"content\": \"</s>\", \"special\": true}], \"post_processor\": {\"type\":"
    " \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}},"
    " {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"</s>\","
    " \"type_id\": 0}}], \"pair\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\":"
    " {\"id\": \"B\", \"type_id\": 0}}], \"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\":"
    " [0], \"tokens\": [\"<s>\"]}, \"</s>\": {\"id\": \"</s>\", \"ids\": [1], \"tokens\":"
    " [\"</s>\"]}}}}";

typedef struct scorer {
    fixture f;
    heed_session *session;
    heed_tokenizer *tokenizer;
} scorer;

static scorer scorer_open(int64_t context)
{
    scorer s = {.f = fixture_open("llama", 1)};
    s.session = fixture_session(&s.f, &(heed_session_options){.sequences = 2, .context = context});
    assert_ok(heed_tokenizer_from_json(&s.tokenizer, joining, strlen(joining), "t", &error));
    return s;
}

static void scorer_close(scorer *s)
{
    heed_tokenizer_free(s->tokenizer);
    heed_session_free(s->session);
    fixture_close(&s->f);
}

static heed_status score_line(const scorer *s, const char *text, const heed_choice_options *options,
                              double *sums, heed_error *failure)
{
    heed_question question;
    json_t *json = line_of(text);
    assert_ok(heed_question_read(&question, json, "f", 7, &error));
    heed_status status = heed_score_choices(s->session, s->tokenizer, &question, options, sums,
                                            failure);
    assert_int_equal(heed_session_held(s->session), 0);
    json_decref(json);
    return status;
}

static void a_choice_without_tokens_is_an_error(void **state)
{
    static const char *const lines[] = {
        "{\"context\": \"a\", \"choices\": [\"c\", \"b\"], \"answer\": 0}",
        "{\"context\": \"a\", \"choices\": [\"c\", \"  \"], \"answer\": 0}",
        "{\"context\": \"\", \"choices\": [\"c\", \" \"], \"answer\": 0}",
        "{\"context\": \"  \", \"choices\": [\"c\", \"\\t\"], \"answer\": 0}"};
    double sums[2];
    scorer s = scorer_open(0);
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (int special = 0; special < 2; special++) {
            heed_choice_options options = {.delimiter = "", .special = special};
            assert_fails(HEED_E_ARG, "f: line 7: choice 1",
                         score_line(&s, lines[i], &options, sums, &error));
        }
    scorer_close(&s);
}

static void a_choice_longer_than_the_context_is_an_error(void **state)
{
    static const char fits[] = "{\"context\": \"a c a\", \"choices\": [\"c c c c\", \"c\"], "
                               "\"answer\": 0}",
                      exceeds[] = "{\"context\": \"a\", \"choices\": [\"c\", \"c c c c c\"], "
                                  "\"answer\": 0}";
    double sums[2], whole[2];
    heed_choice_notes notes = {0};
    heed_choice_options options = {.notes = &notes};
    scorer s = scorer_open(4), wide = scorer_open(0);
    (void)state;
    assert_ok(score_line(&s, fits, &options, sums, &error));
    assert_int_equal(notes.cut, 1);
    /* What is left of the first context is its last token. */
    assert_ok(score_line(&wide,
                         "{\"context\": \"a\", \"choices\": [\"c c c c\", \"c\"], \"answer\": 0}",
                         &options, whole, &error));
    assert_true(fabs(sums[0] - whole[0]) < 1e-4);
    assert_fails(HEED_E_ARG, "f: line 7: choice 1 has 5 tokens, but the model's context has 4",
                 score_line(&s, exceeds, &options, sums, &error));
    scorer_close(&s);
    scorer_close(&wide);
}

/* Special tokens at the end of a text are left out: they would stand between context and choice. An
   empty context is <s>, which a choice that begins with it does not repeat. */
static void contexts_begin_as_the_harness_begins_them(void **state)
{
    static const struct {
        const char *line;
        bool special;
    } same[] = {
        {"{\"context\": \"<s> a\", \"choices\": [\"c\", \"b\"], \"answer\": 0}", false},
        {"{\"context\": \"a\", \"choices\": [\"c\", \"b\"], \"answer\": 0}", true},
        {"{\"context\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": 0}", false},
        {"{\"context\": \"\", \"choices\": [\"<s> a\", \"b\"], \"answer\": 0}", false},
        {"{\"context\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": 0}", true},
        {"{\"context\": \"  \", \"choices\": [\"a\", \"b\"], \"answer\": 0}", true},
    };
    scorer s = scorer_open(0);
    double first[6];
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        double sums[2];
        heed_choice_options options = {.special = same[i].special};
        assert_ok(score_line(&s, same[i].line, &options, sums, &error));
        first[i] = sums[0];
    }
    assert_true(first[0] == first[1]);
    for (size_t i = 3; i < 6; i++) assert_true(first[i] == first[2]);
    scorer_close(&s);
}

static void joined_tokens_are_counted(void **state)
{
    double sums[2];
    heed_choice_notes notes = {0};
    heed_choice_options options = {.delimiter = "", .notes = &notes};
    scorer s = scorer_open(0);
    (void)state;
    assert_ok(score_line(&s, "{\"context\": \"a\", \"choices\": [\"b c\", \"c\"], \"answer\": 0}",
                         &options, sums, &error));
    assert_int_equal(notes.joined, 1);
    assert_int_equal(notes.cut, 0);
    scorer_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likelihoods_are_those_of_transformers),
        cmocka_unit_test(the_best_choice_depends_on_the_measure),
        cmocka_unit_test(broken_lines_are_named),
        cmocka_unit_test(a_choice_without_tokens_is_an_error),
        cmocka_unit_test(a_choice_longer_than_the_context_is_an_error),
        cmocka_unit_test(contexts_begin_as_the_harness_begins_them),
        cmocka_unit_test(joined_tokens_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
