/* The vocabulary inside the real SmolLM2-135M-Instruct.Q4_1.gguf: the ids that llama.cpp gives. The
   file is fetched by tools/fetch_real_weights.py, which ./check --slow runs first; without it the
   test is skipped. */
#include "tokenizer_support.h"

typedef struct {
    heed_tokenizer *tokenizer;
    long strings, mismatches;
} checked;

static void compare(checked *c, const json_t *row, const char *key, unsigned flags)
{
    heed_encoding encoding = {0};
    const json_t *text = json_object_get(row, "text");
    assert_ok(heed_tokenizer_encode(c->tokenizer, json_string_value(text), json_string_length(text),
                                    flags, &encoding, &error));
    if (!same_ids(json_object_get(row, key), encoding.ids, encoding.count)) {
        print_message("%s: %s\n", key, json_string_value(text));
        c->mismatches++;
    }
    heed_encoding_free(&encoding);
}

static void check_row(const json_t *row, void *context)
{
    checked *c = context;
    c->strings++;
    compare(c, row, "ids_plain", heed_tokenizer_plain_flags(c->tokenizer));
    compare(c, row, "ids_parse_special", 0);
    compare(c, row, "ids_parse_special", HEED_ENCODE_SPECIAL); /* the file says: no BOS */
}

static void smollm2_agrees_with_llama_cpp(void **state)
{
    (void)state;
    char path[1024];
    checked c = {0};
    real_weights_path(path, "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    if (!heed_path_exists(path)) {
        print_message("SKIPPED: %s is not there; tools/fetch_real_weights.py fetches it\n", path);
        return;
    }
    assert_ok(heed_tokenizer_load(&c.tokenizer, path, &error));
    each_line(HEED_FIXTURES "/real-smollm2-gguf/cases.jsonl", check_row, &c);
    assert_int_equal(c.strings, 392);
    assert_int_equal(c.mismatches, 0);
    heed_tokenizer_free(c.tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(smollm2_agrees_with_llama_cpp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
