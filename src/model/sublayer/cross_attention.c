/* Cross-attention: queries are rows of the decoder, keys and values come from the encoder. */
#include "model/sublayer/attention_internal.h"

static const heed_role_use roles[] = {
    HEED_USE_MATRIX(QUERY_WEIGHT, ".query.weight", QUERIES, D_MODEL, NORMAL, NULL),
    HEED_USE_MATRIX(KEY_WEIGHT, ".key.weight", KEYS, MEMORY, NORMAL, NULL),
    HEED_USE_MATRIX(VALUE_WEIGHT, ".value.weight", KEYS, MEMORY, NORMAL, NULL),
    HEED_USE_VECTOR(QUERY_BIAS, ".query.bias", QUERIES, ZERO, heed_attention_has_query_bias),
    HEED_USE_VECTOR(KEY_BIAS, ".key.bias", KEYS, ZERO, heed_attention_has_query_bias),
    HEED_USE_VECTOR(VALUE_BIAS, ".value.bias", KEYS, ZERO, heed_attention_has_query_bias),
    HEED_USE_MATRIX(OUTPUT_WEIGHT, ".output.weight", D_MODEL, QUERIES, RESIDUAL, NULL),
    HEED_USE_VECTOR(OUTPUT_BIAS, ".output.bias", D_MODEL, ZERO, heed_attention_has_output_bias),
    {0},
};

/* Keys and values are made of the encoder's result, or are read from the caches that ENCODE
   filled. */
static heed_attention_layer attention_of(const heed_build *b, const heed_weight_place *place)
{
    heed_attention_layer attention = {
        .query = heed_build_linear_at(b, place, HEED_ROLE_QUERY_WEIGHT, HEED_ROLE_QUERY_BIAS),
        .key = heed_build_linear_at(b, place, HEED_ROLE_KEY_WEIGHT, HEED_ROLE_KEY_BIAS),
        .value = heed_build_linear_at(b, place, HEED_ROLE_VALUE_WEIGHT, HEED_ROLE_VALUE_BIAS),
        .output = heed_build_linear_at(b, place, HEED_ROLE_OUTPUT_WEIGHT, HEED_ROLE_OUTPUT_BIAS),
        .memory = b->memory,
        .slots = b->cross_slots,
        .inputs = {.sequences = b->cross_sequences, .page_table = b->cross_page_table},
        .options = heed_attention_options_at(b, place, true),
    };
    if (b->spec->purpose == HEED_PURPOSE_DECODE || b->spec->purpose == HEED_PURPOSE_ENCODE) {
        attention.key_cache = heed_build_kept(b, place, HEED_KEEP_SOURCE, "key");
        attention.value_cache = heed_build_kept(b, place, HEED_KEEP_SOURCE, "value");
    } else if (b->spec->indexed) {
        attention.inputs.key_index = b->source.key_index;
    }
    return attention;
}

static heed_value build(heed_build *b, const heed_weight_place *place, heed_value x)
{
    heed_attention_layer attention = attention_of(b, place);
    return heed_attention_at(b, place, x, &attention, "cross_attentions");
}

static void fill(heed_build *b, const heed_weight_place *place)
{
    heed_attention_layer attention = attention_of(b, place);
    heed_attention_fill_cache(b->graph, &attention);
}

static const heed_keeping keeps[] = {
    {.name = "key", .side = HEED_KEEP_SOURCE, .width = heed_attention_kept_width},
    {.name = "value", .side = HEED_KEEP_SOURCE, .width = heed_attention_kept_width},
    {0},
};

const heed_sublayer_kind heed_sublayer_cross_attention = {
    .name = "cross_attention",
    .roles = roles,
    .inputs = HEED_READS(CROSS_SEQUENCES),
    .keeps = keeps,
    .build = build,
    .fill = fill,
};
