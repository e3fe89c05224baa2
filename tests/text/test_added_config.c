/* The tokens that tokenizer_config.json, special_tokens_map.json and added_tokens.json add to a
   tokenizer.json: the ids and texts of the table are those of transformers' AutoTokenizer 5.24
   (class PreTrainedTokenizerFast). */
#include "tokenizer_support.h"

static const char json[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":["
    "{\"id\":3,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
    "\"normalized\":false,\"special\":true},"
    "{\"id\":5,\"content\":\"</"
    "s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":"
    "true}],"
    "\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
    "\"post_processor\":null,"
    "\"decoder\":null,\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"[UNK]\":0,\"the\":1,\"a\":2,"
    "\"<s>\":3,\"pad\":4},"
    "\"unk_token\":\"[UNK]\"}}";

static const char *const texts[] = {"a <pad> the<A1> a <A2>", "the <B1>a <B2> </s> a",
                                    "pad <s> the a"};

typedef struct {
    const char *config, *map, *added; /* the files; NULL: none */
    int pad;
    const char *ids[3], *decoded[3]; /* decoded: without special tokens */
} folder_case;

static const folder_case cases[] = {
    {NULL,
     NULL,
     NULL,
     -1,
     {"2 0 0 2 0", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] [UNK] a [UNK]", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"pad_token\":\"<pad>\"}",
     NULL,
     NULL,
     6,
     {"2 6 0 2 0", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] a [UNK]", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"pad_token\":{\"__type\":\"AddedToken\",\"content\":\"<pad>\",\"lstrip\":true,\"rstrip\":"
     "true,\"single_word\":false,\"normalized\":false}}",
     NULL,
     NULL,
     6,
     {"2 6 0 2 0", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] a [UNK]", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"mask_token\":\"<B1>\",\"pad_token\":\"<pad>\",\"bos_token\":\"<s>\",\"eos_token\":\"<A1>"
     "\"}",
     NULL,
     NULL,
     7,
     {"2 7 1 6 2 0", "1 8 2 0 5 2", "4 3 1 2"},
     {"a the a [UNK]", "the a [UNK] a", "pad the a"}},
    {"{\"additional_special_tokens\":[\"<A2>\",\"<A1>\"]}",
     NULL,
     NULL,
     -1,
     {"2 0 1 7 2 6", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] the a", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"extra_special_tokens\":[\"<A2>\"],\"additional_special_tokens\":[\"<A1>\"]}",
     NULL,
     NULL,
     -1,
     {"2 0 0 2 6", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] [UNK] a", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"extra_special_tokens\":{\"x_token\":\"<A2>\"},\"image_token\":\"<A1>\",\"pad_token\":\"<"
     "pad>\"}",
     NULL,
     NULL,
     6,
     {"2 6 1 7 2 8", "1 0 0 5 2", "4 3 1 2"},
     {"a the a", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"added_tokens_decoder\":{\"7\":{\"content\":\"<A1>\",\"special\":true},\"6\":{\"content\":"
     "\"<A2>\",\"special\":true}}}",
     NULL,
     NULL,
     -1,
     {"2 0 1 7 2 6", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] the a", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"added_tokens_decoder\":{\"90\":{\"content\":\"<A1>\",\"special\":true},\"2\":{\"content\":"
     "\"<A2>\",\"special\":true}},\"pad_token\":\"<pad>\"}",
     NULL,
     NULL,
     8,
     {"2 8 1 7 2 6", "1 0 0 5 2", "4 3 1 2"},
     {"a the a", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"added_tokens_decoder\":{\"5\":{\"content\":\"</"
     "s>\",\"lstrip\":true,\"rstrip\":true,\"special\":true},\"6\":{\"content\":\"<B1>\","
     "\"special\":false}}}",
     NULL,
     NULL,
     -1,
     {"2 0 0 2 0", "1 6 2 0 5 2", "4 3 1 2"},
     {"a [UNK] [UNK] a [UNK]", "the <b1> a [UNK] a", "pad the a"}},
    {"{\"added_tokens_decoder\":{\"6\":{\"content\":\"pad\",\"special\":true,\"single_word\":true},"
     "\"7\":{\"content\":\"<b1>\",\"normalized\":true,\"special\":false}}}",
     NULL,
     NULL,
     -1,
     {"2 0 4 0 0 2 0", "1 6 2 0 5 2", "4 3 1 2"},
     {"a [UNK] [UNK] [UNK] a [UNK]", "the <b1> a [UNK] a", "the a"}},
    {"{\"added_tokens_decoder\":{\"6\":{\"content\":\"<A1>\",\"special\":true}}}",
     "{\"pad_token\":\"<pad>\"}",
     "{\"<B1>\":7}",
     -1,
     {"2 0 1 6 2 0", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] the a [UNK]", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"bos_token\":\"<s>\"}",
     "{\"pad_token\":{\"content\":\"<pad>\",\"lstrip\":true,\"rstrip\":false,\"normalized\":false,"
     "\"single_word\":false}}",
     NULL,
     6,
     {"2 6 0 2 0", "1 0 0 5 2", "4 3 1 2"},
     {"a [UNK] a [UNK]", "the [UNK] [UNK] a", "pad the a"}},
    {"{\"pad_token\":\"<A1>\"}",
     "{\"pad_token\":\"<pad>\",\"additional_special_tokens\":[\"<B1>\"]}",
     NULL,
     6,
     {"2 6 0 2 0", "1 7 2 0 5 2", "4 3 1 2"},
     {"a [UNK] a [UNK]", "the a [UNK] a", "pad the a"}},
    {"{\"unk_token\":\"[UNK]\"}",
     NULL,
     "{\"<B2>\":7,\"<B1>\":6}",
     -1,
     {"2 0 0 2 0", "1 6 2 7 5 2", "4 3 1 2"},
     {"a a", "the <b1> a <b2> a", "pad the a"}},
    {"{\"pad_token\":\"<B2>\"}",
     NULL,
     "{\"<B2>\":17,\"<B1>\":16}",
     7,
     {"2 0 0 2 0", "1 6 2 7 5 2", "4 3 1 2"},
     {"a [UNK] [UNK] a [UNK]", "the <b1> a a", "pad the a"}},
    {"{\"unk_token\":\"[UNK]\"}",
     NULL,
     "{\"<B1>\":5}",
     -1,
     {"2 0 0 2 0", "1 0 0 5 2", "4 3 1 2"},
     {"a a", "the a", "pad the a"}},
    {"{\"pad_token\":\"a\"}",
     NULL,
     NULL,
     2,
     {"2 0 2 0 0 2 0", "1 0 2 0 5 2", "0 2 0 3 1 2"},
     {"[UNK] [UNK] [UNK] [UNK]", "the [UNK] [UNK]", "[UNK] [UNK] the"}},
};

static void put(scratch *work, const char *name, const char *text)
{
    scratch_file(work, name, text, strlen(text));
}

static void make_folder(scratch *work, const folder_case *c)
{
    heed_directory_remove(work->folder, NULL);
    assert_ok(heed_directory_make(work->folder, &error));
    put(work, "tokenizer.json", json);
    if (c->config) put(work, "tokenizer_config.json", c->config);
    if (c->map) put(work, "special_tokens_map.json", c->map);
    if (c->added) put(work, "added_tokens.json", c->added);
}

static void check(const heed_tokenizer *tokenizer, const folder_case *c)
{
    heed_encoding encoding = {0};
    heed_buffer text = {0};
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_PAD), c->pad);
    for (int i = 0; i < 3; i++) {
        assert_ok(heed_tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), HEED_ENCODE_SPECIAL,
                                        &encoding, &error));
        heed_buffer_clear(&text);
        for (size_t k = 0; k < encoding.count; k++)
            heed_buffer_printf(&text, "%s%d", k ? " " : "", encoding.ids[k]);
        assert_string_equal(text.data, c->ids[i]);
        heed_buffer_clear(&text);
        assert_ok(
            heed_tokenizer_decode(tokenizer, encoding.ids, encoding.count, true, &text, &error));
        assert_string_equal(text.data, c->decoded[i]);
    }
    heed_encoding_free(&encoding);
    heed_buffer_free(&text);
}

