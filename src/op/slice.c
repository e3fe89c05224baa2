/* Slice and pad_columns over the last axis, each other's gradient.
   Formula:  slice:       y[...,j] = x[...,begin + j] for columns [begin, end)
             pad_columns: y is 0 but for y[...,begin + j] = x[...,j]
   Inputs:   x (...,D) f32
   Output:   y f32: (...,end-begin) of slice, a view if x has at most two axes; (...,width) of
             pad_columns
   Errors:   HEED_E_SHAPE for a scalar, a live last axis, or columns that do not exist; HEED_E_DTYPE
             unless f32 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(slice);
HEED_REFERENCE(pad_columns);

/* Copies `count` columns of the last axis, from column `from_begin` of x to column `to_begin` of
   y. */
static inline void REAL(copy_columns)(const heed_operand *x, int64_t from_begin,
                                      const heed_operand *y, int64_t to_begin, int64_t count)
{
    int64_t from_width = heed_width(x), to_width = heed_width(y), runs = 1;
    for (int i = 0; i < x->shape.rank - 1; i++) runs *= x->shape.dim[i];
    for (int64_t i = 0; i < runs; i++)
        for (int64_t j = 0; j < count; j++)
            *REAL(flat)(y, i * to_width + to_begin + j) = *REAL(flat)(x, i * from_width +
                                                                             from_begin + j);
}

void REAL(heed_slice_reference)(const heed_kernel_args *args)
{
    const heed_slice_attributes *attributes = args->attributes;
    REAL(copy_columns)
    (&args->in[0], attributes->begin, &args->out[0], 0, attributes->end - attributes->begin);
}

void REAL(heed_pad_columns_reference)(const heed_kernel_args *args)
{
    const heed_pad_columns_attributes *attributes = args->attributes;
    REAL(clear)(&args->out[0]);
    REAL(copy_columns)(&args->in[0], 0, &args->out[0], attributes->begin, heed_width(&args->in[0]));
}

#if !HEED_REAL_DOUBLE
/* The last axis exists and has a fixed extent. */
static heed_status check(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0];
    HEED_TRY(heed_check_f32(infer, error));
    if (x.rank < 1 || (x.rank == 1 && x.extent != HEED_EXTENT_FIXED))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a last axis of fixed extent");
    infer->out_shape[0] = x;
    return HEED_OK;
}

static heed_status infer_slice(heed_infer *infer, heed_error *error)
{
    const heed_slice_attributes *attributes = infer->attributes;
    HEED_TRY(check(infer, error));
    int64_t *width = &infer->out_shape[0].dim[infer->shape[0].rank - 1];
    if (attributes->begin < 0 || attributes->begin > attributes->end || attributes->end > *width)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "columns [begin, end) within the last axis");
    *width = attributes->end - attributes->begin;
    return HEED_OK;
}

static heed_status infer_pad_columns(heed_infer *infer, heed_error *error)
{
    const heed_pad_columns_attributes *attributes = infer->attributes;
    HEED_TRY(check(infer, error));
    int64_t *width = &infer->out_shape[0].dim[infer->shape[0].rank - 1];
    if (attributes->begin < 0 || attributes->begin > attributes->width ||
        *width > attributes->width - attributes->begin)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "room for x within the columns of the result");
    *width = attributes->width;
    return HEED_OK;
}

static heed_status gradient_slice(heed_graph *graph, const heed_node *node, const heed_value *dout,
                                  heed_value *din, heed_error *error)
{
    (void)error;
    heed_shape x = heed_value_shape(graph, node->in[0]);
    heed_pad_columns_attributes attributes = {
        .begin = ((const heed_slice_attributes *)node->attributes)->begin,
        .width = x.dim[x.rank - 1]};
    din[0] = heed_emit(graph, HEED_OP_PAD_COLUMNS, dout, 1, &attributes, NULL);
    return HEED_OK;
}

static heed_status gradient_pad_columns(heed_graph *graph, const heed_node *node,
                                        const heed_value *dout, heed_value *din, heed_error *error)
{
    (void)error;
    heed_shape x = heed_value_shape(graph, node->in[0]);
    int64_t begin = ((const heed_pad_columns_attributes *)node->attributes)->begin;
    din[0] = heed_slice(graph, dout[0], begin, begin + x.dim[x.rank - 1]);
    return HEED_OK;
}

heed_value heed_slice(heed_graph *graph, heed_value x, int64_t begin, int64_t end)
{
    heed_slice_attributes attributes = {.begin = begin, .end = end};
    return heed_emit(graph, HEED_OP_SLICE, &x, 1, &attributes, NULL);
}

const heed_op heed_op_slice = {
    .name = "slice",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_slice_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_VIEW,
    .infer = infer_slice,
    .gradient = gradient_slice,
    HEED_REFERENCES(slice),
};
const heed_op heed_op_pad_columns = {
    .name = "pad_columns",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_pad_columns_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer_pad_columns,
    .gradient = gradient_pad_columns,
    HEED_REFERENCES(pad_columns),
};
#endif
