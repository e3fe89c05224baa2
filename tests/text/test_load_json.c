#include "tokenizer_support.h"

/* A tokenizer.json around one model and some more sections. */
static heed_status load_with(const char *model, const char *more, heed_error *error)
{
    heed_buffer json = {0};
    heed_tokenizer *tokenizer = NULL;
    heed_buffer_printf(&json, "{\"model\": %s%s%s}", model, *more ? ", " : "", more);
    heed_status status = heed_tokenizer_from_json(&tokenizer, json.data, json.length, "t.json",
                                                  error);
    heed_tokenizer_free(tokenizer);
    heed_buffer_free(&json);
    return status;
}

#define BPE "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}"

/* What is wrong, in words that the message must hold. */
typedef struct {
    heed_status status;
    const char *message, *model, *more;
} broken;

static const broken models[] = {
    {HEED_E_FORMAT, "\"model\": expected an object", "[]", ""},
    {HEED_E_FORMAT, "\"type\" is an integer", "{\"type\": 3}", ""},
    {HEED_E_FORMAT, "\"vocab\": expected a list of", "{\"type\": \"Unigram\", \"vocab\": []}", ""},
    {HEED_E_FORMAT, "\"vocab\": expected a list of",
     "{\"type\": \"Unigram\", \"vocab\": {\"a\": 0}}", ""},
    {HEED_E_FORMAT, "element 1: expected [\"token\", score]",
     "{\"vocab\": [[\"a\", 0], [\"b\", \"-1\"]]}", ""},
    {HEED_E_FORMAT, "element 0: expected [\"token\", score]",
     "{\"type\": \"Unigram\", \"vocab\": [[\"a\", 0, 0]]}", ""},
    {HEED_E_FORMAT, "element 0: expected [\"token\", score]",
     "{\"type\": \"Unigram\", \"vocab\": [\"a\"]}", ""},
    {HEED_E_FORMAT, "\"unk_id\" is 1, expected 0 to 0 or null",
     "{\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"a\", 0]]}", ""},
    {HEED_E_FORMAT, "\"unk_id\" is -2",
     "{\"type\": \"Unigram\", \"unk_id\": -2, \"vocab\": [[\"a\", 0]]}", ""},
    {HEED_E_FORMAT, "\"byte_fallback\" is an integer",
     "{\"type\": \"Unigram\", \"byte_fallback\": 1, \"vocab\": [[\"a\", 0]]}", ""},
    {HEED_E_UNSUPPORTED, "model is of type \"Magic\"", "{\"type\": \"Magic\"}", ""},
    {HEED_E_FORMAT, "\"vocab\": expected an object of ids", "{\"type\": \"BPE\", \"merges\": []}",
     ""},
    {HEED_E_FORMAT, "\"vocab\": expected an object of ids",
     "{\"type\": \"WordPiece\", \"vocab\": [\"a\"]}", ""},
    {HEED_E_FORMAT, "id of \"a\" is not an integer",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": \"0\"}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "id of \"a\" is not an integer",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 1.5}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "\"a\" has id -1",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "\"a\" has id 4294967296",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 4294967296}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "share id 7",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 7, \"b\": 3, \"c\": 7}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "\"merges\": expected an array",
     "{\"type\": \"BPE\", \"vocab\": {}, \"merges\": {}}", ""},
    {HEED_E_FORMAT, "\"merges\": expected an array", "{\"type\": \"BPE\", \"vocab\": {}}", ""},
    {HEED_E_FORMAT, "merge 0: expected \"a b\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}", ""},
    {HEED_E_FORMAT, "merge 0: expected \"a b\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a a a\"]}", ""},
    {HEED_E_FORMAT, "merge 0: expected \"a b\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}", ""},
    {HEED_E_FORMAT, "merge 0: expected \"a b\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\", 1]]}", ""},
    {HEED_E_FORMAT, "merge 0: expected \"a b\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [null]}", ""},
    {HEED_E_FORMAT, "merge 0 needs the token \"b\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}", ""},
    {HEED_E_FORMAT, "merge 0 needs the token \"aa\"",
     "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a a\"]}", ""},
    {HEED_E_FORMAT, "shorter than the prefix",
     "{\"type\": \"BPE\", \"continuing_subword_prefix\": \"##\", \"vocab\": {\"a\": 0}, "
     "\"merges\": [\"a a\"]}",
     ""},
    {HEED_E_UNSUPPORTED, "dropout 0.1",
     "{\"type\": \"BPE\", \"dropout\": 0.1, \"vocab\": {\"a\": 0}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "\"fuse_unk\" is a string",
     "{\"type\": \"BPE\", \"fuse_unk\": \"no\", \"vocab\": {\"a\": 0}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "\"unk_token\" is an array",
     "{\"type\": \"BPE\", \"unk_token\": [], \"vocab\": {\"a\": 0}, \"merges\": []}", ""},
    {HEED_E_FORMAT, "\"max_input_chars_per_word\" is -5",
     "{\"type\": \"WordPiece\", \"max_input_chars_per_word\": -5, \"vocab\": {\"a\": 0}}", ""},
};

