/* Mean over the query rows of each sequence.
   Formula:  y[b] = sum of the rows of sequence b, ascending, over their number; zeros if it is
             empty
   Inputs:   x (N,D) f32
             sequences (B,8) i32
   Output:   y (B,D) f32
   Gradient: sequence_mean_backward, inputs dy (B,D) and sequences: dx (N,D) = dy[b] over the number
             of rows; zeros in rows of no sequence
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE */
#include "op/check.h"
#include "op/reference.h"
#include "op/sequence.h"

HEED_REFERENCE(sequence_mean);
HEED_REFERENCE(sequence_mean_backward);

void REAL(heed_sequence_mean_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    REAL(clear)(y);
    for (int64_t b = 0; b < y->shape.dim[0]; b++) {
        heed_sequence sequence = heed_sequence_of(&args->in[1], b, x->shape.dim[0], 0, NULL);
        real *to = REAL(row)(y, b);
        for (int64_t i = 0; i < sequence.queries; i++)
            for (int64_t j = 0; j < x->shape.dim[1]; j++)
                to[j] += REAL(row)(x, sequence.query_start + i)[j];
        for (int64_t j = 0; j < x->shape.dim[1] && sequence.queries; j++)
            to[j] /= (real)sequence.queries;
    }
}

void REAL(heed_sequence_mean_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *dy = &args->in[0], *dx = &args->out[0];
    REAL(clear)(dx);
    for (int64_t b = 0; b < dy->shape.dim[0]; b++) {
        heed_sequence sequence = heed_sequence_of(&args->in[1], b, dx->shape.dim[0], 0, NULL);
        for (int64_t i = 0; i < sequence.queries; i++)
            for (int64_t j = 0; j < dx->shape.dim[1]; j++) REAL(row)
        (dx, sequence.query_start + i)[j] += REAL(row)(dy, b)[j] / (real)sequence.queries;
    }
}

#if !HEED_REAL_DOUBLE
static heed_status check(heed_infer *infer, heed_error *error)
{
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "values of f32 and a sequence table of i32");
    if (infer->shape[0].rank != 2 || !heed_is_sequence_table(infer, 1))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a matrix and a sequence table (B,8)");
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    HEED_TRY(check(infer, error));
    infer->out_shape[0] = heed_shape_2(infer->shape[1].dim[0], infer->shape[0].dim[1]);
    infer->out_shape[0].extent = infer->shape[1].extent;
    return HEED_OK;
}

static heed_status infer_backward(heed_infer *infer, heed_error *error)
{
    heed_shape x = ((const heed_shape_attributes *)infer->attributes)->shape, dy = infer->shape[0];
    HEED_TRY(check(infer, error));
    if (!heed_shape_is_valid(x) || x.rank != 2 || x.dim[1] != dy.dim[1] ||
        !heed_same_rows(dy, infer->shape[1]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "dy (B,D) for a table (B,8), and a result (N,D)");
    infer->out_shape[0] = x;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_shape_attributes attributes = heed_attributes_of_shape(
        heed_value_shape(graph, node->in[0]));
    din[0] = heed_emit(graph, HEED_OP_SEQUENCE_MEAN_BACKWARD, (heed_value[]){dout[0], node->in[1]},
                       2, &attributes, NULL);
    return HEED_OK;
}

heed_value heed_sequence_mean(heed_graph *graph, heed_value x, heed_value sequences)
{
    return heed_emit(graph, HEED_OP_SEQUENCE_MEAN, (heed_value[]){x, sequences}, 2, NULL, NULL);
}

const heed_op heed_op_sequence_mean = {
    .name = "sequence_mean",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(sequence_mean),
};
const heed_op heed_op_sequence_mean_backward = {
    .name = "sequence_mean_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_shape_attributes),
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(sequence_mean_backward),
};
#endif
