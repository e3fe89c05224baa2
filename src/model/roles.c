/* Which roles a configuration has, and the shapes of their weights. */
#include "model/head/head.h"

#include <string.h>

const heed_role_info heed_roles[HEED_ROLE_COUNT] = {
#define HEED_ROLE(symbol, name, multiplicity, rows, columns, initial)                         \
    {name, HEED_MULTIPLICITY_##multiplicity, HEED_DIMENSION_##rows, HEED_DIMENSION_##columns, \
     HEED_INITIAL_##initial},
#include "model/roles.def"
#undef HEED_ROLE
};

const heed_stack *heed_stack_by_id(const heed_config *config, heed_stack_id stack_id)
{
    return stack_id == HEED_STACK_ENCODER ? &config->encoder : &config->decoder;
}

int64_t heed_stack_layers(const heed_config *config, heed_stack_id stack_id)
{
    return stack_id == HEED_STACK_MODEL ? 1 : heed_stack_by_id(config, stack_id)->layers;
}

static bool has_stack(const heed_config *config, heed_stack_id stack_id)
{
    if (stack_id == HEED_STACK_ENCODER) return config->arrangement != HEED_DECODER_ONLY;
    return stack_id == HEED_STACK_MODEL || config->arrangement != HEED_ENCODER_ONLY;
}

/* Is a weight of a norm wanted? `present` says whether the norm exists; only layer norms have a
   bias. */
static bool norm_wanted(const heed_config *config, bool bias, bool present)
{
    return present && (!bias || (config->norm == HEED_NORM_LAYER && config->norm_bias));
}

/* Does any layer have a feed-forward that is no expert? */
static bool feeds_forward(const heed_config *config)
{
    bool any = config->experts == 0;
    for (int64_t layer = 0; !any && layer < config->decoder.layers; layer++)
        any = !heed_config_has_experts(config, layer);
    return any;
}

static bool layer_role_wanted(const heed_config *config, heed_stack_id stack_id, heed_role role)
{
    bool cross = stack_id == HEED_STACK_DECODER && config->arrangement == HEED_ENCODER_DECODER;
    bool sandwich = config->norm_place == HEED_NORM_SANDWICH;
    bool own_norm = config->residual != HEED_RESIDUAL_PARALLEL;
    switch (role) {
    case HEED_ROLE_ATTENTION_NORM_GAIN:
    case HEED_ROLE_ATTENTION_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_ATTENTION_NORM_BIAS, true);
    case HEED_ROLE_ATTENTION_POST_NORM_GAIN:
    case HEED_ROLE_ATTENTION_POST_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_ATTENTION_POST_NORM_BIAS, sandwich);
    case HEED_ROLE_CROSS_NORM_GAIN:
    case HEED_ROLE_CROSS_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_CROSS_NORM_BIAS, cross);
    case HEED_ROLE_CROSS_POST_NORM_GAIN:
    case HEED_ROLE_CROSS_POST_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_CROSS_POST_NORM_BIAS, cross && sandwich);
    case HEED_ROLE_FFN_NORM_GAIN:
    case HEED_ROLE_FFN_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_FFN_NORM_BIAS, own_norm);
    case HEED_ROLE_FFN_POST_NORM_GAIN:
    case HEED_ROLE_FFN_POST_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_FFN_POST_NORM_BIAS, sandwich);
    case HEED_ROLE_QUERY_BIAS:
    case HEED_ROLE_KEY_BIAS:
    case HEED_ROLE_VALUE_BIAS: return config->query_bias;
    case HEED_ROLE_CROSS_QUERY_BIAS:
    case HEED_ROLE_CROSS_KEY_BIAS:
    case HEED_ROLE_CROSS_VALUE_BIAS: return cross && config->query_bias;
    case HEED_ROLE_OUTPUT_BIAS: return config->output_bias;
    case HEED_ROLE_CROSS_OUTPUT_BIAS: return cross && config->output_bias;
    case HEED_ROLE_QUERY_NORM_GAIN:
    case HEED_ROLE_KEY_NORM_GAIN: return config->qk_norm != HEED_QK_NORM_NONE;
    case HEED_ROLE_QUERY_NORM_BIAS:
    case HEED_ROLE_KEY_NORM_BIAS:
        return config->qk_norm != HEED_QK_NORM_NONE && config->qk_norm_bias;
    case HEED_ROLE_CROSS_QUERY_WEIGHT:
    case HEED_ROLE_CROSS_KEY_WEIGHT:
    case HEED_ROLE_CROSS_VALUE_WEIGHT:
    case HEED_ROLE_CROSS_OUTPUT_WEIGHT: return cross;
    case HEED_ROLE_GATE_WEIGHT: return config->gated && feeds_forward(config);
    case HEED_ROLE_GATE_BIAS: return config->gated && config->ffn_bias && feeds_forward(config);
    case HEED_ROLE_UP_WEIGHT:
    case HEED_ROLE_DOWN_WEIGHT: return feeds_forward(config);
    case HEED_ROLE_UP_BIAS:
    case HEED_ROLE_DOWN_BIAS: return config->ffn_bias && feeds_forward(config);
    case HEED_ROLE_SINKS: return config->sinks;
    case HEED_ROLE_ROUTER_WEIGHT:
    case HEED_ROLE_EXPERT_GATE_WEIGHT:
    case HEED_ROLE_EXPERT_UP_WEIGHT:
    case HEED_ROLE_EXPERT_DOWN_WEIGHT: return config->experts > 0;
    case HEED_ROLE_ROUTER_BIAS: return config->experts > 0 && config->router_bias;
    case HEED_ROLE_EXPERT_GATE_BIAS:
    case HEED_ROLE_EXPERT_UP_BIAS:
    case HEED_ROLE_EXPERT_DOWN_BIAS: return config->experts > 0 && config->expert_bias;
    case HEED_ROLE_SHARED_GATE_WEIGHT:
    case HEED_ROLE_SHARED_UP_WEIGHT:
    case HEED_ROLE_SHARED_DOWN_WEIGHT:
    case HEED_ROLE_SHARED_ROUTER_WEIGHT: return config->experts > 0 && config->shared_d_ff > 0;
    default: return true;
    }
}

