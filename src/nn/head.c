/* head.c: pieces of task heads and losses. */
#include "nn/block_internal.h"

heed_value heed_nn_transform(heed_graph *graph, heed_value x, const heed_nn_linear *linear,
                             heed_unary_kind activation, const heed_nn_norm *norm)
{
    return heed_nn_normalize(graph, heed_unary(graph, activation, heed_nn_apply(graph, x, linear)),
                             norm);
}

heed_value heed_nn_unit_rows(heed_graph *graph, heed_value x)
{
    heed_value squares = heed_reduce(graph, HEED_REDUCE_SUM, heed_multiply(graph, x, x), -1, true);
    /* The offset keeps rows of zeros at zero; rounding makes it vanish in every other sum. */
    return heed_multiply(graph, x,
                         heed_unary(graph, HEED_UNARY_RSQRT, heed_scale(graph, squares, 1, 1e-24)));
}

heed_value heed_nn_soft_cap(heed_graph *graph, heed_value x, double cap)
{
    if (cap <= 0) return x;
    return heed_scale(graph, heed_unary(graph, HEED_UNARY_TANH, heed_scale(graph, x, 1 / cap, 0)),
                      cap, 0);
}

heed_value heed_nn_sum(heed_graph *graph, heed_value x)
{
    if (heed_value_shape(graph, x).rank > 1) x = heed_reduce(graph, HEED_REDUCE_SUM, x, -1, false);
    return heed_reshape(graph, heed_reduce(graph, HEED_REDUCE_SUM, x, 0, false), heed_shape_1(1));
}

heed_value heed_nn_squared_error(heed_graph *graph, heed_value x, heed_value y)
{
    heed_value difference = heed_subtract(graph, x, y);
    return heed_nn_sum(graph, heed_multiply(graph, difference, difference));
}

heed_value heed_nn_binary_cross_entropy(heed_graph *graph, heed_value x, heed_value y)
{
    return heed_nn_sum(graph, heed_subtract(graph, heed_unary(graph, HEED_UNARY_SOFTPLUS, x),
                                            heed_multiply(graph, x, y)));
}
