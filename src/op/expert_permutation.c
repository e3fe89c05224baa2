/* Integers of routing (words of op/expert.h).

   expert_permutation
   Inputs:   index (N,J) i32: the experts that rows chose
   Outputs:  permutation (N,J) i32: the pair of every slot. Pairs whose index is no expert come
               after all slots of experts. Stable: the same rows in the same order whatever else is
               in the batch.
             inverse (N,J) i32: the slot of every pair
             offsets (X+1) i32: the first slot of every expert, and the one after the last

   expert_load: how busy experts are
   Formula:  y(x) = sum of counted(i) over the pairs of row i that chose expert x
   Inputs:   index (N,J) i32
             counted (N,1) f32
   Output:   y (X) f32
   Gradient: expert_load_backward: dcounted(i) = sum of dy(x) over the experts x that row i chose;
             the choice is held fixed

   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG unless there are 1 to 2^20 experts */
#include "op/expert.h"

HEED_REFERENCE(expert_permutation);
HEED_REFERENCE(expert_load);
HEED_REFERENCE(expert_load_backward);

void REAL(heed_expert_permutation_reference)(const heed_kernel_args *args)
{
    const heed_operand *index = &args->in[0], *permutation = &args->out[0];
    const heed_operand *inverse = &args->out[1], *offsets = &args->out[2];
    int64_t experts = offsets->shape.dim[0] - 1, pairs = heed_slot_count(index);
    int32_t *first = offsets->data;
    int64_t stride = offsets->row_stride, outside = 0;
    for (int64_t x = 0; x <= experts; x++) first[x * stride] = 0;
    for (int64_t p = 0; p < pairs; p++) {
        int32_t x = *heed_slot_index(index, p);
        if (x >= 0 && x < experts) first[(x + 1) * stride]++;
    }
    for (int64_t x = 0; x < experts; x++) first[(x + 1) * stride] += first[x * stride];
    /* offsets serve as counters: after this loop each of them is where the next one began */
    for (int64_t p = 0; p < pairs; p++) {
        int32_t x = *heed_slot_index(index, p);
        bool inside = x >= 0 && x < experts;
        int32_t slot = inside ? first[x * stride]++ : first[experts * stride] + (int32_t)outside++;
        *heed_slot_index(permutation, slot) = (int32_t)p;
        *heed_slot_index(inverse, p) = slot;
    }
    for (int64_t x = experts - 1; x > 0; x--) first[x * stride] = first[(x - 1) * stride];
    first[0] = 0;
}

void REAL(heed_expert_load_reference)(const heed_kernel_args *args)
{
    const heed_operand *index = &args->in[0], *counted = &args->in[1], *y = &args->out[0];
    int64_t J = index->shape.dim[1];
    REAL(clear)(y);
    for (int64_t p = 0; p < heed_slot_count(index); p++) {
        int32_t x = *heed_slot_index(index, p);
        if (x >= 0 && x < y->shape.dim[0]) *REAL(row)(y, x) += *REAL(row)(counted, p / J);
    }
}

/* Inputs dy (X), index (N,J). */
void REAL(heed_expert_load_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *dy = &args->in[0], *index = &args->in[1], *dx = &args->out[0];
    int64_t J = index->shape.dim[1];
    REAL(clear)(dx);
    for (int64_t p = 0; p < heed_slot_count(index); p++) {
        int32_t x = *heed_slot_index(index, p);
        if (x >= 0 && x < dy->shape.dim[0]) *REAL(row)(dx, p / J) += *REAL(row)(dy, x);
    }
}

#if !HEED_REAL_DOUBLE
static heed_status check_index(heed_infer *infer, int64_t *experts, heed_error *error)
{
    heed_shape index = infer->shape[0];
    *experts = ((const heed_expert_count_attributes *)infer->attributes)->experts;
    if (infer->dtype[0] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "an index of i32");
    if (!heed_is_pairs(infer, 0, HEED_I32) || index.dim[0] > INT32_MAX / index.dim[1])
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "an index (N,J) of at most 2^31 - 1 pairs");
    if (*experts < 1 || *experts > 1 << 20)
        return heed_infer_fail(infer, error, HEED_E_ARG, "1 to 2^20 experts");
    return HEED_OK;
}

static heed_status infer_permutation(heed_infer *infer, heed_error *error)
{
    int64_t experts = 0;
    HEED_TRY(check_index(infer, &experts, error));
    infer->out_shape[0] = infer->out_shape[1] = infer->shape[0];
    infer->out_shape[2] = heed_shape_1(experts + 1);
    infer->out_dtype[0] = infer->out_dtype[1] = infer->out_dtype[2] = HEED_I32;
    return HEED_OK;
}

static heed_status infer_load(heed_infer *infer, heed_error *error)
{
    int64_t experts = 0;
    HEED_TRY(check_index(infer, &experts, error));
    if (infer->dtype[1] != HEED_F32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "counted of f32");
    heed_shape counted = infer->shape[1];
    if (counted.rank != 2 || counted.dim[1] != 1 || !heed_same_rows(counted, infer->shape[0]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "an index (N,J) and counted (N,1)");
    infer->out_shape[0] = heed_shape_1(experts);
    return HEED_OK;
}

static heed_status infer_load_backward(heed_infer *infer, heed_error *error)
{
    heed_shape dy = infer->shape[0], index = infer->shape[1];
    if (infer->dtype[0] != HEED_F32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "dy of f32");
    if (dy.rank != 1 || dy.extent || !heed_is_pairs(infer, 1, HEED_I32))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "dy (X) and an index (N,J)");
    infer->out_shape[0] = heed_shape_2(index.dim[0], 1);
    infer->out_shape[0].extent = index.extent;
    return HEED_OK;
}

static heed_status gradient_load(heed_graph *graph, const heed_node *node, const heed_value *dout,
                                 heed_value *din, heed_error *error)
{
    (void)error;
    din[1] = heed_emit(graph, HEED_OP_EXPERT_LOAD_BACKWARD, (heed_value[]){dout[0], node->in[0]}, 2,
                       NULL, NULL);
    return HEED_OK;
}

heed_expert_permutation heed_expert_sort(heed_graph *graph, heed_value index, int64_t experts)
{
    heed_expert_count_attributes attributes = {.experts = experts};
    heed_value out[3] = {HEED_BAD, HEED_BAD, HEED_BAD};
    heed_emit(graph, HEED_OP_EXPERT_PERMUTATION, &index, 1, &attributes, out);
    return (heed_expert_permutation){.permutation = out[0], .inverse = out[1], .offsets = out[2]};
}

heed_value heed_expert_load(heed_graph *graph, heed_value index, heed_value counted,
                            int64_t experts)
{
    heed_expert_count_attributes attributes = {.experts = experts};
    return heed_emit(graph, HEED_OP_EXPERT_LOAD, (heed_value[]){index, counted}, 2, &attributes,
                     NULL);
}

const heed_op heed_op_expert_permutation = {
    .name = "expert_permutation",
    .in_min = 1,
    .in_max = 1,
    .n_out = 3,
    .attribute_size = sizeof(heed_expert_count_attributes),
    .infer = infer_permutation,
    .no_gradient = "integers have no gradient",
    HEED_REFERENCES(expert_permutation),
};
const heed_op heed_op_expert_load = {
    .name = "expert_load",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_expert_count_attributes),
    .infer = infer_load,
    .gradient = gradient_load,
    HEED_REFERENCES(expert_load),
};
const heed_op heed_op_expert_load_backward = {
    .name = "expert_load_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .infer = infer_load_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(expert_load_backward),
};
#endif
