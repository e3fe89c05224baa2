/* Precision: products read operands rounded to bf16 and accumulate in f32; norms, softmax, loss, the residual stream and the
   gradients of parameters stay f32. Runs before the gradient pass, so that the backward products read the rounded values too. */
#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/rewrite.h"

heed_status heed_pass_precision(heed_graph *graph, heed_error *error)
{
    heed_graph_rewrite rewrite;
    HEED_TRY(heed_graph_rewrite_begin(&rewrite, graph, error));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        heed_node node = rewrite.old[i];
        if (node.id == HEED_OP_PRODUCT || node.id == HEED_OP_EXPERT_PRODUCT) {
            graph->scope = node.scope;
            heed_value a = heed_graph_rewrite_find(&rewrite, node.in[0]), b = heed_graph_rewrite_find(&rewrite, node.in[1]);
            node.in[0] = heed_cast(graph, heed_cast(graph, a, HEED_BF16), HEED_F32); /* the left operand is always f32 */
            if (heed_value_dtype(graph, b) == HEED_F32) node.in[1] = heed_cast(graph, b, HEED_BF16);
        }
        heed_graph_rewrite_push(&rewrite, &node);
    }
    graph->scope = "";
    return heed_graph_rewrite_end(&rewrite, error);
}
