/* The largest `count` elements of every row, largest first, and where they stood.
   Formula:  y(i,j) = x(i,index(i,j)). If elements are equal, the one further left comes first; NaN
             counts as larger than any number, as in torch.topk.
   Inputs:   x (N,X) f32
   Outputs:  y (N,count) f32
             index (N,count) i32, distinct within a row
   Gradient: top_k_backward: dx (N,X) has dy where the elements stood, zeros elsewhere; the choice
             is held fixed
   Errors:   HEED_E_SHAPE unless x is a matrix; HEED_E_ARG unless 1 <= count <= X; HEED_E_DTYPE */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(top_k);
HEED_REFERENCE(top_k_backward);

static inline bool REAL(larger)(real a, real b)
{
    return a > b || (isnan(a) && !isnan(b));
}

void REAL(heed_top_k_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0], *index = &args->out[1];
    int64_t width = x->shape.dim[1], count = y->shape.dim[1];
    for (int64_t i = 0; i < y->shape.dim[0]; i++) {
        const real *from = REAL(row)(x, i);
        real *best = REAL(row)(y, i);
        int32_t *at = (int32_t *)index->data + i * index->row_stride;
        for (int64_t c = 0; c < width; c++) { /* inserts one more element into a sorted list */
            int64_t place = c < count ? c : count;
            while (place > 0 && REAL(larger)(from[c], best[place - 1])) {
                place--;
                if (place + 1 < count) {
                    best[place + 1] = best[place];
                    at[place + 1] = at[place];
                }
            }
            if (place < count) {
                best[place] = from[c];
                at[place] = (int32_t)c;
            }
        }
    }
}

/* Inputs dy (N,count), index (N,count). An index outside a row is left out. */
void REAL(heed_top_k_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *dy = &args->in[0], *index = &args->in[1], *dx = &args->out[0];
    int64_t count = dy->shape.dim[1], width = dx->shape.dim[1];
    REAL(clear)(dx);
    for (int64_t i = 0; i < dy->shape.dim[0]; i++)
        for (int64_t j = 0; j < count; j++) {
            int32_t at = REAL(integers)(index, i)[j];
            if (at >= 0 && at < width) REAL(row)(dx, i)[at] = REAL(row)(dy, i)[j];
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    int64_t count = ((const heed_top_k_attributes *)infer->attributes)->count;
    heed_shape x = infer->shape[0];
    HEED_TRY(heed_check_f32(infer, error));
    if (x.rank != 2) return heed_infer_fail(infer, error, HEED_E_SHAPE, "a matrix (N,X)");
    if (count < 1 || count > x.dim[1])
        return heed_infer_fail(infer, error, HEED_E_ARG, "a count of 1 to X");
    infer->out_shape[0] = x;
    infer->out_shape[0].dim[1] = count;
    infer->out_shape[1] = infer->out_shape[0];
    infer->out_dtype[1] = HEED_I32;
    return HEED_OK;
}

static heed_status infer_backward(heed_infer *infer, heed_error *error)
{
    int64_t width = ((const heed_top_k_attributes *)infer->attributes)->count;
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "f32 and an index of i32");
    if (infer->shape[0].rank != 2 || !heed_shape_equal(infer->shape[0], infer->shape[1]) ||
        width < infer->shape[0].dim[1])
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "dy and index (N,count) of rows at least as long");
    infer->out_shape[0] = infer->shape[0];
    infer->out_shape[0].dim[1] = width;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_top_k_attributes attributes = {.count = heed_value_shape(graph, node->in[0]).dim[1]};
    if (dout[0] != HEED_NONE)
        din[0] = heed_emit(graph, HEED_OP_TOP_K_BACKWARD, (heed_value[]){dout[0], node->out[1]}, 2,
                           &attributes, NULL);
    return HEED_OK;
}

heed_value heed_top_k(heed_graph *graph, heed_value x, int64_t count, heed_value *index)
{
    heed_top_k_attributes attributes = {.count = count};
    heed_value out[2] = {HEED_BAD, HEED_BAD};
    heed_emit(graph, HEED_OP_TOP_K, &x, 1, &attributes, out);
    *index = out[1];
    return out[0];
}

const heed_op heed_op_top_k = {
    .name = "top_k",
    .in_min = 1,
    .in_max = 1,
    .n_out = 2,
    .attribute_size = sizeof(heed_top_k_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(top_k),
};
const heed_op heed_op_top_k_backward = {
    .name = "top_k_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_top_k_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(top_k_backward),
};
#endif
