/* Marian (Junczys-Dowmunt et al. 2018): the encoder-decoder of Vaswani et al. 2017, post-norm, with
   sinusoidal positions and one embedding. */
#include "model/family/decoder_internal.h"

static const heed_config preset = {
    .arrangement = HEED_ENCODER_DECODER,
    .vocabulary = 58101,
    .d_model = 1024,
    .context = 1024,
    .encoder = {.layers = 12, .heads = 16, .d_ff = 4096},
    .decoder = {.layers = 12, .heads = 16, .d_ff = 4096},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_POST,
    .norm_eps = 1e-5,
    .norm_bias = true,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_SINUSOIDAL,
    .sinusoid_order = HEED_SINUSOID_HALVES,
    .causal = true,
    .scaled = true,
    .query_bias = true,
    .output_bias = true,
    .ffn_bias = true,
    .embedding_scale = 1,
    .tied = true,
    .logits_bias = true,
    .embedding_dropout = 0.1,
    .residual_dropout = 0.1,
    .initializer_range = 0.02,
    .pad_id = 58100,
    .bos_id = -1,
    .eos_id = 0,
    .decoder_start_id = 58100,
    .use_cache = true,
};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("d_model", SIZE, d_model),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("encoder_layers", COUNT, encoder.layers),
    HEED_KEY("encoder_attention_heads", SIZE, encoder.heads),
    HEED_KEY("encoder_ffn_dim", COUNT, encoder.d_ff),
    HEED_KEY("decoder_layers", COUNT, decoder.layers),
    HEED_KEY("decoder_attention_heads", SIZE, decoder.heads),
    HEED_KEY("decoder_ffn_dim", COUNT, decoder.d_ff),
    HEED_KEY("activation_function", ACTIVATION, activation),
    HEED_KEY_DROPOUT("dropout", residual_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_DROPOUT("activation_dropout", activation_dropout),
    HEED_KEY("init_std", NUMBER, initializer_range),
    HEED_KEY("decoder_start_token_id", ID, decoder_start_id),
    HEED_KEY("scale_embedding", ROOT, embedding_scale),
    HEED_KEY_FIXED("is_encoder_decoder", "true"),
    HEED_KEY_FIXED("static_position_embeddings", "true"),
    HEED_KEY_WRITTEN("forced_eos_token_id", ID, eos_id),
    HEED_KEY_OTHERS("decoder_vocab_size"),
    HEED_KEY_OTHERS("share_encoder_decoder_embeddings"),
    HEED_MULTI_HEAD,
    HEED_FOLLOWS(encoder.kv_heads, encoder.heads),
    HEED_COMPUTED(encoder.head_width),
    HEED_FOLLOWS(embedding_dropout, residual_dropout),
    {0},
};

/* clang-format off */
#define LAYER(in, stem) \
    HEED_LINEAR_IN(in, QUERY, stem ".layers.{i}.self_attn.q_proj"), \
    HEED_LINEAR_IN(in, KEY, stem ".layers.{i}.self_attn.k_proj"), \
    HEED_LINEAR_IN(in, VALUE, stem ".layers.{i}.self_attn.v_proj"), \
    HEED_LINEAR_IN(in, OUTPUT, stem ".layers.{i}.self_attn.out_proj"), \
    HEED_WEIGHT_NORM_AT(ATTENTION, NORM, in, HEED_NAME_BASE, \
                        stem ".layers.{i}.self_attn_layer_norm"), \
    HEED_LINEAR_IN(in, UP, stem ".layers.{i}.fc1"), \
    HEED_LINEAR_IN(in, DOWN, stem ".layers.{i}.fc2"), \
    HEED_WEIGHT_NORM_AT(FFN, NORM, in, HEED_NAME_BASE, stem ".layers.{i}.final_layer_norm")
static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "shared.weight"),
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_ALIAS, "decoder.embed_tokens.weight"),
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_ALIAS, "encoder.embed_tokens.weight"),
    HEED_TENSOR(TOKEN_EMBEDDING, ENCODER, "encoder.embed_tokens.weight"),
    HEED_TENSOR(TOKEN_EMBEDDING, DECODER, "decoder.embed_tokens.weight"),
    HEED_TENSOR_AS(SPARE_EMBEDDING, MODEL, HEED_NAME_OPTIONAL, "shared.weight"),
    LAYER(ENCODER, "encoder"),
    LAYER(DECODER, "decoder"),
    HEED_LINEAR_AT(CROSS, QUERY, "decoder.layers.{i}.encoder_attn.q_proj"),
    HEED_LINEAR_AT(CROSS, KEY, "decoder.layers.{i}.encoder_attn.k_proj"),
    HEED_LINEAR_AT(CROSS, VALUE, "decoder.layers.{i}.encoder_attn.v_proj"),
    HEED_LINEAR_AT(CROSS, OUTPUT, "decoder.layers.{i}.encoder_attn.out_proj"),
    HEED_NORM_AT(CROSS, NORM, "decoder.layers.{i}.encoder_attn_layer_norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_WEIGHT(LOGITS_BIAS, MODEL, HEED_NAME_BUFFER | HEED_NAME_OPTIONAL | HEED_NAME_ROW,
                "final_logits_bias"),
    {0},
};
/* clang-format on */

static const char *const ignored[] = {"encoder.embed_positions.weight",
                                      "decoder.embed_positions.weight", NULL};
static const char *const prefixes[] = {"model.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("MarianMTModel", CAUSAL_LM), HEED_CLASS("MarianModel", BARE), {0}};

/* A model with an embedding for each stack has two vocabularies. Untied models have two as well. */
static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    bool shared = true;
    int64_t vocabulary = config->vocabulary;
    HEED_TRY(heed_json_boolean(json, "share_encoder_decoder_embeddings", &shared, where, error));
    HEED_TRY(heed_json_integer(json, "decoder_vocab_size", &vocabulary, where, error));
    if (shared && config->tied) return HEED_OK;
    config->source_vocabulary = config->vocabulary;
    config->vocabulary = vocabulary;
    return HEED_OK;
}

static bool write_config(const heed_config *config, json_t *json)
{
    int64_t source = config->source_vocabulary > 0 ? config->source_vocabulary : config->vocabulary;
    return json_object_set_new(json, "vocab_size", json_integer(source)) == 0 &&
           json_object_set_new(json, "decoder_vocab_size", json_integer(config->vocabulary)) == 0 &&
           json_object_set_new(json, "share_encoder_decoder_embeddings",
                               json_boolean(config->source_vocabulary == 0)) == 0;
}

const heed_family heed_family_marian = {
    .name = "marian",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .is_published = true,
    .fix = fix,
    .write = write_config,
};
