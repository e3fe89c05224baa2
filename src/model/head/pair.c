/* The head that tells whether the second text of a pair follows the first (BERT). */
#include "model/head/head_internal.h"

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    heed_value pooled = heed_head_pool(b, x);
    heed_scope(b->graph, "head.relation");
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_RELATION_WEIGHT,
                                              HEED_ROLE_RELATION_BIAS, 0);
    heed_value logits = heed_nn_apply(b->graph, pooled, &linear);
    heed_build_publish(b, logits, "%s", heed_head_output(b->config, head));
    heed_head_score(b, logits, "class_labels", 0);
}

static int64_t two(const heed_config *config)
{
    (void)config;
    return 2;
}

static void list_terms(const heed_config *config, heed_problem problem, heed_loss_terms *terms)
{
    static const heed_label_use labels = {.column = "class_labels",
                                          .kind = HEED_LABEL_SEQUENCE,
                                          .name = "labels",
                                          .name_beside = "next_sentence_label",
                                          .classes = two};
    (void)config, (void)problem;
    heed_loss_terms_add(terms, (heed_loss_term){"sentences", 1, &labels});
}

const heed_head_kind heed_head_next_sentence = {
    .name = "next-sentence classifier",
    .traits = HEED_TRAIT_POOLS,
    .output = "logits",
    .output_beside = "seq_relationship_logits",
    .list_terms = list_terms,
    .build = build,
};
