/* Mistral (Jiang et al. 2023): Llama with a sliding window in every layer. */
#include "model/family/llama.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(10000),
    .vocabulary = 32000,
    .d_model = 4096,
    .context = 131072,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 8, .d_ff = 14336},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-6,
    .window = 4096,
    .pad_id = -1,
    .bos_id = 1,
    .eos_id = 2};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,   HEED_KEY("sliding_window", SPAN, window),
    HEED_EVERY_WINDOW, HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,   {0},
};

static const heed_architecture architectures[] = {HEED_CLASSES("Mistral"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "llama", .keys = heed_gguf_keys, .weights = heed_gguf_paired_weights};

const heed_family heed_family_mistral = {
    .name = "mistral",
    .preset = &preset,
    .keys = keys,
    .weights = heed_llama_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 3.5,
    .d_ff_multiple = 32,
    .packs_positions = true,
    .is_published = true,
};
