/* StarCoder2 (Lozhkov et al. 2024): layer norms and biases like GPT-2, grouped heads, rotary
   positions, a window. */
#include "model/family/llama.h"

static const heed_config preset = {
    HEED_DECODER,
    HEED_ROPE(10000),
    .vocabulary = 49152,
    .d_model = 3072,
    .context = 4096,
    .decoder = {.layers = 30, .heads = 24, .kv_heads = 2, .d_ff = 12288},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .norm_bias = true,
    .activation = HEED_UNARY_GELU_TANH,
    .scaled = true,
    .query_bias = true,
    .tied = true,
    .embedding_scale = 1,
    .classifier_dropout = 0.1,
    .initializer_range = 0.018042,
    .pad_id = -1,
    .bos_id = 50256,
    .eos_id = 50256};

static const heed_key keys[] = {
    HEED_LLAMA_SIZES,
    HEED_KEY("norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("use_bias", FLAG, query_bias),
    HEED_KEY("sliding_window", SPAN, window),
    HEED_KEY_DROPOUT("residual_dropout", residual_dropout),
    HEED_KEY_DROPOUT("embedding_dropout", embedding_dropout),
    HEED_EQUALS(output_bias, query_bias),
    HEED_EQUALS(ffn_bias, query_bias),
    HEED_EVERY_WINDOW,
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LLAMA_ATTENTION,
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_LINEAR(UP, "layers.{i}.mlp.c_fc"),
    HEED_LINEAR(DOWN, "layers.{i}.mlp.c_proj"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("Starcoder2"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "starcoder2", .keys = heed_gguf_plain_keys, .weights = heed_gguf_weights};

const heed_family heed_family_starcoder2 = {
    .name = "starcoder2",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .packs_positions = true,
};
