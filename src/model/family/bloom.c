/* BLOOM (Le Scao et al. 2022): ALiBi, a layer norm after the embedding; q, k and v of a head follow
   each other in one tensor. */
#include "model/family/decoder_internal.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_ALIBI,
                                   .counts_seen = true,
                                   .vocabulary = 250880,
                                   .d_model = 64,
                                   .context = 2048,
                                   .decoder = {.layers = 2, .heads = 8},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .embedding_norm = true,
                                   .activation = HEED_UNARY_GELU_FAST,
                                   .scaled = true,
                                   .query_bias = true,
                                   .output_bias = true,
                                   .ffn_bias = true,
                                   .tied = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 1,
                                   .eos_id = 2};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY_READ("n_embed", SIZE, d_model),
    HEED_KEY_READ("num_hidden_layers", COUNT, decoder.layers),
    HEED_KEY("n_layer", COUNT, decoder.layers),
    HEED_KEY_READ("num_attention_heads", SIZE, decoder.heads),
    HEED_KEY("n_head", SIZE, decoder.heads),
    HEED_KEY_READ("seq_length", SIZE, context),
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY_DROPOUT("hidden_dropout", residual_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_EITHER("apply_residual_connection_post_layernorm", HEED_NORM_PRE, HEED_NORM_STREAM,
                    norm_place),
    HEED_MULTI_HEAD,
    HEED_COMPUTED(decoder.d_ff),
    HEED_CLASSIFIER_DROPOUT,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "word_embeddings.weight"),
    HEED_NORM(EMBEDDING_NORM, "word_embeddings_layernorm"),
    HEED_NORM_AT(ATTENTION, NORM, "h.{i}.input_layernorm"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, HEED_NAME_GROUPED,
                      "h.{i}.self_attention.query_key_value.weight"),
    HEED_TENSOR_FUSED(QUERY_BIAS, 3, HEED_NAME_GROUPED,
                      "h.{i}.self_attention.query_key_value.bias"),
    HEED_LINEAR(OUTPUT, "h.{i}.self_attention.dense"),
    HEED_NORM_AT(FFN, NORM, "h.{i}.post_attention_layernorm"),
    HEED_LINEAR(UP, "h.{i}.mlp.dense_h_to_4h"),
    HEED_LINEAR(DOWN, "h.{i}.mlp.dense_4h_to_h"),
    HEED_NORM(FINAL_NORM, "ln_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {HEED_CLASSES("Bloom"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "bloom", .keys = heed_gguf_plain_keys, .weights = heed_gguf_fused_weights};

const heed_family heed_family_bloom = {
    .name = "bloom",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .trains_padding = true,
};
