/* The heads that tell whether the second text of a pair follows the first (BERT), and whether two
   texts are in their order (ALBERT). */
#include "model/head/head_internal.h"

static const heed_role_use roles[] = {
    HEED_HEAD_POOLER_ROLES,
    HEED_USE_MATRIX(RELATION_WEIGHT, "head.relation.weight", TWO, OUTPUT, NORMAL, NULL),
    HEED_USE_VECTOR(RELATION_BIAS, "head.relation.bias", TWO, ZERO, NULL),
    {0},
};

static int64_t two(const heed_config *config)
{
    (void)config;
    return 2;
}

/* ---- next sentence ---- */

static void build_next(heed_build *b, const heed_head_kind *head, heed_value x)
{
    heed_value pooled = heed_head_pool(b, x);
    heed_scope(b->graph, "head.relation");
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_RELATION_WEIGHT,
                                              HEED_ROLE_RELATION_BIAS);
    heed_value logits = heed_nn_apply(b->graph, pooled, &linear);
    heed_build_publish(b, logits, "%s", heed_head_output(b->config, head));
    heed_head_score(b, logits, "class_labels", 0);
}

static const heed_label_use labels_next = {
    .column = "class_labels",
    .kind = HEED_LABEL_SEQUENCE,
    .name = "labels",
    .name_beside = "next_sentence_label",
    .classes = two,
};
static const heed_loss_term terms_next[] = {
    {.name = "sentences", .weight = 1, .labels = &labels_next},
    {0},
};

const heed_head_kind heed_head_next_sentence = {
    .name = "next-sentence classifier",
    .traits = HEED_TRAIT_POOLS,
    .roles = roles,
    .output = "logits",
    .output_beside = "seq_relationship_logits",
    .terms = terms_next,
    .build = build_next,
};

/* ---- sentence order ---- */

static void build_order(heed_build *b, const heed_head_kind *head, heed_value x)
{
    heed_value pooled = heed_head_pool(b, x);
    heed_scope(b->graph, "head.relation");
    heed_value logits = heed_head_classify(b, pooled, HEED_ROLE_RELATION_WEIGHT);
    heed_build_publish(b, logits, "%s", heed_head_output(b->config, head));
    heed_head_score(b, logits, "class_labels", 0);
}

static const heed_label_use labels_order = {
    .column = "class_labels",
    .kind = HEED_LABEL_SEQUENCE,
    .name = "labels",
    .name_beside = "sentence_order_label",
    .classes = two,
};
static const heed_loss_term terms_order[] = {
    {.name = "sentences", .weight = 1, .labels = &labels_order},
    {0},
};

const heed_head_kind heed_head_sentence_order = {
    .name = "sentence-order classifier",
    .traits = HEED_TRAIT_POOLS,
    .roles = roles,
    .output = "logits",
    .output_beside = "sop_logits",
    .terms = terms_order,
    .build = build_order,
};
