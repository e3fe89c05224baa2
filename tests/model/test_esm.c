/* ESM's config.json: positions and what counts them, scaling by masks; what is written reads back;
   wrong values are refused by the name of their key. */
#include "model/family.h"
#include "support/test.h"

static heed_status read_text(heed_config *config, const char *text, heed_error *error)
{
    json_t *json = NULL;
    heed_status status = heed_json_parse(&json, text, strlen(text), "config.json", error);
    if (status == HEED_OK) status = heed_config_read(config, json, "config.json", error);
    json_decref(json);
    return status;
}

#define ESM(extra)                                                                \
    "{\"model_type\": \"esm\", \"hidden_size\": 32, \"num_attention_heads\": 4, " \
    "\"intermediate_size\": 48, \"num_hidden_layers\": 2, \"vocab_size\": 33, "   \
    "\"max_position_embeddings\": 50, \"pad_token_id\": 1" extra "}"

static void learned_positions_count_tokens_and_rotary_ones_do_not(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(read_text(&c, ESM(""), &error));
    assert_true(c.position == HEED_POSITION_LEARNED && c.counts_tokens);
    assert_true(c.context == 48 && c.position_offset == 2);
    assert_ok(read_text(&c, ESM(", \"position_embedding_type\": \"rotary\""), &error));
    assert_true(c.position == HEED_POSITION_ROTARY && !c.counts_tokens);
    assert_int_equal(c.position_offset, 0);
}

static void rope_theta_has_no_effect(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(read_text(&c, ESM(", \"position_embedding_type\": \"rotary\", \"rope_theta\": 5.0"),
                        &error));
    assert_true(c.rope.base == 10000);
}

static void written_configurations_read_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ESM(""),
        ESM(", \"emb_layer_norm_before\": true, \"token_dropout\": true, \"mask_token_id\": 32"),
        ESM(", \"position_embedding_type\": \"rotary\", \"emb_layer_norm_before\": null, "
            "\"architectures\": [\"EsmForSequenceClassification\"], \"num_labels\": 3"),
        ESM(", \"architectures\": [\"EsmModel\"], \"tie_word_embeddings\": false"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        heed_config before, after;
        json_t *json = NULL;
        assert_ok(read_text(&before, texts[i], &error));
        assert_ok(heed_config_write(&before, &json, &error));
        assert_ok(heed_config_read(&after, json, "written", &error));
        json_decref(json);
        assert_memory_equal(&before, &after, sizeof before);
    }
}

static void wrong_values_are_refused_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        heed_status status;
        const char *part;
    } bad[] = {
        {ESM(", \"token_dropout\": true"), HEED_E_FORMAT, "mask_token_id is 0"},
        {ESM(", \"token_dropout\": true, \"mask_token_id\": 33"), HEED_E_FORMAT,
         "mask_token_id is 33"},
        {ESM(", \"token_dropout\": 1"), HEED_E_FORMAT, "token_dropout"},
        {ESM(", \"position_embedding_type\": \"relative_key\""), HEED_E_UNSUPPORTED,
         "position_embedding_type is \"relative_key\"; expected one of absolute, rotary"},
        {ESM(", \"is_folding_model\": true"), HEED_E_UNSUPPORTED, "is_folding_model is true"},
        {ESM(", \"add_cross_attention\": true"), HEED_E_UNSUPPORTED, "add_cross_attention"},
        {ESM(", \"pad_token_id\": null"), HEED_E_FORMAT, "pad_token_id is -1"},
        {ESM(", \"max_position_embeddings\": 2"), HEED_E_FORMAT, "max_position_embeddings is 2"},
        {ESM(", \"architectures\": [\"EsmForProteinFolding\"]"), HEED_E_UNSUPPORTED,
         "EsmForProteinFolding"},
        {"{\"model_type\": \"heed\", \"contact_head\": true, \"hidden_size\": 32, "
         "\"decoder_layers\": 1, \"decoder_attention_heads\": 4}",
         HEED_E_UNSUPPORTED, "contact_head is true"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_config config;
        assert_fails(bad[i].status, bad[i].part, read_text(&config, bad[i].text, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learned_positions_count_tokens_and_rotary_ones_do_not),
        cmocka_unit_test(rope_theta_has_no_effect),
        cmocka_unit_test(written_configurations_read_back),
        cmocka_unit_test(wrong_values_are_refused_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
