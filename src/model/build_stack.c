/* Builds the embedding, the layers and the last norm of a stack from the kinds of the
   configuration. */
#include "model/build.h"

#include <math.h>

static heed_value embed(heed_build *b, const heed_stack_inputs *inputs)
{
    const heed_config *config = b->config;
    heed_nn_embedding embedding = {
        .padding = config->family->trains_padding ? -1 : config->pad_id,
        .projection = heed_build_weight(b, inputs->stack_id, HEED_ROLE_EMBEDDING_PROJECTION, 0),
        .type_table = heed_build_weight(b, inputs->stack_id, HEED_ROLE_TYPE_EMBEDDING, 0),
        .scale = config->embedding_scale,
        .norm = heed_build_norm(b, inputs->stack_id, HEED_ROLE_EMBEDDING_NORM_GAIN, 0),
        .dropout = heed_build_rate(b, config->embedding_dropout, true),
        .samples = inputs->samples};
    if (config->float_inputs)
        embedding.vectors = heed_build_input(b, inputs, "vectors", HEED_F32, inputs->extent,
                                             config->d_model);
    else {
        embedding.ids = heed_build_input(b, inputs, "ids", HEED_I32, inputs->extent, 0);
        embedding.token_table = heed_build_token_table(b, inputs->stack_id);
    }
    if (embedding.type_table != HEED_NONE)
        embedding.types = heed_build_input(b, inputs, "types", HEED_I32, inputs->extent, 0);
    int32_t sinusoid = b->model->sinusoid[inputs->stack_id];
    if (sinusoid >= 0) embedding.position_table = b->weights[sinusoid];
    else
        embedding.position_table = heed_build_weight(b, inputs->stack_id,
                                                     HEED_ROLE_POSITION_EMBEDDING, 0);
    embedding.positions = inputs->positions;
    return heed_nn_embedding_build(b->graph, &embedding);
}

static float score_scale(const heed_config *config, const heed_stack *stack, int64_t layer)
{
    double scale = 1;
    if (config->attention_scale > 0) scale = config->attention_scale;
    else if (config->scale_width > 0) scale = 1 / sqrt((double)config->scale_width);
    else if (config->scaled) scale = 1 / sqrt((double)stack->head_width);
    return (float)(config->scale_by_layer ? scale / (double)(layer + 1) : scale);
}

static heed_attention_options
attention_options(const heed_build *b, const heed_stack_inputs *inputs, int64_t layer, bool cross)
{
    const heed_stack *stack = heed_stack_by_id(b->config, inputs->stack_id);
    bool windowed = !cross && heed_config_windowed(b->config, layer);
    int64_t queries = inputs == &b->source ? b->spec->keys : b->spec->queries;
    int64_t window = windowed ? b->config->window : 0;
    float scale = score_scale(b->config, stack, layer);
    heed_attention_options options = {
        .heads = (int)stack->heads,
        .kv_heads = (int)stack->kv_heads,
        .head_width = (int)stack->head_width,
        .scale = heed_real(scale),
        .causal = inputs->causal && !cross,
        .window = (int)window,
        .dropout = (float)heed_build_rate(b, b->config->attention_dropout, true),
        .want_weights = b->spec->attentions,
        .max_queries = queries,
        .max_keys = queries,
        .soft_cap = (float)b->config->attention_soft_cap,
        .alibi_scale = 1,
        .alibi_bf16 = b->config->alibi_bf16,
        .masked_mean = b->spec->masked_mean};
    if (cross) options.max_keys = b->spec->keys;
    if (b->config->alibi_scaled) options.alibi_scale = scale;
    return options;
}

