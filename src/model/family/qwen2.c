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

static const heed_key keys[] = {HEED_LLAMA_KEYS, {0}};

static const heed_architecture architectures[] = {HEED_CLASSES("Qwen2"), {0}};

heed_status heed_qwen_window_read(heed_config *config, const json_t *json, bool *sliding,
                                  const char *where, heed_error *error)
{
    int64_t window = 4096;
    *sliding = false;
    HEED_TRY(heed_json_boolean(json, "use_sliding_window", sliding, where, error));
    HEED_TRY(heed_json_integer(json, "sliding_window", &window, where, error));
    if (window < 1 || window > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: sliding_window is %lld; expected a positive number or null", where,
                         (long long)window);
    if (json_is_null(json_object_get(json, "sliding_window"))) *sliding = false;
    if (*sliding) config->window = window;
    return HEED_OK;
}

bool heed_qwen_window_write(const heed_config *config, json_t *json)
{
    bool sliding = config->window > 0;
    return json_object_set_new(json, "use_sliding_window", json_boolean(sliding)) == 0 &&
           json_object_set_new(json, "sliding_window", heed_positive_or_null(config->window)) == 0;
}

/* The window holds from layer max_window_layers on, unless layer_types says which layers have
   it. */
heed_status heed_qwen2_fix(heed_config *config, const json_t *json, const char *where,
                           heed_error *error)
{
    bool sliding = false;
    int64_t first = 28;
    HEED_TRY(heed_json_integer(json, "max_window_layers", &first, where, error));
    HEED_TRY(heed_qwen_window_read(config, json, &sliding, where, error));
    /* the general checks refuse it */
    if (config->decoder.layers > HEED_MAX_LAYERS) return HEED_OK;
    bool listed = false;
    HEED_TRY(heed_layer_types_read(config, json, &listed, where, error));
    for (int64_t i = first < 0 ? 0 : first; !listed && sliding && i < config->decoder.layers; i++)
        heed_config_window_layer(config, i);
    return heed_llama_fix(config, json, where, error);
}

bool heed_qwen2_write(const heed_config *config, json_t *json)
{
    int64_t first = config->window > 0 ? 0 : config->decoder.layers;
    return heed_qwen_window_write(config, json) &&
           json_object_set_new(json, "max_window_layers", json_integer(first)) == 0 &&
           heed_layer_types_and_rope_write(config, json);
}

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
    .fix = heed_qwen2_fix,
    .write = heed_qwen2_write,
};
