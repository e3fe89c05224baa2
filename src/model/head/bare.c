/* The bare model. An encoder has as outputs the pooled row, if it has a pooler, and the mean of all
   rows, also scaled to length 1. */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {HEED_HEAD_POOLER_ROLES, {0}};

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    (void)head;
    if (b->config->arrangement != HEED_ENCODER_ONLY) return;
    if (heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_POOLER_WEIGHT) != HEED_NONE)
        heed_build_publish(b, heed_head_pool(b, x), "pooler_output");
    heed_scope(b->graph, "head.mean");
    heed_value mean = heed_head_mean(b, x);
    heed_build_publish(b, mean, "mean_pooled");
    heed_build_publish(b, heed_nn_unit_rows(b->graph, mean), "sentence_embedding");
}

const heed_head_kind heed_head_bare = {
    .name = "no head",
    .traits = HEED_TRAIT_BARE | HEED_TRAIT_POOLS_ENCODER,
    .roles = roles,
    .build = build,
};