/* Is a role wanted that lies before the first layer or after the last one? */
static bool stack_role_wanted(const heed_config *config, heed_stack_id stack_id, heed_role role)
{
    bool main = config->arrangement != HEED_ENCODER_DECODER || stack_id == HEED_STACK_DECODER;
    switch (role) {
    case HEED_ROLE_TOKEN_EMBEDDING: return !config->float_inputs && config->source_vocabulary > 0;
    case HEED_ROLE_POSITION_EMBEDDING: return config->position == HEED_POSITION_LEARNED;
    case HEED_ROLE_EMBEDDING_PROJECTION:
    case HEED_ROLE_OUTPUT_PROJECTION: return config->embedding_width != config->d_model;
    case HEED_ROLE_TYPE_EMBEDDING: return config->token_types > 0 && main;
    case HEED_ROLE_EMBEDDING_NORM_GAIN:
    case HEED_ROLE_EMBEDDING_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_EMBEDDING_NORM_BIAS, config->embedding_norm);
    case HEED_ROLE_FINAL_NORM_GAIN:
    case HEED_ROLE_FINAL_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_FINAL_NORM_BIAS, config->final_norm);
    default: return false;
    }
}

static bool has(const heed_config *config, heed_head head)
{
    return memchr(config->heads, head, sizeof config->heads) != NULL;
}

static bool head_role_wanted(const heed_config *config, heed_role role)
{
    bool words = heed_head_any(config, HEED_TRAIT_PREDICTS_TOKENS);
    bool sentence = has(config, HEED_HEAD_NEXT_SENTENCE);
    bool class = has(config, HEED_HEAD_SEQUENCE_CLASS) || has(config, HEED_HEAD_TOKEN_CLASS) ||
                 has(config, HEED_HEAD_CHOICE);
    switch (role) {
    case HEED_ROLE_TOKEN_EMBEDDING: return !config->float_inputs && config->source_vocabulary == 0;
    case HEED_ROLE_TRANSFORM_WEIGHT:
    case HEED_ROLE_TRANSFORM_BIAS: return words && config->lm_transform;
    case HEED_ROLE_TRANSFORM_NORM_GAIN:
    case HEED_ROLE_TRANSFORM_NORM_BIAS:
        return norm_wanted(config, role == HEED_ROLE_TRANSFORM_NORM_BIAS,
                           words && config->lm_transform);
    case HEED_ROLE_LM_WEIGHT: return words && !config->tied;
    case HEED_ROLE_LM_BIAS: return words && config->lm_bias;
    case HEED_ROLE_SPARE_BIAS: return words && config->lm_bias && !config->tied;
    case HEED_ROLE_SPARE_EMBEDDING: return !config->tied;
    case HEED_ROLE_LOGITS_BIAS: return words && config->logits_bias;
    case HEED_ROLE_POOLER_WEIGHT:
    case HEED_ROLE_POOLER_BIAS:
        return config->pooler && heed_head_any(config, HEED_TRAIT_POOLS | HEED_TRAIT_BARE);
    case HEED_ROLE_RELATION_WEIGHT:
    case HEED_ROLE_RELATION_BIAS: return sentence;
    case HEED_ROLE_CLASS_WEIGHT: return class;
    /* The sequence classifier of a decoder has no bias. */
    case HEED_ROLE_CLASS_BIAS:
        return class &&
               (!has(config, HEED_HEAD_SEQUENCE_CLASS) || config->arrangement == HEED_ENCODER_ONLY);
    case HEED_ROLE_SPAN_WEIGHT:
    case HEED_ROLE_SPAN_BIAS: return has(config, HEED_HEAD_QUESTION);
    default: return false;
    }
}