/* Twice: as the files say, and after saving. */
static void ids_are_those_of_auto_tokenizer(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_tokenizer *tokenizer = NULL;
        make_folder(&work, &cases[i]);
        assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
        check(tokenizer, &cases[i]);
        assert_false(heed_tokenizer_note(tokenizer, 0, &(const char *){NULL}, &(size_t){0}));
        make_folder(&work, &(folder_case){0});
        assert_ok(heed_tokenizer_save(tokenizer, work.folder, &error));
        heed_tokenizer_free(tokenizer);
        assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
        check(tokenizer, &cases[i]);
        heed_tokenizer_free(tokenizer);
    }
    scratch_remove(&work);
}

static const char byte_level[] = "{\"added_tokens\":[],\"normalizer\":%s,\"pre_tokenizer\":%s,"
                                 "\"post_processor\":%s,\"model\":{\"type\":\"WordLevel\","
                                 "\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"[PAD]\":3,\"["
                                 "MASK]\":4,\"<s>\":5},\"unk_token\":\"[UNK]\"}}";

#define BYTES \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"
#define BERT                                                                                  \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_" \
    "accents\":null,\"lowercase\":true}"
#define AROUND "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]}"
#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"_\"}"
#define MARK "\xe2\x96\x81"
#define SPACES(scheme)                                      \
    "{\"type\":\"Metaspace\",\"replacement\":\"" MARK "\"," \
    "\"prepend_scheme\":\"" scheme "\",\"split\":false}"
