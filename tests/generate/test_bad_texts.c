/* Forbidden texts against the decoder: a token is forbidden where, and only where, the text would
   hold one with it. */
#include "generate/bad_texts.h"

#include "support/test.h"
#include <ctype.h>
#include <math.h>

typedef struct {
    heed_tokenizer *tokenizer;
    size_t count;
    heed_bad_texts *bad;
    float *scores;
} subject;

static void open_subject(subject *s, const char *name, const char *const *words, size_t count)
{
    char path[512];
    snprintf(path, sizeof path, HEED_FIXTURES "/tokenizers/%s", name);
    assert_ok(heed_tokenizer_load(&s->tokenizer, path, &error));
    s->count = (size_t)heed_tokenizer_id_limit(s->tokenizer);
    assert_ok(heed_bad_texts_new(&s->bad, s->tokenizer, s->count, words, count, &error));
    s->scores = calloc(s->count, sizeof *s->scores);
    assert_non_null(s->scores);
}

static void close_subject(subject *s)
{
    free(s->scores);
    heed_bad_texts_free(s->bad);
    heed_tokenizer_free(s->tokenizer);
}

static void forbid(subject *s, const int32_t *ids, size_t count, size_t prompt)
{
    memset(s->scores, 0, s->count * sizeof *s->scores);
    heed_bad_texts_forbid(s->bad, ids, (int64_t)count, (int64_t)prompt, s->scores,
                          (int64_t)s->count);
}

/* Whether the decoded text of the ids holds a word, letters in either case. */
static bool holds(const heed_tokenizer *tokenizer, const int32_t *ids, size_t count,
                  const char *const *words, size_t word_count)
{
    heed_buffer text = {0};
    bool found = false;
    assert_ok(heed_tokenizer_decode(tokenizer, ids, count, true, &text, &error));
    heed_buffer_append(&text, "", 0);
    for (size_t i = 0; i < text.length; i++)
        text.data[i] = (char)tolower((unsigned char)text.data[i]);
    for (size_t i = 0; i < word_count; i++) found |= strstr(text.data, words[i]) != NULL;
    heed_buffer_free(&text);
    return found;
}

static const char *const beginnings[] = {"",    "The c", "the ca",  "a CA", "THE",  "to b", "is th",
                                         "New", "new y", "New Yor", "wor",  "no w", "Cat",  "x"};

/* Every token after every beginning. */
static void compare(const char *name, size_t *forbidden)
{
    static const char *const words[] = {"cat", "the", "new york", "word", "be"};
    enum { WORDS = sizeof words / sizeof *words };
    subject s = {0};
    heed_encoding encoding = {0};
    size_t wrong = 0;
    open_subject(&s, name, words, WORDS);
    for (size_t b = 0; b < sizeof beginnings / sizeof *beginnings; b++) {
        int32_t ids[64];
        assert_ok(heed_tokenizer_encode(s.tokenizer, beginnings[b], strlen(beginnings[b]), 0,
                                        &encoding, &error));
        assert_true(encoding.count < 63);
        for (size_t i = 0; i < encoding.count; i++) ids[i] = encoding.ids[i];
        if (holds(s.tokenizer, ids, encoding.count, words, WORDS)) continue;
        forbid(&s, ids, encoding.count, encoding.count);
        for (size_t id = 0; id < s.count; id++) {
            ids[encoding.count] = (int32_t)id;
            bool bad = holds(s.tokenizer, ids, encoding.count + 1, words, WORDS),
                 marked = s.scores[id] < 0;
            if (bad != marked && wrong++ < 5)
                print_error("%s: after \"%s\" token %zu (%s) is %s\n", name, beginnings[b], id,
                            heed_tokenizer_token(s.tokenizer, (int32_t)id, NULL),
                            marked ? "forbidden" : "allowed");
            *forbidden += marked;
        }
    }
    assert_int_equal(wrong, 0);
    heed_encoding_free(&encoding);
    close_subject(&s);
}

static void a_token_is_forbidden_where_it_completes_a_text(void **state)
{
    (void)state;
    static const char *const names[] = {"bytebpe-smollm",    "bytebpe-gpt2",    "bytebpe-llama3",
                                        "spbpe-llama2",      "spbpe-gemma",     "spbpe-mistral3",
                                        "wordpiece-uncased", "wordpiece-cased", "bpe-clip"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t forbidden = 0;
        compare(names[i], &forbidden);
        assert_true(forbidden > 0);
    }
}

/* Letters beyond A to Z, whole or in bytes, have the cases of their words. */
static void other_letters_have_cases_too(void **state)
{
    (void)state;
    static const char *const words[] = {"\xC3\xA9t\xC3\xA9"}; /* été */
    static const struct {
        const char *text;
        bool bad;
    } cases[] = {
        {"\xC3\xA9t\xC3\xA9", true},   {"\xC3\x89T\xC3\x89", true},  {"\xC3\x89t\xC3\xA9", true},
        {"l'\xC3\xA9t\xC3\xA9", true}, {"\xC3\xA9t\xC3\xA8", false}, {"ete", false},
    };
    subject s = {0};
    heed_encoding encoding = {0};
    open_subject(&s, "bytebpe-smollm", words, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool bad = false;
        assert_ok(heed_tokenizer_encode(s.tokenizer, cases[i].text, strlen(cases[i].text), 0,
                                        &encoding, &error));
        for (size_t k = 0; k < encoding.count; k++) {
            forbid(&s, encoding.ids, k, 0);
            bad |= s.scores[encoding.ids[k]] < 0;
        }
        assert_int_equal(bad, cases[i].bad);
    }
    heed_encoding_free(&encoding);
    close_subject(&s);
}

/* Special tokens are no text: among what is written they part no word, in the prompt they do. */
static void special_tokens_part_the_prompt_alone(void **state)
{
    (void)state;
    static const char *const words[] = {"ab"};
    subject s = {0};
    open_subject(&s, "bytebpe-smollm", words, 1);
    int32_t a = heed_tokenizer_id(s.tokenizer, "a", 1), b = heed_tokenizer_id(s.tokenizer, "b", 1);
    int32_t end = heed_tokenizer_special(s.tokenizer, HEED_EOS);
    assert_true(a >= 0 && b >= 0 && end >= 0);
    const int32_t ids[] = {a, end};
    forbid(&s, ids, 1, 1);
    assert_true(s.scores[b] < 0 && s.scores[end] == 0);
    forbid(&s, ids, 2, 2);
    assert_true(s.scores[b] == 0);
    forbid(&s, ids, 2, 0);
    assert_true(s.scores[b] < 0);
    forbid(&s, ids, 2, 1);
    assert_true(s.scores[b] < 0);
    close_subject(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_forbidden_where_it_completes_a_text),
        cmocka_unit_test(other_letters_have_cases_too),
        cmocka_unit_test(special_tokens_part_the_prompt_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
