/* Transpose of a matrix.
   Formula:  y[j,i] = x[i,j]
   Inputs:   x (A,B) f32, both extents fixed
   Output:   y (B,A) f32
   Gradient: dy transposed
   Errors:   HEED_E_SHAPE unless a matrix of fixed extents; HEED_E_DTYPE unless f32 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(transpose);

void REAL(heed_transpose_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    for (int64_t i = 0; i < x->shape.dim[0]; i++)
        for (int64_t j = 0; j < x->shape.dim[1]; j++) REAL(row)(y, j)[i] = REAL(row)(x, i)[j];
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0];
    HEED_TRY(heed_check_f32(infer, error));
    if (x.rank != 2 || x.extent != HEED_EXTENT_FIXED)
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a matrix of fixed extents");
    infer->out_shape[0] = heed_shape_2(x.dim[1], x.dim[0]);
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)node;
    (void)error;
    din[0] = heed_transpose(graph, dout[0]);
    return HEED_OK;
}

heed_value heed_transpose(heed_graph *graph, heed_value x)
{
    return heed_emit(graph, HEED_OP_TRANSPOSE, &x, 1, NULL, NULL);
}

const heed_op heed_op_transpose = {
    .name = "transpose",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(transpose),
};
#endif
