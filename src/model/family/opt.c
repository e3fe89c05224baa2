/* OPT (Zhang et al. 2022): learned positions from row 2 on, ReLU. The 350M model is post-norm and
   has a narrower embedding. */
#include "model/family/decoder_internal.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_LEARNED,
                                   .position_offset = 2,
                                   .counts_seen = true,
                                   .vocabulary = 50272,
                                   .d_model = 768,
                                   .context = 2048,
                                   .decoder = {.layers = 12, .heads = 12, .d_ff = 3072},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .activation = HEED_UNARY_RELU,
                                   .scaled = true,
                                   .query_bias = true,
                                   .tied = true,
                                   .embedding_scale = 1,
                                   .residual_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = 1,
                                   .bos_id = 2,
                                   .eos_id = 2};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("word_embed_proj_dim", COUNT, embedding_width),
    HEED_KEY("num_hidden_layers", COUNT, decoder.layers),
    HEED_KEY("num_attention_heads", SIZE, decoder.heads),
    HEED_KEY("ffn_dim", SIZE, decoder.d_ff),
    HEED_KEY("activation_function", ACTIVATION, activation),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("enable_bias", FLAG, query_bias),
    HEED_KEY("init_std", NUMBER, initializer_range),
    HEED_KEY_DROPOUT("dropout", residual_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_EITHER("do_layer_norm_before", HEED_NORM_POST, HEED_NORM_PRE, norm_place),
    HEED_KEY_OTHERS("_remove_final_layer_norm"),
    HEED_KEY_SUPPORTS("layer_norm_elementwise_affine", "true"),
    HEED_EQUALS(output_bias, query_bias),
    HEED_EQUALS(ffn_bias, query_bias),
    HEED_MULTI_HEAD,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_TENSOR(EMBEDDING_PROJECTION_WEIGHT, DECODER, "project_in.weight"),
    HEED_TENSOR(OUTPUT_PROJECTION, DECODER, "project_out.weight"),
    HEED_TENSOR(POSITION_EMBEDDING, DECODER, "embed_positions.weight"),
    HEED_LINEAR(KEY, "layers.{i}.self_attn.k_proj"),
    HEED_LINEAR(VALUE, "layers.{i}.self_attn.v_proj"),
    HEED_LINEAR(QUERY, "layers.{i}.self_attn.q_proj"),
    HEED_LINEAR(OUTPUT, "layers.{i}.self_attn.out_proj"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.self_attn_layer_norm"),
    HEED_LINEAR(UP, "layers.{i}.fc1"),
    HEED_LINEAR(DOWN, "layers.{i}.fc2"),
    HEED_NORM_AT(FFN, NORM, "layers.{i}.final_layer_norm"),
    HEED_NORM(FINAL_NORM, "final_layer_norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"model.decoder.", "decoder.", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("OPTForCausalLM", CAUSAL_LM),
    HEED_CLASS("OPTModel", BARE),
    HEED_CLASS("OPTForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("OPTForQuestionAnswering", QUESTION),
    {0}};

/* Models with norms after the sublayers have no last norm, whatever the key says. */
static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    bool removed = false;
    HEED_TRY(heed_json_boolean(json, "_remove_final_layer_norm", &removed, where, error));
    config->final_norm = config->norm_place == HEED_NORM_PRE && !removed;
    return HEED_OK;
}

static bool write_config(const heed_config *config, json_t *json)
{
    bool removed = config->norm_place == HEED_NORM_PRE && !config->final_norm;
    return json_object_set_new(json, "_remove_final_layer_norm", json_boolean(removed)) == 0;
}

const heed_family heed_family_opt = {
    .name = "opt",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .fix = fix,
    .write = write_config,
};
