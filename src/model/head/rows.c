/* The rows that heads read, and what is between them and the output matrix. */
#include "model/head/head_internal.h"

/* ---- weights ---- */

bool heed_head_has_pooler(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    bool bare = heed_head_any(config, HEED_TRAIT_BARE);
    if (!config->pooler.dense) return false;
    if (config->pooler.every_row) return !bare;
    return bare || heed_head_any(config, HEED_TRAIT_POOLS);
}

bool heed_head_has_pooler_bias(const heed_config *config, const heed_weight_place *place)
{
    return heed_head_has_pooler(config, place) && config->pooler.bias;
}

bool heed_head_has_pooler_norm(const heed_config *config, const heed_weight_place *place)
{
    return heed_head_has_pooler(config, place) && config->pooler.norm;
}

bool heed_head_has_pooler_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return heed_head_has_pooler_norm(config, place) && heed_norm_has_bias(config, place);
}

/* ---- rows ---- */

heed_value heed_head_gather(heed_build *b, heed_value x)
{
    if (b->seen_rows == HEED_NONE) b->seen_rows = heed_build_input(b, NULL, HEED_INPUT_ROWS, 0);
    return heed_gather(b->graph, x, b->seen_rows);
}

heed_value heed_head_transform(heed_build *b, heed_value x, const heed_transform *transform,
                               heed_role weight)
{
    heed_nn_linear dense = heed_build_linear(b, HEED_STACK_MODEL, weight, (heed_role)(weight + 1));
    heed_nn_norm norm = heed_build_norm(b, HEED_STACK_MODEL, (heed_role)(weight + 2));
    int64_t kind = transform->own_activation ? transform->activation : b->config->activation;
    if (dense.weight == HEED_NONE) return x;
    return heed_nn_transform(b->graph, x, &dense, (heed_unary_kind)kind, &norm);
}

/* Returns the rate of the dropouts of heads that classify. */
static double classifier_rate(const heed_build *b)
{
    return heed_build_rate(b, b->config->classifier_dropout, true);
}

/* Returns the samples of pooled rows, or HEED_NONE if nothing is dropped. */
static heed_value pooled_samples(heed_build *b)
{
    if (classifier_rate(b) <= 0) return HEED_NONE;
    if (b->pooled_samples == HEED_NONE)
        b->pooled_samples = heed_build_input(b, NULL, HEED_INPUT_POOLED_SAMPLES, 0);
    return b->pooled_samples;
}

static heed_value drop_pooled(heed_build *b, heed_value x)
{
    return heed_nn_dropout(b->graph, x, pooled_samples(b), classifier_rate(b));
}

heed_value heed_head_mean(heed_build *b, heed_value x)
{
    if (b->mean_row == HEED_NONE) {
        heed_value table = heed_build_input(b, NULL, HEED_INPUT_POOL_SEQUENCES, 0);
        b->mean_row = heed_sequence_mean(b->graph, x, table);
    }
    return b->mean_row;
}

static heed_value one_row(heed_build *b, heed_value x)
{
    return heed_gather(b->graph, x, heed_build_input(b, NULL, HEED_INPUT_POOLED_ROWS, 0));
}

static heed_value pool(heed_build *b, heed_value x)
{
    const heed_transform *pooler = &b->config->pooler;
    bool mean = b->config->pooled_row == HEED_POOLED_MEAN;
    x = mean ? heed_head_mean(b, x) : one_row(b, x);
    if (pooler->dense && pooler->dropout) x = drop_pooled(b, x);
    return heed_head_transform(b, x, pooler, HEED_ROLE_POOLER_WEIGHT);
}

heed_value heed_head_pool(heed_build *b, heed_value x)
{
    heed_scope(b->graph, "head.pooler");
    if (b->pooled == HEED_NONE) b->pooled = pool(b, x);
    return b->pooled;
}

heed_value heed_head_prepare_rows(heed_build *b, heed_value x)
{
    if (b->config->pooler.every_row)
        x = heed_head_transform(b, x, &b->config->pooler, HEED_ROLE_POOLER_WEIGHT);
    return heed_nn_dropout(b->graph, x, b->main.samples, classifier_rate(b));
}

heed_value heed_head_classify(heed_build *b, heed_value pooled, heed_role weight)
{
    heed_value x = drop_pooled(b, pooled);
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, weight, (heed_role)(weight + 1));
    return heed_nn_apply(b->graph, x, &linear);
}
