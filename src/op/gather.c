/* Gather and scatter_add, each other's gradient.
   Formula:  gather:      y[i] = table[index[i]]
             scatter_add: y = 0, then y[index[i]] += x[i], i ascending
             An index outside the (live) rows gives a row of zeros, or adds nothing.
   Inputs:   gather: table (V,D) f32, f16, bf16 or quantized along its rows, V fixed or live
             scatter_add: x (N,D) f32; state of the shape of y, optional: y then is its next version
               and begins with the old values
             both: index (N) i32
   Output:   y f32: (N,D) of gather; of the shape in the attributes of scatter_add
   Options:  gather: one row of the table may be frozen: it gets no gradient, since scatter_add
             leaves out the rows for that index
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_UNSUPPORTED for the gradient of a scatter_add that
             leaves out rows */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(gather);
HEED_REFERENCE(scatter_add);

void REAL(heed_gather_reference)(const heed_kernel_args *args)
{
    const heed_operand *table = &args->in[0], *index = &args->in[1], *y = &args->out[0];
    for (int64_t i = 0; i < y->shape.dim[0]; i++) {
        int32_t at = *REAL(integers)(index, i);
        bool inside = at >= 0 && at < table->shape.dim[0];
        for (int64_t j = 0; j < y->shape.dim[1]; j++)
            REAL(row)(y, i)[j] = inside ? REAL(element)(table, at, j) : 0;
    }
}

void REAL(heed_scatter_add_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *index = &args->in[1], *y = &args->out[0];
    int64_t skipped = ((const heed_shape_attributes *)args->attributes)->skipped - 1;
    if (!heed_optional(args, HEED_SCATTER_STATE)) REAL(clear)(y);
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        int32_t at = *REAL(integers)(index, i);
        if (at < 0 || at >= y->shape.dim[0] || at == skipped) continue;
        for (int64_t j = 0; j < x->shape.dim[1]; j++) REAL(row)(y, at)[j] += REAL(row)(x, i)[j];
    }
}

#if !HEED_REAL_DOUBLE
static heed_status infer_gather(heed_infer *infer, heed_error *error)
{
    heed_shape table = infer->shape[0], index = infer->shape[1];
    if (!heed_dtype_is_weight(infer->dtype[0]) || infer->dtype[1] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "a table of f32, f16, bf16 or a quantized type and an index of i32");
    if (table.rank != 2 || index.rank != 1)
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a table (V,D) and an index (N)");
    infer->out_shape[0] = heed_shape_2(index.dim[0], table.dim[1]);
    infer->out_shape[0].extent = index.extent;
    return HEED_OK;
}

static heed_status infer_scatter_add(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0], index = infer->shape[1],
               y = ((const heed_shape_attributes *)infer->attributes)->shape;
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "x of f32 and an index of i32");
    if (x.rank != 2 || index.rank != 1 || !heed_same_rows(x, index))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "x (N,D) and an index (N)");
    if (!heed_shape_is_valid(y) || y.rank != 2 || y.dim[1] != x.dim[1])
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a result (rows,D) as wide as x");
    bool state = HEED_SCATTER_STATE < infer->n_in && infer->present[HEED_SCATTER_STATE];
    if (state && (infer->dtype[HEED_SCATTER_STATE] != HEED_F32 ||
                  !heed_shape_equal(infer->shape[HEED_SCATTER_STATE], y)))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "a state of f32 with the shape of the result");
    infer->out_shape[0] = y;
    return HEED_OK;
}

static heed_status gradient_gather(heed_graph *graph, const heed_node *node, const heed_value *dout,
                                   heed_value *din, heed_error *error)
{
    (void)error;
    heed_shape_attributes attributes = heed_attributes_of_shape(
        heed_value_shape(graph, node->in[0]));
    attributes.skipped = ((const heed_gather_attributes *)node->attributes)->frozen;
    din[0] = heed_emit(graph, HEED_OP_SCATTER_ADD, (heed_value[]){dout[0], node->in[1]}, 2,
                       &attributes, NULL);
    return HEED_OK;
}

static heed_status gradient_scatter_add(heed_graph *graph, const heed_node *node,
                                        const heed_value *dout, heed_value *din, heed_error *error)
{
    if (((const heed_shape_attributes *)node->attributes)->skipped)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "scatter_add: rows are left out, and second derivatives are not taken");
    din[0] = heed_gather(graph, dout[0], node->in[1]);
    return HEED_OK;
}

heed_value heed_embedding(heed_graph *graph, heed_value table, heed_value index, int64_t frozen)
{
    heed_gather_attributes attributes = {.frozen = frozen < 0 ? 0 : frozen + 1};
    return heed_emit(graph, HEED_OP_GATHER, (heed_value[]){table, index}, 2, &attributes, NULL);
}

heed_value heed_gather(heed_graph *graph, heed_value table, heed_value index)
{
    return heed_embedding(graph, table, index, -1);
}

heed_value heed_scatter_add(heed_graph *graph, heed_value x, heed_value index, heed_shape shape)
{
    heed_shape_attributes attributes = heed_attributes_of_shape(shape);
    return heed_emit(graph, HEED_OP_SCATTER_ADD, (heed_value[]){x, index}, 2, &attributes, NULL);
}

const heed_op heed_op_gather = {
    .name = "gather",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_gather_attributes),
    .infer = infer_gather,
    .gradient = gradient_gather,
    HEED_REFERENCES(gather),
};
const heed_op heed_op_scatter_add = {
    .name = "scatter_add",
    .in_min = 2,
    .in_max = 3,
    .n_out = 1,
    .state_input = HEED_SCATTER_STATE,
    .attribute_size = sizeof(heed_shape_attributes),
    .flags = HEED_OP_WRITES_STATE,
    .infer = infer_scatter_add,
    .gradient = gradient_scatter_add,
    HEED_REFERENCES(scatter_add),
};
#endif
