/* Experts in place of the feed-forward: a router chooses some of them for every row. */
#include "model/sublayer/sublayer.h"

static bool has_router_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->router_bias;
}

static bool has_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->expert_bias;
}

static bool has_shared(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->shared_d_ff > 0;
}

/* clang-format off */
#define STACKED(symbol, text, to, from, begins, condition) \
    HEED_USE_AS(HEED_USE_PER_EXPERT, symbol, text, to, from, begins, condition)
/* clang-format on */
static const heed_role_use roles[] = {
    HEED_USE_MATRIX(ROUTER_WEIGHT, "router.weight", EXPERTS, D_MODEL, NORMAL, NULL),
    HEED_USE_VECTOR(ROUTER_BIAS, "router.bias", EXPERTS, ZERO, has_router_bias),
    STACKED(EXPERT_GATE_WEIGHT, "experts.gate.weight", EXPERT_D_FF, D_MODEL, NORMAL, NULL),
    STACKED(EXPERT_UP_WEIGHT, "experts.up.weight", EXPERT_D_FF, D_MODEL, NORMAL, NULL),
    STACKED(EXPERT_GATE_BIAS, "experts.gate.bias", EXPERT_D_FF, NONE, ZERO, has_bias),
    STACKED(EXPERT_UP_BIAS, "experts.up.bias", EXPERT_D_FF, NONE, ZERO, has_bias),
    STACKED(EXPERT_DOWN_WEIGHT, "experts.down.weight", D_MODEL, EXPERT_D_FF, RESIDUAL, NULL),
    STACKED(EXPERT_DOWN_BIAS, "experts.down.bias", D_MODEL, NONE, ZERO, has_bias),
    HEED_USE_MATRIX(SHARED_GATE_WEIGHT, "shared.gate.weight", SHARED_D_FF, D_MODEL, NORMAL,
                    has_shared),
    HEED_USE_MATRIX(SHARED_UP_WEIGHT, "shared.up.weight", SHARED_D_FF, D_MODEL, NORMAL, has_shared),
    HEED_USE_MATRIX(SHARED_DOWN_WEIGHT, "shared.down.weight", D_MODEL, SHARED_D_FF, RESIDUAL,
                    has_shared),
    HEED_USE_MATRIX(SHARED_ROUTER_WEIGHT, "shared.router.weight", ONE, D_MODEL, NORMAL, has_shared),
    {0},
};

/* Returns a linear layer of the shared expert, which has no bias; it is absent if the model has
   none. */
static heed_nn_linear shared_matrix(const heed_build *b, const heed_weight_place *place,
                                    heed_role role)
{
    return (heed_nn_linear){.weight = heed_build_weight_at(b, place, role)};
}

static heed_nn_experts experts_of(const heed_build *b, const heed_weight_place *place)
{
    const heed_config *config = b->config;
    return (heed_nn_experts){
        .router = heed_build_linear_at(b, place, HEED_ROLE_ROUTER_WEIGHT, HEED_ROLE_ROUTER_BIAS),
        .up = heed_build_linear_at(b, place, HEED_ROLE_EXPERT_UP_WEIGHT, HEED_ROLE_EXPERT_UP_BIAS),
        .gate = heed_build_linear_at(b, place, HEED_ROLE_EXPERT_GATE_WEIGHT,
                                     HEED_ROLE_EXPERT_GATE_BIAS),
        .down = heed_build_linear_at(b, place, HEED_ROLE_EXPERT_DOWN_WEIGHT,
                                     HEED_ROLE_EXPERT_DOWN_BIAS),
        .experts = config->experts,
        .experts_per_token = config->experts_per_token,
        .router_kind = (heed_router_kind)config->router,
        .renormalized = config->router_renormalized,
        .activation = (heed_unary_kind)config->activation,
        .swiglu_alpha = config->swiglu_alpha,
        .swiglu_limit = config->swiglu_limit,
        .shared_router = shared_matrix(b, place, HEED_ROLE_SHARED_ROUTER_WEIGHT),
        .shared = {.up = shared_matrix(b, place, HEED_ROLE_SHARED_UP_WEIGHT),
                   .gate = shared_matrix(b, place, HEED_ROLE_SHARED_GATE_WEIGHT),
                   .down = shared_matrix(b, place, HEED_ROLE_SHARED_DOWN_WEIGHT),
                   .gated = true,
                   .activation = (heed_unary_kind)config->activation},
    };
}

/* Adds the choices and the router probabilities of one layer to b->load and b->share, from which
   the load balance is computed. Source: Fedus et al. 2021, eq. 4 to 6. */
static void count_routing(heed_build *b, const heed_nn_routing *routing)
{
    if (b->counted == HEED_NONE) return;
    heed_graph *graph = b->graph;
    heed_value load = heed_expert_load(graph, routing->index, b->counted, b->config->experts);
    heed_value share = heed_reduce(
        graph, HEED_REDUCE_SUM,
        heed_multiply(graph, heed_softmax(graph, routing->logits), b->counted), 0, false);
    b->load = b->load == HEED_NONE ? load : heed_add(graph, b->load, load);
    b->share = b->share == HEED_NONE ? share : heed_add(graph, b->share, share);
}

static heed_value build(heed_build *b, const heed_weight_place *place, heed_value x)
{
    heed_nn_experts experts = experts_of(b, place);
    heed_nn_routing routing;
    heed_value y = heed_nn_experts_build(b->graph, x, &experts, &routing);
    if (b->config->router_outputs && b->spec->hidden_states)
        heed_build_publish(b, routing.logits, "router_logits.%lld", (long long)b->routed_layers);
    b->routed_layers++;
    count_routing(b, &routing);
    return y;
}

const heed_sublayer_kind heed_sublayer_experts = {
    .name = "experts",
    .roles = roles,
    .build = build,
};
