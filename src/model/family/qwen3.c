/* Qwen3 (Yang et al. 2025): Llama with norms on the queries and keys of each head. */
#include "model/family/llama.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(10000),
    .vocabulary = 151936,
    .d_model = 4096,
    .context = 32768,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 32, .head_width = 128, .d_ff = 22016},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-6,
    .qk_norm = HEED_QK_NORM_HEAD,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_QWEN_WINDOW,
    HEED_KEY_LAYERS(FROM, heed_qwen_bounds, 28),
    HEED_EQUALS(output_bias, query_bias),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_architecture architectures[] = {HEED_CLASSES("Qwen3"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "qwen3", .keys = heed_gguf_keys, .weights = heed_gguf_weights};

const heed_family heed_family_qwen3 = {
    .name = "qwen3",
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
