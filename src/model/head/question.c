/* The head that finds where an answer begins and ends. */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {
    HEED_HEAD_POOLER_ROLES,
    HEED_USE_MATRIX(SPAN_WEIGHT, "head.span.weight", TWO, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(SPAN_BIAS, "head.span.bias", TWO, ZERO, NULL),
    {0},
};

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    (void)head;
    heed_scope(b->graph, "head.span");
    if (b->config->pooler.every_row) x = heed_head_prepare_rows(b, x);
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_SPAN_WEIGHT,
                                              HEED_ROLE_SPAN_BIAS);
    heed_value logits = heed_nn_apply(b->graph, x, &linear);
    heed_value start = heed_slice(b->graph, logits, 0, 1), end = heed_slice(b->graph, logits, 1, 2);
    heed_build_publish(b, start, "start_logits");
    heed_build_publish(b, end, "end_logits");
    if (!heed_head_is_scored(b)) return;
    heed_head_grid grid = heed_head_declare_grid(b, HEED_EXTENT_ROWS);
    heed_head_score(b, heed_head_place(b, start, &grid), "start_labels", 0);
    heed_head_score(b, heed_head_place(b, end, &grid), "end_labels", 0);
}

static const heed_label_use starts = {
    .column = "start_labels",
    .kind = HEED_LABEL_POSITION,
    .name = "start_positions",
    .name_beside = "start_positions",
};
static const heed_label_use ends = {
    .column = "end_labels",
    .kind = HEED_LABEL_POSITION,
    .name = "end_positions",
    .name_beside = "end_positions",
};
static const heed_loss_term terms[] = {
    {.name = "start", .weight = 0.5f, .labels = &starts},
    {.name = "end", .weight = 0.5f, .labels = &ends},
    {0},
};

const heed_head_kind heed_head_question = {
    .name = "question answering",
    .traits = HEED_TRAIT_SCORES_ROWS,
    .roles = roles,
    .terms = terms,
    .build = build,
};