#define ONE(stage) "{\"type\":\"Sequence\",\"pretokenizers\":[" stage "]}"
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" MARK "\"}"
#define SPLIT                                                                                 \
    "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\"," \
    "\"invert\":false}"

/* Stages of tokenizer.json, a tokenizer_config.json, and what is noted of it; NULL: nothing. */
static const struct {
    const char *normal, *before, *post, *config, *note;
} keys[] = {
    {"null", BYTES, "null", "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_prefix_space\":true}",
     "\"add_prefix_space\" is true"},
    {"null", BYTES, "null", "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_prefix_space\":false}",
     NULL},
    {"null", BYTES, "null",
     "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"add_prefix_space\":true}", NULL},
    {"null", BYTES, "null", "{\"split_special_tokens\":true}", "\"split_special_tokens\" is true"},
    {"null", BYTES, "null",
     "{\"split_special_tokens\":false,\"add_bos_token\":true,\"model_max_length\":1e400}", NULL},
    {BERT, "null", AROUND, "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}",
     "\"do_lower_case\" is false"},
    {BERT, "null", AROUND,
     "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":true,\"strip_accents\":true}", NULL},
    {BERT, "null", AROUND, "{\"tokenizer_class\":\"BertTokenizer\",\"strip_accents\":false}",
     "\"strip_accents\" is false"},
    {BERT, "null", AROUND,
     "{\"tokenizer_class\":\"BertTokenizerFast\",\"tokenize_chinese_chars\":false}",
     "\"tokenize_chinese_chars\""},
    {BERT, "null", AROUND, "{\"tokenizer_class\":\"BertTokenizer\",\"cls_token\":\"<s>\"}",
     "\"cls_token\" is \"<s>\""},
    {PREPEND, "null", "null", "{\"tokenizer_class\":\"LlamaTokenizer\",\"legacy\":false}",
     "\"legacy\" is false"},
    {PREPEND, "null", "null", "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_prefix_space\":false}",
     "\"add_prefix_space\" is false"},
    {PREPEND, "null", "null", "{\"tokenizer_class\":\"LlamaTokenizer\"}",
     "\"tokenizer_class\" is \"LlamaTokenizer\", for which"},
    {PREPEND, "null", "null", "{\"tokenizer_class\":\"LlamaTokenizerFast\",\"legacy\":true}",
     "\"legacy\" is true"},
    {PREPEND, "null", "null", "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}", NULL},
    {"null", SPACES("first"), "null", "{\"tokenizer_class\":\"LlamaTokenizer\"}", NULL},
    {"{\"type\":\"Sequence\",\"normalizers\":[]}", ONE(SPACES("always")), "null",
     "{\"tokenizer_class\":\"LlamaTokenizer\",\"legacy\":true}", NULL},
    {"null", SPACES("first"), "null", "{\"tokenizer_class\":\"LlamaTokenizer\",\"legacy\":true}",
     "\"tokenizer_class\""},
    {"null", SPACES("first"), "null",
     "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_prefix_space\":false}",
     "\"add_prefix_space\" is false"},
    {"null", SPACES("first"), "null",
     "{\"tokenizer_class\":\"CodeLlamaTokenizerFast\",\"legacy\":true}", NULL},
    {"null", BYTES, "null", "{\"tokenizer_class\":\"LlamaTokenizer\"}", NULL},
    {"null", "null", "null", "{\"tokenizer_class\":\"LlamaTokenizer\"}", "\"tokenizer_class\""},
    {REPLACE, SPLIT, "null", "{\"tokenizer_class\":\"GemmaTokenizerFast\"}", NULL},
    {REPLACE, "null", "null", "{\"tokenizer_class\":\"GemmaTokenizer\"}", NULL},
    {REPLACE, "null", "null", "{\"tokenizer_class\":\"LlamaTokenizer\",\"add_prefix_space\":false}",
     NULL},
    {"null", SPACES("first"), "null", "{\"tokenizer_class\":\"GemmaTokenizer\"}",
     "\"tokenizer_class\" is \"GemmaTokenizer\""},
    {"null", SPLIT, "null", "{\"tokenizer_class\":\"GemmaTokenizer\"}", "\"tokenizer_class\""},
    {"null", "null", "null", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"<y>\"}}}",
     "the entry \"x\""},
    {"null", "null", "null", "{\"added_tokens_decoder\":{\"9\":{\"text\":\"<y>\"}}}",
     "the entry \"9\""},
};

