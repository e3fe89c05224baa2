/* Losses of heads. */
#include "model/head/head_internal.h"

bool heed_head_is_scored(const heed_build *b)
{
    return b->spec->purpose == HEED_PURPOSE_LOSS || b->spec->purpose == HEED_PURPOSE_TRAIN;
}

void heed_head_add_term(heed_build *b, heed_value sum)
{
    int at = b->n_sums;
    if (at == b->scored.count) {
        heed_graph_fail(b->graph, HEED_E_ARG, "a head has more than its %d terms of the loss",
                        b->scored.count);
        return;
    }
    b->sums[b->n_sums++] = sum;
    heed_build_add_term(
        b, heed_multiply(b->graph, sum, heed_slice(b->graph, b->loss_scale, at, at + 1)));
}

void heed_head_add_losses(heed_build *b, heed_value nll, const char *output)
{
    if (output) heed_output(b->graph, output, nll);
    heed_head_add_term(b, heed_nn_sum(b->graph, nll));
}

heed_value heed_head_labels(heed_build *b, heed_value x, const char *column)
{
    heed_shape labels = heed_value_shape(b->graph, x);
    labels.rank = 1;
    return heed_build_input_shaped(b, column, labels);
}

/* Returns the loss of each row of logits (rows,C). */
static heed_value losses(heed_build *b, heed_value logits, const char *column, float smoothing)
{
    return heed_cross_entropy(b->graph, logits, heed_head_labels(b, logits, column), smoothing);
}

void heed_head_score(heed_build *b, heed_value logits, const char *column, float smoothing)
{
    if (heed_head_is_scored(b)) heed_head_add_losses(b, losses(b, logits, column, smoothing), NULL);
}

void heed_head_score_tokens(heed_build *b, heed_value logits)
{
    if (heed_head_is_scored(b))
        heed_head_add_losses(b, losses(b, logits, "labels", b->spec->label_smoothing), "nll");
}

heed_head_grid heed_head_declare_grid(heed_build *b, heed_extent extent)
{
    return (heed_head_grid){
        .places = heed_build_input_shaped(b, "places",
                                          heed_shape_live(extent, heed_build_rows(b, extent), 0)),
        .bias = heed_build_input_shaped(b, "grid_bias",
                                        heed_shape_2(b->spec->sequences, b->spec->queries)),
    };
}

heed_value heed_head_place(heed_build *b, heed_value scores, const heed_head_grid *grid)
{
    int64_t lines = b->spec->sequences, columns = b->spec->queries;
    heed_value column = heed_scatter_add(b->graph, scores, grid->places,
                                         heed_shape_2(lines * columns, 1));
    return heed_add(b->graph, heed_reshape(b->graph, column, heed_shape_2(lines, columns)),
                    grid->bias);
}
