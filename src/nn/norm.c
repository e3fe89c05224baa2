/* norm.c: norms, dropout, and what comes before and after a sublayer. */
#include "nn/block_internal.h"

heed_value heed_nn_normalize(heed_graph *graph, heed_value x, const heed_nn_norm *norm)
{
    if (!norm->present) return x;
    if (norm->kind == HEED_NORM_RMS)
        return heed_rms_norm(graph, x, norm->gain, norm->eps, norm->offset);
    return heed_layer_norm(graph, x, norm->gain, norm->bias, norm->eps);
}

heed_value heed_nn_dropout(heed_graph *graph, heed_value x, heed_value samples, double rate)
{
    return rate > 0 ? heed_dropout(graph, x, samples, (float)rate) : x;
}

heed_value heed_nn_sublayer_input(heed_graph *graph, heed_value *x,
                                  const heed_nn_sublayer *sublayer)
{
    bool before = sublayer->place == HEED_NORM_PRE || sublayer->place == HEED_NORM_SANDWICH ||
                  sublayer->place == HEED_NORM_STREAM;
    heed_value input = before ? heed_nn_normalize(graph, *x, &sublayer->norm) : *x;
    if (sublayer->place == HEED_NORM_STREAM) *x = input;
    return input;
}

heed_value heed_nn_sublayer_output(heed_graph *graph, heed_value x, heed_value fx,
                                   const heed_nn_sublayer *sublayer)
{
    if (sublayer->place == HEED_NORM_SANDWICH)
        fx = heed_nn_normalize(graph, fx, &sublayer->post_norm);
    if (sublayer->place == HEED_NORM_OUTPUT) fx = heed_nn_normalize(graph, fx, &sublayer->norm);
    if (sublayer->scale != 0) fx = heed_scale(graph, fx, sublayer->scale, 0);
    x = heed_add(graph, x, heed_nn_dropout(graph, fx, sublayer->samples, sublayer->dropout));
    return sublayer->place == HEED_NORM_POST ? heed_nn_normalize(graph, x, &sublayer->norm) : x;
}