static heed_attention_layer self_attention(const heed_build *b, const heed_stack_inputs *inputs,
                                           int64_t layer)
{
    heed_stack_id stack_id = inputs->stack_id;
    heed_value rotary = heed_config_windowed(b->config, layer) ? inputs->rotary_local
                                                               : inputs->rotary;
    heed_attention_layer attention = {
        .query = heed_build_linear(b, stack_id, HEED_ROLE_QUERY_WEIGHT, HEED_ROLE_QUERY_BIAS,
                                   layer),
        .key = heed_build_linear(b, stack_id, HEED_ROLE_KEY_WEIGHT, HEED_ROLE_KEY_BIAS, layer),
        .value = heed_build_linear(b, stack_id, HEED_ROLE_VALUE_WEIGHT, HEED_ROLE_VALUE_BIAS,
                                   layer),
        .output = heed_build_linear(b, stack_id, HEED_ROLE_OUTPUT_WEIGHT, HEED_ROLE_OUTPUT_BIAS,
                                    layer),
        .clip = (float)b->config->qkv_clip,
        .qk_norm = (heed_qk_norm)b->config->qk_norm,
        .query_norm = heed_build_norm(b, stack_id, HEED_ROLE_QUERY_NORM_GAIN, layer),
        .key_norm = heed_build_norm(b, stack_id, HEED_ROLE_KEY_NORM_GAIN, layer),
        .rotary_query = rotary,
        .rotary_key = rotary,
        .rotary_interleaved = b->config->rope.interleaved,
        .slots = b->slots,
        .inputs = {.sequences = inputs->sequences,
                   .query_index = inputs->query_index,
                   .key_index = inputs->key_index,
                   .page_table = b->page_table,
                   .slopes = inputs->slopes,
                   .sinks = heed_build_weight(b, stack_id, HEED_ROLE_SINKS, layer)},
        .options = attention_options(b, inputs, layer, false)};
    if (b->spec->purpose == HEED_PURPOSE_DECODE) {
        attention.key_cache = b->caches[HEED_CACHE_KEY][layer];
        attention.value_cache = b->caches[HEED_CACHE_VALUE][layer];
    }
    return attention;
}

/* Cross attention takes keys and values from the encoder's result, or from the caches that ENCODE
   filled. */
static heed_attention_layer cross_attention(const heed_build *b, int64_t layer)
{
    heed_stack_id stack_id = HEED_STACK_DECODER;
    heed_attention_layer attention = {
        .query = heed_build_linear(b, stack_id, HEED_ROLE_CROSS_QUERY_WEIGHT,
                                   HEED_ROLE_CROSS_QUERY_BIAS, layer),
        .key = heed_build_linear(b, stack_id, HEED_ROLE_CROSS_KEY_WEIGHT, HEED_ROLE_CROSS_KEY_BIAS,
                                 layer),
        .value = heed_build_linear(b, stack_id, HEED_ROLE_CROSS_VALUE_WEIGHT,
                                   HEED_ROLE_CROSS_VALUE_BIAS, layer),
        .output = heed_build_linear(b, stack_id, HEED_ROLE_CROSS_OUTPUT_WEIGHT,
                                    HEED_ROLE_CROSS_OUTPUT_BIAS, layer),
        .memory = b->memory,
        .slots = b->cross_slots,
        .inputs = {.sequences = b->cross_sequences, .page_table = b->cross_page_table},
        .options = attention_options(b, &b->main, layer, true)};
    if (b->spec->purpose == HEED_PURPOSE_DECODE || b->spec->purpose == HEED_PURPOSE_ENCODE) {
        attention.key_cache = b->caches[HEED_CACHE_CROSS_KEY][layer];
        attention.value_cache = b->caches[HEED_CACHE_CROSS_VALUE][layer];
    } else if (b->spec->indexed) {
        attention.inputs.key_index = b->source.key_index;
    }
    return attention;
}

static heed_nn_sublayer sublayer_of(const heed_build *b, const heed_stack_inputs *inputs,
                                    heed_role norm, heed_role post_norm, int64_t layer)
{
    return (heed_nn_sublayer){
        .place = (heed_norm_place)b->config->norm_place,
        .norm = heed_build_norm(b, inputs->stack_id, norm, layer),
        .post_norm = heed_build_norm(b, inputs->stack_id, post_norm, layer),
        .scale = b->config->residual_scale,
        .dropout = heed_build_rate(b, b->config->residual_dropout, true),
        .samples = inputs->samples,
    };
}

static heed_nn_feed_forward feed_forward(const heed_build *b, const heed_stack_inputs *inputs,
                                         int64_t layer)
{
    return (heed_nn_feed_forward){
        .up = heed_build_linear(b, inputs->stack_id, HEED_ROLE_UP_WEIGHT, HEED_ROLE_UP_BIAS, layer),
        .gate = heed_build_linear(b, inputs->stack_id, HEED_ROLE_GATE_WEIGHT, HEED_ROLE_GATE_BIAS,
                                  layer),
        .down = heed_build_linear(b, inputs->stack_id, HEED_ROLE_DOWN_WEIGHT, HEED_ROLE_DOWN_BIAS,
                                  layer),
        .gated = b->config->gated,
        .activation = (heed_unary_kind)b->config->activation,
        .dropout = heed_build_rate(b, b->config->activation_dropout, false),
        .samples = inputs->samples};
}

/* Returns a linear layer of the shared expert, which has no bias; it is absent if the model has
   none. */
