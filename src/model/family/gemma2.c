/* Gemma 2 (Gemma Team 2024): norms before and after each sublayer, soft caps on scores and logits,
   a window in every other layer. */
#include "model/family/gemma.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_GEMMA,
    HEED_ROPE(10000),
    .vocabulary = 256000,
    .d_model = 2304,
    .context = 8192,
    .norm_place = HEED_NORM_SANDWICH,
    .decoder = {.layers = 26, .heads = 8, .kv_heads = 4, .head_width = 256, .d_ff = 9216},
    .scale_width = 256,
    .window = 4096,
    .attention_soft_cap = 50,
    .logit_soft_cap = 30};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("hidden_activation", ACTIVATION, activation),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("query_pre_attn_scalar", SIZE, scale_width),
    HEED_KEY("sliding_window", SPAN, window),
    HEED_KEY("attn_logit_softcapping", AMOUNT, attention_soft_cap),
    HEED_KEY("final_logit_softcapping", AMOUNT, logit_soft_cap),
    HEED_KEY_LAYERS(EVEN, NULL, 0),
    HEED_GEMMA_RULES,
    {0},
};

const heed_weight_name heed_gemma_weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LLAMA_ATTENTION,
    HEED_NORM_AT(ATTENTION, POST_NORM, "layers.{i}.post_attention_layernorm"),
    HEED_NORM_AT(FFN, NORM, "layers.{i}.pre_feedforward_layernorm"),
    HEED_LLAMA_FEED_FORWARD,
    HEED_NORM_AT(FFN, POST_NORM, "layers.{i}.post_feedforward_layernorm"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("Gemma2"), {0}};

static const heed_key gguf_keys[] = {HEED_GGUF_KEYS, HEED_GGUF_CAPS, {0}};

void heed_gemma_derive_gguf(heed_config *config, int64_t largest)
{
    const heed_stack *stack = &config->decoder;
    config->scale_width = stack->head_width;
    if (stack->layers == largest || stack->head_width == 0)
        config->scale_width = config->d_model / stack->heads;
}

static void derive_gguf(heed_config *config)
{
    heed_gemma_derive_gguf(config, 46); /* layers of the 27B model */
}

static const heed_gguf_names gguf = {
    .architecture = "gemma2",
    .keys = gguf_keys,
    .weights = heed_gguf_weights,
    .window_step = 2,
    .derive = derive_gguf,
};

const heed_family heed_family_gemma2 = {
    .name = "gemma2",
    .preset = &preset,
    .keys = keys,
    .weights = heed_gemma_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .packs_positions = true,
};
