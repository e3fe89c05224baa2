/* The head that classifies tokens. */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {
    HEED_HEAD_POOLER_ROLES,
    HEED_USE_MATRIX(CLASS_WEIGHT, "head.class.weight", LABELS, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(CLASS_BIAS, "head.class.bias", LABELS, ZERO, NULL),
    {0},
};

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    heed_scope(b->graph, "head.class");
    /* Dropout comes before the gather because there the rows still have their sample ids. It acts
       on each row by itself. */
    x = heed_head_gather(b, heed_head_prepare_rows(b, x));
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_CLASS_WEIGHT,
                                              HEED_ROLE_CLASS_BIAS);
    heed_value logits = heed_nn_apply(b->graph, x, &linear);
    heed_build_publish(b, logits, "%s", heed_head_output(b->config, head));
    heed_head_score_tokens(b, logits);
}

static int64_t classes(const heed_config *config)
{
    return config->labels;
}

static const heed_label_use labels = {
    .column = "labels",
    .kind = HEED_LABEL_TOKEN,
    .name = "labels",
    .name_beside = "tag_labels",
    .classes = classes,
};
static const heed_loss_term terms[] = {
    {.name = "tokens", .weight = 1, .labels = &labels},
    {0},
};

const heed_head_kind heed_head_token_class = {
    .name = "token classifier",
    .traits = HEED_TRAIT_NAMES_CLASSES,
    .roles = roles,
    .output = "logits",
    .output_beside = "tag_logits",
    .terms = terms,
    .build = build,
};
