/* Softmax over the last axis.
   Formula:  y = exp(x - max x) / sum exp(x - max x); a row of -inf gives zeros
   Inputs:   x (...,D) f32
   Output:   y (...,D) f32
   Gradient: softmax_backward: dx = y * (dy - sum(dy * y))
   Errors:   HEED_E_SHAPE unless x has at least two axes; HEED_E_DTYPE unless f32 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(softmax);
HEED_REFERENCE(softmax_backward);

void REAL(heed_softmax_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t width = heed_width(x), columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t at = 0; at < columns; at += width) {
            const real *from = REAL(row)(x, i) + at;
            real *to = REAL(row)(y, i) + at, max = -INFINITY, sum = 0;
            bool nothing = true; /* NaN is not -inf: it spreads */
            for (int64_t j = 0; j < width; j++) {
                max = from[j] > max ? from[j] : max;
                nothing = nothing && from[j] == -INFINITY;
            }
            for (int64_t j = 0; j < width; j++) sum += to[j] = nothing ? 0 : R(exp)(from[j] - max);
            for (int64_t j = 0; j < width && !nothing; j++) to[j] /= sum;
        }
}

/* dx = y * (dy - sum(dy * y)). Inputs y, dy (...,D). */
void REAL(heed_softmax_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *y = &args->in[0], *dy = &args->in[1], *dx = &args->out[0];
    int64_t width = heed_width(y), columns = heed_shape_columns(y->shape);
    for (int64_t i = 0; i < heed_shape_rows(y->shape); i++)
        for (int64_t at = 0; at < columns; at += width) {
            const real *a = REAL(row)(y, i) + at, *b = REAL(row)(dy, i) + at;
            real *to = REAL(row)(dx, i) + at, sum = 0;
            for (int64_t j = 0; j < width; j++) sum += a[j] * b[j];
            for (int64_t j = 0; j < width; j++) to[j] = a[j] * (b[j] - sum);
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    if (infer->shape[0].rank < 2)
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "at least two axes");
    HEED_TRY(heed_check_f32(infer, error));
    for (int i = 0; i < infer->n_in; i++) {
        if (!heed_shape_equal(infer->shape[i], infer->shape[0]))
            return heed_infer_fail(infer, error, HEED_E_SHAPE, "equal shapes");
    }
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_emit(graph, HEED_OP_SOFTMAX_BACKWARD, (heed_value[]){node->out[0], dout[0]}, 2,
                       NULL, NULL);
    return HEED_OK;
}

heed_value heed_softmax(heed_graph *graph, heed_value x)
{
    return heed_emit(graph, HEED_OP_SOFTMAX, &x, 1, NULL, NULL);
}

const heed_op heed_op_softmax = {
    .name = "softmax",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(softmax),
};
const heed_op heed_op_softmax_backward = {
    .name = "softmax_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(softmax_backward),
};
#endif
