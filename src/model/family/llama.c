/* Llama (Touvron et al. 2023): pre-norm decoder, RMS norms, rotary positions, SwiGLU, grouped
   heads. Mistral and Qwen2 have the same names. */
#include "model/family/llama.h"

static const heed_config preset = {HEED_LLAMA_PRESET,
                                   HEED_ROPE(10000),
                                   .vocabulary = 32000,
                                   .d_model = 4096,
                                   .context = 2048,
                                   .decoder = {.layers = 32, .heads = 32, .d_ff = 11008},
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-6,
                                   .pad_id = -1,
                                   .bos_id = 1,
                                   .eos_id = 2};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("mlp_bias", FLAG, ffn_bias),
    HEED_EQUALS(output_bias, query_bias),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

const heed_weight_name heed_llama_weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LLAMA_ATTENTION,
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_LLAMA_FEED_FORWARD,
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};
const char *const heed_llama_ignored[] = {"layers.{i}.self_attn.rotary_emb.inv_freq",
                                          "rotary_emb.inv_freq", NULL};
const char *const heed_llama_prefixes[] = {"model.", "transformer.", "", NULL};

static const heed_architecture architectures[] = {HEED_CLASSES("Llama"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "llama", .keys = heed_gguf_keys, .weights = heed_gguf_paired_weights};

const heed_family heed_family_llama = {
    .name = "llama",
    .preset = &preset,
    .keys = keys,
    .weights = heed_llama_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 8.0 / 3,
    .d_ff_multiple = 32,
    .packs_positions = true,
    .is_published = true,
};
