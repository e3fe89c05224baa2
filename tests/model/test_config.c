/* config.json: both styles, defaults, derived sizes, every error by file, field, value and
   expectation; what is written reads back. */
#include "model/weights_internal.h"
#include "support/test.h"

static heed_status read_text(heed_config *config, const char *text, heed_error *error)
{
    json_t *json = NULL;
    heed_status status = heed_json_parse(&json, text, strlen(text), "config.json", error);
    if (status == HEED_OK) status = heed_config_read(config, json, "config.json", error);
    json_decref(json);
    return status;
}

#define LLAMA(extra)                                                              \
    "{\"model_type\": \"llama\", \"hidden_size\": 32, \"num_hidden_layers\": 2, " \
    "\"num_attention_heads\": 4, \"vocab_size\": 90" extra "}"
#define GPT2(extra)                                                                              \
    "{\"model_type\": \"gpt2\", \"n_embd\": 24, \"n_layer\": 2, \"n_head\": 3, \"vocab_size\": " \
    "90" extra "}"
#define BERT(extra)                                                                                \
    "{\"model_type\": \"bert\", \"hidden_size\": 24, \"num_attention_heads\": 3, \"vocab_size\": " \
    "90" extra "}"
#define ROBERTA(extra)                                                                \
    "{\"model_type\": \"roberta\", \"hidden_size\": 24, \"num_attention_heads\": 3, " \
    "\"vocab_size\": 90" extra "}"
#define DISTILBERT(head)                                                             \
    "{\"model_type\": \"distilbert\", \"architectures\": [\"DistilBert" head "\"], " \
    "\"dropout\": 0.2, \"seq_classif_dropout\": 0.3, \"qa_dropout\": 0.4}"
#define QWEN2(extra)                                                              \
    "{\"model_type\": \"qwen2\", \"hidden_size\": 32, \"num_hidden_layers\": 4, " \
    "\"num_attention_heads\": 4, \"num_key_value_heads\": 2" extra "}"
#define MARIAN(extra)                                                                \
    "{\"model_type\": \"marian\", \"d_model\": 32, \"encoder_attention_heads\": 4, " \
    "\"decoder_attention_heads\": 2" extra "}"
#define ROTARY(type, part)                                                             \
    "{\"model_type\": \"" type "\", \"hidden_size\": 32, \"num_attention_heads\": 4, " \
    "\"num_key_value_heads\": 4, \"partial_rotary_factor\": " part "}"
#define HEED(extra)                                                           \
    "{\"model_type\": \"heed\", \"hidden_size\": 32, \"decoder_layers\": 2, " \
    "\"decoder_attention_heads\": 4" extra "}"

typedef struct {
    const char *text;
    heed_status status;
    const char *part;
} bad_config;