static const broken sections[] = {
    {HEED_E_FORMAT, "normalizer: expected an object", BPE, "\"normalizer\": [1]"},
    {HEED_E_FORMAT, "normalizer: expected a \"type\"", BPE, "\"normalizer\": {}"},
    {HEED_E_UNSUPPORTED, "normalizer of type \"Precompile\"", BPE,
     "\"normalizer\": {\"type\": \"Precompile\"}"},
    {HEED_E_FORMAT, "\"precompiled_charsmap\": expected a string of base64", BPE,
     "\"normalizer\": {\"type\": \"Precompiled\"}"},
    {HEED_E_FORMAT, "is not valid base64", BPE,
     "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAA\"}"},
    {HEED_E_FORMAT, "is not valid base64", BPE,
     "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"A=AA\"}"},
    {HEED_E_FORMAT, "charsmap of 3 bytes is truncated", BPE,
     "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}"},
    {HEED_E_FORMAT, "charsmap of 4 bytes is truncated", BPE,
     "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"BAAAAA==\"}"},
    {HEED_E_FORMAT, "are not valid UTF-8", BPE,
     "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": "
     "\"BAAAAAAAAAD/\"}"},
    {HEED_E_FORMAT, "expected an array \"normalizers\"", BPE,
     "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": 1}"},
    {HEED_E_FORMAT, "\"pattern\": expected", BPE,
     "\"normalizer\": {\"type\": \"Replace\", \"pattern\": \"a\", \"content\": \"\"}"},
    {HEED_E_FORMAT, "\"content\": expected a string", BPE,
     "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}}"},
    {HEED_E_UNSUPPORTED, "regular expression \"(\"", BPE,
     "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(\"}, \"content\": \"\"}"},
    {HEED_E_UNSUPPORTED, "without its closing bracket", BPE,
     "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a\"}, \"behavior\": "
     "\"Removed\"}"},
    {HEED_E_UNSUPPORTED, "an intersection of classes", BPE,
     "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a&&b]\"}, \"behavior\": "
     "\"Removed\"}"},
    {HEED_E_UNSUPPORTED, "pre_tokenizer of type \"UnicodeScripts\"", BPE,
     "\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}"},
    {HEED_E_FORMAT, "\"behavior\" is \"Sideways\"", BPE,
     "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": "
     "\"Sideways\"}"},
    {HEED_E_FORMAT, "\"behavior\": expected a string", BPE,
     "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}}"},
    {HEED_E_FORMAT, "string of one character", BPE,
     "\"pre_tokenizer\": {\"type\": \"CharDelimiterSplit\", \"delimiter\": \"ab\"}"},
    {HEED_E_FORMAT, "string of one character", BPE,
     "\"pre_tokenizer\": {\"type\": \"CharDelimiterSplit\"}"},
    {HEED_E_FORMAT, "string of one character", BPE,
     "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"\"}"},
    {HEED_E_FORMAT, "\"prepend_scheme\" is \"often\"", BPE,
     "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"prepend_scheme\": \"often\"}"},
    {HEED_E_FORMAT, "\"add_prefix_space\" is an integer", BPE,
     "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": 1}"},
    {HEED_E_UNSUPPORTED, "decoder of type \"Morse\"", BPE, "\"decoder\": {\"type\": \"Morse\"}"},
    {HEED_E_FORMAT, "\"prefix\": expected a string", BPE, "\"decoder\": {\"type\": \"WordPiece\"}"},
    {HEED_E_FORMAT, "expected 0 or more", BPE,
     "\"decoder\": {\"type\": \"Strip\", \"content\": \" \", \"start\": -1, \"stop\": 0}"},
    {HEED_E_UNSUPPORTED, "post_processor of type \"Surprise\"", BPE,
     "\"post_processor\": {\"type\": \"Surprise\"}"},
    {HEED_E_FORMAT, "special token's id", BPE,
     "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"x\", -2], \"cls\": [\"y\", "
     "1]}"},
    {HEED_E_FORMAT, "special token's id", BPE,
     "\"post_processor\": {\"type\": \"RobertaProcessing\", \"sep\": [\"x\"]}"},
    {HEED_E_FORMAT, "no ids for the special token \"q\"", BPE,
     "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
     "{\"id\": \"q\", \"type_id\": 0}}], \"pair\": [], \"special_tokens\": {}}"},
    {HEED_E_FORMAT, "single[0]: expected", BPE,
     "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
     "\"B\", \"type_id\": 0}}], \"pair\": [], \"special_tokens\": {}}"},
    {HEED_E_FORMAT, "\"type_id\" is -1", BPE,
     "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
     "\"A\", \"type_id\": -1}}], \"pair\": [], \"special_tokens\": {}}"},
    {HEED_E_FORMAT, "\"pair\": expected an array", BPE,
     "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": []}"},
    {HEED_E_UNSUPPORTED, "more than one template", BPE,
     "\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"BertProcessing\", "
     "\"sep\": [\"x\", 2], \"cls\": [\"y\", 1]},"
     " {\"type\": \"BertProcessing\", \"sep\": [\"x\", 2], \"cls\": [\"y\", 1]}]}"},
    {HEED_E_FORMAT, "\"added_tokens\": expected an array", BPE, "\"added_tokens\": {}"},
    {HEED_E_FORMAT, "added_tokens[0]: expected", BPE, "\"added_tokens\": [3]"},
    {HEED_E_FORMAT, "added_tokens[1]: expected", BPE,
     "\"added_tokens\": [{\"id\": 3, \"content\": \"x\"}, {\"id\": 3}]"},
    {HEED_E_FORMAT, "added_tokens[0]: expected", BPE,
     "\"added_tokens\": [{\"id\": -3, \"content\": \"x\"}]"},
    {HEED_E_FORMAT, "\"lstrip\" is a string", BPE,
     "\"added_tokens\": [{\"id\": 3, \"content\": \"x\", \"lstrip\": \"yes\"}]"},
    {HEED_E_FORMAT, "\"truncation\": expected an object", BPE, "\"truncation\": 12"},
    {HEED_E_FORMAT, "\"max_length\" is -1", BPE, "\"truncation\": {\"max_length\": -1}"},
    {HEED_E_FORMAT, "\"strategy\" is \"Random\"", BPE,
     "\"truncation\": {\"max_length\": 1, \"strategy\": \"Random\"}"},
    {HEED_E_FORMAT, "\"padding\": expected an object", BPE, "\"padding\": []"},
    {HEED_E_FORMAT, "\"pad_id\" is a string", BPE, "\"padding\": {\"pad_id\": \"0\"}"},
    {HEED_E_FORMAT, "\"Fixed\" is -4", BPE, "\"padding\": {\"strategy\": {\"Fixed\": -4}}"},
};

