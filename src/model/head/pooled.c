/* The rows that heads read. */
#include "model/head/head_internal.h"

heed_value heed_head_gather(heed_build *b, heed_value x)
{
    return heed_gather(b->graph, x, heed_build_input(b, NULL, HEED_INPUT_ROWS, 0));
}

heed_value heed_head_pool(heed_build *b, heed_value x)
{
    heed_scope(b->graph, "head.pooler");
    heed_value row = heed_gather(b->graph, x, heed_build_input(b, NULL, HEED_INPUT_POOLED_ROWS, 0));
    heed_nn_linear pooler = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_POOLER_WEIGHT,
                                              HEED_ROLE_POOLER_BIAS, 0);
    return pooler.weight == HEED_NONE ? row : heed_nn_pooler(b->graph, row, &pooler);
}

static heed_value pooled_samples(heed_build *b)
{
    if (heed_build_rate(b, b->config->classifier_dropout, true) <= 0) return HEED_NONE;
    return heed_build_input(b, NULL, HEED_INPUT_POOLED_SAMPLES, 0);
}

heed_value heed_head_classify(heed_build *b, heed_value pooled, heed_role weight)
{
    heed_value samples = pooled_samples(b);
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, weight, (heed_role)(weight + 1),
                                              0);
    double rate = heed_build_rate(b, b->config->classifier_dropout, true);
    return heed_nn_apply(b->graph, heed_nn_dropout(b->graph, pooled, samples, rate), &linear);
}
