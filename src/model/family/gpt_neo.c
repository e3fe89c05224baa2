/* GPT-Neo (Black et al. 2021): GPT-2 with unscaled scores and a window in some layers. */
#include "model/family/decoder_internal.h"

#include <string.h>

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_LEARNED,
                                   .vocabulary = 50257,
                                   .d_model = 2048,
                                   .context = 2048,
                                   .decoder = {.layers = 24, .heads = 16},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .activation = HEED_UNARY_GELU_TANH,
                                   .window = 256,
                                   .output_bias = true,
                                   .ffn_bias = true,
                                   .tied = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 50256,
                                   .eos_id = 50256};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("num_layers", COUNT, decoder.layers),
    HEED_KEY("num_heads", SIZE, decoder.heads),
    HEED_KEY("intermediate_size", COUNT, decoder.d_ff),
    HEED_KEY("window_size", SPAN, window),
    HEED_KEY("activation_function", ACTIVATION, activation),
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY_DROPOUT("resid_dropout", residual_dropout),
    HEED_KEY_DROPOUT("embed_dropout", embedding_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_DROPOUT("classifier_dropout", classifier_dropout),
    HEED_KEY_OTHERS("attention_types"),
    HEED_KEY_OTHERS("attention_layers"),
    HEED_MULTI_HEAD,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "wte.weight"),
    HEED_TENSOR(POSITION_EMBEDDING, DECODER, "wpe.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "h.{i}.ln_1"),
    HEED_LINEAR(KEY, "h.{i}.attn.attention.k_proj"),
    HEED_LINEAR(VALUE, "h.{i}.attn.attention.v_proj"),
    HEED_LINEAR(QUERY, "h.{i}.attn.attention.q_proj"),
    HEED_LINEAR(OUTPUT, "h.{i}.attn.attention.out_proj"),
    HEED_NORM_AT(FFN, NORM, "h.{i}.ln_2"),
    HEED_LINEAR(UP, "h.{i}.mlp.c_fc"),
    HEED_LINEAR(DOWN, "h.{i}.mlp.c_proj"),
    HEED_NORM(FINAL_NORM, "ln_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0},
};

static const char *const ignored[] = {"h.{i}.attn.attention.bias",
                                      "h.{i}.attn.attention.masked_bias", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {HEED_CLASSES("GPTNeo"), {0}};

/* attention_types: a list of [kinds of layers, how often]; "local" layers have the window. */
static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    static const char pairs[] = "[[[\"global\", \"local\"], N]]";
    const json_t *types = json_object_get(json, "attention_types");
    int64_t layer = 0, layers = config->decoder.layers;
    if (layers > HEED_MAX_LAYERS) return HEED_OK; /* the general checks refuse it */
    if (!types || json_is_null(types)) {          /* global and local alternate */
        for (layer = 1; layer < layers; layer += 2) heed_config_window_layer(config, layer);
        return HEED_OK;
    }
    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *kinds = json_array_get(json_array_get(types, i), 0);
        const json_t *times = json_array_get(json_array_get(types, i), 1);
        if (!json_is_array(kinds) || !json_is_integer(times) || json_integer_value(times) > layers)
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: attention_types: expected a list such as %s, for num_layers = %lld layers",
                where, pairs, (long long)layers);
        for (json_int_t time = 0; time < json_integer_value(times); time++)
            for (size_t k = 0; k < json_array_size(kinds); k++, layer++) {
                const char *kind = json_string_value(json_array_get(kinds, k));
                if (!kind || (strcmp(kind, "global") != 0 && strcmp(kind, "local") != 0))
                    return heed_fail(
                        error, HEED_E_UNSUPPORTED,
                        "%s: attention_types: \"%s\"; expected \"global\" or \"local\"", where,
                        kind ? kind : "no string");
                if (kind[0] == 'l' && layer < layers) heed_config_window_layer(config, layer);
            }
    }
    if (layer == layers) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: attention_types names %lld layers; expected num_layers = %lld", where,
                     (long long)layer, (long long)layers);
}

static bool write_config(const heed_config *config, json_t *json)
{
    json_t *kinds = json_array(), *types = json_pack("[[O, i]]", kinds, config->decoder.layers > 0);
    bool ok = kinds && types;
    for (int64_t i = 0; ok && i < config->decoder.layers; i++) {
        const char *kind = heed_config_windowed(config, i) ? "local" : "global";
        ok = json_array_append_new(kinds, json_string(kind)) == 0;
    }
    ok = ok && json_object_set(json, "attention_types", types) == 0;
    json_decref(types);
    json_decref(kinds);
    return ok;
}

const heed_family heed_family_gpt_neo = {
    .name = "gpt_neo",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .trains_padding = true,
    .packs_positions = true,
    .fix = fix,
    .write = write_config,
};
