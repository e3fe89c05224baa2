/* ModernBERT's config.json: older and newer keys say the same; the window lies about its token;
   what is written reads back; wrong values are refused by the name of their key. */
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

#define MODERNBERT(extra)                                                                         \
    "{\"model_type\": \"modernbert\", \"hidden_size\": 32, \"num_attention_heads\": 4, "          \
    "\"intermediate_size\": 48, \"num_hidden_layers\": 4, \"vocab_size\": 90, \"pad_token_id\": " \
    "0" extra "}"

static void absent_keys_mean_the_published_model(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(read_text(&c, "{\"model_type\": \"modernbert\"}", &error));
    assert_true(c.encoder.layers == 22 && c.d_model == 768 && c.encoder.d_ff == 1152);
    assert_true(c.window == 65 && c.rope.base == 160000 && c.rope_local.base == 10000);
    assert_true(!heed_config_windowed(&c, 0) && heed_config_windowed(&c, 1));
    assert_true(heed_config_windowed(&c, 2) && !heed_config_windowed(&c, 21));
    assert_true(c.tied && c.lm_bias && !c.norm_bias && !c.query_bias && !c.causal);
}

static void new_models_have_windows(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(heed_config_preset(&c, "modernbert", &error));
    c.vocabulary = 90;
    c.d_model = 32;
    c.context = 64;
    c.encoder.layers = c.encoder.heads = 4;
    c.pad_id = c.bos_id = c.eos_id = 0;
    assert_ok(heed_config_complete(&c, "test", &error));
    assert_true(!heed_config_windowed(&c, 0) && heed_config_windowed(&c, 1));
    assert_true(heed_config_windowed(&c, 2) && !heed_config_windowed(&c, 3));
}

static void both_styles_say_the_same(void **state)
{
    (void)state;
    heed_config a, b;
    assert_ok(read_text(&a,
                        MODERNBERT(", \"global_attn_every_n_layers\": 2, \"local_attention\": 9, "
                                   "\"global_rope_theta\": 500.0, \"local_rope_theta\": 20.0"),
                        &error));
    assert_ok(
        read_text(&b,
                  MODERNBERT(", \"layer_types\": [\"full_attention\", \"sliding_attention\", "
                             "\"full_attention\", \"sliding_attention\"], \"local_attention\": 8, "
                             "\"rope_parameters\": {\"full_attention\": {\"rope_theta\": 500.0}, "
                             "\"sliding_attention\": {\"rope_theta\": 20.0}}"),
                  &error));
    assert_int_equal(a.window, 5);
    assert_memory_equal(&a, &b, sizeof a);
}

static void written_configurations_read_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        MODERNBERT(""),
        MODERNBERT(", \"classifier_bias\": true, \"classifier_activation\": \"relu\", "
                   "\"architectures\": [\"ModernBertForSequenceClassification\"], "
                   "\"classifier_pooling\": \"mean\", \"num_labels\": 3"),
        MODERNBERT(", \"local_attention\": 0, \"norm_bias\": true, \"mlp_bias\": true, "
                   "\"attention_bias\": true, \"decoder_bias\": false, "
                   "\"tie_word_embeddings\": false"),
        MODERNBERT(", \"architectures\": [\"ModernBertModel\"]"),
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
        {MODERNBERT(", \"local_attention\": -1"), HEED_E_FORMAT,
         "local_attention is -1; expected an integer from 0"},
        {MODERNBERT(", \"local_attention\": \"wide\""), HEED_E_FORMAT, "local_attention"},
        {MODERNBERT(", \"classifier_pooling\": \"max\""), HEED_E_UNSUPPORTED,
         "classifier_pooling is \"max\"; expected one of cls, mean"},
        {MODERNBERT(", \"global_attn_every_n_layers\": 0"), HEED_E_FORMAT,
         "global_attn_every_n_layers is 0"},
        {MODERNBERT(", \"layer_types\": [\"full_attention\"]"), HEED_E_FORMAT,
         "layer_types has 1 entries"},
        {MODERNBERT(", \"local_rope_theta\": -3"), HEED_E_FORMAT,
         "layers with a window is -3; expected a number above 1"},
        {MODERNBERT(", \"hidden_size\": 33"), HEED_E_FORMAT, "does not divide by 4 heads"},
        {MODERNBERT(", \"architectures\": [\"ModernBertForCausalLM\"]"), HEED_E_UNSUPPORTED,
         "ModernBertForCausalLM"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_config config;
        assert_fails(bad[i].status, bad[i].part, read_text(&config, bad[i].text, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_keys_mean_the_published_model),
        cmocka_unit_test(new_models_have_windows),
        cmocka_unit_test(both_styles_say_the_same),
        cmocka_unit_test(written_configurations_read_back),
        cmocka_unit_test(wrong_values_are_refused_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
