/* Builds the heads of a model, and the load balance of its experts. */
#include "model/head/head_internal.h"

#include <string.h>

/* Refuses heads that would read the same column of labels: a batch has one of each name. */
static void refuse_shared_labels(heed_build *b)
{
    const heed_loss_terms *terms = &b->scored;
    for (int i = 0; i < terms->count; i++)
        for (int j = 0; j < i; j++) {
            const heed_label_use *use = terms->items[i].labels, *other = terms->items[j].labels;
            if (use && other && strcmp(use->column, other->column) == 0)
                heed_graph_fail(b->graph, HEED_E_UNSUPPORTED,
                                "two heads of this model (%s, %s) read their labels from \"%s\"",
                                terms->items[j].head->name, terms->items[i].head->name,
                                use->column);
        }
}

/* Lists the terms of the loss and declares their scales. */
static void declare_scale(heed_build *b)
{
    heed_problem problem = heed_loss_problem(b->config, (heed_problem)b->spec->problem);
    if (!heed_head_is_scored(b)) return;
    heed_loss_terms_list(b->config, problem, &b->scored);
    refuse_shared_labels(b);
    if (b->scored.count > 0)
        b->loss_scale = heed_build_input_shaped(b, "loss_scale", heed_shape_1(b->scored.count));
}

bool heed_build_balances(const heed_build *b)
{
    heed_loss_terms terms;
    if (!heed_head_is_scored(b)) return false;
    heed_loss_terms_list(b->config, HEED_PROBLEM_UNKNOWN, &terms);
    return terms.count > 0 && strcmp(terms.items[terms.count - 1].name, "balance") == 0;
}

/* Adds the load balance of the experts as a term: n X sum over x of (load / (L n)) (share / (L n)),
   where n is the number of counted rows. It is smallest if all experts are chosen equally often.
   Source: Fedus et al. 2021, eq. 4 to 6. */
static void balance(heed_build *b)
{
    if (b->load == HEED_NONE) return;
    heed_scope(b->graph, "head.balance");
    double layers = (double)b->routed_layers;
    heed_value sum = heed_nn_sum(b->graph, heed_multiply(b->graph, b->load, b->share));
    heed_value scaled = heed_scale(b->graph, sum, (double)b->config->experts / (layers * layers),
                                   0);
    heed_head_add_term(b, heed_divide(b->graph, scaled, heed_nn_sum(b->graph, b->counted)));
}

void heed_build_head(heed_build *b, heed_value x)
{
    const heed_head_kind *head;
    declare_scale(b);
    for (int at = 0; (head = heed_head_at(b->config, at)) != NULL; at++) head->build(b, head, x);
    balance(b);
    if (b->n_sums < b->scored.count)
        heed_graph_fail(b->graph, HEED_E_ARG, "the heads have %d of their %d terms of the loss",
                        b->n_sums, b->scored.count);
}
