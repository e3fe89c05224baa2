/* Qwen2 (Yang et al. 2024): Llama with biases on q, k and v, and a window from some layer on. */
#include "model/family/llama.h"

#include <string.h>

static const heed_config preset = {
    .arrangement = HEED_DECODER_ONLY, .vocabulary = 151936, .width = 4096, .context = 32768,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 32, .inner = 22016},
    .norm = HEED_NORM_RMS, .norm_place = HEED_NORM_PRE, .norm_eps = 1e-6, .final_norm = true,
    .activation = HEED_UNARY_SILU, .gated = true, .position = HEED_POSITION_ROTARY, .rope = {.base = 10000, .fraction = 1, .truncate = true},
    .causal = true, .scaled = true, .query_bias = true, .embedding_scale = 1, .classifier_dropout = 0.1, .initializer_range = 0.02,
    .pad_id = -1, .bos_id = -1, .eos_id = -1, .decoder_start_id = -1, .use_cache = true};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    {0}};

static const heed_architecture architectures[] = {
    {"Qwen2ForCausalLM", HEED_HEAD_CAUSAL_LM}, {"Qwen2Model", HEED_HEAD_NONE}, {"Qwen2ForSequenceClassification", HEED_HEAD_SEQUENCE_CLASS},
    {"Qwen2ForTokenClassification", HEED_HEAD_TOKEN_CLASS}, {"Qwen2ForQuestionAnswering", HEED_HEAD_QUESTION}, {0}};

static void set_window(heed_config *config, int64_t layer)
{
    config->windowed[layer / 8] |= (uint8_t)(1u << (layer % 8));
}

static heed_status read_layer_types(heed_config *config, const json_t *types, const char *where, heed_error *error)
{
    if ((int64_t)json_array_size(types) != config->decoder.layers)
        return heed_fail(error, HEED_E_FORMAT, "%s: layer_types has %zu entries; expected one for each of num_hidden_layers = %lld", where,
                         json_array_size(types), (long long)config->decoder.layers);
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (type && strcmp(type, "sliding_attention") == 0) set_window(config, (int64_t)i);
        else if (!type || strcmp(type, "full_attention") != 0)
            return heed_fail(error, HEED_E_UNSUPPORTED, "%s: layer_types[%zu] is \"%s\"; expected full_attention or sliding_attention", where, i, type ? type : "no string");
    }
    return HEED_OK;
}

/* The window holds from layer max_window_layers on, unless layer_types says which layers have it. */
static heed_status fix(heed_config *config, const json_t *json, const char *where, heed_error *error)
{
    bool sliding = false;
    int64_t window = 4096, first = 28;
    HEED_TRY(heed_json_boolean(json, "use_sliding_window", &sliding, where, error));
    HEED_TRY(heed_json_integer(json, "sliding_window", &window, where, error));
    HEED_TRY(heed_json_integer(json, "max_window_layers", &first, where, error));
    if (window < 1 || window > INT32_MAX) return heed_fail(error, HEED_E_FORMAT, "%s: sliding_window is %lld; expected a positive number or null", where, (long long)window);
    if (json_is_null(json_object_get(json, "sliding_window"))) sliding = false;
    if (sliding) config->window = window;
    if (config->decoder.layers > HEED_MAX_LAYERS) return HEED_OK; /* refused by the general checks */
    const json_t *types = json_object_get(json, "layer_types");
    if (json_is_array(types)) HEED_TRY(read_layer_types(config, types, where, error));
    else
        for (int64_t i = first < 0 ? 0 : first; sliding && i < config->decoder.layers; i++) set_window(config, i);
    return heed_llama_fix(config, json, where, error);
}

static bool write_config(const heed_config *config, json_t *json)
{
    json_t *types = json_array();
    bool whole = types != NULL;
    for (int64_t i = 0; whole && i < config->decoder.layers; i++)
        whole = json_array_append_new(types, json_string(heed_config_windowed(config, i) ? "sliding_attention" : "full_attention")) == 0;
    whole = whole && json_object_set(json, "layer_types", types) == 0 &&
            json_object_set_new(json, "use_sliding_window", json_boolean(config->window > 0)) == 0 &&
            json_object_set_new(json, "max_window_layers", json_integer(config->window > 0 ? 0 : config->decoder.layers)) == 0 &&
            json_object_set_new(json, "sliding_window", config->window > 0 ? json_integer(config->window) : json_null()) == 0;
    json_decref(types);
    return whole && heed_rope_write(config, json);
}

const heed_family heed_family_qwen2 = {
    .name = "qwen2", .preset = &preset, .keys = keys, .weights = heed_llama_weights, .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes, .architectures = architectures, .inner_factor = 8.0 / 3, .inner_multiple = 32,
    .packs_positions = true, .is_published = true, .fix = fix, .write = write_config};
