/* The head that chooses one of several sequences. */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {
    HEED_HEAD_POOLER_ROLES,
    HEED_USE_MATRIX(CLASS_WEIGHT, "head.class.weight", ONE, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(CLASS_BIAS, "head.class.bias", ONE, ZERO, NULL),
    {0},
};

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    heed_value pooled = heed_head_pool(b, x);
    heed_scope(b->graph, "head.choice");
    heed_value scores = heed_head_classify(b, pooled, HEED_ROLE_CLASS_WEIGHT);
    heed_build_publish(b, scores, "%s", heed_head_output(b->config, head));
    if (!heed_head_is_scored(b)) return;
    heed_head_grid grid = heed_head_declare_grid(b, HEED_EXTENT_SEQUENCES);
    heed_head_score(b, heed_head_place(b, scores, &grid), "grid_labels", 0);
}

static const heed_label_use labels = {
    .column = "grid_labels",
    .kind = HEED_LABEL_CHOICE,
    .name = "labels",
    .name_beside = "choice_labels",
};
static const heed_loss_term terms[] = {
    {.name = "sentences", .weight = 1, .labels = &labels},
    {0},
};

const heed_head_kind heed_head_choice = {
    .name = "multiple choice",
    .traits = HEED_TRAIT_POOLS | HEED_TRAIT_COMPARES,
    .roles = roles,
    .output = "logits",
    .output_beside = "choice_logits",
    .terms = terms,
    .build = build,
};