static const bad_config bad[] = {
    {"[]", HEED_E_FORMAT, "expected a JSON object"},
    {"{}", HEED_E_FORMAT, "model_type is missing"},
    {"{\"model_type\": 3}", HEED_E_FORMAT, "model_type"},
    {"{\"model_type\": \"gpt_neo\", \"num_layers\": 2000000000, \"attention_types\": "
     "[[[\"global\"], 2000000000]]}",
     HEED_E_FORMAT, "the number of layers is 2000000000"},
    {"{\"model_type\": \"gpt_neo\", \"num_layers\": 4, \"attention_types\": [[[\"global\"], 3]]}",
     HEED_E_FORMAT, "attention_types names 3 layers"},
    {"{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": [[[\"odd\"], 1]]}",
     HEED_E_UNSUPPORTED, "attention_types: \"odd\""},
    {"{\"model_type\": \"gptj\", \"rotary_dim\": 5}", HEED_E_FORMAT, "rotary_dim is 5"},
    {"{\"model_type\": \"gptj\", \"n_head\": 100000}", HEED_E_FORMAT,
     "rotary_dim is 64; expected an even number from 2 to the width of a head, 0"},
    {"{\"model_type\": \"falcon\", \"new_decoder_architecture\": true, \"parallel_attn\": false}",
     HEED_E_UNSUPPORTED, "new_decoder_architecture without parallel_attn"},
    {"{\"model_type\": \"falcon\", \"new_decoder_architecture\": true, \"num_kv_heads\": 2}",
     HEED_E_FORMAT, "71 heads and 2 key/value heads"},
    {"{\"model_type\": \"mpt\", \"attn_config\": {\"clip_qkv\": -6}}", HEED_E_FORMAT,
     "clip_qkv is -6"},
    {"{\"model_type\": \"torch-transformer\", \"batch_first\": false}", HEED_E_UNSUPPORTED,
     "batch_first is false"},
    {"{\"model_type\": \"gemma\", \"use_bidirectional_attention\": true}", HEED_E_UNSUPPORTED,
     "use_bidirectional_attention"},
    {"{\"model_type\": \"gemma2\", \"attn_logit_softcapping\": -1}", HEED_E_FORMAT,
     "expected a number of at least 0, or null"},
    {"{\"model_type\": \"granite\", \"attention_multiplier\": 0}", HEED_E_FORMAT,
     "attention_multiplier is 0; expected a number above 0"},
    {"{\"model_type\": \"granite\", \"logits_scaling\": -8}", HEED_E_FORMAT,
     "logits_scaling is -8; expected a number above 0"},
    {"{\"model_type\": \"gemma3_text\", \"rope_local_base_freq\": -1}", HEED_E_FORMAT,
     "layers with a window is -1; expected a number above 1"},
    {"{\"model_type\": \"gemma3_text\", \"sliding_window_pattern\": 0}", HEED_E_FORMAT,
     "sliding_window_pattern is 0"},
    {"{\"model_type\": \"opt\", \"layer_norm_elementwise_affine\": false}", HEED_E_UNSUPPORTED,
     "layer_norm_elementwise_affine"},
    {"{\"model_type\": \"gpt_bigcode\", \"add_cross_attention\": true}", HEED_E_UNSUPPORTED,
     "add_cross_attention"},
    {"{\"model_type\": \"mamba\"}", HEED_E_UNSUPPORTED, "model_type is \"mamba\"; known are llama"},
    {LLAMA(", \"hidden_act\": \"selu\""), HEED_E_UNSUPPORTED, "hidden_act is \"selu\""},
    {LLAMA(", \"hidden_act\": \"prelu\""), HEED_E_UNSUPPORTED, "activation without parameters"},
    {LLAMA(", \"hidden_act\": \"exp\""), HEED_E_UNSUPPORTED, "hidden_act is \"exp\""},
    {LLAMA(", \"hidden_act\": 3"), HEED_E_FORMAT, "hidden_act"},
    {LLAMA(", \"num_key_value_heads\": 3"), HEED_E_FORMAT, "4 heads and 3 key/value heads"},
    {LLAMA(", \"num_key_value_heads\": -1"), HEED_E_FORMAT, "num_key_value_heads is -1"},
    {LLAMA(", \"head_dim\": 7"), HEED_E_FORMAT, "7 wide"},
    {LLAMA(", \"intermediate_size\": 4611686018427387904"), HEED_E_FORMAT,
     "intermediate_size is 4611686018427387904"},
    {LLAMA(", \"intermediate_size\": 100000000"), HEED_E_FORMAT, "width of the feed-forward"},
    {LLAMA(", \"rms_norm_eps\": 0"), HEED_E_FORMAT, "epsilon"},
    {LLAMA(", \"rms_norm_eps\": -1"), HEED_E_FORMAT, "epsilon"},
    {LLAMA(", \"rms_norm_eps\": \"x\""), HEED_E_FORMAT, "rms_norm_eps"},
    {LLAMA(", \"attention_dropout\": 1.0"), HEED_E_FORMAT,
     "attention_dropout is 1; expected a rate"},
    {LLAMA(", \"attention_bias\": 1"), HEED_E_FORMAT, "attention_bias"},
    {LLAMA(", \"max_position_embeddings\": 0"), HEED_E_FORMAT, "max_position_embeddings is 0"},
    {LLAMA(", \"eos_token_id\": \"</s>\""), HEED_E_FORMAT, "eos_token_id"},
    {LLAMA(", \"architectures\": [\"LlamaForDreaming\"]"), HEED_E_UNSUPPORTED,
     "\"LlamaForDreaming\"; family llama has the classes LlamaForCausalLM, LlamaModel"},
    {LLAMA(", \"architectures\": [\"LlamaForCausalLM\", \"LlamaModel\"]"), HEED_E_FORMAT,
     "architectures: expected a list with one class name"},
    {LLAMA(", \"architectures\": [7]"), HEED_E_FORMAT, "architectures"},
    {"{\"model_type\": \"mpt\", \"attn_config\": []}", HEED_E_FORMAT,
     "attn_config is an array; expected an object or null"},
    {"{\"model_type\": \"mpt\", \"attn_config\": {\"qk_ln\": true}}", HEED_E_UNSUPPORTED,
     "attn_config: qk_ln is true; only false is supported"},
    {"{\"model_type\": \"mpt\", \"attn_config\": {\"attn_pdrop\": 1.0}}", HEED_E_FORMAT,
     "attn_config: attn_pdrop is 1; expected a rate"},
    {"{\"model_type\": \"mixtral\", \"router_jitter_noise\": 0.5}", HEED_E_UNSUPPORTED,
     "router_jitter_noise is 0.5; only 0 is supported"},
    {"{\"model_type\": \"mixtral\", \"num_local_experts\": \"eight\"}", HEED_E_FORMAT,
     "num_local_experts"},
    {"{\"model_type\": \"mixtral\", \"num_experts_per_tok\": 9}", HEED_E_FORMAT, "chooses is 9"},
    {"{\"model_type\": \"qwen3_moe\", \"mlp_only_layers\": 3}", HEED_E_FORMAT,
     "mlp_only_layers is an integer; expected a list of layers"},
    {"{\"model_type\": \"qwen3_moe\", \"mlp_only_layers\": [-1]}", HEED_E_FORMAT,
     "mlp_only_layers[0]"},
    {"{\"model_type\": \"marian\", \"scale_embedding\": \"yes\"}", HEED_E_FORMAT,
     "scale_embedding"},
    {"{\"model_type\": \"gemma2\", \"layer_types\": \"full_attention\"}", HEED_E_FORMAT,
     "layer_types is a string; expected a list"},
    {"{\"model_type\": \"gpt_bigcode\", \"multi_query\": 1}", HEED_E_FORMAT, "multi_query"},
    {"{\"model_type\": \"falcon\", \"alibi\": \"true\"}", HEED_E_FORMAT, "alibi"},
    {LLAMA(", \"num_labels\": 0"), HEED_E_FORMAT, "num_labels is 0"},
    {LLAMA(", \"problem_type\": \"guessing\""), HEED_E_FORMAT, "problem_type is \"guessing\""},
    {LLAMA(", \"rope_theta\": 0"), HEED_E_FORMAT, "rope_theta is 0"},
    {LLAMA(", \"rope_scaling\": {\"type\": \"spiral\"}"), HEED_E_UNSUPPORTED, "\"spiral\""},
    {LLAMA(", \"rope_scaling\": {\"type\": \"linear\"}"), HEED_E_FORMAT, "factor of linear"},
    {LLAMA(", \"rope_scaling\": {\"rope_type\": \"dynamic\"}"), HEED_E_FORMAT, "factor of dynamic"},
    {LLAMA(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 2.0}"), HEED_E_FORMAT,
     "expected 4, one for each pair"},
    {LLAMA(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 2, 0, 4]}"),
     HEED_E_FORMAT, "short_factor[2]"},
    {LLAMA(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": 1}"), HEED_E_FORMAT,
     "short_factor"},
    {LLAMA(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1,1,1,1], "
           "\"long_factor\": [1,1,1,1], \"original_max_position_embeddings\": 1}"),
     HEED_E_FORMAT, "at least 2"},
    {LLAMA(", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 2.0}"), HEED_E_FORMAT,
     "low_freq_factor"},
    {LLAMA(", \"rope_scaling\": [2]"), HEED_E_FORMAT, "rope_scaling"},
    {LLAMA(", \"rope_parameters\": {\"linear_attention\": {\"rope_theta\": 2.0}}"),
     HEED_E_UNSUPPORTED, "known kinds of layers are full_attention"},
    {LLAMA(", \"partial_rotary_factor\": 1.5"), HEED_E_FORMAT, "partial_rotary_factor is 1.5"},
    {LLAMA(", \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2.0, "
           "\"partial_rotary_factor\": 0.5}"),
     HEED_E_UNSUPPORTED, "on 4 of 8 channels; family llama rotates all of them"},
    {ROTARY("phi", "0.4"), HEED_E_UNSUPPORTED, "on 3 of 8 channels; phi rotates pairs"},
    {ROTARY("phi3", "0.1"), HEED_E_FORMAT,
     "heads are 8 wide and partial_rotary_factor is 0.1: no channel would be rotated"},
    {"{\"model_type\": \"gpt_neox\", \"hidden_size\": 20, \"num_attention_heads\": 4, "
     "\"rotary_pct\": 1.0}",
     HEED_E_FORMAT, "heads are 5 wide"},
    {"{\"model_type\": \"gpt_neox\", \"hidden_size\": 32, \"num_attention_heads\": 4, "
     "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 2.0, "
     "\"partial_rotary_factor\": 0.4}}",
     HEED_E_UNSUPPORTED, "on 3 of 8 channels; yarn rotates pairs"},
    {"{\"model_type\": \"llama\", \"num_hidden_layers\": 4097}", HEED_E_FORMAT, "layers is 4097"},
    {"{\"model_type\": \"llama\", \"hidden_size\": 0}", HEED_E_FORMAT, "hidden_size is 0"},
    {"{\"model_type\": \"llama\", \"hidden_size\": 2000000}", HEED_E_FORMAT, "width is 2000000"},
    {"{\"model_type\": \"llama\", \"vocab_size\": 100000000}", HEED_E_FORMAT,
     "vocabulary is 100000000"},
    {"{\"model_type\": \"llama\", \"num_attention_heads\": 100000}", HEED_E_FORMAT, "heads"},
    {GPT2(", \"n_head\": 5"), HEED_E_FORMAT, "does not divide by 5 heads"},
    {"{\"model_type\": \"gpt2\", \"n_embd\": 24, \"n_head\": 5}", HEED_E_FORMAT,
     "width 24 does not divide by 5 heads"},
    {GPT2(", \"add_cross_attention\": true"), HEED_E_UNSUPPORTED, "add_cross_attention"},
    {GPT2(", \"activation_function\": \"gelu_old\""), HEED_E_UNSUPPORTED,
     "activation_function is \"gelu_old\""},
    {BERT(", \"position_embedding_type\": \"relative_key\""), HEED_E_UNSUPPORTED, "relative_key"},
    {BERT(", \"max_position_embeddings\": 2147483647, \"num_hidden_layers\": 1"), HEED_E_FORMAT,
     "positions times width"},
    {ROBERTA(", \"pad_token_id\": null"), HEED_E_FORMAT, "pad_token_id is -1"},
    {ROBERTA(", \"pad_token_id\": 90"), HEED_E_FORMAT, "pad_token_id is 90"},
    {ROBERTA(", \"pad_token_id\": 5, \"max_position_embeddings\": 6"), HEED_E_FORMAT,
     "max_position_embeddings is 6; expected an integer from 7"},
    {ROBERTA(", \"max_position_embeddings\": \"many\""), HEED_E_FORMAT, "max_position_embeddings"},
    {ROBERTA(", \"max_position_embeddings\": -3000000000"), HEED_E_FORMAT,
     "max_position_embeddings is -3000000000"},
    {ROBERTA(", \"add_cross_attention\": true"), HEED_E_UNSUPPORTED, "add_cross_attention"},
    {ROBERTA(", \"architectures\": [\"RobertaForNextSentencePrediction\"]"), HEED_E_UNSUPPORTED,
     "RobertaForNextSentencePrediction"},
    {"{\"model_type\": \"distilbert\", \"dim\": 25, \"n_heads\": 3}", HEED_E_FORMAT,
     "width 25 does not divide by 3"},
    {"{\"model_type\": \"distilbert\", \"seq_classif_dropout\": 1.5}", HEED_E_FORMAT,
     "seq_classif_dropout is 1.5"},
    {"{\"model_type\": \"electra\", \"embedding_size\": 0}", HEED_E_FORMAT, "embedding_size is 0"},
    {"{\"model_type\": \"electra\", \"summary_type\": \"mean\"}", HEED_E_UNSUPPORTED,
     "summary_type is \"mean\""},
    {"{\"model_type\": \"electra\", \"summary_use_proj\": false}", HEED_E_UNSUPPORTED,
     "summary_use_proj"},
    {"{\"model_type\": \"albert\", \"num_hidden_groups\": 13}", HEED_E_FORMAT,
     "weights of their own is 13"},
    {"{\"model_type\": \"albert\", \"inner_group_num\": 0}", HEED_E_FORMAT, "inner_group_num is 0"},
    {"{\"model_type\": \"albert\", \"inner_group_num\": 5000}", HEED_E_FORMAT,
     "layers in a group is 5000"},
    {"{\"model_type\": \"bert\", \"hidden_size\": 25, \"num_attention_heads\": 3}", HEED_E_FORMAT,
     "width 25 does not divide by 3"},
    {QWEN2(", \"layer_types\": [\"full_attention\"]"), HEED_E_FORMAT, "layer_types has 1 entries"},
    {QWEN2(", \"layer_types\": [\"full_attention\", \"full_attention\", \"full_attention\", "
           "\"mamba\"]"),
     HEED_E_UNSUPPORTED, "layer_types[3] is \"mamba\""},
    {QWEN2(", \"use_sliding_window\": true, \"sliding_window\": 0"), HEED_E_FORMAT,
     "sliding_window is 0"},
    {"{\"model_type\": \"qwen2\", \"num_hidden_layers\": 2147483647, \"use_sliding_window\": true, "
     "\"max_window_layers\": 0}",
     HEED_E_FORMAT, "layers is 2147483647"},
    {HEED(", \"position\": \"rotary\", \"partial_rotary_factor\": 1e300"), HEED_E_FORMAT,
     "partial_rotary_factor is 1e+300"},
    {MARIAN(", \"max_position_embeddings\": 100000000"), HEED_E_FORMAT, "positions times width"},
    {MARIAN(", \"architectures\": [\"MarianForTokenClassification\"]"), HEED_E_UNSUPPORTED,
     "MarianForTokenClassification"},
    {HEED(", \"norm\": \"batch\""), HEED_E_UNSUPPORTED,
     "norm is \"batch\"; expected one of layer, rms"},
    {HEED(", \"norm_place\": \"pre\", \"position\": \"sideways\""), HEED_E_UNSUPPORTED,
     "position is \"sideways\""},
    {HEED(", \"residual\": \"parallel\", \"norm_place\": \"post\""), HEED_E_UNSUPPORTED,
     "parallel"},
    {HEED(", \"arrangement\": \"encoder\""), HEED_E_FORMAT, "the number of layers is 0"},
    {"{\"model_type\": \"gpt_neo\", \"num_layers\": 0}", HEED_E_FORMAT,
     "the number of layers is 0"},
};

static void every_error_says_what_is_wrong(void **state)
{
    (void)state;
    heed_config config;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_error error = {0};
        heed_status status = read_text(&config, bad[i].text, &error);
        if (status != bad[i].status || !strstr(error.message, bad[i].part))
            fail_msg("%s\n  expected %s with \"%s\", found %s: %s", bad[i].text,
                     heed_status_name(bad[i].status), bad[i].part, heed_status_name(status),
                     error.message);
        if (status != HEED_OK && strncmp(error.message, "config.json", 11) != 0)
            fail_msg("the message does not begin with the file: %s", error.message);
    }
}

