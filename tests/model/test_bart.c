/* BART and its relatives: defaults, errors of their keys, decoders without their encoder, tables of
   positions that a file lacks. */
#include "model/weights_internal.h"
#include "support/copy.h"

#define BART(extra)                                                                \
    "{\"model_type\": \"bart\", \"d_model\": 32, \"encoder_attention_heads\": 4, " \
    "\"decoder_attention_heads\": 2" extra "}"
static heed_status read_text(heed_config *config, const char *text, heed_error *error)
{
    json_t *json = NULL;
    heed_status status = heed_json_parse(&json, text, strlen(text), "config.json", error);
    if (status == HEED_OK) status = heed_config_read(config, json, "config.json", error);
    json_decref(json);
    return status;
}

static const struct {
    const char *text;
    heed_status status;
    const char *message;
} wrong[] = {
    {BART(", \"encoder_layers\": 0"), HEED_E_FORMAT, "number of layers is 0"},
    {BART(", \"decoder_attention_heads\": 0"), HEED_E_FORMAT, "decoder_attention_heads is 0"},
    {BART(", \"encoder_attention_heads\": 5"), HEED_E_FORMAT, "does not divide by 5 heads"},
    {BART(", \"encoder_ffn_dim\": -1"), HEED_E_FORMAT, "encoder_ffn_dim is -1"},
    {BART(", \"is_encoder_decoder\": \"yes\""), HEED_E_FORMAT, "is_encoder_decoder"},
    {BART(", \"scale_embedding\": 2"), HEED_E_FORMAT, "scale_embedding"},
    {BART(", \"classifier_dropout\": 1"), HEED_E_FORMAT, "classifier_dropout is 1"},
    {BART(", \"activation_function\": \"swoosh\""), HEED_E_UNSUPPORTED,
     "activation_function is \"swoosh\""},
    {BART(", \"max_position_embeddings\": 2147483647"), HEED_E_FORMAT, "positions times width"},
    {"{\"model_type\": \"fsmt\", \"tie_word_embeddings\": true}", HEED_E_UNSUPPORTED,
     "tie_word_embeddings is true; only false is supported"},
    {"{\"model_type\": \"fsmt\", \"src_vocab_size\": 0}", HEED_E_FORMAT, "src_vocab_size is 0"},
    {"{\"model_type\": \"fsmt\", \"pad_token_id\": null}", HEED_E_FORMAT, "pad_token_id is -1"},
    {"{\"model_type\": \"fsmt\", \"pad_token_id\": 50000}", HEED_E_FORMAT, "pad_token_id is 50000"},
    {BART(", \"architectures\": [\"BartForTokenClassification\"]"), HEED_E_UNSUPPORTED,
     "BartForTokenClassification"},
    {BART(", \"is_encoder_decoder\": false"), HEED_E_UNSUPPORTED,
     "is_encoder_decoder is false; only true is supported for BartForConditionalGeneration"},
};

static void every_error_names_its_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        heed_config c;
        heed_error found = {0};
        heed_status status = read_text(&c, wrong[i].text, &found);
        if (status != wrong[i].status || !strstr(found.message, wrong[i].message))
            fail_msg("%s: found %s", wrong[i].text, found.message);
    }
}

static void absent_keys_mean_the_family_s_defaults(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(
        read_text(&c, BART(", \"architectures\": [\"BartForSequenceClassification\"]"), &error));
    assert_true(c.labels == 3 && c.pooled_row == HEED_POOLED_END && c.pooler.dense &&
                c.decoder_start_id == 2 && c.arrangement == HEED_ENCODER_DECODER);
    assert_ok(read_text(&c, "{\"model_type\": \"mbart\", \"tie_word_embeddings\": false}", &error));
    assert_true(c.starts_with_end && c.decoder_start_id == -1 && c.source_vocabulary == 50265 &&
                c.final_norm && c.labels == 2);
}

/* The class says which stacks there are, whatever is_encoder_decoder says. */
static void a_class_of_the_decoder_alone_has_one_stack(void **state)
{
    (void)state;
    heed_config c, back;
    json_t *json = NULL;
    assert_ok(read_text(&c,
                        BART(", \"architectures\": [\"BartForCausalLM\"], \"tie_word_embeddings\": "
                             "false, \"is_encoder_decoder\": true"),
                        &error));
    assert_true(heed_config_is_decoder_alone(&c) && c.encoder.layers == 0 &&
                c.source_vocabulary == 0 && c.decoder.heads == 2);
    assert_ok(heed_config_write(&c, &json, &error));
    assert_true(json_is_false(json_object_get(json, "is_encoder_decoder")) &&
                json_object_get(json, "encoder_layers") == NULL);
    assert_ok(heed_config_read(&back, json, "back", &error));
    assert_true(heed_config_is_decoder_alone(&back));
    json_decref(json);
    assert_fails(HEED_E_UNSUPPORTED, "have no head \"sequence classifier\"",
                 heed_config_set_head(&c, HEED_HEAD_SEQUENCE_CLASS, "test", &error));
    assert_ok(heed_config_set_head(&c, HEED_HEAD_CAUSAL_LM, "test", &error));
    assert_true(heed_config_is_decoder_alone(&c));
    assert_ok(read_text(&c, BART(""), &error));
    assert_false(heed_config_is_decoder_alone(&c));
    assert_ok(heed_config_set_head(&c, HEED_HEAD_SEQUENCE_CLASS, "test", &error));
    assert_true(c.pooler.dense);
    assert_ok(heed_config_set_head(&c, HEED_HEAD_BARE, "test", &error));
    assert_false(c.pooler.dense);
}

static const heed_backend reference = {.name = "reference"};

/* FSMT's tables begin as sinusoids, and its older files lack them. The row of padding is zero. */
static void tables_of_positions_that_a_file_lacks_are_sinusoids(void **state)
{
    (void)state;
    static const char *const name = "model.encoder.embed_positions.weight";
    copy c = copy_open("fsmt");
    float wanted[42 * 32];
    scratch s;
    heed_model *model = NULL;
    *item(&c, name) = c.items[--c.count];
    assert_ok(heed_model_load(&model, copy_write(&c), &(heed_model_options){.backend = &reference},
                              &error));
    assert_non_null(strstr(heed_model_note(model, 0), "is not in the file: filled with sinusoids"));
    scratch_make(&s);
    assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
    char path[600];
    heed_safetensors *saved = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", s.folder);
    assert_ok(heed_safetensors_open_whole(&saved, path, &error));
    const heed_stored_tensor *table = heed_safetensors_find(saved, name);
    heed_sinusoid_table_fairseq(wanted, 42, 32);
    memset(wanted + 32, 0, 32 * sizeof *wanted);
    assert_true(table && table->bytes == sizeof wanted);
    assert_memory_equal(table->data, wanted, sizeof wanted);
    heed_safetensors_close(saved);
    heed_model_release(model);
    scratch_remove(&s);
    copy_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_names_its_key),
        cmocka_unit_test(absent_keys_mean_the_family_s_defaults),
        cmocka_unit_test(a_class_of_the_decoder_alone_has_one_stack),
        cmocka_unit_test(tables_of_positions_that_a_file_lacks_are_sinusoids),
    };
    return cmocka_run_group_tests_name("bart", tests, NULL, NULL);
}
