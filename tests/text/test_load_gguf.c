/* Vocabularies as GGUF files hold them: made from the fixtures' tokenizer.json they give the ids of
   the `tokenizers` library (kind gpt2) and of SentencePiece (kind llama); broken arrays are refused
   by name. */
#include "gguf_support.h"
#include "hostile_texts.h"

#include <math.h>

typedef struct {
    heed_tokenizer *tokenizer;
    const char *name, *ids;
    unsigned flags;
    long strings, mismatches;
} fixture;

/* Puts a token into the arrays at its id. */
static void put_token(json_t *arrays, size_t id, const char *token, size_t length, int type,
                      double score)
{
    json_t *tokens = json_object_get(arrays, "tokens"),
           *types = json_object_get(arrays, "token_type");
    json_t *scores = json_object_get(arrays, "scores");
    while (json_array_size(tokens) <= id) {
        char unused[32];
        snprintf(unused, sizeof unused, "[UNUSED%zu]", json_array_size(tokens));
        json_array_append_new(tokens, json_string(unused));
        json_array_append_new(types, json_integer(5));
        json_array_append_new(scores, json_real(-1e9));
    }
    json_array_set_new(tokens, id, json_stringn(token, length));
    json_array_set_new(types, id, json_integer(type));
    json_array_set_new(scores, id, json_real(score));
}

/* The arrays that a converter would write for the tokenizer.json of a folder. SentencePiece scores
   its pieces by id. */
static json_t *arrays_of(const char *folder)
{
    json_t *json = NULL,
           *arrays = json_pack("{s:[], s:[], s:[]}", "tokens", "token_type", "scores"), *id, *token,
           *merge;
    char *path = heed_path_join(folder, "tokenizer.json");
    const char *spelled;
    size_t i;
    assert_ok(heed_json_read(&json, path, &error));
    const json_t *model = json_object_get(json, "model");
    json_object_foreach(json_object_get(model, "vocab"), spelled, id)
    {
        bool byte = strlen(spelled) == 6 && !strncmp(spelled, "<0x", 3);
        put_token(arrays, (size_t)json_integer_value(id), spelled, strlen(spelled), byte ? 6 : 1,
                  -(double)json_integer_value(id));
    }
    json_array_foreach(json_object_get(json, "added_tokens"), i, token)
    {
        const json_t *content = json_object_get(token, "content");
        /* Gemma's model file calls them user-defined */
        bool turn = strstr(json_string_value(content), "_of_turn>");
        put_token(arrays, (size_t)json_integer_value(json_object_get(token, "id")),
                  json_string_value(content), json_string_length(content),
                  json_is_true(json_object_get(token, "special")) && !turn ? 3 : 4, 0);
    }
    json_t *merges = json_array();
    json_array_foreach(json_object_get(model, "merges"), i, merge) json_array_append_new(
        merges, json_is_string(merge)
                    ? json_incref(merge)
                    : json_sprintf("%s %s", json_string_value(json_array_get(merge, 0)),
                                   json_string_value(json_array_get(merge, 1))));
    json_object_set_new(arrays, "merges", merges);
    json_decref(json);
    free(path);
    return arrays;
}

static json_t *arrays_of_fixture(const char *name)
{
    char *folder = heed_path_join(HEED_FIXTURES "/tokenizers", name);
    json_t *arrays = arrays_of(folder);
    free(folder);
    return arrays;
}

/* Takes over `json`. */
static heed_status make(heed_tokenizer **tokenizer, json_t *json, heed_error *error)
{
    gguf_arrays arrays = gguf_from_json(json);
    heed_status status = heed_tokenizer_from_gguf(tokenizer, &arrays.vocabulary, "test.gguf",
                                                  error);
    gguf_arrays_free(&arrays);
    return status;
}

static void check_row(const json_t *row, void *context)
{
    fixture *f = context;
    heed_encoding encoding = {0};
    const json_t *text = json_object_get(row, "text"), *wanted = json_object_get(row, f->ids);
    f->strings++;
    assert_ok(heed_tokenizer_encode(f->tokenizer, json_string_value(text), json_string_length(text),
                                    f->flags, &encoding, &error));
    if (!same_ids(wanted, encoding.ids, encoding.count)) {
        print_message("%s: %s\n", f->name, json_string_value(text));
        f->mismatches++;
    }
    heed_encoding_free(&encoding);
}