static void absent_keys_mean_the_family_s_defaults(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(read_text(&c, "{\"model_type\": \"gpt2\"}", &error));
    assert_true(c.vocabulary == 50257 && c.d_model == 768 && c.decoder.layers == 12 &&
                c.decoder.d_ff == 3072 && c.decoder.head_width == 64 && c.tied);
    assert_true(c.heads[0] == HEED_HEAD_CAUSAL_LM && c.activation == HEED_UNARY_GELU_TANH &&
                c.context == 1024 && c.eos_id == 50256 && c.pad_id == -1);
    assert_ok(read_text(&c, "{\"model_type\": \"mistral\"}", &error));
    assert_true(c.decoder.kv_heads == 8 && c.decoder.head_width == 128 && c.window == 4096 &&
                heed_config_windowed(&c, 31));
    assert_ok(read_text(
        &c,
        "{\"model_type\": \"mistral\", \"sliding_window\": null, \"num_key_value_heads\": null}",
        &error));
    assert_true(c.window == 0 && !heed_config_windowed(&c, 0) && c.decoder.kv_heads == 32);
    assert_ok(
        read_text(&c, "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"]}", &error));
    assert_true(c.encoder.d_ff == 3072 && c.token_types == 2 && c.heads[0] == HEED_HEAD_BARE &&
                !c.causal && c.norm_eps == 1e-12);
    assert_ok(read_text(&c, "{\"model_type\": \"roberta\"}", &error));
    assert_true(c.context == 510 && c.position_offset == 2 && c.pad_id == 1);
    assert_ok(read_text(&c, "{\"model_type\": \"roberta\", \"pad_token_id\": 0}", &error));
    assert_true(c.context == 511 && c.position_offset == 1);
    assert_ok(read_text(&c, DISTILBERT("ForSequenceClassification"), &error));
    assert_true(c.classifier_dropout == 0.3);
    assert_ok(read_text(&c, DISTILBERT("ForQuestionAnswering"), &error));
    assert_true(c.classifier_dropout == 0.4);
    assert_ok(read_text(&c, DISTILBERT("ForTokenClassification"), &error));
    assert_true(c.classifier_dropout == 0.2);
    assert_ok(read_text(&c, "{\"model_type\": \"albert\"}", &error));
    assert_true(c.encoder.own_layers == 1 && c.embedding_width == 128 && c.embedding_projected);
    assert_ok(read_text(&c, "{\"model_type\": \"marian\"}", &error));
    assert_true(c.vocabulary == 58101 && c.source_vocabulary == 0 && c.embedding_scale == 1 &&
                c.decoder_start_id == 58100);
    assert_ok(read_text(&c, "{\"model_type\": \"qwen2\"}", &error));
    assert_true(c.query_bias && !c.output_bias && c.window == 0 && c.eos_id == -1);
}

