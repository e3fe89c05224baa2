/* Reshape: the same elements, in the same order, in another shape.
   Inputs:   x f32
   Output:   y f32; a view if its rows are those of x, or if x has no gaps. A live axis 0 stays as
             it is, or becomes another multiple of the same extent, (N,H*E) to (HN,E); fixed shapes
             hold equally many elements.
   Gradient: dy reshaped back
   Errors:   HEED_E_SHAPE if elements or live rows differ; HEED_E_DTYPE unless f32 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(reshape);

void REAL(heed_reshape_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    for (int64_t i = 0; i < heed_shape_elements(y->shape); i++)
        *REAL(flat)(y, i) = *REAL(flat)(x, i);
}

#if !HEED_REAL_DOUBLE
/* Are the rows of both fixed, or live rows of one extent or of multiples of one, so that any count
   of rows holds equally many elements? */
static bool rows_fit(const heed_graph *graph, heed_shape x, heed_shape y)
{
    const heed_extent_rule of_x = heed_extent_rule_of(graph, x.extent),
                           of_y = heed_extent_rule_of(graph, y.extent);
    if (of_x.base != of_y.base) return false;
    if (x.extent == HEED_EXTENT_FIXED) return true;
    return x.dim[0] % of_x.multiple == 0 && y.dim[0] % of_y.multiple == 0 &&
           x.dim[0] / of_x.multiple == y.dim[0] / of_y.multiple &&
           heed_shape_columns(x) * of_x.multiple == heed_shape_columns(y) * of_y.multiple;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0], y = ((const heed_shape_attributes *)infer->attributes)->shape;
    HEED_TRY(heed_check_f32(infer, error));
    bool fits = heed_shape_is_valid(y) && y.extent < infer->graph->n_extents &&
                heed_shape_elements(x) == heed_shape_elements(y) && rows_fit(infer->graph, x, y);
    if (!fits)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "as many elements in the new shape, and a live axis 0 unchanged or "
                               "with a multiple of its rows");
    infer->out_shape[0] = y;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_reshape(graph, dout[0], heed_value_shape(graph, node->in[0]));
    return HEED_OK;
}

heed_value heed_reshape(heed_graph *graph, heed_value x, heed_shape shape)
{
    heed_shape_attributes attributes = heed_attributes_of_shape(shape);
    return heed_emit(graph, HEED_OP_RESHAPE, &x, 1, &attributes, NULL);
}

const heed_op heed_op_reshape = {
    .name = "reshape",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_shape_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_VIEW,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(reshape),
};
#endif
