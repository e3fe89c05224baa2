/* dump.c: graphs and plans in human-readable form: text, Graphviz, the steps of a plan. */
#include "graph/attributes.h"
#include "graph/plan_internal.h"
#include "tensor/dtype.h"

void heed_node_put_attributes(heed_buffer *out, const heed_node *node)
{
    static const char *const binaries[] = {"add", "subtract", "multiply", "divide"};
    static const char *const unaries[] = {
#define HEED_UNARY(symbol, name, formula, derivative) name,
#include <heed/unaries.def>
#undef HEED_UNARY
    };
    const void *a = node->attributes;
    switch (node->id) {
    case HEED_OP_BINARY:
        heed_buffer_printf(out, " %s", binaries[((const heed_binary_attributes *)a)->kind]);
        break;
    case HEED_OP_UNARY:
    case HEED_OP_UNARY_BACKWARD:
        heed_buffer_printf(out, " %s", unaries[((const heed_unary_attributes *)a)->kind]);
        break;
    case HEED_OP_SCALE:
        heed_buffer_printf(out, " x*%g%+g", ((const heed_scale_attributes *)a)->factor,
                           ((const heed_scale_attributes *)a)->offset);
        break;
    case HEED_OP_SLICE:
        heed_buffer_printf(out, " [%lld,%lld)",
                           (long long)((const heed_slice_attributes *)a)->begin,
                           (long long)((const heed_slice_attributes *)a)->end);
        break;
    case HEED_OP_MATMUL:
    case HEED_OP_FUSED_MATMUL: {
        const heed_matmul_attributes *p = a; /* fused attributes begin alike */
        heed_buffer_printf(out, " %c%c", "NT"[p->transpose_a != 0], "NT"[p->transpose_b != 0]);
        if (p->bf16_operands) heed_buffer_printf(out, " bf16");
        if (node->id == HEED_OP_MATMUL) break;
        const heed_fused_matmul_attributes *f = a;
        if (f->joined > 1) heed_buffer_printf(out, f->gated ? " gated" : " joined=%d", f->joined);
        if (f->activation != HEED_UNARY_LINEAR)
            heed_buffer_printf(out, " activation=%s", unaries[f->activation]);
        if (f->norm)
            heed_buffer_printf(out, " norm=%s", f->norm == HEED_FUSED_NORM_LAYER ? "layer" : "rms");
        break;
    }
    case HEED_OP_ATTENTION:
    case HEED_OP_ATTENTION_BACKWARD: {
        const heed_attention_attributes *t = a;
        heed_buffer_printf(out, " heads=%d/%d width=%d%s", t->heads, t->kv_heads, t->head_width,
                           t->causal ? " causal" : "");
        if (t->window) heed_buffer_printf(out, " window=%d", t->window);
        if (t->bf16_operands) heed_buffer_printf(out, " bf16");
        break;
    }
    default: break;
    }
}

void heed_graph_dump_text(const heed_graph *graph, heed_buffer *out)
{
    static const char *const kinds[] = {"computed", "input", "constant", "parameter", "state"};
    static const char *const layouts[] = {
        [HEED_LAYOUT_ROWS] = "",
        [HEED_LAYOUT_PANELS] = " panels",
        [HEED_LAYOUT_PANELS_BOTH] = " panels, and of its transpose"};
    char shape[HEED_SHAPE_TEXT], label[HEED_SHAPE_TEXT];
    for (size_t i = 1; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        if (info->kind == HEED_VALUE_COMPUTED) continue;
        heed_buffer_printf(out, "%-9s %s %s%s%s\n", kinds[info->kind], info->name,
                           heed_dtypes[info->dtype].name,
                           heed_shape_text(graph, info->shape, shape), layouts[info->layout]);
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_out; j++)
            heed_buffer_printf(out, "%s%%%d%s", j ? ", " : "", node->out[j],
                               heed_shape_text(graph, graph->values[node->out[j]].shape, shape));
        heed_buffer_printf(out, " = %s", node->op->name);
        heed_node_put_attributes(out, node);
        for (int j = 0; j < node->n_in; j++)
            heed_buffer_printf(out, "%s%s", j ? ", " : " (",
                               heed_value_label(graph, node->in[j], label));
        heed_buffer_text(out, ")");
        if (*node->scope) heed_buffer_printf(out, "  @%s", node->scope);
        if (node->is_gradient) heed_buffer_text(out, "  gradient");
        if (node->clone) heed_buffer_printf(out, "  clone %d", node->clone);
        if (node->note) heed_buffer_printf(out, "  not fused: %s", node->note);
        heed_buffer_text(out, "\n");
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        heed_buffer_printf(out, "output    %s = %%%d\n", graph->output_names[i], graph->outputs[i]);
}