static void both_styles_say_the_same(void **state)
{
    (void)state;
    heed_config a, b;
    assert_ok(read_text(&a,
                        LLAMA(", \"torch_dtype\": \"bfloat16\", \"rope_theta\": 5000.0, "
                              "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}"),
                        &error));
    assert_ok(read_text(&b,
                        LLAMA(", \"dtype\": \"bfloat16\", \"rope_parameters\": {\"rope_type\": "
                              "\"linear\", \"rope_theta\": 5000.0, \"factor\": 4.0}"),
                        &error));
    assert_true(a.dtype == HEED_BF16 && b.dtype == HEED_BF16);
    assert_memory_equal(&a.rope, &b.rope, sizeof a.rope);
    assert_ok(read_text(
        &a,
        LLAMA(
            ", \"eos_token_id\": [5, 6], \"id2label\": {\"0\": \"x\", \"1\": \"y\", \"2\": \"z\"}"),
        &error));
    assert_true(a.eos_id == 5 && a.labels == 3);
}

static void windows_follow_the_layers(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(read_text(
        &c,
        QWEN2(", \"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 3"),
        &error));
    assert_true(!heed_config_windowed(&c, 2) && heed_config_windowed(&c, 3));
    assert_ok(read_text(&c,
                        QWEN2(", \"use_sliding_window\": true, \"layer_types\": "
                              "[\"sliding_attention\", \"full_attention\", \"full_attention\", "
                              "\"sliding_attention\"]"),
                        &error));
    assert_true(c.window == 4096 && heed_config_windowed(&c, 0) && !heed_config_windowed(&c, 1) &&
                heed_config_windowed(&c, 3));
    assert_ok(read_text(&c, QWEN2(", \"sliding_window\": 4, \"max_window_layers\": 0"), &error));
    assert_false(heed_config_windowed(&c, 0));
}

