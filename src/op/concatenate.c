/* Concatenate along the last axis.
   Inputs:   1 to 8 values (...,D1), (...,D2) ... f32 whose other extents agree
   Output:   y (...,D1+D2+...) f32
   Gradient: the slices of dy
   Errors:   HEED_E_SHAPE if extents differ or the last axis is live; HEED_E_DTYPE unless f32 */
#include "op/check.h"
#include "op/reference.h"

enum { MAX_PARTS = 8 };

HEED_REFERENCE(concatenate);

void REAL(heed_concatenate_reference)(const heed_kernel_args *args)
{
    const heed_operand *y = &args->out[0];
    int64_t width = heed_width(y), runs = 1, begin = 0;
    for (int i = 0; i < y->shape.rank - 1; i++) runs *= y->shape.dim[i];
    for (int part = 0; part < args->n_in; part++) {
        int64_t count = heed_width(&args->in[part]);
        for (int64_t i = 0; i < runs; i++)
            for (int64_t j = 0; j < count; j++)
                *REAL(flat)(y, i * width + begin + j) = *REAL(flat)(&args->in[part], i * count + j);
        begin += count;
    }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_shape y = infer->shape[0];
    HEED_TRY(heed_check_f32(infer, error));
    if (y.rank < 1 || (y.rank == 1 && y.extent != HEED_EXTENT_FIXED))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a last axis of fixed extent");
    for (int i = 1; i < infer->n_in; i++) {
        heed_shape part = infer->shape[i];
        int64_t width = part.rank == y.rank ? part.dim[y.rank - 1] : 0, total = y.dim[y.rank - 1];
        part.dim[y.rank - 1] = total;
        if (!infer->present[i] || !heed_shape_equal(part, y))
            return heed_infer_fail(infer, error, HEED_E_SHAPE,
                                   "parts that differ in their last axis only");
        y.dim[y.rank - 1] = total + width;
    }
    infer->out_shape[0] = y;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    int64_t begin = 0;
    for (int i = 0; i < node->n_in; i++) {
        heed_shape part = heed_value_shape(graph, node->in[i]);
        int64_t end = begin + part.dim[part.rank - 1];
        din[i] = heed_slice(graph, dout[0], begin, end);
        begin = end;
    }
    return HEED_OK;
}

heed_value heed_concatenate(heed_graph *graph, const heed_value *parts, int count)
{
    if (count < 1 || count > MAX_PARTS)
        return heed_graph_fail(graph, HEED_E_ARG, "concatenate: %d parts; expected 1 to %d", count,
                               MAX_PARTS);
    return heed_emit(graph, HEED_OP_CONCATENATE, parts, count, NULL, NULL);
}

const heed_op heed_op_concatenate = {
    .name = "concatenate",
    .in_min = 1,
    .in_max = MAX_PARTS,
    .n_out = 1,
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(concatenate),
};
#endif
