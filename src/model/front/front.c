/* What all fronts add to their rows, and the end of a stack. */
#include "model/front/front.h"

const heed_front_kind *heed_front_of(const heed_config *config)
{
    static const heed_front_kind *const kinds[] = {&heed_front_tokens, &heed_front_vectors};
    return kinds[config->float_inputs];
}

/* ---- weights ---- */

static bool in_stack(const heed_config *config, const heed_weight_place *place)
{
    (void)config;
    return place->stack_id != HEED_STACK_MODEL;
}

static bool has_positions(const heed_config *config, const heed_weight_place *place)
{
    return in_stack(config, place) && config->position == HEED_POSITION_LEARNED;
}

/* The table has a row for padding. */
static bool has_padding_position(const heed_config *config, const heed_weight_place *place)
{
    return has_positions(config, place) && config->counts_tokens;
}

static bool is_projected(const heed_config *config, const heed_weight_place *place)
{
    return in_stack(config, place) &&
           (config->embedding_projected || heed_role_widths_differ(config, place));
}

static bool has_projection_bias(const heed_config *config, const heed_weight_place *place)
{
    return is_projected(config, place) && config->projection_bias;
}

/* Heads read rows of the embedding's width if those were projected before all else. */
static bool is_projected_back(const heed_config *config, const heed_weight_place *place)
{
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    return in_stack(config, place) && stack == heed_config_main(config) &&
           config->embedding_order == HEED_EMBEDDING_PROJECTED_FIRST &&
           heed_role_widths_differ(config, place);
}

/* Types are of the only stack, or of the decoder. */
static bool has_types(const heed_config *config, const heed_weight_place *place)
{
    bool source = config->arrangement == HEED_ENCODER_DECODER &&
                  place->stack_id == HEED_STACK_ENCODER;
    return in_stack(config, place) && config->token_types > 0 && !source;
}

static bool has_norm(const heed_config *config, const heed_weight_place *place)
{
    return in_stack(config, place) && config->embedding_norm;
}

static bool has_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_norm(config, place) && heed_norm_has_bias(config, place);
}

static bool has_last_norm(const heed_config *config, const heed_weight_place *place)
{
    return in_stack(config, place) && config->final_norm;
}

static bool has_last_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_last_norm(config, place) && heed_norm_has_bias(config, place);
}

const heed_role_use heed_front_roles[] = {
    HEED_USE_MATRIX(EMBEDDING_PROJECTION_WEIGHT, "embedding.projection", D_MODEL, EMBEDDING, NORMAL,
                    is_projected),
    HEED_USE_VECTOR(EMBEDDING_PROJECTION_BIAS, "embedding.projection.bias", D_MODEL, ZERO,
                    has_projection_bias),
    HEED_USE_AS(HEED_USE_LOOKED_UP, POSITION_EMBEDDING, "embedding.position", CONTEXT, INPUT,
                EMBEDDING, has_padding_position),
    HEED_USE_AS(HEED_USE_LOOKED_UP, POSITION_EMBEDDING, "embedding.position", CONTEXT, INPUT,
                NORMAL, has_positions),
    HEED_USE_AS(HEED_USE_LOOKED_UP, TYPE_EMBEDDING, "embedding.type", TOKEN_TYPES, INPUT, NORMAL,
                has_types),
    HEED_USE_VECTOR(EMBEDDING_NORM_GAIN, "embedding.norm.gain", INPUT, ONE, has_norm),
    HEED_USE_VECTOR(EMBEDDING_NORM_BIAS, "embedding.norm.bias", INPUT, ZERO, has_norm_bias),
    HEED_USE_AS(HEED_USE_AT_END, FINAL_NORM_GAIN, "final_norm.gain", D_MODEL, NONE, ONE,
                has_last_norm),
    HEED_USE_AS(HEED_USE_AT_END, FINAL_NORM_BIAS, "final_norm.bias", D_MODEL, NONE, ZERO,
                has_last_norm_bias),
    HEED_USE_AS(HEED_USE_AT_END, OUTPUT_PROJECTION, "output_projection", EMBEDDING, D_MODEL, NORMAL,
                is_projected_back),
    {0},
};

/* ---- graph ---- */

/* Returns the table of positions: a computed or a trained one, or HEED_NONE. */
static heed_value position_table(const heed_build *b, const heed_weight_place *place)
{
    int32_t sinusoid = b->model->sinusoid[place->stack_id];
    if (sinusoid >= 0) return b->weights[sinusoid];
    return heed_build_weight_at(b, place, HEED_ROLE_POSITION_EMBEDDING);
}

heed_value heed_front_build(heed_build *b, const heed_weight_place *place)
{
    const heed_config *config = b->config;
    const heed_stack_inputs *inputs = heed_build_inputs_at(b, place);
    heed_nn_embedding embedding = {
        .padding = config->family->trains_padding ? -1 : config->pad_id,
        .projection = heed_build_linear_at(b, place, HEED_ROLE_EMBEDDING_PROJECTION_WEIGHT,
                                           HEED_ROLE_EMBEDDING_PROJECTION_BIAS),
        .order = (heed_embedding_order)config->embedding_order,
        .type_table = heed_build_weight_at(b, place, HEED_ROLE_TYPE_EMBEDDING),
        .position_table = position_table(b, place),
        .positions = inputs->positions,
        .padding_position = -1,
        .scale = config->embedding_scale,
        .norm = heed_build_norm_at(b, place, HEED_ROLE_EMBEDDING_NORM_GAIN),
        .dropout = heed_build_rate(b, config->embedding_dropout, true),
        .samples = inputs->samples,
    };
    if (config->counts_tokens) embedding.padding_position = embedding.padding;
    if (config->zero_masked && b->spec->indexed)
        embedding.visible = heed_build_input(b, inputs, HEED_INPUT_VISIBLE, 0);
    heed_front_of(config)->read(b, place, &embedding);
    if (embedding.type_table != HEED_NONE)
        embedding.types = heed_build_input(b, inputs, HEED_INPUT_TYPES, 0);
    return heed_nn_embedding_build(b->graph, &embedding);
}

heed_value heed_front_end(heed_build *b, const heed_weight_place *place, heed_value x)
{
    heed_nn_norm last = heed_build_norm_at(b, place, HEED_ROLE_FINAL_NORM_GAIN);
    heed_value projection = heed_build_weight_at(b, place, HEED_ROLE_OUTPUT_PROJECTION);
    x = heed_nn_normalize(b->graph, x, &last);
    return projection == HEED_NONE ? x : heed_linear(b->graph, x, projection, HEED_NONE);
}