static bool is_listed(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static void every_activation_of_transformers_is_known(void **state)
{
    (void)state;
    static const char *const names[] = {"gelu",
                                        "gelu_10",
                                        "gelu_fast",
                                        "gelu_new",
                                        "gelu_python",
                                        "gelu_pytorch_tanh",
                                        "gelu_python_tanh",
                                        "gelu_accurate",
                                        "hardswish",
                                        "laplace",
                                        "leaky_relu",
                                        "linear",
                                        "mish",
                                        "quick_gelu",
                                        "relu",
                                        "relu2",
                                        "relu6",
                                        "sigmoid",
                                        "silu",
                                        "softplus",
                                        "sqrtsoftplus",
                                        "swish",
                                        "tanh"};
    const size_t count = sizeof names / sizeof *names;
    heed_unary_kind kind = HEED_UNARY_GELU;
    for (size_t i = 0; i < count; i++)
        if (!heed_activation_by_name(names[i], &kind)) fail_msg("%s is not known", names[i]);
    for (int64_t i = 0; i < HEED_UNARY_COUNT; i++) {
        const char *name = heed_activation_name((heed_unary_kind)i);
        if (heed_activation_by_name(name, &kind) && !is_listed(name, names, count))
            fail_msg("config.json may name \"%s\", which this test does not list: add the name to "
                     "the list here, or exclude it in is_activation() of src/model/activation.c",
                     name);
    }
    assert_false(heed_activation_by_name("square", &kind));
    assert_false(heed_activation_by_name("", &kind));
}

/* What is written reads back as the same configuration, byte for byte. */
static void written_configurations_read_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        LLAMA(", \"num_key_value_heads\": 2, \"head_dim\": 10, \"attention_bias\": true, "
              "\"mlp_bias\": true, \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0,"
              "\"original_max_position_embeddings\": 16, \"truncate\": false, \"beta_fast\": 8.0}"),
        LLAMA(", \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2.5}"),
        LLAMA(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 1.5, 2, 3], "
              "\"long_factor\": [1, 2, 4, 9], \"original_max_position_embeddings\": 64}"),
        LLAMA(", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
              "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0}"),
        LLAMA(", \"architectures\": [\"LlamaForSequenceClassification\"], \"num_labels\": 4, "
              "\"problem_type\": \"multi_label_classification\", \"pad_token_id\": 3"),
        GPT2(", \"scale_attn_weights\": false, \"scale_attn_by_inverse_layer_idx\": true, "
             "\"n_inner\": 20, \"tie_word_embeddings\": false, \"torch_dtype\": \"float16\""),
        BERT(", \"architectures\": [\"BertForTokenClassification\"], \"num_labels\": 7, "
             "\"type_vocab_size\": 1"),
        BERT(", \"architectures\": [\"BertModel\"]"),
        QWEN2(", \"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 2"),
        QWEN2(""),
        MARIAN(", \"scale_embedding\": true, \"share_encoder_decoder_embeddings\": false, "
               "\"decoder_vocab_size\": 77"),
        MARIAN(", \"tie_word_embeddings\": false"),
        ROTARY("phi", "1.0"),
        ROTARY("phi3", "0.75"),
        LLAMA(", \"partial_rotary_factor\": 0.5"),
        "{\"model_type\": \"gpt_neox\", \"rotary_pct\": 1.0}",
        "{\"model_type\": \"gpt_neox\", \"hidden_size\": 16, \"num_attention_heads\": 4, "
        "\"rotary_pct\": 0.75}",
        "{\"model_type\": \"mistral\", \"sliding_window\": null}",
        "{\"model_type\": \"mistral\", \"sliding_window\": 5}",
        "{\"model_type\": \"torch-transformer\", \"norm_first\": true, \"bias\": false, "
        "\"d_model\": 16, \"nhead\": 2}",
        HEED(", \"embedding_scale\": 3.5"),
        HEED(", \"position\": \"rotary\", \"rotary_interleaved\": true"),
        HEED(", \"norm\": \"layer\", \"norm_bias\": true, \"norm_place\": \"sandwich\", "
             "\"query_key_norm\": \"head\", \"sliding_window\": 3, \"logit_soft_cap\": 2.5"),
        HEED(", \"arrangement\": \"encoder-decoder\", \"encoder_layers\": 1, "
             "\"encoder_attention_heads\": 2, \"position\": \"sinusoidal\", \"norm_place\": "
             "\"output\"")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        heed_config before, after;
        json_t *json = NULL;
        heed_error error = {0};
        assert_ok(read_text(&before, texts[i], &error));
        assert_ok(heed_config_write(&before, &json, &error));
        if (heed_config_read(&after, json, "written", &error) != HEED_OK)
            fail_msg("%s\n  %s", texts[i], error.message);
        /* training's, and not written by every family */
        before.classifier_dropout = after.classifier_dropout;
        if (memcmp(&before, &after, sizeof before) != 0) {
            size_t at = 0;
            while (((char *)&before)[at] == ((char *)&after)[at]) at++;
            char *text = json_dumps(json, 0);
            fail_msg("%s\n  differs at byte %zu after writing %s", texts[i], at, text);
        }
        json_decref(json);
    }
}

