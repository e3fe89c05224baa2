/* Cohere's Command R (2024): attention and feed-forward both read one layer norm without bias;
   interleaved rotary pairs, scaled logits. */
#include "model/family/llama.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_DECODER,
    .position = HEED_POSITION_ROTARY,
    .rope = {.base = 500000, .fraction = 1, .interleaved = true, .truncate = true},
    .vocabulary = 256000,
    .d_model = 8192,
    .context = 8192,
    .decoder = {.layers = 40, .heads = 64, .d_ff = 22528},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .residual = HEED_RESIDUAL_PARALLEL,
    .activation = HEED_UNARY_SILU,
    .gated = true,
    .scaled = true,
    .logit_scale = 0.0625,
    .tied = true,
    .embedding_scale = 1,
    .classifier_dropout = 0.1,
    .initializer_range = 0.02,
    .pad_id = 0,
    .bos_id = 5,
    .eos_id = 255001};

static const heed_key keys[] = {
    HEED_LLAMA_SIZES,
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("logit_scale", NUMBER, logit_scale),
    HEED_KEY_EITHER("use_qk_norm", HEED_QK_NORM_NONE, HEED_QK_NORM_HEAD_GAINS, qk_norm),
    HEED_EQUALS(output_bias, query_bias),
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
    HEED_TENSOR_AS(QUERY_NORM_GAIN, DECODER, HEED_NAME_BY_HEAD,
                   "layers.{i}.self_attn.q_norm.weight"),
    HEED_TENSOR_AS(KEY_NORM_GAIN, DECODER, HEED_NAME_BY_HEAD, "layers.{i}.self_attn.k_norm.weight"),
    HEED_LINEAR(OUTPUT, "layers.{i}.self_attn.o_proj"),
    HEED_LLAMA_FEED_FORWARD,
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    {0}};

static const heed_architecture architectures[] = {
    HEED_CLASS("CohereForCausalLM", CAUSAL_LM), HEED_CLASS("CohereModel", BARE), {0}};

static const heed_key gguf_keys[] = {
    HEED_GGUF_KEYS, HEED_KEY("logit_scale", NUMBER, logit_scale), {0}};

static const heed_weight_name gguf_weights[] = {
    HEED_GGUF_EMBEDDINGS,   HEED_GGUF_NORM_AT(ATTENTION, NORM, 0, "attn_norm"),
    HEED_GGUF_SEPARATE(0),  HEED_GGUF_ATTENTION(HEED_NAME_BY_HEAD),
    HEED_GGUF_FEED_FORWARD, HEED_GGUF_OUTPUT};

static const heed_gguf_names gguf = {
    .architecture = "command-r",
    .keys = gguf_keys,
    .weights = gguf_weights,
    .qk_norm = HEED_QK_NORM_HEAD_GAINS,
};

const heed_family heed_family_cohere = {
    .name = "cohere",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 2.75,
    .d_ff_multiple = 32,
    .packs_positions = true,
};
