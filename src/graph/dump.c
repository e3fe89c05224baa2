/* What a graph or plan looks like, for people: text, Graphviz, the steps of a plan. */
#include "graph/attributes.h"
#include "graph/plan_internal.h"
#include "tensor/dtype.h"

#include <errno.h>
#include <string.h>

static heed_status finish(FILE *file)
{
    return fflush(file) == 0 && !ferror(file) ? HEED_OK : HEED_E_IO;
}

/* The attributes worth reading, of the ops that have such. */
static void put_attributes(FILE *file, const heed_node *node)
{
    static const char *const binaries[] = {"add", "subtract", "multiply", "divide"};
    static const char *const unaries[] = {
#define HEED_UNARY(symbol, name, formula, derivative) name,
#include <heed/unaries.def>
#undef HEED_UNARY
    };
    const void *a = node->attributes;
    switch (node->id) {
    case HEED_OP_BINARY: fprintf(file, " %s", binaries[((const heed_binary_attributes *)a)->kind]); break;
    case HEED_OP_UNARY: case HEED_OP_UNARY_BACKWARD: fprintf(file, " %s", unaries[((const heed_unary_attributes *)a)->kind]); break;
    case HEED_OP_SCALE: fprintf(file, " x*%g%+g", ((const heed_scale_attributes *)a)->factor, ((const heed_scale_attributes *)a)->offset); break;
    case HEED_OP_SLICE: fprintf(file, " [%lld,%lld)", (long long)((const heed_slice_attributes *)a)->begin, (long long)((const heed_slice_attributes *)a)->end); break;
    case HEED_OP_PRODUCT: case HEED_OP_FUSED_PRODUCT: {
        const heed_product_attributes *p = a; /* fused attributes begin alike */
        fprintf(file, " %c%c", p->transpose_a ? 'T' : 'N', p->transpose_b ? 'T' : 'N');
        if (node->id == HEED_OP_PRODUCT) break;
        const heed_fused_product_attributes *f = a;
        if (f->joined > 1) fprintf(file, " joined=%d", f->joined);
        if (f->activation != HEED_UNARY_LINEAR) fprintf(file, " activation=%s", unaries[f->activation]);
        if (f->norm) fprintf(file, " norm=%s", f->norm == HEED_FUSED_NORM_LAYER ? "layer" : "rms");
        break;
    }
    case HEED_OP_ATTENTION: case HEED_OP_ATTENTION_BACKWARD: {
        const heed_attention_attributes *t = a;
        fprintf(file, " heads=%d/%d width=%d%s", t->heads, t->kv_heads, t->head_width, t->causal ? " causal" : "");
        if (t->window) fprintf(file, " window=%d", t->window);
        break;
    }
    default: break;
    }
}

heed_status heed_graph_dump_text(const heed_graph *graph, FILE *file)
{
    static const char *const kinds[] = {"computed", "input", "constant", "parameter", "state"};
    char shape[HEED_SHAPE_TEXT], label[HEED_SHAPE_TEXT];
    for (size_t i = 0; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        if (info->kind == HEED_VALUE_COMPUTED) continue;
        fprintf(file, "%-9s %s %s%s%s\n", kinds[info->kind], info->name, heed_dtypes[info->dtype].name, heed_shape_text(info->shape, shape),
                info->layout == HEED_LAYOUT_PANELS ? " panels" : "");
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_out; j++)
            fprintf(file, "%s%%%d%s", j ? ", " : "", node->out[j], heed_shape_text(graph->values[node->out[j]].shape, shape));
        fprintf(file, " = %s", node->op->name);
        put_attributes(file, node);
        for (int j = 0; j < node->n_in; j++) fprintf(file, "%s%s", j ? ", " : " (", heed_value_label(graph, node->in[j], label));
        fprintf(file, ")");
        if (*node->scope) fprintf(file, "  @%s", node->scope);
        if (node->is_gradient) fprintf(file, "  gradient");
        if (node->clone) fprintf(file, "  clone %d", node->clone);
        if (node->note) fprintf(file, "  not fused: %s", node->note);
        fprintf(file, "\n");
    }
    for (size_t i = 0; i < graph->n_outputs; i++) fprintf(file, "output    %s = %%%d\n", graph->output_names[i], graph->outputs[i]);
    return finish(file);
}

heed_status heed_graph_dump_dot(const heed_graph *graph, FILE *file)
{
    char shape[HEED_SHAPE_TEXT];
    fprintf(file, "digraph heed {\n  rankdir=TB;\n  node [shape=box, style=filled, fontname=\"sans-serif\", fontsize=10];\n");
    for (size_t i = 0; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        if (info->kind != HEED_VALUE_COMPUTED)
            fprintf(file, "  v%zu [label=\"%s\\n%s\", shape=ellipse, fillcolor=\"%s\"];\n", i, info->name, heed_shape_text(info->shape, shape),
                    info->kind == HEED_VALUE_INPUT ? "#ffffff" : info->kind == HEED_VALUE_STATE ? "#d8f0d8" : "#dddddd");
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        fprintf(file, "  n%zu [label=\"%s", i, node->op->name);
        put_attributes(file, node);
        fprintf(file, "\\n%s\", fillcolor=\"%s\"];\n", heed_shape_text(graph->values[node->out[0]].shape, shape),
                node->clone ? "#e8d8f8" : node->is_gradient ? "#ffe0b8" : "#d0e4ff");
        for (int j = 0; j < node->n_in; j++) {
            if (node->in[j] < 0) continue;
            int32_t producer = graph->values[node->in[j]].node;
            if (graph->values[node->in[j]].kind == HEED_VALUE_COMPUTED) fprintf(file, "  n%d -> n%zu;\n", producer, i);
            else fprintf(file, "  v%d -> n%zu;\n", node->in[j], i);
        }
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->values[graph->outputs[i]].node >= 0)
            fprintf(file, "  o%zu [label=\"%s\", shape=ellipse, fillcolor=\"#fff6b0\"];\n  n%d -> o%zu;\n", i, graph->output_names[i],
                    graph->values[graph->outputs[i]].node, i);
    fprintf(file, "}\n");
    return finish(file);
}

heed_status heed_plan_dump(const heed_plan *plan, FILE *file)
{
    fprintf(file, "%zu steps in %zu groups, %zu bytes (values %zu, scratch %zu x %d threads)\n", plan->n_steps, plan->n_groups, plan->total_bytes,
            plan->values_bytes, plan->scratch_bytes, plan->threads);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const heed_step *step = &plan->steps[i];
        const heed_node *node = step->node;
        fprintf(file, "group %d  %s", step->group, node->op->name);
        put_attributes(file, node);
        fprintf(file, "  %s  ->", step->kernel ? step->kernel->name : "reference");
        for (int j = 0; j < node->n_out; j++) {
            const heed_place *place = &plan->places[node->out[j]];
            fprintf(file, " %%%d", node->out[j]);
            if (place->where == HEED_PLACE_WORKSPACE) fprintf(file, "@%zu", place->offset);
            else fprintf(file, "@%s", plan->graph->values[place->root].name);
            if (place->root != node->out[j]) fprintf(file, " in place of %%%d", place->root);
        }
        fprintf(file, "%s%s\n", *node->scope ? "  @" : "", node->scope);
    }
    return finish(file);
}