/* `more`: members that no tokenizer.json holds; takes over the reference. */
static void check_fixture(const char *name, const char *model, const char *pre, const char *ids,
                          unsigned flags, json_t *more)
{
    fixture f = {.name = name, .ids = ids, .flags = flags};
    json_t *arrays = arrays_of_fixture(name);
    char path[512];
    json_object_set_new(arrays, "model", json_string(model));
    if (pre) json_object_set_new(arrays, "pre", json_string(pre));
    if (more) json_object_update(arrays, more);
    json_decref(more);
    assert_ok(make(&f.tokenizer, arrays, &error));
    snprintf(path, sizeof path, "%s/tokenizers/%s/cases.jsonl", HEED_FIXTURES, name);
    assert_true(each_line(path, check_row, &f) > 0);
    scratch work; /* written as tokenizer.json it is the same */
    scratch_make(&work);
    assert_ok(heed_tokenizer_save(f.tokenizer, work.folder, &error));
    heed_tokenizer_free(f.tokenizer);
    assert_ok(heed_tokenizer_load(&f.tokenizer, work.folder, &error));
    assert_true(each_line(path, check_row, &f) > 0);
    scratch_remove(&work);
    assert_int_equal(f.strings, 2 * 392);
    assert_int_equal(f.mismatches, 0);
    heed_tokenizer_free(f.tokenizer);
}

static void gpt2_vocabularies_agree_with_the_library(void **state)
{
    (void)state;
    static const char *const fixtures[][2] = {
        {"bytebpe-gpt2", "gpt-2"},       {"bytebpe-roberta", "roberta-bpe"},
        {"bytebpe-llama3", "llama-bpe"}, {"bytebpe-qwen2", "qwen2"},
        {"bytebpe-smollm", "smollm"},    {"bytebpe-gpt4o", "gpt-4o"},
        {"bytebpe-whisper", "gpt-2"}};
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_fixture(fixtures[i][0], "gpt2", fixtures[i][1], "ids_plain", 0,
                      strcmp(fixtures[i][1], "roberta-bpe")
                          ? NULL
                          : json_pack("{s:i}", "mask_token_id", 360));
}

static void llama_vocabularies_agree_with_sentencepiece(void **state)
{
    (void)state;
    check_fixture("spbpe-llama2", "llama", "default", "spm_ids", HEED_ENCODE_LITERAL, NULL);
    check_fixture("spbpe-mistral3", "llama", NULL, "spm_ids", HEED_ENCODE_LITERAL, NULL);
    check_fixture("spbpe-gemma", "llama", NULL, "spm_ids", HEED_ENCODE_LITERAL,
                  json_pack("{s:b}", "add_space_prefix", false));
}

/* Merging by scores is linear, up to a logarithm, on texts that are one word each; they come back
   but for the space before. */
static void hostile_texts_come_back(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    json_t *arrays = arrays_of_fixture("spbpe-llama2");
    json_object_set_new(arrays, "model", json_string("llama"));
    assert_ok(make(&tokenizer, arrays, &error));
    for (size_t i = 0; i < sizeof hostile_texts / sizeof *hostile_texts; i++) {
        heed_buffer text = {0}, decoded = {0};
        while (text.length < 64 << 10) heed_buffer_text(&text, hostile_texts[i].repeated);
        assert_ok(heed_tokenizer_encode(tokenizer, text.data, text.length, 0, &encoding, &error));
        assert_ok(heed_tokenizer_decode(tokenizer, encoding.ids, encoding.count, false, &decoded,
                                        &error));
        bool valid = (unsigned char)hostile_texts[i].repeated[0] != 0xFF &&
                     strcmp(hostile_texts[i].repeated, "\xE4\xB8");
        if (valid) assert_int_equal(decoded.length, text.length);
        if (valid) assert_memory_equal(decoded.data, text.data, text.length);
        heed_buffer_free(&text);
        heed_buffer_free(&decoded);
    }
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

/* A small vocabulary of kind llama: pieces a, b, ab, ba with their scores, control and byte
   tokens. */
static json_t *small(void)
{
    return json_pack(
        "{s:s, s:[s,s,s,s,s,s,s,s,s,s], s:[i,i,i,i,i,i,i,i,i,i], s:[f,f,f,f,f,f,f,f,f,f]}", "model",
        "llama", "tokens", "<unk>", "<s>", "</s>", "a", "b", "ab", "ba", "\u2581", "\u2581\u2581",
        "<0x21>", "token_type", 2, 3, 3, 1, 1, 1, 1, 1, 4, 6, "scores", 0.0, 0.0, 0.0, -9.0, -8.0,
        -2.0, -2.0, -5.0, 0.0, 0.0);
}

static void pieces_of_one_score_are_merged_from_the_left(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = NULL;
    json_t *json = small();
    json_object_set_new(json, "add_space_prefix", json_false());
    assert_ok(make(&tokenizer, json, &error));
    expect_ids(tokenizer, "aba", IDS(5, 3));
    expect_ids(tokenizer, "bab", IDS(6, 4));
    /* a byte that has a token; one character of bytes that have none */
    expect_ids(tokenizer, "!\xC3\xA9", IDS(9, 0));
    expect_ids(tokenizer, "a<s>b", IDS(3, 1, 4));
    expect_ids(tokenizer, "   a", IDS(8, 7, 3)); /* a user-defined piece is found first */
    expect_decoded(tokenizer, IDS(1, 3, 7, 4, 9), "<s>a b!");
    heed_tokenizer_free(tokenizer);
}

static void flags_say_which_tokens_are_added(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    json_t *json = small();
    json_object_set_new(json, "add_eos_token", json_true());
    json_object_set_new(json, "chat_template", json_string("{{ messages }}"));
    /* a BOS and a space prefix are the standard of the kind */
    assert_ok(make(&tokenizer, json, &error));
    assert_ok(heed_tokenizer_encode(tokenizer, "a", 1, HEED_ENCODE_SPECIAL, &encoding, &error));
    const int32_t wanted[] = {1, 7, 3, 2};
    assert_int_equal(encoding.count, 4);
    assert_memory_equal(encoding.ids, wanted, sizeof wanted);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_BOS), 1);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_UNK), 0);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

