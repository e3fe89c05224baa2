/* Granite (IBM 2024): Llama with factors on the embedding, on what each sublayer adds, on the
   scores and on the logits. */
#include "model/family/llama.h"

static const heed_config preset = {HEED_DECODER,
                                   HEED_ROPE(10000),
                                   .vocabulary = 32000,
                                   .d_model = 4096,
                                   .context = 2048,
                                   .decoder = {.layers = 32, .heads = 32, .d_ff = 11008},
                                   .norm = HEED_NORM_RMS,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-6,
                                   .activation = HEED_UNARY_SILU,
                                   .gated = true,
                                   .attention_scale = 1,
                                   .residual_scale = 1,
                                   .logit_scale = 1,
                                   .embedding_scale = 1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 1,
                                   .eos_id = 2};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("mlp_bias", FLAG, ffn_bias),
    HEED_EQUALS(output_bias, query_bias),
    HEED_KEY("embedding_multiplier", FACTOR, embedding_scale),
    HEED_KEY("residual_multiplier", FACTOR, residual_scale),
    HEED_KEY("attention_multiplier", FACTOR, attention_scale),
    HEED_KEY("logits_scaling", DIVISOR, logit_scale),
    HEED_KEY_ROTARY,
    {0},
};

static const heed_architecture architectures[] = {
    HEED_CLASS("GraniteForCausalLM", CAUSAL_LM), HEED_CLASS("GraniteModel", BARE), {0}};

const heed_family heed_family_granite = {
    .name = "granite",
    .preset = &preset,
    .keys = keys,
    .weights = heed_llama_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .d_ff_factor = 8.0 / 3,
    .d_ff_multiple = 32,
    .packs_positions = true,
};
