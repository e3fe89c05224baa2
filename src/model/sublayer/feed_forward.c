/* The feed-forward sublayer. */
#include "model/sublayer/sublayer.h"

static bool has_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->ffn_bias;
}

static bool is_gated(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->gated;
}

static bool has_gate_bias(const heed_config *config, const heed_weight_place *place)
{
    return is_gated(config, place) && has_bias(config, place);
}

static const heed_role_use roles[] = {
    HEED_USE_MATRIX(GATE_WEIGHT, ".gate.weight", D_FF, D_MODEL, NORMAL, is_gated),
    HEED_USE_MATRIX(UP_WEIGHT, ".up.weight", D_FF, D_MODEL, NORMAL, NULL),
    HEED_USE_VECTOR(GATE_BIAS, ".gate.bias", D_FF, ZERO, has_gate_bias),
    HEED_USE_VECTOR(UP_BIAS, ".up.bias", D_FF, ZERO, has_bias),
    HEED_USE_MATRIX(DOWN_WEIGHT, ".down.weight", D_MODEL, D_FF, RESIDUAL, NULL),
    HEED_USE_VECTOR(DOWN_BIAS, ".down.bias", D_MODEL, ZERO, has_bias),
    {0},
};

static heed_value build(heed_build *b, const heed_weight_place *place, heed_value x)
{
    heed_nn_feed_forward ffn = {
        .up = heed_build_linear_at(b, place, HEED_ROLE_UP_WEIGHT, HEED_ROLE_UP_BIAS),
        .gate = heed_build_linear_at(b, place, HEED_ROLE_GATE_WEIGHT, HEED_ROLE_GATE_BIAS),
        .down = heed_build_linear_at(b, place, HEED_ROLE_DOWN_WEIGHT, HEED_ROLE_DOWN_BIAS),
        .gated = b->config->gated,
        .activation = (heed_unary_kind)b->config->activation,
        .dropout = heed_build_rate(b, b->config->activation_dropout, false),
        .samples = heed_build_inputs_at(b, place)->samples,
    };
    return heed_nn_feed_forward_build(b->graph, x, &ffn);
}

const heed_sublayer_kind heed_sublayer_feed_forward = {
    .name = "feed_forward",
    .roles = roles,
    .build = build,
};
