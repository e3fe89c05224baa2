/* pass_precision.c: lets matmuls, those of attention too, round their operands to bf16 and
   accumulate in f32. Norms, softmax, loss, the residual stream and the gradients of parameters stay
   f32. The pass runs before the gradient pass, so that backward matmuls round theirs as well.
   Matmuls with quantized weights do not change. A matmul reads the bf16 working copy of a parameter
   if there is one: the bits are the same. */
#include "graph/attributes.h"
#include "graph/ir.h"
#include "graph/plan.h"

/* Lets the node read the working copy of its weight, input 1, if it has one. */
static void read_copy(const heed_graph *graph, heed_node *node)
{
    const heed_value copy = node->in[1] > 0 ? graph->values[node->in[1]].copy : HEED_NONE;
    if (copy > 0) node->in[1] = copy;
}

heed_status heed_pass_precision(heed_graph *graph, heed_error *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        heed_node *node = &graph->nodes[i];
        if (node->id == HEED_OP_ATTENTION)
            ((heed_attention_attributes *)node->attributes)->bf16_operands = true;
        if (node->n_in < 2 || heed_dtype_is_quantized(heed_value_dtype(graph, node->in[1])))
            continue;
        if (node->id == HEED_OP_MATMUL)
            ((heed_matmul_attributes *)node->attributes)->bf16_operands = true;
        else if (node->id == HEED_OP_EXPERT_MATMUL)
            ((heed_expert_matmul_attributes *)node->attributes)->bf16_operands = true;
        else if (node->id == HEED_OP_LINEAR_CROSS_ENTROPY)
            ((heed_linear_loss_attributes *)node->attributes)->bf16_operands = true;
        else continue;
        read_copy(graph, node);
    }
    return heed_graph_status(graph, error);
}