static void broken_files_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        assert_fails(models[i].status, models[i].message,
                     load_with(models[i].model, models[i].more, &error));
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        assert_fails(sections[i].status, sections[i].message,
                     load_with(sections[i].model, sections[i].more, &error));
    assert_ok(load_with(BPE, "", &error));
}

static heed_status load_bytes(const char *bytes, heed_error *error)
{
    heed_tokenizer *tokenizer = NULL;
    heed_status status = heed_tokenizer_from_json(&tokenizer, bytes, strlen(bytes), "t.json",
                                                  error);
    heed_tokenizer_free(tokenizer);
    return status;
}

static void no_json_no_tokenizer(void **state)
{
    (void)state;
    assert_fails(HEED_E_FORMAT, "t.json", load_bytes("", &error));
    assert_fails(HEED_E_FORMAT, "t.json", load_bytes("{\"model\": ", &error));
    assert_fails(HEED_E_FORMAT, "expected a JSON object", load_bytes("[]", &error));
    assert_fails(HEED_E_FORMAT, "t.json", load_bytes("{\"model\": 1, \"model\": 2}", &error));
    heed_buffer deep = {0};
    heed_buffer_text(&deep, "{\"model\": " BPE ", \"normalizer\": ");
    for (int i = 0; i < 100; i++)
        heed_buffer_text(&deep, "{\"type\": \"Sequence\", \"normalizers\": [");
    for (int i = 0; i < 100; i++) heed_buffer_text(&deep, "]}");
    heed_buffer_text(&deep, "}");
    assert_fails(HEED_E_FORMAT, "nested at most 16 deep", load_bytes(deep.data, &error));
    heed_buffer_free(&deep);
}