bool heed_role_wanted(const heed_config *config, heed_stack_id stack_id, heed_role role)
{
    if (!has_stack(config, stack_id)) return false;
    if (heed_roles[role].multiplicity != HEED_MULTIPLICITY_ONE)
        return stack_id != HEED_STACK_MODEL && layer_role_wanted(config, stack_id, role);
    return stack_id == HEED_STACK_MODEL ? head_role_wanted(config, role)
                                        : stack_role_wanted(config, stack_id, role);
}

bool heed_role_in_layer(const heed_config *config, heed_role role, int64_t layer)
{
    switch (role) {
    case HEED_ROLE_GATE_WEIGHT:
    case HEED_ROLE_UP_WEIGHT:
    case HEED_ROLE_DOWN_WEIGHT:
    case HEED_ROLE_GATE_BIAS:
    case HEED_ROLE_UP_BIAS:
    case HEED_ROLE_DOWN_BIAS: return !heed_config_has_experts(config, layer);
    case HEED_ROLE_ROUTER_WEIGHT:
    case HEED_ROLE_ROUTER_BIAS:
    case HEED_ROLE_SHARED_GATE_WEIGHT:
    case HEED_ROLE_SHARED_UP_WEIGHT:
    case HEED_ROLE_SHARED_DOWN_WEIGHT:
    case HEED_ROLE_SHARED_ROUTER_WEIGHT: return heed_config_has_experts(config, layer);
    default:
        return heed_roles[role].multiplicity != HEED_MULTIPLICITY_PER_EXPERT ||
               heed_config_has_experts(config, layer);
    }
}

static int64_t dimension_size(const heed_config *config, heed_stack_id stack_id,
                              heed_dimension dimension)
{
    const heed_stack *stack = heed_stack_by_id(config, stack_id);
    switch (dimension) {
    case HEED_DIMENSION_D_MODEL: return config->d_model;
    case HEED_DIMENSION_QUERIES: return stack->heads * stack->head_width;
    case HEED_DIMENSION_KEYS: return stack->kv_heads * stack->head_width;
    case HEED_DIMENSION_QUERY_NORM:
        return config->qk_norm == HEED_QK_NORM_HEAD ? stack->head_width
                                                    : stack->heads * stack->head_width;
    case HEED_DIMENSION_KEY_NORM:
        return config->qk_norm == HEED_QK_NORM_HEAD ? stack->head_width
                                                    : stack->kv_heads * stack->head_width;
    case HEED_DIMENSION_D_FF: return stack->d_ff;
    case HEED_DIMENSION_VOCABULARY:
        return stack_id == HEED_STACK_ENCODER && config->source_vocabulary > 0
                   ? config->source_vocabulary
                   : config->vocabulary;
    case HEED_DIMENSION_CONTEXT: return config->context + config->position_offset;
    case HEED_DIMENSION_TOKEN_TYPES: return config->token_types;
    case HEED_DIMENSION_LABELS: return has(config, HEED_HEAD_CHOICE) ? 1 : config->labels;
    case HEED_DIMENSION_TWO: return 2;
    case HEED_DIMENSION_ONE: return 1;
    case HEED_DIMENSION_HEADS: return stack->heads;
    case HEED_DIMENSION_EXPERTS: return config->experts;
    case HEED_DIMENSION_EXPERT_D_FF: return config->expert_d_ff;
    case HEED_DIMENSION_SHARED_D_FF: return config->shared_d_ff;
    case HEED_DIMENSION_EMBEDDING: return config->embedding_width;
    case HEED_DIMENSION_NONE: break;
    }
    return 0;
}

void heed_role_shape(const heed_config *config, heed_stack_id stack_id, heed_role role,
                     int64_t *rows, int64_t *columns)
{
    *rows = dimension_size(config, stack_id, heed_roles[role].rows);
    *columns = dimension_size(config, stack_id, heed_roles[role].columns);
}