static heed_nn_linear shared_matrix(const heed_build *b, const heed_stack_inputs *inputs,
                                    heed_role role, int64_t layer)
{
    return (heed_nn_linear){.weight = heed_build_weight(b, inputs->stack_id, role, layer)};
}

static heed_nn_experts experts(const heed_build *b, const heed_stack_inputs *inputs, int64_t layer)
{
    const heed_config *config = b->config;
    return (heed_nn_experts){
        .router = heed_build_linear(b, inputs->stack_id, HEED_ROLE_ROUTER_WEIGHT,
                                    HEED_ROLE_ROUTER_BIAS, layer),
        .up = heed_build_linear(b, inputs->stack_id, HEED_ROLE_EXPERT_UP_WEIGHT,
                                HEED_ROLE_EXPERT_UP_BIAS, layer),
        .gate = heed_build_linear(b, inputs->stack_id, HEED_ROLE_EXPERT_GATE_WEIGHT,
                                  HEED_ROLE_EXPERT_GATE_BIAS, layer),
        .down = heed_build_linear(b, inputs->stack_id, HEED_ROLE_EXPERT_DOWN_WEIGHT,
                                  HEED_ROLE_EXPERT_DOWN_BIAS, layer),
        .experts = config->experts,
        .experts_per_token = config->experts_per_token,
        .router_kind = (heed_router_kind)config->router,
        .renormalized = config->router_renormalized,
        .activation = (heed_unary_kind)config->activation,
        .swiglu_alpha = config->swiglu_alpha,
        .swiglu_limit = config->swiglu_limit,
        .shared_router = shared_matrix(b, inputs, HEED_ROLE_SHARED_ROUTER_WEIGHT, layer),
        .shared = {.up = shared_matrix(b, inputs, HEED_ROLE_SHARED_UP_WEIGHT, layer),
                   .gate = shared_matrix(b, inputs, HEED_ROLE_SHARED_GATE_WEIGHT, layer),
                   .down = shared_matrix(b, inputs, HEED_ROLE_SHARED_DOWN_WEIGHT, layer),
                   .gated = true,
                   .activation = (heed_unary_kind)config->activation}};
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

/* Builds the feed-forward of a layer, or its experts. */
static heed_value feed(heed_build *b, const heed_stack_inputs *inputs, heed_value x, int64_t layer)
{
    if (inputs != &b->main || !heed_config_has_experts(b->config, layer)) {
        heed_nn_feed_forward ffn = feed_forward(b, inputs, layer);
        return heed_nn_feed_forward_build(b->graph, x, &ffn);
    }
    heed_nn_experts all = experts(b, inputs, layer);
    heed_nn_routing routing;
    heed_value y = heed_nn_experts_build(b->graph, x, &all, &routing);
    if (b->config->router_outputs && b->spec->hidden_states)
        heed_build_publish(b, routing.logits, "router_logits.%lld", (long long)b->routed_layers);
    b->routed_layers++;
    count_routing(b, &routing);
    return y;
}

static const char *stack_name(const heed_stack_inputs *inputs)
{
    return inputs->stack_id == HEED_STACK_ENCODER ? "encoder" : "decoder";
}

/* `name` is the name of the output for the attention weights, if they are wanted. */
static heed_value attend(heed_build *b, heed_value x, const heed_attention_layer *attention,
                         const char *name, int64_t layer)
{
    heed_value weights = HEED_NONE;
    heed_value y = heed_attention_build(b->graph, x, attention,
                                        b->spec->attentions ? &weights : NULL);
    if (b->spec->attentions) heed_build_publish(b, weights, "%s.%lld", name, (long long)layer);
    return y;
}

/* A layer whose attention and feed-forward both read x. */
static heed_value parallel_layer(heed_build *b, const heed_stack_inputs *inputs, heed_value x,
                                 int64_t layer)
{
    heed_attention_layer attention = self_attention(b, inputs, layer);
    heed_nn_norm first = heed_build_norm(b, inputs->stack_id, HEED_ROLE_ATTENTION_NORM_GAIN, layer);
    heed_nn_norm second = first;
    if (b->config->residual == HEED_RESIDUAL_PARALLEL_TWO_NORMS)
        second = heed_build_norm(b, inputs->stack_id, HEED_ROLE_FFN_NORM_GAIN, layer);
    double rate = heed_build_rate(b, b->config->residual_dropout, true);
    heed_scope(b->graph, "%s.%lld.attention", stack_name(inputs), (long long)layer);
    heed_value normed = heed_nn_normalize(b->graph, x, &first);
    heed_value attended = attend(b, normed, &attention, inputs->attentions, layer);
    attended = heed_nn_dropout(b->graph, attended, inputs->samples, rate);
    heed_scope(b->graph, "%s.%lld.ffn", stack_name(inputs), (long long)layer);
    if (b->config->residual != HEED_RESIDUAL_PARALLEL)
        normed = heed_nn_normalize(b->graph, x, &second);
    heed_value fed = feed(b, inputs, normed, layer);
    fed = heed_nn_dropout(b->graph, fed, inputs->samples, rate);
    return heed_add(b->graph, heed_add(b->graph, x, attended), fed);
}

static heed_value serial_layer(heed_build *b, const heed_stack_inputs *inputs, heed_value x,
                               int64_t layer)
{
    heed_attention_layer attention = self_attention(b, inputs, layer);
    heed_nn_sublayer around = sublayer_of(b, inputs, HEED_ROLE_ATTENTION_NORM_GAIN,
                                          HEED_ROLE_ATTENTION_POST_NORM_GAIN, layer);
    heed_scope(b->graph, "%s.%lld.attention", stack_name(inputs), (long long)layer);
    heed_value input = heed_nn_sublayer_input(b->graph, &x, &around);
    heed_value y = attend(b, input, &attention, inputs->attentions, layer);
    x = heed_nn_sublayer_output(b->graph, x, y, &around);
    if (inputs == &b->main && b->config->arrangement == HEED_ENCODER_DECODER) {
        heed_attention_layer cross = cross_attention(b, layer);
        around = sublayer_of(b, inputs, HEED_ROLE_CROSS_NORM_GAIN, HEED_ROLE_CROSS_POST_NORM_GAIN,
                             layer);
        heed_scope(b->graph, "%s.%lld.cross", stack_name(inputs), (long long)layer);
        input = heed_nn_sublayer_input(b->graph, &x, &around);
        y = attend(b, input, &cross, "cross_attentions", layer);
        x = heed_nn_sublayer_output(b->graph, x, y, &around);
    }
    around = sublayer_of(b, inputs, HEED_ROLE_FFN_NORM_GAIN, HEED_ROLE_FFN_POST_NORM_GAIN, layer);
    heed_scope(b->graph, "%s.%lld.ffn", stack_name(inputs), (long long)layer);
    input = heed_nn_sublayer_input(b->graph, &x, &around);
    y = feed(b, inputs, input, layer);
    return heed_nn_sublayer_output(b->graph, x, y, &around);
}

heed_value heed_build_stack(heed_build *b, const heed_stack_inputs *inputs)
{
    const heed_stack *stack = heed_stack_by_id(b->config, inputs->stack_id);
    heed_scope(b->graph, "%s.embedding", stack_name(inputs));
    heed_value x = embed(b, inputs);
    if (inputs == &b->main && heed_build_balances(b))
        b->counted = heed_build_input(b, NULL, "counted", HEED_F32, inputs->extent, 1);
    for (int64_t layer = 0; layer < stack->layers; layer++) {
        heed_checkpoint(b->graph, x);
        if (b->spec->hidden_states)
            heed_build_publish(b, x, "%s.%lld", inputs->hidden, (long long)layer);
        if (b->config->residual == HEED_RESIDUAL_SERIAL) x = serial_layer(b, inputs, x, layer);
        else x = parallel_layer(b, inputs, x, layer);
    }
    heed_checkpoint(b->graph, x);
    heed_scope(b->graph, "%s.final_norm", stack_name(inputs));
    heed_nn_norm last = heed_build_norm(b, inputs->stack_id, HEED_ROLE_FINAL_NORM_GAIN, 0);
    x = heed_nn_normalize(b->graph, x, &last);
    heed_value projection = heed_build_weight(b, inputs->stack_id, HEED_ROLE_OUTPUT_PROJECTION, 0);
    if (projection != HEED_NONE) x = heed_linear(b->graph, x, projection, HEED_NONE);
    if (b->spec->hidden_states)
        heed_build_publish(b, x, "%s.%lld", inputs->hidden, (long long)stack->layers);
    if (b->spec->hidden_states || inputs == &b->main) heed_build_publish(b, x, "%s", inputs->last);
    return x;
}

void heed_build_fill_cross(heed_build *b)
{
    for (int64_t layer = 0; layer < b->config->decoder.layers; layer++) {
        heed_attention_layer cross = cross_attention(b, layer);
        heed_scope(b->graph, "decoder.%lld.cross", (long long)layer);
        heed_attention_fill_cache(b->graph, &cross);
    }
}