static void special_tokens_in_a_text_are_text_when_asked(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    json_t *json = json_pack("{s:s, s:s, s:[s,s,s,s,s,s], s:[i,i,i,i,i,i], s:[]}", "model", "gpt2",
                             "pre", "gpt-2", "tokens", "<", "s", ">", "<s>", "ss", "x",
                             "token_type", 1, 1, 1, 3, 4, 1, "merges");
    assert_ok(make(&tokenizer, json, &error));
    expect_ids(tokenizer, "<s>xss", IDS(3, 5, 4));
    assert_ok(
        heed_tokenizer_encode(tokenizer, "<s>xss", 6, HEED_ENCODE_LITERAL, &encoding, &error));
    const int32_t literal[] = {0, 1, 2, 5, 4};
    assert_int_equal(encoding.count, 5);
    assert_memory_equal(encoding.ids, literal, sizeof literal);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

/* Sets one member of the small vocabulary, of kind gpt2 when it has merges or a pre-tokenizer;
   expects the failure and its words. */
static void expect_refusal(const char *key, json_t *value, heed_status status, const char *words)
{
    heed_tokenizer *tokenizer = NULL;
    json_t *json = small();
    if (!strcmp(key, "merges") || !strcmp(key, "pre"))
        json_object_set_new(json, "model", json_string("gpt2"));
    if (!strcmp(key, "merges")) json_object_set_new(json, "pre", json_string("gpt-2"));
    if (value) json_object_set_new(json, key, value);
    else json_object_del(json, key);
    assert_fails(status, words, make(&tokenizer, json, &error));
    assert_null(tokenizer);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    expect_refusal("model", json_string("rwkv"), HEED_E_UNSUPPORTED,
                   "\"rwkv\", expected gpt2, llama or t5");
    expect_refusal("pre", json_string("superbpe"), HEED_E_UNSUPPORTED, "\"superbpe\"");
    expect_refusal("pre", json_string("superbpe"), HEED_E_UNSUPPORTED, "gpt-2, ");
    expect_refusal("scores", NULL, HEED_E_FORMAT, "without tokenizer.ggml.scores");
    expect_refusal("tokens", json_array(), HEED_E_FORMAT, "0 tokens");
    expect_refusal("bos_token_id", json_integer(10), HEED_E_FORMAT,
                   "bos_token is 10, expected one of 10 tokens");
    expect_refusal("merges", json_pack("[s]", "ab"), HEED_E_FORMAT, "merge 0");
    expect_refusal("merges", json_pack("[s]", "a c"), HEED_E_FORMAT, "\"c\"");
}

static void scores_and_texts_that_are_none_are_refused(void **state)
{
    (void)state;
    const heed_gguf_string tokens[] = {{"a", 1}, {"\xFF", 1}, {NULL, 0}};
    const float scores[] = {0, (float)NAN, 0};
    heed_gguf_vocabulary v = {
        .model = "llama",
        .tokens = tokens,
        .token_count = 1,
        .scores = scores,
        .special = {-1, -1, -1, -1, -1, -1, -1},
    };
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_from_gguf(&tokenizer, &v, "test", &error));
    heed_tokenizer_free(tokenizer);
    v.token_count = 2;
    assert_fails(HEED_E_FORMAT, "tokens[1]",
                 heed_tokenizer_from_gguf(&tokenizer, &v, "test", &error));
    const heed_gguf_string other[] = {{"a", 1}, {"b", 1}, {NULL, 0}};
    v.tokens = other;
    assert_fails(HEED_E_FORMAT, "scores[1] is not a number",
                 heed_tokenizer_from_gguf(&tokenizer, &v, "test", &error));
}