static heed_config new_config(const char *family)
{
    heed_config c;
    assert_ok(heed_config_preset(&c, family, &error));
    c.vocabulary = 64;
    c.d_model = 32;
    c.context = 48;
    if (c.arrangement != HEED_DECODER_ONLY) {
        c.encoder.layers = 2;
        c.encoder.heads = 4;
    }
    if (c.arrangement != HEED_ENCODER_ONLY) {
        c.decoder.layers = 2;
        c.decoder.heads = 4;
    }
    c.pad_id = c.bos_id = c.eos_id = 0;
    if (c.arrangement == HEED_ENCODER_DECODER) c.decoder_start_id = 0;
    return c;
}

/* 1 / (1 / 49) is not 49 in double precision. */
static void divisors_are_written_as_they_were_read(void **state)
{
    (void)state;
    static const double divisors[] = {1, 8, 49, 0.3, 13.25, 1 / 3.0};
    for (size_t i = 0; i < sizeof divisors / sizeof *divisors; i++) {
        char text[128];
        heed_config config;
        json_t *json = NULL;
        snprintf(text, sizeof text, "{\"model_type\": \"granite\", \"logits_scaling\": %.17g}",
                 divisors[i]);
        assert_ok(read_text(&config, text, &error));
        assert_true(config.logit_scale == 1 / divisors[i]);
        assert_ok(heed_config_write(&config, &json, &error));
        double written = json_real_value(json_object_get(json, "logits_scaling"));
        if (written != divisors[i]) fail_msg("%.17g is written as %.17g", divisors[i], written);
        json_decref(json);
    }
}

