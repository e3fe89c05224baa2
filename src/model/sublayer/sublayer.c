/* The lists of slots that layers consist of, and the norms around sublayers. */
#include "model/sublayer/sublayer.h"

/* ---- which layers have a slot ---- */

static bool reads_memory(const heed_config *config, const heed_weight_place *place)
{
    return config->arrangement == HEED_ENCODER_DECODER && place->stack_id == HEED_STACK_DECODER;
}

/* Only the only stack, or the decoder, has experts. */
static bool has_experts(const heed_config *config, const heed_weight_place *place)
{
    bool source = config->arrangement == HEED_ENCODER_DECODER &&
                  place->stack_id == HEED_STACK_ENCODER;
    return !source && heed_config_has_experts(config, place->layer);
}

static bool has_no_experts(const heed_config *config, const heed_weight_place *place)
{
    return !has_experts(config, place);
}

/* ---- lists ---- */

/* A layer with experts has them in place of the feed-forward, in the same slot. */
/* clang-format off */
#define ATTENTION {.id = HEED_SLOT_ATTENTION, .name = "attention", .kind = &heed_sublayer_attention}
#define CROSS \
    {.id = HEED_SLOT_CROSS, .name = "cross", .kind = &heed_sublayer_cross_attention, \
     .when = reads_memory}
#define FEED_FORWARD(...) \
    {.id = HEED_SLOT_FFN, .name = "ffn", .kind = &heed_sublayer_feed_forward, \
     .when = has_no_experts, __VA_ARGS__}, \
    {.id = HEED_SLOT_FFN, .name = "ffn", .kind = &heed_sublayer_experts, .when = has_experts, \
     __VA_ARGS__}
/* clang-format on */

static const heed_slot serial[] = {ATTENTION, CROSS, FEED_FORWARD(.scale = 0), {0}};
static const heed_slot parallel[] = {
    ATTENTION, FEED_FORWARD(.beside = HEED_SLOT_ATTENTION, .shares_norm = true), {0}};
static const heed_slot parallel_two_norms[] = {
    ATTENTION, FEED_FORWARD(.beside = HEED_SLOT_ATTENTION), {0}};

static const heed_slot macaron[] = {
    {.id = HEED_SLOT_FFN_BEFORE,
     .name = "ffn_before",
     .kind = &heed_sublayer_feed_forward,
     .scale = 0.5},
    ATTENTION,
    CROSS,
    FEED_FORWARD(.scale = 0.5),
    {0},
};

static const heed_slot *const lists[HEED_RESIDUAL_KINDS] = {
#define HEED_LAYER_ORDER(symbol, name, list) list,
#include "model/layer_orders.def"
#undef HEED_LAYER_ORDER
};

const heed_slot *heed_layer_slots(const heed_config *config)
{
    return lists[config->residual];
}

const heed_slot *heed_slot_at(const heed_config *config, const heed_weight_place *place)
{
    for (const heed_slot *slot = heed_layer_slots(config); slot->id; slot++)
        if (slot->id == place->slot && (!slot->when || slot->when(config, place))) return slot;
    return NULL;
}

uint64_t heed_layers_read(const heed_config *config, heed_stack_id stack_id)
{
    bool source = stack_id == HEED_STACK_ENCODER;
    int64_t layers = heed_stack_own_layers(source ? &config->encoder : &config->decoder);
    heed_weight_place place = {.stack_id = (uint8_t)stack_id};
    uint64_t read = 0;
    for (; place.layer < layers; place.layer++)
        for (const heed_slot *slot = heed_layer_slots(config); slot->id; slot++)
            if (!slot->when || slot->when(config, &place)) read |= slot->kind->inputs;
    return read;
}

/* ---- norms ---- */

static bool has_norm(const heed_config *config, const heed_weight_place *place)
{
    bool first = place->layer == 0 && place->slot == HEED_SLOT_ATTENTION;
    if (first && config->first_norm_absent) return false;
    return !heed_slot_at(config, place)->shares_norm;
}

static bool has_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_norm(config, place) && heed_norm_has_bias(config, place);
}

static bool has_post_norm(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->norm_place == HEED_NORM_SANDWICH;
}

static bool has_post_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_post_norm(config, place) && heed_norm_has_bias(config, place);
}

const heed_role_use heed_sublayer_norms[] = {
    HEED_USE_VECTOR(NORM_GAIN, ".norm.gain", D_MODEL, ONE, has_norm),
    HEED_USE_VECTOR(NORM_BIAS, ".norm.bias", D_MODEL, ZERO, has_norm_bias),
    HEED_USE_VECTOR(POST_NORM_GAIN, ".post_norm.gain", D_MODEL, ONE, has_post_norm),
    HEED_USE_VECTOR(POST_NORM_BIAS, ".post_norm.bias", D_MODEL, ZERO, has_post_norm_bias),
    {0},
};