static void check_shared(const heed_tokenizer *tokenizer, const heed_gguf_string *tokens,
                         const int32_t *types, int32_t count)
{
    heed_encoding encoding = {0};
    for (int32_t id = 0; id < count; id++) {
        heed_buffer text = {0};
        size_t length = 99;
        const char *token = heed_tokenizer_token(tokenizer, id, &length);
        assert_true(token && length == tokens[id].length &&
                    !memcmp(token, tokens[id].bytes, length));
        assert_ok(heed_tokenizer_decode(tokenizer, &id, 1, false, &text, &error));
        assert_int_equal(text.length, tokens[id].length);
        assert_true(!length || !memcmp(text.data, tokens[id].bytes, length));
        assert_int_equal(heed_tokenizer_is_special(tokenizer, id),
                         types[id] == 2 || types[id] == 3);
        heed_buffer_free(&text);
    }
    assert_ok(heed_tokenizer_encode(tokenizer, "aabb", 4, HEED_ENCODE_LITERAL, &encoding, &error));
    assert_int_equal(encoding.count, 3);
    assert_true(encoding.ids[0] == 6 && encoding.ids[1] == 9 && encoding.ids[2] == 10);
    heed_encoding_free(&encoding);
}

/* Each id keeps its own string; encoding takes the greatest id of a string, as llama.cpp's table by
   string does. */
static void ids_of_one_string_keep_it(void **state)
{
    (void)state;
    const heed_gguf_string tokens[] = {
        {"<unk>", 5}, {"<s>", 3}, {"</s>", 4}, {"a", 1}, {"b", 1}, {"ab", 2}, {"a", 1},
        {"<x>", 3},   {"<x>", 3}, {"ab", 2},   {"b", 1}, {"", 0},  {"", 0},
    };
    enum { COUNT = sizeof tokens / sizeof *tokens };
    const float scores[COUNT] = {0, 0, 0, -3, -3, -1, -9, 0, 0, -2, -8, 0, 0};
    const int32_t types[COUNT] = {2, 3, 3, 1, 1, 1, 1, 3, 3, 1, 1, 5, 5};
    heed_gguf_vocabulary v = {
        .model = "llama",
        .tokens = tokens,
        .token_count = COUNT,
        .scores = scores,
        .types = types,
        .add_bos = 0,
        .add_space_prefix = 0,
        .special = {1, 7, -1, 0, -1, -1, -1},
    };
    heed_tokenizer *tokenizer = NULL;
    int32_t first = -1;
    assert_ok(heed_tokenizer_from_gguf(&tokenizer, &v, "test", &error));
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), COUNT);
    assert_int_equal(heed_tokenizer_id_limit(tokenizer), COUNT);
    assert_int_equal(heed_tokenizer_shared(tokenizer, &first), 5);
    assert_int_equal(first, 3);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_EOS), 7);
    check_shared(tokenizer, tokens, types, COUNT);
    scratch work; /* once more from a folder, whose tokenizer.json has no place for them */
    scratch_make(&work);
    assert_ok(heed_tokenizer_save(tokenizer, work.folder, &error));
    heed_tokenizer_free(tokenizer);
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    assert_int_equal(heed_tokenizer_shared(tokenizer, &first), 5);
    check_shared(tokenizer, tokens, types, COUNT);
    scratch_remove(&work);
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_vocabularies_agree_with_the_library),
        cmocka_unit_test(llama_vocabularies_agree_with_sentencepiece),
        cmocka_unit_test(ids_of_one_string_keep_it),
        cmocka_unit_test(hostile_texts_come_back),
        cmocka_unit_test(pieces_of_one_score_are_merged_from_the_left),
        cmocka_unit_test(flags_say_which_tokens_are_added),
        cmocka_unit_test(special_tokens_in_a_text_are_text_when_asked),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(scores_and_texts_that_are_none_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
