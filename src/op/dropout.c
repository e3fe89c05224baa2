/* Inverted dropout.
   Formula:  y = x * m / (1 - rate); m = 1 with chance 1 - rate, drawn as op/random.h says
   Inputs:   x (N,...) f32
             rows (N,2) i32 = {sample id, position} of each row
   Output:   y (N,...) f32
   Options:  rate in [0,1)
   Gradient: the same mask applied to dy
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for a rate outside [0,1) or more random ops than
             there are streams
   Source:   Srivastava et al. 2014 */
#include "op/check.h"
#include "op/random.h"
#include "op/reference.h"

HEED_REFERENCE(dropout);

void REAL(heed_dropout_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *rows = &args->in[1], *y = &args->out[0];
    const heed_dropout_attributes *attributes = args->attributes;
    uint32_t threshold = heed_dropout_threshold(attributes->rate), words[4] = {0};
    real scale = 1 / (1 - (real)attributes->rate);
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        const int32_t *row = REAL(integers)(rows, i);
        heed_random_row random = heed_random_row_of(args->runtime, attributes->stream, 0, row[0],
                                                    row[1]);
        for (int64_t j = 0; j < columns; j++) REAL(row)
        (y, i)[j] = heed_dropout_keeps(&random, threshold, j, words) ? REAL(row)(x, i)[j] * scale
                                                                     : 0;
    }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    const heed_dropout_attributes *attributes = infer->attributes;
    heed_shape x = infer->shape[0], rows = infer->shape[1];
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "x of f32 and rows of i32");
    if (rows.rank != 2 || rows.dim[1] != 2 || !heed_same_rows(x, rows))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "x (N,...) and rows (N,2)");
    if (!(attributes->rate >= 0 && attributes->rate < 1))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a rate in [0, 1)");
    if (attributes->stream < 0 || attributes->stream >= HEED_RANDOM_STREAMS)
        return heed_infer_fail(infer, error, HEED_E_ARG, "at most 2^20 random ops in a graph");
    infer->out_shape[0] = x;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_emit(graph, HEED_OP_DROPOUT, (heed_value[]){dout[0], node->in[1]}, 2,
                       node->attributes, NULL);
    return HEED_OK;
}

heed_value heed_dropout(heed_graph *graph, heed_value x, heed_value rows, float rate)
{
    if (rate == 0) return x;
    heed_dropout_attributes attributes = {.rate = rate, .stream = heed_graph_stream(graph)};
    return heed_emit(graph, HEED_OP_DROPOUT, (heed_value[]){x, rows}, 2, &attributes, NULL);
}

const heed_op heed_op_dropout = {
    .name = "dropout",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_dropout_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(dropout),
};
#endif
