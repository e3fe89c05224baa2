/* Self-attention. */
#include "model/sublayer/attention_internal.h"

#include <math.h>

/* ---- weights ---- */

bool heed_attention_has_query_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->query_bias;
}

bool heed_attention_has_output_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->output_bias;
}

static bool has_sinks(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->sinks;
}

static bool normalizes_heads(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->qk_norm != HEED_QK_NORM_NONE;
}

static bool has_head_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return normalizes_heads(config, place) && config->qk_norm_bias;
}

static const heed_role_use roles[] = {
    HEED_USE_MATRIX(QUERY_WEIGHT, ".query.weight", QUERIES, D_MODEL, NORMAL, NULL),
    HEED_USE_MATRIX(KEY_WEIGHT, ".key.weight", KEYS, D_MODEL, NORMAL, NULL),
    HEED_USE_MATRIX(VALUE_WEIGHT, ".value.weight", KEYS, D_MODEL, NORMAL, NULL),
    HEED_USE_VECTOR(QUERY_BIAS, ".query.bias", QUERIES, ZERO, heed_attention_has_query_bias),
    HEED_USE_VECTOR(KEY_BIAS, ".key.bias", KEYS, ZERO, heed_attention_has_query_bias),
    HEED_USE_VECTOR(VALUE_BIAS, ".value.bias", KEYS, ZERO, heed_attention_has_query_bias),
    HEED_USE_VECTOR(SINKS, ".sinks", HEADS, NORMAL, has_sinks),
    HEED_USE_VECTOR(QUERY_NORM_GAIN, ".query_norm.gain", QUERY_NORM, ONE, normalizes_heads),
    HEED_USE_VECTOR(QUERY_NORM_BIAS, ".query_norm.bias", QUERY_NORM, ZERO, has_head_norm_bias),
    HEED_USE_VECTOR(KEY_NORM_GAIN, ".key_norm.gain", KEY_NORM, ONE, normalizes_heads),
    HEED_USE_VECTOR(KEY_NORM_BIAS, ".key_norm.bias", KEY_NORM, ZERO, has_head_norm_bias),
    HEED_USE_MATRIX(OUTPUT_WEIGHT, ".output.weight", D_MODEL, QUERIES, RESIDUAL, NULL),
    HEED_USE_VECTOR(OUTPUT_BIAS, ".output.bias", D_MODEL, ZERO, heed_attention_has_output_bias),
    {0},
};

/* ---- graph ---- */

static float score_scale(const heed_config *config, const heed_stack *stack, int64_t layer)
{
    double scale = 1;
    if (config->attention_scale > 0) scale = config->attention_scale;
    else if (config->scale_width > 0) scale = 1 / sqrt((double)config->scale_width);
    else if (config->scaled) scale = 1 / sqrt((double)stack->head_width);
    return (float)(config->scale_by_layer ? scale / (double)(layer + 1) : scale);
}

heed_attention_options heed_attention_options_at(const heed_build *b,
                                                 const heed_weight_place *place, bool cross)
{
    const heed_config *config = b->config;
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    const heed_stack_inputs *inputs = heed_build_inputs_at(b, place);
    bool windowed = !cross && heed_config_windowed(config, place->run);
    int64_t queries = inputs == &b->source ? b->spec->keys : b->spec->queries;
    float scale = score_scale(config, stack, place->run);
    heed_attention_options options = {
        .heads = (int)stack->heads,
        .kv_heads = (int)stack->kv_heads,
        .head_width = (int)stack->head_width,
        .scale = heed_real(scale),
        .causal = inputs->causal && !cross,
        .dropout = (float)heed_build_rate(b, config->attention_dropout, true),
        .want_weights = b->spec->attentions,
        .max_queries = queries,
        .max_keys = queries,
        .soft_cap = (float)config->attention_soft_cap,
        .alibi_scale = 1,
        .alibi_bf16 = config->alibi_bf16,
        .masked_mean = b->spec->masked_mean,
    };
    if (windowed) options.window = (int)config->window;
    if (cross) options.max_keys = b->spec->keys;
    if (config->alibi_scaled) options.alibi_scale = scale;
    return options;
}

heed_value heed_attention_at(heed_build *b, const heed_weight_place *place, heed_value x,
                             const heed_attention_layer *attention, const char *name)
{
    heed_value weights = HEED_NONE;
    heed_value y = heed_attention_build(b->graph, x, attention,
                                        b->spec->attentions ? &weights : NULL);
    if (b->attention_weights) b->attention_weights[place->run] = weights;
    if (b->spec->attentions) heed_build_publish(b, weights, "%s.%lld", name, (long long)place->run);
    return y;
}

static heed_value build(heed_build *b, const heed_weight_place *place, heed_value x)
{
    const heed_config *config = b->config;
    const heed_stack_inputs *inputs = heed_build_inputs_at(b, place);
    bool windowed = heed_config_windowed(config, place->run);
    heed_value rotary = windowed ? inputs->rotary_local : inputs->rotary;
    heed_attention_layer attention = {
        .query = heed_build_linear_at(b, place, HEED_ROLE_QUERY_WEIGHT, HEED_ROLE_QUERY_BIAS),
        .key = heed_build_linear_at(b, place, HEED_ROLE_KEY_WEIGHT, HEED_ROLE_KEY_BIAS),
        .value = heed_build_linear_at(b, place, HEED_ROLE_VALUE_WEIGHT, HEED_ROLE_VALUE_BIAS),
        .output = heed_build_linear_at(b, place, HEED_ROLE_OUTPUT_WEIGHT, HEED_ROLE_OUTPUT_BIAS),
        .clip = (float)config->qkv_clip,
        .qk_norm = (heed_qk_norm)config->qk_norm,
        .query_norm = heed_build_norm_at(b, place, HEED_ROLE_QUERY_NORM_GAIN),
        .key_norm = heed_build_norm_at(b, place, HEED_ROLE_KEY_NORM_GAIN),
        .rotary_query = rotary,
        .rotary_key = rotary,
        .rotary_interleaved = config->rope.interleaved,
        .slots = b->slots,
        .inputs = {.sequences = inputs->sequences,
                   .query_index = inputs->query_index,
                   .key_index = inputs->key_index,
                   .page_table = b->page_table,
                   .slopes = inputs->slopes,
                   .sinks = heed_build_weight_at(b, place, HEED_ROLE_SINKS)},
        .options = heed_attention_options_at(b, place, false),
    };
    if (b->spec->purpose == HEED_PURPOSE_DECODE) {
        attention.key_cache = heed_build_kept(b, place, HEED_KEEP_SELF, "key");
        attention.value_cache = heed_build_kept(b, place, HEED_KEEP_SELF, "value");
    }
    return heed_attention_at(b, place, x, &attention, inputs->attentions);
}

heed_keep_width heed_attention_kept_width(const heed_config *config)
{
    return (heed_keep_width){config->decoder.kv_heads, config->decoder.head_width};
}

static const heed_keeping keeps[] = {
    {.name = "key", .side = HEED_KEEP_SELF, .width = heed_attention_kept_width},
    {.name = "value", .side = HEED_KEEP_SELF, .width = heed_attention_kept_width},
    {0},
};

const heed_sublayer_kind heed_sublayer_attention = {
    .name = "attention",
    .roles = roles,
    .inputs = HEED_READS(SEQUENCES) | HEED_READS(QUERY_INDEX) | HEED_READS(KEY_INDEX) |
              HEED_READS(POSITIONS),
    .keeps = keeps,
    .build = build,
};
