/* The head that tells which tokens were replaced (ELECTRA): dense layer, activation, one score for
   each token. */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {
    HEED_USE_MATRIX(TRANSFORM_WEIGHT, "head.transform.weight", OUTPUT, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(TRANSFORM_BIAS, "head.transform.bias", OUTPUT, ZERO, NULL),
    HEED_USE_MATRIX(CLASS_WEIGHT, "head.class.weight", ONE, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(CLASS_BIAS, "head.class.bias", ONE, ZERO, NULL),
    {0},
};

/* The binary cross-entropy of a row is that of two classes with the logits 0 and z. */
static heed_value two_classes(heed_build *b, heed_value scores)
{
    heed_value zero = heed_scale(b->graph, scores, 0, 0);
    return heed_concatenate(b->graph, (heed_value[]){zero, scores}, 2);
}

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    const heed_transform transform = {.dense = true, .bias = true};
    heed_scope(b->graph, "head.replaced");
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_CLASS_WEIGHT,
                                              HEED_ROLE_CLASS_BIAS);
    x = heed_head_transform(b, heed_head_gather(b, x), &transform, HEED_ROLE_TRANSFORM_WEIGHT);
    heed_value scores = heed_nn_apply(b->graph, x, &linear);
    heed_build_publish(b, scores, "%s", heed_head_output(b->config, head));
    if (heed_head_is_scored(b)) heed_head_score_tokens(b, two_classes(b, scores));
}

static int64_t two(const heed_config *config)
{
    (void)config;
    return 2;
}

static const heed_label_use labels = {
    .column = "labels",
    .kind = HEED_LABEL_TOKEN,
    .seen = true,
    .name = "labels",
    .name_beside = "labels",
    .classes = two,
};
static const heed_loss_term terms[] = {
    {.name = "tokens", .weight = 1, .labels = &labels},
    {0},
};

const heed_head_kind heed_head_replaced_token = {
    .name = "replaced-token detector",
    .traits = HEED_TRAIT_SCORES_ROWS,
    .roles = roles,
    .output = "logits",
    .output_beside = "replaced_logits",
    .terms = terms,
    .build = build,
};