/* The default recipe is Llama, 2017 is Marian; a kind that no family has stays heed. */
static void models_are_written_as_the_family_they_coincide_with(void **state)
{
    (void)state;
    heed_config c = new_config("heed");
    assert_ok(heed_config_complete(&c, "test", &error));
    assert_int_equal(c.decoder.d_ff, 96); /* 8/3 of 32, rounded up to 32 */
    assert_string_equal(heed_config_written_as(&c), "llama");
    c.residual_dropout = 0.1;
    assert_string_equal(heed_config_written_as(&c), "llama");
    c.query_bias = true;
    assert_ok(heed_config_complete(&c, "test", &error));
    assert_string_equal(heed_config_written_as(&c), "qwen2");
    c.output_bias = true;
    assert_string_equal(heed_config_written_as(&c), "llama");
    c.output_bias = c.query_bias = false;
    c.window = 7;
    assert_ok(heed_config_complete(&c, "test", &error));
    assert_string_equal(heed_config_written_as(&c), "mistral");
    c = new_config("heed");
    c.norm_place = HEED_NORM_SANDWICH;
    assert_ok(heed_config_complete(&c, "test", &error));
    assert_string_equal(heed_config_written_as(&c), "heed");
    static const char *const families[] = {"gpt2", "bert", "marian"};
    for (size_t i = 0; i < 3; i++) { /* heed with the kinds of another family is that family */
        heed_config other = new_config(families[i]);
        assert_ok(heed_config_complete(&other, "test", &error));
        other.family = heed_family_find("heed");
        if (strcmp(heed_config_written_as(&other), families[i]) != 0)
            fail_msg("%s is written as %s", families[i], heed_config_written_as(&other));
    }
    assert_fails(HEED_E_ARG, "no family is called \"x\"", heed_config_preset(&c, "x", &error));
}

/* Reads a text and returns its unused keys as one text, which the caller frees. */
static char *unused_of(const char *text)
{
    heed_config c;
    json_t *json = NULL;
    assert_ok(heed_json_parse(&json, text, strlen(text), "config.json", &error));
    assert_ok(heed_config_read(&c, json, "config.json", &error));
    json_t *unused = heed_config_unused(&c, json);
    char *list = json_dumps(unused, JSON_COMPACT);
    json_decref(unused);
    json_decref(json);
    return list;
}

/* Keys that the family's tables do not name are listed, also those in nested objects, unless they
   switch something off or say nothing about the model. */
static void keys_that_a_model_does_not_use_are_listed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *unused;
    } cases[] = {
        {LLAMA(""), "[]"},
        {LLAMA(", \"transformers_version\": \"4.30.0\", \"architectures\": "
               "[\"LlamaForCausalLM\"], \"_name_or_path\": \"x\", \"temperature\": 0.7"),
         "[]"},
        {LLAMA(", \"rope_theta\": 100.0, \"rope_scaling\": null, \"qkv_shift\": false"), "[]"},
        {LLAMA(", \"qkv_shift\": 0.5, \"n_layer\": 3"), "[\"qkv_shift\",\"n_layer\"]"},
        {QWEN2(", \"use_sliding_window\": false, \"max_window_layers\": 28"), "[]"},
        {"{\"model_type\": \"mpt\", \"attn_config\": {\"alibi\": true, \"rounds\": 3}}",
         "[\"attn_config.rounds\"]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *unused = unused_of(cases[i].text);
        assert_string_equal(unused, cases[i].unused);
        free(unused);
    }
}

