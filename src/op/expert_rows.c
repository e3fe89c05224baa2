/* Rows to slots and back (words of op/expert.h).
   Formula:  expert_dispatch: y(s) = w(permutation(s)) x(permutation(s) / J)
             expert_combine:  y(i) = sum over j, ascending, of w(i,j) x(inverse(i,j)), in one
                              accumulator of fused multiply-adds per element
             expert_dot:      y(i,j) = sum over d of x(inverse(i,j),d) z(i,d)
             A row's result depends on its own slots alone. A pair or slot that does not exist
             counts as zeros.
   Inputs:   x (N,D) f32 of dispatch, (N,J,D) of combine and dot; z (N,D) f32 of dot
             permutation, inverse (N,J) i32, as expert_permutation makes them
             weights w (N,J) f32 by pair, optional: 1 if absent
   Output:   y f32: (N,J,D) of dispatch, (N,D) of combine, (N,J) of dot
   Gradient: dispatch and combine are each other's; dot gives that of the weights of both
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE */
#include "op/expert.h"

HEED_REFERENCE(expert_dispatch);
HEED_REFERENCE(expert_combine);
HEED_REFERENCE(expert_dot);

void REAL(heed_expert_dispatch_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *permutation = &args->in[1];
    const heed_operand *weights = heed_optional(args, 3), *y = &args->out[0];
    int64_t J = y->shape.dim[1], width = y->shape.dim[2];
    for (int64_t s = 0; s < heed_slot_count(y); s++) {
        int64_t p = *heed_slot_index(permutation, s);
        bool inside = p >= 0 && p < heed_slot_count(y);
        real w = weights && inside ? *REAL(pair)(weights, p) : 1;
        for (int64_t d = 0; d < width; d++)
            REAL(slot)(y, s)[d] = inside ? w * REAL(row)(x, p / J)[d] : 0;
    }
}

void REAL(heed_expert_combine_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *inverse = &args->in[2];
    const heed_operand *weights = heed_optional(args, 3), *y = &args->out[0];
    int64_t J = x->shape.dim[1], width = x->shape.dim[2];
    for (int64_t i = 0; i < y->shape.dim[0]; i++)
        for (int64_t d = 0; d < width; d++) {
            real sum = 0;
            for (int64_t j = 0; j < J; j++) {
                int64_t at = *heed_slot_index(inverse, i * J + j);
                if (at >= 0 && at < heed_slot_count(x))
                    sum = R(fma)(weights ? REAL(row)(weights, i)[j] : 1, REAL(slot)(x, at)[d], sum);
            }
            REAL(row)(y, i)[d] = sum;
        }
}

void REAL(heed_expert_dot_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *z = &args->in[1], *inverse = &args->in[2],
                       *y = &args->out[0];
    int64_t J = x->shape.dim[1], width = x->shape.dim[2];
    for (int64_t p = 0; p < heed_slot_count(x); p++) {
        real sum = 0;
        int64_t at = *heed_slot_index(inverse, p);
        for (int64_t d = 0; d < width && at >= 0 && at < heed_slot_count(x); d++)
            sum = R(fma)(REAL(slot)(x, at)[d], REAL(row)(z, p / J)[d], sum);
        *REAL(pair)(y, p) = sum;
    }
}

#if !HEED_REAL_DOUBLE
/* permutation, inverse and weights after input 0. */
static heed_status check_tables(const heed_infer *infer, heed_error *error)
{
    bool weighted = infer->n_in > 3 && infer->present[3];
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32 || infer->dtype[2] != HEED_I32 ||
        (weighted && infer->dtype[3] != HEED_F32))
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "rows of f32, permutation and inverse of i32, weights of f32");
    if (!heed_is_pairs(infer, 1, HEED_I32) || !heed_shape_equal(infer->shape[1], infer->shape[2]) ||
        (weighted && !heed_shape_equal(infer->shape[1], infer->shape[3])))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "permutation, inverse and weights (N,J)");
    return HEED_OK;
}

static heed_status infer_dispatch(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0], permutation = infer->shape[1];
    HEED_TRY(check_tables(infer, error));
    if (x.rank != 2 || !heed_same_rows(x, permutation))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "rows (N,D) and a permutation (N,J)");
    infer->out_shape[0] = heed_slots_shape(x, permutation.dim[1], x.dim[1]);
    return HEED_OK;
}

