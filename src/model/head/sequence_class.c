/* The head that classifies sequences, or predicts numbers for them. */
#include "model/head/head_internal.h"

/* The sequence classifier of a decoder has no bias. */
static bool has_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->arrangement != HEED_DECODER_ONLY;
}

static const heed_role_use roles[] = {
    HEED_HEAD_POOLER_ROLES,
    HEED_USE_MATRIX(CLASS_WEIGHT, "head.class.weight", LABELS, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(CLASS_BIAS, "head.class.bias", LABELS, ZERO, has_bias),
    {0},
};

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    heed_value pooled = heed_head_pool(b, x);
    heed_scope(b->graph, "head.class");
    heed_value logits = heed_head_classify(b, pooled, HEED_ROLE_CLASS_WEIGHT);
    heed_build_publish(b, logits, "%s", heed_head_output(b->config, head));
    heed_problem problem = heed_loss_problem(b->config, (heed_problem)b->spec->problem);
    if (problem == HEED_PROBLEM_SINGLE) {
        heed_head_score(b, logits, "class_labels", b->spec->label_smoothing);
        return;
    }
    if (!heed_head_is_scored(b)) return;
    heed_value targets = heed_build_input_shaped(b, "targets", heed_value_shape(b->graph, logits));
    if (problem == HEED_PROBLEM_MULTI)
        heed_head_add_term(b, heed_nn_binary_cross_entropy(b->graph, logits, targets));
    else heed_head_add_term(b, heed_nn_squared_error(b->graph, logits, targets));
}

static int64_t classes(const heed_config *config)
{
    return config->labels;
}

static const heed_label_use labels = {
    .column = "class_labels",
    .kind = HEED_LABEL_SEQUENCE,
    .name = "labels",
    .name_beside = "class_labels",
    .classes = classes,
};
static const heed_label_use targets = {
    .column = "targets",
    .kind = HEED_LABEL_NUMBERS,
    .name = "labels",
    .name_beside = "class_labels",
    .classes = classes,
};
static const heed_loss_term terms[] = {
    {.name = "sentences", .weight = 1, .labels = &labels, .when = HEED_TERM_CLASSES},
    {.name = "targets", .weight = 1, .labels = &targets, .when = HEED_TERM_NUMBERS},
    {0},
};

const heed_head_kind heed_head_sequence_class = {
    .name = "sequence classifier",
    .traits = HEED_TRAIT_POOLS | HEED_TRAIT_NAMES_CLASSES,
    .roles = roles,
    .output = "logits",
    .output_beside = "class_logits",
    .terms = terms,
    .build = build,
};