/* Keys that change ids in transformers and not here are named, others are not. */
static void keys_without_effect_are_named(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        heed_tokenizer *tokenizer = NULL;
        const char *line = NULL;
        size_t length = 0;
        char text[2048], note[512] = "";
        snprintf(text, sizeof text, byte_level, keys[i].normal, keys[i].before, keys[i].post);
        put(&work, "tokenizer.json", text);
        put(&work, "tokenizer_config.json", keys[i].config);
        assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
        bool noted = heed_tokenizer_note(tokenizer, 0, &line, &length);
        assert_int_equal(noted, keys[i].note != NULL);
        if (noted) snprintf(note, sizeof note, "%.*s", (int)length, line);
        if (noted) assert_non_null(strstr(note, keys[i].note));
        assert_false(heed_tokenizer_note(tokenizer, 1, &line, &length));
        heed_tokenizer_free(tokenizer);
    }
    scratch_remove(&work);
}

/* A list that is not whole, for a class that takes it for whole. */
static void lists_that_lack_tokens_are_named(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    heed_tokenizer *tokenizer = NULL;
    const char *line = NULL;
    size_t length = 0;
    put(&work, "tokenizer.json", json);
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\":\"GPT2Tokenizer\",\"added_tokens_decoder\":{\"3\":{\"content\":\"<s>"
        "\",\"special\":true}}}");
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    assert_true(heed_tokenizer_note(tokenizer, 0, &line, &length));
    assert_non_null(
        strstr(line, "lacks 1 tokens that tokenizer.json has, the first of them \"</s>\""));
    heed_tokenizer_free(tokenizer);
    scratch_remove(&work);
}

/* A model whose kind says that transformers passes over the class; a config.json that cannot be
   read says nothing. */
static void class_counts_for_some_models_only(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool noted;
    } cases_of_models[] = {
        {"{\"model_type\":\"llama\"}", true},
        {"{\"model_type\":\"mistral\"}", false},
        {"{\"model_type\":\"phi3\"}", false},
        {"{\"model_type\":7}", true},
        {"{", true},
    };
    scratch work;
    scratch_make(&work);
    char text[2048];
    snprintf(text, sizeof text, byte_level, PREPEND, "null", "null");
    put(&work, "tokenizer.json", text);
    put(&work, "tokenizer_config.json", "{\"tokenizer_class\":\"LlamaTokenizer\"}");
    for (size_t i = 0; i < sizeof cases_of_models / sizeof *cases_of_models; i++) {
        heed_tokenizer *tokenizer = NULL;
        const char *line = NULL;
        size_t length = 0;
        put(&work, "config.json", cases_of_models[i].model);
        assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
        assert_int_equal(heed_tokenizer_note(tokenizer, 0, &line, &length),
                         cases_of_models[i].noted);
        heed_tokenizer_free(tokenizer);
    }
    scratch_remove(&work);
}

/* Older files take the same tokens: added_tokens.json, and what the configuration names. */
static void older_files_take_them_too(void **state)
{
    (void)state;
    scratch work;
    heed_tokenizer *tokenizer = NULL;
    scratch_make(&work);
    put(&work, "vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}");
    put(&work, "merges.txt", "a b\n");
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\":\"GPT2Tokenizer\",\"pad_token\":\"<pad>\",\"additional_special_"
        "tokens\":[\"<x>\"]}");
    put(&work, "added_tokens.json", "{\"<B2>\":5,\"<B1>\":4}");
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    expect_ids(tokenizer, "ab<B1><B2><pad><x><|endoftext|>", IDS(2, 4, 5, 6, 7, 3));
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_PAD), 6);
    assert_true(heed_tokenizer_is_special(tokenizer, 7) &&
                !heed_tokenizer_is_special(tokenizer, 4));
    heed_tokenizer_free(tokenizer);
    heed_directory_remove(work.folder,
                          NULL); /* a part that is null is none, whatever the class has for it */
    assert_ok(heed_directory_make(work.folder, &error));
    put(&work, "vocab.txt", "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[\npad\n]\n");
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\":\"BertTokenizer\",\"pad_token\":null,\"mask_token\":null}");
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    expect_ids(tokenizer, "[PAD]", IDS(4, 5, 6));
    heed_tokenizer_free(tokenizer);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_are_those_of_auto_tokenizer),
                                       cmocka_unit_test(keys_without_effect_are_named),
                                       cmocka_unit_test(lists_that_lack_tokens_are_named),
                                       cmocka_unit_test(class_counts_for_some_models_only),
                                       cmocka_unit_test(older_files_take_them_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