/* Every prefix and every single changed byte of a tokenizer.json is refused or gives a tokenizer
   that works. */
static void damaged_files_never_crash(void **state)
{
    (void)state;
    heed_buffer json = {0};
    heed_encoding encoding = {0};
    assert_ok(heed_file_read(HEED_FIXTURES "/tokenizers/bytebpe-llama3/tokenizer.json", 1 << 20,
                             &json, &error));
    static const char sample[] = "Hello w\xC3\xB6rld 123 \xFF";
    uint32_t random = 1;
    for (int i = 0; i < 1500; i++) {
        heed_tokenizer *tokenizer = NULL;
        random = random * 1664525u + 1013904223u;
        size_t at = (random >> 8) % json.length;
        char kept = json.data[at];
        size_t length = i % 5 == 0 ? at : json.length;
        json.data[at] = "0\"[]{},:xE-\\"[(random >> 20) % 12];
        if (heed_tokenizer_from_json(&tokenizer, json.data, length, "damaged", NULL) == HEED_OK) {
            heed_tokenizer_encode(tokenizer, sample, sizeof sample - 1,
                                  HEED_ENCODE_SPECIAL | HEED_ENCODE_OFFSETS, &encoding, NULL);
            heed_tokenizer_free(tokenizer);
        }
        json.data[at] = kept;
    }
    heed_encoding_free(&encoding);
    heed_buffer_free(&json);
}

static void ids_may_have_gaps(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"added_tokens\": [{\"id\": 77, \"content\": \"<x>\", \"special\": true}],"
        " \"model\": {\"type\": \"BPE\", \"vocab\": {\"ab\": 2000000000, \"b\": 7, \"a\": 0}, "
        "\"merges\": [\"a b\"]}}");
    /* An added token that the model lacks is numbered on from the number of tokens, whatever the
       file says: as in the library. */
    expect_ids(tokenizer, "abab<x>a", IDS(2000000000, 2000000000, 3, 0));
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 4);
    assert_int_equal(heed_tokenizer_id_limit(tokenizer), 2000000001);
    assert_string_equal(heed_tokenizer_token(tokenizer, 2000000000, NULL), "ab");
    assert_null(heed_tokenizer_token(tokenizer, 1, NULL));
    assert_null(heed_tokenizer_token(tokenizer, -1, NULL));
    assert_int_equal(heed_tokenizer_id(tokenizer, "b", 1), 7);
    assert_int_equal(heed_tokenizer_id(tokenizer, "c", 1), -1);
    heed_tokenizer_free(tokenizer);
}

static void sections_are_exposed_but_not_applied(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"truncation\": {\"direction\": \"Left\", \"max_length\": 2, \"strategy\": "
        "\"OnlySecond\", \"stride\": 1},"
        " \"padding\": {\"strategy\": {\"Fixed\": 9}, \"direction\": \"Left\", "
        "\"pad_to_multiple_of\": 4, \"pad_id\": 1,"
        " \"pad_type_id\": 3, \"pad_token\": \"b\"}, \"model\": " BPE "}");
    const heed_truncation *truncation = heed_tokenizer_truncation(tokenizer);
    const heed_padding *padding = heed_tokenizer_padding(tokenizer);
    assert_true(truncation && truncation->left && truncation->max_length == 2 &&
                truncation->stride == 1 && truncation->strategy == HEED_ONLY_SECOND);
    assert_true(padding && padding->left && padding->length == 9 && padding->multiple_of == 4 &&
                padding->id == 1 && padding->type_id == 3);
    assert_int_equal(heed_padding_length(padding, 3), 12);
    expect_ids(tokenizer, "aaaab", IDS(0, 0, 0, 2));
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text("{\"truncation\": null, \"padding\": null, \"model\": " BPE "}");
    assert_null(heed_tokenizer_truncation(tokenizer));
    assert_null(heed_tokenizer_padding(tokenizer));
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_files_are_refused_by_name), cmocka_unit_test(no_json_no_tokenizer),
        cmocka_unit_test(damaged_files_never_crash), cmocka_unit_test(ids_may_have_gaps),
        cmocka_unit_test(sections_are_exposed_but_not_applied)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