static heed_status infer_combine(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0];
    HEED_TRY(check_tables(infer, error));
    if (!heed_is_slots(x, infer->shape[1]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "slots (N,J,D) and a permutation (N,J)");
    infer->out_shape[0] = heed_shape_2(x.dim[0], x.dim[2]);
    infer->out_shape[0].extent = x.extent;
    return HEED_OK;
}

static heed_status infer_dot(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0], z = infer->shape[1], inverse = infer->shape[2];
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_F32 || infer->dtype[2] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "slots and rows of f32, places of i32");
    if (!heed_is_pairs(infer, 2, HEED_I32) || !heed_is_slots(x, inverse) || z.rank != 2 ||
        !heed_same_rows(z, x) || z.dim[1] != x.dim[2])
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "slots (N,J,D), rows (N,D) and places (N,J)");
    infer->out_shape[0] = inverse;
    return HEED_OK;
}

static heed_value emit_rows(heed_graph *graph, heed_op_id op, heed_value x,
                            const heed_expert_permutation *permutation, heed_value weights)
{
    return heed_emit(graph, op,
                     (heed_value[]){x, permutation->permutation, permutation->inverse, weights}, 4,
                     NULL, NULL);
}

static heed_expert_permutation permutation_of(const heed_node *node)
{
    return (heed_expert_permutation){
        .permutation = node->in[1], .inverse = node->in[2], .offsets = HEED_NONE};
}

static heed_status gradient_dispatch(heed_graph *graph, const heed_node *node,
                                     const heed_value *dout, heed_value *din, heed_error *error)
{
    (void)error;
    heed_expert_permutation permutation = permutation_of(node);
    heed_value weights = heed_node_input(node, 3);
    din[0] = emit_rows(graph, HEED_OP_EXPERT_COMBINE, dout[0], &permutation, weights);
    if (weights != HEED_NONE)
        din[3] = heed_emit(graph, HEED_OP_EXPERT_DOT,
                           (heed_value[]){dout[0], node->in[0], permutation.inverse}, 3, NULL,
                           NULL);
    return HEED_OK;
}

static heed_status gradient_combine(heed_graph *graph, const heed_node *node,
                                    const heed_value *dout, heed_value *din, heed_error *error)
{
    (void)error;
    heed_expert_permutation permutation = permutation_of(node);
    heed_value weights = heed_node_input(node, 3);
    din[0] = emit_rows(graph, HEED_OP_EXPERT_DISPATCH, dout[0], &permutation, weights);
    if (weights != HEED_NONE)
        din[3] = heed_emit(graph, HEED_OP_EXPERT_DOT,
                           (heed_value[]){node->in[0], dout[0], permutation.inverse}, 3, NULL,
                           NULL);
    return HEED_OK;
}

heed_value heed_expert_dispatch(heed_graph *graph, heed_value x,
                                const heed_expert_permutation *permutation, heed_value weights)
{
    return emit_rows(graph, HEED_OP_EXPERT_DISPATCH, x, permutation, weights);
}

heed_value heed_expert_combine(heed_graph *graph, heed_value x,
                               const heed_expert_permutation *permutation, heed_value weights)
{
    return emit_rows(graph, HEED_OP_EXPERT_COMBINE, x, permutation, weights);
}

const heed_op heed_op_expert_dispatch = {
    .name = "expert_dispatch",
    .in_min = 3,
    .in_max = 4,
    .n_out = 1,
    .infer = infer_dispatch,
    .gradient = gradient_dispatch,
    HEED_REFERENCES(expert_dispatch),
};
const heed_op heed_op_expert_combine = {
    .name = "expert_combine",
    .in_min = 3,
    .in_max = 4,
    .n_out = 1,
    .infer = infer_combine,
    .gradient = gradient_combine,
    HEED_REFERENCES(expert_combine),
};
const heed_op heed_op_expert_dot = {
    .name = "expert_dot",
    .in_min = 3,
    .in_max = 3,
    .n_out = 1,
    .infer = infer_dot,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(expert_dot),
};
#endif
