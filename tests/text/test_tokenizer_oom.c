/* Every allocation of loading, encoding, decoding, saving and training fails in turn: the answer is
   HEED_E_NOMEM and nothing is left. */
#include "tokenizer_support.h"

#include "support/fail_alloc.h"

static const char rich[] =
    "{\"added_tokens\": [{\"id\": 9, \"content\": \"<s>\", \"special\": true}, {\"id\": 10, "
    "\"content\": \"Caf\xC3\xA9\", \"normalized\": true,"
    " \"lstrip\": true, \"special\": false}],"
    " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": "
    "\"Lowercase\"},"
    "   {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"\\\\s+\"}, \"content\": \" \"}]},"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", "
    "\"individual_digits\": true},"
    "   {\"type\": \"ByteLevel\", \"add_prefix_space\": true}]},"
    " \"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}, "
    "{\"type\": \"BertProcessing\", \"cls\": [\"<s>\", 9],"
    "   \"sep\": [\"<s>\", 9]}]},"
    " \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteLevel\"}, {\"type\": "
    "\"Replace\", \"pattern\": {\"String\": \"ab\"},"
    "   \"content\": \"ba\"}, {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": "
    "1}, {\"type\": \"WordPiece\", \"prefix\": \"##\"},"
    "   {\"type\": \"BPEDecoder\", \"suffix\": \"</w>\"}, {\"type\": \"ByteFallback\"},"
    "   {\"type\": \"CTC\", \"pad_token\": \"<pad>\", \"word_delimiter_token\": \"|\"}]},"
    " \"truncation\": {\"max_length\": 5, \"stride\": 0, \"strategy\": \"LongestFirst\"}, "
    "\"padding\": {\"pad_id\": 1},"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": \"?\", \"fuse_unk\": true, \"vocab\": {\"?\": "
    "0, \"a\": 1, \"b\": 2, \"ab\": 3, \"\xC4\xA0\": 4,"
    "   \"aa\": 5, \"\xC4\xA0\x61\": 6, \"aaaa\": 7, \"b</w>\": 8}, \"merges\": [[\"a\", \"b\"], "
    "\"a a\", [\"\xC4\xA0\", \"a\"], [\"aa\", \"aa\"]]}}";
static const char sample[] = "abab aab 12 Caf\xC3\xA9 <s> e\xCC\x81\xCC\xA3 \xFF x "
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static heed_status load(void *context, heed_error *error)
{
    (void)context;
    heed_tokenizer *tokenizer = NULL;
    heed_status status = heed_tokenizer_from_json(&tokenizer, rich, sizeof rich - 1, "rich", error);
    heed_tokenizer_free(tokenizer);
    return status;
}

static heed_status encode(void *context, heed_error *error)
{
    heed_encoding encoding = {0};
    heed_truncation truncation = {.max_length = 20};
    heed_padding padding = {.left = true};
    const heed_encode_input input = {.first = {sample, sizeof sample - 1},
                                     .second = {"ab", 2},
                                     .flags = HEED_ENCODE_SPECIAL | HEED_ENCODE_OFFSETS,
                                     .truncation = &truncation};
    heed_status status = heed_tokenizer_encode_pair(context, &input, &encoding, error);
    if (status == HEED_OK) status = heed_encoding_pad(&encoding, &padding, 100, error);
    heed_encoding_free(&encoding);
    return status;
}

static heed_status decode(void *context, heed_error *error)
{
    const int32_t ids[] = {4, 3, 3, 6, 0, 8, 9, 10, 7, 12345, 1};
    heed_buffer text = {0};
    heed_status status = heed_tokenizer_decode(context, ids, sizeof ids / sizeof *ids, false, &text,
                                               error);
    heed_buffer_free(&text);
    return status;
}

typedef struct {
    heed_tokenizer *tokenizer;
    scratch work;
    const char *kind;
} folder;

static heed_status save(void *context, heed_error *error)
{
    folder *f = context;
    return heed_tokenizer_save(f->tokenizer, f->work.folder, error);
}

static heed_status load_folder(void *context, heed_error *error)
{
    folder *f = context;
    heed_tokenizer *tokenizer = NULL;
    heed_status status = heed_tokenizer_load(&tokenizer, f->work.folder, error);
    heed_tokenizer_free(tokenizer);
    return status;
}

static heed_status train(void *context, heed_error *error)
{
    const heed_special_token special[] = {
        {"<s>", HEED_BOS}, {"</s>", HEED_EOS}, {"<pad>", HEED_PAD}};
    const heed_tokenizer_training training = {
        .vocab_size = 275,
        .special = special,
        .special_count = 3,
        .add_bos = true,
        .add_eos = true,
    };
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_status status = heed_tokenizer_trainer_new(&trainer, context, &training, error);
    if (status == HEED_OK)
        status = heed_tokenizer_trainer_feed_lines(trainer, sample, sizeof sample, error);
    if (status == HEED_OK)
        status = heed_tokenizer_trainer_feed(trainer, "the theme of the thesis", 23, error);
    if (status == HEED_OK) status = heed_tokenizer_trainer_finish(trainer, &tokenizer, error);
    heed_tokenizer_trainer_free(trainer);
    heed_tokenizer_free(tokenizer);
    return status;
}