/* The description has what is not off, under heed's keys. */
static void descriptions_have_what_is_not_off(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(read_text(&c, LLAMA(", \"sliding_window\": 4, \"mlp_bias\": true"), &error));
    json_t *json = heed_config_describe(&c);
    assert_string_equal(json_string_value(json_object_get(json, "norm")), "rms");
    assert_int_equal(json_integer_value(json_object_get(json, "decoder_head_dim")), 8);
    assert_true(json_is_true(json_object_get(json, "mlp_bias")));
    assert_true(json_is_object(json_object_get(json, "rope_parameters")));
    static const char *const absent[] = {"attention_bias", "sliding_window", "encoder_layers",
                                         "pooler_activation", "mask_scaling"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (json_object_get(json, absent[i])) fail_msg("%s is described", absent[i]);
    json_decref(json);
}

/* Gives a field another value that its key can express. */
static void change_field(heed_config *c, const heed_key *key)
{
    if (key->field.real) {
        heed_config_set_real(c, key->field, heed_config_real(c, key->field) + 0.25);
        return;
    }
    int64_t value = heed_config_integer(c, key->field);
    bool two = key->field.bytes == sizeof(bool) || key->type == HEED_KEY_KIND ||
               key->type == HEED_KEY_ACTIVATION;
    heed_config_set_integer(c, key->field, two ? value == 0 : value + 3);
}

/* The list of fields is complete: with the structs and arrays beside them they fill heed_config but
   for padding, each field is compared, and each key of heed's config.json is written as it is
   read. */
static void every_field_is_listed_compared_and_written(void **state)
{
    (void)state;
    static uint8_t covered[sizeof(heed_config)];
    memset(covered, 0, sizeof covered);
    memset(covered, 1, offsetof(heed_config, arrangement)); /* family, model_type */
#define COVER(member) \
    memset(covered + offsetof(heed_config, member), 1, sizeof(((heed_config *)0)->member))
    COVER(heads);
    COVER(rope);
    COVER(rope_local);
    COVER(dense);
    COVER(windowed);
    COVER(more_eos);
    size_t listed = 0;
    for (const heed_key *key = heed_field_keys; key->name; key++) {
        if (!key->use) continue; /* a rule */
        listed++;
        memset(covered + key->field.offset, 1, key->field.bytes);
        heed_config a = new_config("heed"), b;
        a.lm_transform.dense = a.pooler.dense = true;
        b = a;
        change_field(&b, key);
        const char *other = heed_config_difference(
            &a, &b, HEED_FIELD_FREE | HEED_FIELD_MODEL | HEED_FIELD_PROPERTY);
        if (!other || strcmp(other, key->what) != 0)
            fail_msg("%s differs, found %s", key->what, other ? other : "nothing");
        if (!heed_key_is_named(key)) continue;
        json_t *json = json_object();
        assert_true(heed_config_write_keys(&b, heed_field_keys, json));
        assert_ok(heed_config_read_keys(&a, heed_field_keys, json, "written", &error));
        json_decref(json);
        if (!heed_config_fields_equal(&a, &b, key->field))
            fail_msg("%s is not read as it was written", key->name);
    }
    assert_true(listed > 90);
    for (size_t at = 0, gap = 0; at < sizeof covered; at++) {
        gap = covered[at] ? 0 : gap + 1;
        if (gap > 7) fail_msg("byte %zu of heed_config belongs to no field of config.def", at);
    }
}

/* Every role of a complete configuration has one name in its family's table, and no role two. */
static void every_wanted_role_has_one_name(void **state)
{
    (void)state;
    for (size_t f = 0; f < heed_family_count(); f++) {
        const heed_family *family = heed_family_at(f);
        for (const heed_architecture *known = family->architectures; known->name; known++)
            for (int variant = 0; variant < 2; variant++) {
                heed_config c = new_config(family->name);
                heed_config_set_class(&c, known);
                c.tied = variant == 0;
                if (c.float_inputs) c.vocabulary = 0;
                if (!c.tied && strcmp(family->name, "marian") == 0) c.source_vocabulary = 64;
                assert_ok(heed_config_complete(&c, family->name, &error));
                for (int stack_id = 0; stack_id < HEED_STACK_IDS; stack_id++)
                    for (int at = 0; at < HEED_SLOT_IDS * HEED_ROLE_COUNT; at++) {
                        int names = 0, slot = at / HEED_ROLE_COUNT, role = at % HEED_ROLE_COUNT;
                        for (const heed_weight_name *entry = family->weights; entry->name;
                             entry++) {
                            int fused = entry->fused ? entry->fused : 1;
                            if (entry->stack_id != stack_id || role < entry->role ||
                                heed_weight_name_place(entry, 0).slot != slot ||
                                role >= entry->role + fused)
                                continue;
                            names += heed_weight_name_is_used(&c, entry);
                        }
                        bool spare = role == HEED_ROLE_SPARE_BIAS ||
                                     role == HEED_ROLE_SPARE_EMBEDDING;
                        bool wanted = heed_role_wanted(&c, (heed_stack_id)stack_id,
                                                       (heed_slot_id)slot, (heed_role)role);
                        if (wanted && names != 1 && !spare)
                            fail_msg("%s, %s: role %d of slot %d has %d names", family->name,
                                     known->name, role, slot, names);
                    }
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_says_what_is_wrong),
        cmocka_unit_test(absent_keys_mean_the_family_s_defaults),
        cmocka_unit_test(both_styles_say_the_same),
        cmocka_unit_test(windows_follow_the_layers),
        cmocka_unit_test(every_activation_of_transformers_is_known),
        cmocka_unit_test(written_configurations_read_back),
        cmocka_unit_test(divisors_are_written_as_they_were_read),
        cmocka_unit_test(models_are_written_as_the_family_they_coincide_with),
        cmocka_unit_test(keys_that_a_model_does_not_use_are_listed),
        cmocka_unit_test(descriptions_have_what_is_not_off),
        cmocka_unit_test(every_field_is_listed_compared_and_written),
        cmocka_unit_test(every_wanted_role_has_one_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
