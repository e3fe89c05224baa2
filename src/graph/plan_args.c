/* plan_args.c: the operands and arguments of a step at maximal shapes. A run adds addresses and
   live counts to them (run.c). */
#include "graph/plan_internal.h"
#include "graph/rewrite.h"

heed_operand heed_plan_operand(const heed_plan *plan, heed_value value)
{
    if (value <= 0) return (heed_operand){0};
    const heed_value_info *info = &plan->graph->values[value];
    int64_t stride = plan->places ? plan->places[value].row_stride
                                  : heed_shape_columns(info->shape);
    return (heed_operand){
        .present = true,
        .dtype = info->dtype,
        .layout = info->layout,
        .shape = info->shape,
        .row_stride = stride,
    };
}

heed_value heed_plan_operand_value(const heed_node *node, int j)
{
    return j < node->n_in ? node->in[j] : node->out[j - node->n_in];
}

heed_kernel_args heed_plan_maximal_args(const heed_plan *plan, const heed_node *node,
                                        heed_operand *operands)
{
    for (int j = 0; j < node->n_in + node->n_out; j++)
        operands[j] = heed_plan_operand(plan, heed_plan_operand_value(node, j));
    return (heed_kernel_args){
        .op = node->op,
        .in = operands,
        .out = operands + node->n_in,
        .n_in = node->n_in,
        .n_out = node->n_out,
        .attributes = node->attributes,
        .isa = plan->backend->isa,
        /* liveness.c places every version of a state where the state lies */
        .state_in_place = heed_node_state(node) != HEED_NONE,
    };
}
