/* The head that predicts which tokens of a protein touch each other: a logistic regression on the
   attention weights of all layers (heed_pair_scores). It reads weights, not hidden states, and is
   built only if weights are outputs. No loss trains it.
   Source: Rao et al. 2021. */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {
    HEED_USE_VECTOR(CONTACT_WEIGHT, "head.contacts.weight", ALL_HEADS, NORMAL, NULL),
    HEED_USE_VECTOR(CONTACT_BIAS, "head.contacts.bias", ONE, ZERO, NULL),
    {0},
};

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    const heed_stack *stack = heed_config_main(b->config);
    const int64_t tokens = b->spec->queries - HEED_CONTACT_ENDS;
    heed_value sum = HEED_NONE;
    (void)x;
    if (!b->attention_weights || tokens < 1) return;
    heed_scope(b->graph, "head.contacts");
    heed_value factors = heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_CONTACT_WEIGHT);
    heed_value bias = heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_CONTACT_BIAS);
    heed_value rows = heed_build_input_shaped(
        b, "pair_rows", heed_shape_live(HEED_EXTENT_SEQUENCES, b->spec->sequences, tokens));
    for (int64_t run = 0; run < heed_stack_runs(stack); run++) {
        int64_t first = run * stack->heads;
        heed_value own = heed_slice(b->graph, factors, first, first + stack->heads);
        heed_value scores = heed_pair_scores(b->graph, b->attention_weights[run], rows, own);
        sum = run == 0 ? scores : heed_add(b->graph, sum, scores);
    }
    heed_value logits = heed_add(b->graph, sum, bias);
    heed_build_publish(b, heed_unary(b->graph, HEED_UNARY_SIGMOID, logits), "%s", head->output);
}

const heed_head_kind heed_head_contacts = {
    .name = "contacts",
    .roles = roles,
    .output = "contacts",
    .output_beside = "contacts",
    .build = build,
};