static const char *color_of_node(const heed_node *node)
{
    if (node->clone) return "#e8d8f8";
    return node->is_gradient ? "#ffe0b8" : "#d0e4ff";
}

void heed_graph_dump_dot(const heed_graph *graph, heed_buffer *out)
{
    static const char *const colors[] = {[HEED_VALUE_INPUT] = "#ffffff",
                                         [HEED_VALUE_CONSTANT] = "#dddddd",
                                         [HEED_VALUE_PARAMETER] = "#dddddd",
                                         [HEED_VALUE_STATE] = "#d8f0d8"};
    char shape[HEED_SHAPE_TEXT];
    heed_buffer_text(out, "digraph heed {\n  rankdir=TB;\n  node [shape=box, style=filled, "
                          "fontname=\"sans-serif\", fontsize=10];\n");
    for (size_t i = 1; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        if (info->kind != HEED_VALUE_COMPUTED)
            heed_buffer_printf(
                out, "  v%zu [label=\"%s\\n%s\", shape=ellipse, fillcolor=\"%s\"];\n", i,
                info->name, heed_shape_text(graph, info->shape, shape), colors[info->kind]);
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        heed_buffer_printf(out, "  n%zu [label=\"%s", i, node->op->name);
        heed_node_put_attributes(out, node);
        heed_buffer_printf(out, "\\n%s\", fillcolor=\"%s\"",
                           heed_shape_text(graph, graph->values[node->out[0]].shape, shape),
                           color_of_node(node));
        if (node->note) heed_buffer_printf(out, ", tooltip=\"not fused: %s\"", node->note);
        heed_buffer_text(out, "];\n");
        for (int j = 0; j < node->n_in; j++) {
            if (node->in[j] <= 0) continue;
            int32_t maker = graph->values[node->in[j]].node;
            if (graph->values[node->in[j]].kind == HEED_VALUE_COMPUTED)
                heed_buffer_printf(out, "  n%d -> n%zu;\n", maker, i);
            else heed_buffer_printf(out, "  v%d -> n%zu;\n", node->in[j], i);
        }
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->values[graph->outputs[i]].node >= 0)
            heed_buffer_printf(
                out,
                "  o%zu [label=\"%s\", shape=ellipse, fillcolor=\"#fff6b0\"];\n  n%d -> o%zu;\n", i,
                graph->output_names[i], graph->values[graph->outputs[i]].node, i);
    heed_buffer_text(out, "}\n");
}

void heed_plan_dump(const heed_plan *plan, heed_buffer *out)
{
    heed_buffer_printf(
        out, "%zu steps in %zu regions, %zu bytes (values %zu, scratch %zu x %d threads)\n",
        plan->n_steps, plan->n_regions, plan->total_bytes, plan->values_bytes, plan->scratch_bytes,
        plan->threads);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const heed_step *step = &plan->steps[i];
        const heed_node *node = step->node;
        heed_buffer_printf(out, "region %d  %s", step->region, node->op->name);
        heed_node_put_attributes(out, node);
        heed_buffer_printf(out, "  %s  ->", step->kernel ? step->kernel->name : "reference");
        for (int j = 0; j < node->n_out; j++) {
            const heed_place *place = &plan->places[node->out[j]];
            heed_buffer_printf(out, " %%%d", node->out[j]);
            if (place->where == HEED_PLACE_WORKSPACE)
                heed_buffer_printf(out, "@%zu", place->offset);
            else heed_buffer_printf(out, "@%s", plan->graph->values[place->root].name);
            if (place->root != node->out[j])
                heed_buffer_printf(out, " in place of %%%d", place->root);
        }
        heed_buffer_printf(out, "%s%s\n", *node->scope ? "  @" : "", node->scope);
    }
}