static heed_status load_gguf(void *context, heed_error *error)
{
    static const heed_gguf_string tokens[] = {
        {"<unk>", 5}, {"<s>", 3},    {"</s>", 4},         {"a", 1},     {"b", 1},
        {"ab", 2},    {"\u2581", 3}, {"\u2581\u2581", 6}, {"<|x|>", 5}, {"<mask>", 6}};
    static const heed_gguf_string merges[] = {{"a b", 3}};
    static const float scores[] = {0, 0, 0, -1, -2, -3, -4, 0, 0, 0};
    static const int32_t types[] = {2, 3, 3, 1, 1, 1, 1, 4, 4, 3};
    const heed_gguf_vocabulary v = {
        .model = context,
        .pre = "roberta-bpe",
        .tokens = tokens,
        .token_count = 10,
        .scores = scores,
        .types = types,
        .merges = merges,
        .merge_count = 1,
        .special = {1, 2, -1, 0, -1, -1, 9},
        .add_bos = -1,
        .add_eos = 1,
        .add_space_prefix = -1,
        .chat_template = "{{ x }}",
    };
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    heed_status status = heed_tokenizer_from_gguf(&tokenizer, &v, "test", error);
    if (status == HEED_OK)
        status = heed_tokenizer_encode(tokenizer, "ab  a<mask>", 11, HEED_ENCODE_SPECIAL, &encoding,
                                       error);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
    return status;
}

static void loading_from_gguf_survives(void **state)
{
    (void)state;
    assert_true(fail_alloc_each(load_gguf, "llama") > 50);
    assert_true(fail_alloc_each(load_gguf, "gpt2") > 50);
}

static void loading_survives(void **state)
{
    (void)state;
    assert_true(fail_alloc_each(load, NULL) > 100);
}

static void encoding_and_decoding_survive(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(rich);
    assert_true(fail_alloc_each(encode, tokenizer) > 20);
    assert_true(fail_alloc_each(decode, tokenizer) > 5);
    heed_tokenizer_free(tokenizer);
}

static void saving_and_loading_folders_survive(void **state)
{
    (void)state;
    folder f = {.tokenizer = load_text(rich)};
    static const char config[] =
        "{\"tokenizer_class\": \"BertTokenizer\", \"added_tokens_decoder\": {\"7\": {\"content\": "
        "\"x\"}, \"6\": {\"content\": \"y\"}}}";
    static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n",
                      merges[] = "#version: 0.2\na b\n";
    scratch_make(&f.work);
    fail_alloc_each(save, &f);
    fail_alloc_each(load_folder, &f);
    heed_tokenizer_free(f.tokenizer);
    heed_directory_remove(f.work.folder, NULL);
    assert_ok(heed_directory_make(f.work.folder, &error));
    scratch_file(&f.work, "vocab.txt", vocabulary, sizeof vocabulary - 1);
    scratch_file(&f.work, "tokenizer_config.json", config, sizeof config - 1);
    scratch_file(&f.work, "special_tokens_map.json", "{\"pad_token\": \"[PAD]\"}", 22);
    fail_alloc_each(load_folder, &f);
    static const char *const begins[] = {"<|startoftext|>", "<s>"}, *const ends[] = {
                                                                        "<|endoftext|>", "</s>"};
    static const char *const classes[] = {"GPT2Tokenizer", "RobertaTokenizer", "Qwen2TokenizerFast",
                                          "CLIPTokenizer"};
    static const char pairs[] = "{\"a\": 0, \"b\": 1, \"ab\": 2, \"<s>\": 3, \"</s>\": 4, "
                                "\"<|startoftext|>\": 5, \"<|endoftext|>\": 6}";
    scratch_file(&f.work, "vocab.json", pairs, sizeof pairs - 1);
    scratch_file(&f.work, "merges.txt", merges, sizeof merges - 1);
    for (size_t i = 0; i < 4; i++) {
        char text[200];
        int length = snprintf(text, sizeof text,
                              "{\"tokenizer_class\": \"%s\", \"bos_token\": \"%s\", \"eos_token\": "
                              "{\"content\": \"%s\"}, \"add_bos_token\": true}",
                              classes[i], begins[i == 1], ends[i == 1]);
        scratch_file(&f.work, "tokenizer_config.json", text, (size_t)length);
        fail_alloc_each(load_folder, &f);
    }
    static const char *const plain[] = {"ByT5Tokenizer", "PerceiverTokenizer", "EsmTokenizer",
                                        "Wav2Vec2CTCTokenizer"};
    scratch_file(&f.work, "vocab.txt", "<cls>\n<pad>\n<eos>\n<unk>\nA\n", 25);
    for (size_t i = 0; i < 4; i++) {
        char text[200];
        int length = snprintf(
            text, sizeof text,
            "{\"tokenizer_class\": \"%s\", \"extra_ids\": 2, \"extra_special_tokens\": [\"<x>\"]}",
            plain[i]);
        scratch_file(&f.work, "tokenizer_config.json", text, (size_t)length);
        fail_alloc_each(load_folder, &f);
    }
    scratch_remove(&f.work);
}

static void training_survives(void **state)
{
    (void)state;
    assert_true(fail_alloc_each(train, "bpe") > 100);
    assert_true(fail_alloc_each(train, "char") > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_survives), cmocka_unit_test(loading_from_gguf_survives),
        cmocka_unit_test(encoding_and_decoding_survive),
        cmocka_unit_test(saving_and_loading_folders_survive), cmocka_unit_test(training_survives)};
    fail_alloc_cover_jansson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
