/* SentencePiece's .model files alone: ids as SentencePiece itself computes them ("spm_ids" of the
   fixtures, and "spm_bytes.jsonl" for texts that are not UTF-8), the same ids after the tokenizer
   is saved and loaded, and files that are broken. */
#include "tokenizer_support.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/sentencepiece.h"
#include "support/work.h"

static const char *const models[] = {
    "spbpe-llama2/tokenizer.model",         "spbpe-mistral3/tokenizer.model",
    "spbpe-gemma/tokenizer.model",          "unigram-t5/spiece.model",
    "unigram-albert/spiece.model",          "unigram-xlnet/spiece.model",
    "unigram-xlmr/sentencepiece.bpe.model", "unigram-bytefallback/spiece.model"};
enum { MODELS = sizeof models / sizeof *models };

/* Path of a model, or of a file beside it. */
static char *path_of(size_t model, const char *beside)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/tokenizers/%s", HEED_FIXTURES, models[model]);
    if (beside) snprintf(strrchr(path, '/') + 1, 64, "%s", beside);
    return path;
}

/* Was this heed built with protobuf-c? */
static bool can_read(void)
{
    heed_sentencepiece *model = NULL;
    heed_error error = {0};
    const heed_status status = heed_sentencepiece_read(&model, path_of(0, NULL), &error);
    heed_sentencepiece_free(model);
    if (status == HEED_E_UNSUPPORTED) assert_non_null(strstr(error.message, "protobuf-c"));
    else assert_int_equal(status, HEED_OK);
    return status == HEED_OK;
}

typedef struct {
    heed_tokenizer *tokenizer;
    const char *name;
    long wrong;
} comparison;

static void compare_ids(comparison *c, const char *text, size_t length, const json_t *wanted)
{
    heed_encoding encoding = {0};
    if (!wanted) return;
    assert_ok(
        heed_tokenizer_encode(c->tokenizer, text, length, HEED_ENCODE_LITERAL, &encoding, &error));
    if (!same_ids(wanted, encoding.ids, encoding.count)) {
        char *dumped = json_dumps(wanted, JSON_COMPACT);
        print_message("%s: \"%.*s\": expected %.200s\n", c->name, (int)length, text, dumped);
        free(dumped);
        c->wrong++;
    }
    heed_encoding_free(&encoding);
}

static void compare_text(const json_t *row, void *context)
{
    const json_t *text = json_object_get(row, "text");
    compare_ids(context, json_string_value(text), json_string_length(text),
                json_object_get(row, "spm_ids"));
}

static void compare_bytes(const json_t *row, void *context)
{
    const char *hex = json_string_value(json_object_get(row, "hex"));
    char bytes[256];
    const size_t length = strlen(hex) / 2;
    assert_true(length <= sizeof bytes);
    for (size_t i = 0; i < length; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (char)value;
    }
    compare_ids(context, bytes, length, json_object_get(row, "spm_ids"));
}

static void compare_all(heed_tokenizer *tokenizer, size_t model)
{
    comparison c = {.tokenizer = tokenizer, .name = models[model]};
    assert_true(each_line(path_of(model, "cases.jsonl"), compare_text, &c) > 100);
    assert_true(each_line(path_of(model, "spm_bytes.jsonl"), compare_bytes, &c) > 10);
    assert_int_equal(c.wrong, 0);
}

static void ids_are_those_of_sentencepiece(void **state)
{
    (void)state;
    if (!can_read()) skip();
    for (size_t i = 0; i < MODELS; i++) {
        heed_tokenizer *tokenizer = NULL;
        assert_ok(heed_tokenizer_load(&tokenizer, path_of(i, NULL), &error));
        compare_all(tokenizer, i);
        heed_tokenizer_free(tokenizer);
    }
}

/* What is saved as tokenizer.json, user-defined pieces and their scores included, gives the same
   ids. */
static void saved_models_give_the_same_ids(void **state)
{
    (void)state;
    if (!can_read()) skip();
    for (size_t i = 0; i < MODELS; i++) {
        heed_tokenizer *tokenizer = NULL, *loaded = NULL;
        assert_ok(heed_tokenizer_load(&tokenizer, path_of(i, NULL), &error));
        assert_ok(heed_tokenizer_save(tokenizer, work.folder, &error));
        assert_ok(heed_tokenizer_load(&loaded, work.folder, &error));
        compare_all(loaded, i);
        heed_tokenizer_free(loaded);
        heed_tokenizer_free(tokenizer);
    }
}

/* Every prefix of a file and many files with wrong bytes are read, or refused; none crashes. */
static void damaged_files_never_crash(void **state)
{
    (void)state;
    if (!can_read()) skip();
    heed_buffer file = {0};
    char path[600];
    int refused = 0, read = 0;
    uint64_t random = 1;
    assert_ok(heed_file_read(path_of(0, NULL), 1 << 20, &file, &error));
    snprintf(path, sizeof path, "%s/t.model", work.folder);
    for (int i = 0; i < 600; i++) {
        heed_tokenizer *tokenizer = NULL;
        heed_error error = {0};
        size_t length = i < 300 ? file.length * (size_t)i / 300 : file.length;
        char *bytes = heed_allocate(file.length, 1);
        memcpy(bytes, file.data, file.length);
        for (int j = 0; i >= 300 && j < 4; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[(random >> 33) % length] = (char)(random >> 25);
        }
        assert_ok(heed_file_write(path, bytes, length, &error));
        const heed_status status = heed_tokenizer_load(&tokenizer, path, &error);
        if (status == HEED_OK) read++;
        else refused++;
        if (status != HEED_OK) assert_non_null(strstr(error.message, "t.model"));
        heed_tokenizer_free(tokenizer);
        free(bytes);
    }
    assert_true(refused > 100 && read > 10);
    heed_buffer_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_are_those_of_sentencepiece),
                                       cmocka_unit_test(saved_models_give_the_same_ids),
                                       cmocka_unit_test(damaged_files_never_crash)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
