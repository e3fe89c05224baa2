/* Phi (Li et al. 2023): attention and feed-forward both read one layer norm; rotary positions on
   some channels of each head, biases everywhere. */
#include "model/family/llama.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_ROTARY,
                                   .rope = {.base = 10000, .fraction = 0.5, .truncate = true},
                                   .vocabulary = 51200,
                                   .d_model = 2048,
                                   .context = 2048,
                                   .decoder = {.layers = 24, .heads = 32, .d_ff = 8192},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .residual = HEED_RESIDUAL_PARALLEL,
                                   .activation = HEED_UNARY_GELU_TANH,
                                   .scaled = true,
                                   .query_bias = true,
                                   .output_bias = true,
                                   .ffn_bias = true,
                                   .lm_bias = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 1,
                                   .eos_id = 2};

static const heed_key keys[] = {
    HEED_LLAMA_SIZES,
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY_DROPOUT("resid_pdrop", residual_dropout),
    HEED_KEY_DROPOUT("embd_pdrop", embedding_dropout),
    HEED_KEY_EITHER("qk_layernorm", HEED_QK_NORM_NONE, HEED_QK_NORM_HEAD, qk_norm),
    HEED_KEY_READ("qk_layernorm", FLAG, qk_norm_bias),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LINEAR(QUERY, "layers.{i}.self_attn.q_proj"),
    HEED_LINEAR(KEY, "layers.{i}.self_attn.k_proj"),
    HEED_LINEAR(VALUE, "layers.{i}.self_attn.v_proj"),
    HEED_NORM(QUERY_NORM, "layers.{i}.self_attn.q_layernorm"),
    HEED_NORM(KEY_NORM, "layers.{i}.self_attn.k_layernorm"),
    HEED_LINEAR(OUTPUT, "layers.{i}.self_attn.dense"),
    HEED_LINEAR(UP, "layers.{i}.mlp.fc1"),
    HEED_LINEAR(DOWN, "layers.{i}.mlp.fc2"),
    HEED_NORM(FINAL_NORM, "final_layernorm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_TENSOR_HEAD(LM_BIAS, 0, "lm_head.bias"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("Phi"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "phi2", .keys = heed_gguf_plain_keys, .weights = heed_gguf_weights};

const heed_family heed_family_phi = {
    .name = "phi",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .rotary_coverage = HEED_ROTARY_PAIRS,
    .packs_positions = true,
};
