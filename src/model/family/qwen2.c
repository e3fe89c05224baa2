/* Qwen2 (Yang et al. 2024): Llama with biases on q, k and v, and a window from some layer on. */
#include "model/family/llama.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(10000),
    .vocabulary = 151936,
    .d_model = 4096,
    .context = 32768,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 32, .d_ff = 22016},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-6,
    .query_bias = true,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1};

const char *const heed_qwen_bounds[] = {"max_window_layers", NULL};
static const heed_key keys[] = {
    HEED_LLAMA_KEYS,         HEED_QWEN_WINDOW, HEED_KEY_LAYERS(FROM, heed_qwen_bounds, 28),
    HEED_CLASSIFIER_DROPOUT, HEED_KEY_ROTARY,  {0},
};

static const heed_architecture architectures[] = {HEED_CLASSES("Qwen2"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "qwen2", .keys = heed_gguf_keys, .weights = heed_gguf_weights};

const heed_family heed_family_qwen2 = {
    .name = "qwen2",
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
