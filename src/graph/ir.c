/* ir.c: building graphs: values, nodes, outputs, copies. */
#include "graph/ir.h"
#include "tensor/dtype.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

heed_graph *heed_graph_new(void)
{
    heed_graph *graph = heed_allocate(1, sizeof *graph);
    if (!graph) return NULL;
    graph->arena = heed_arena_new();
    graph->scope = "";
    /* values[HEED_NONE] is no value: numbers begin with 1 */
    bool ok = heed_grow(&graph->values, &graph->values_capacity, 1, sizeof *graph->values);
    if (graph->arena && ok) {
        graph->values[HEED_NONE] = (heed_value_info){.node = -1, .external = -1};
        graph->n_values = 1;
        return graph;
    }
    heed_graph_free(graph);
    return NULL;
}

void heed_graph_free(heed_graph *graph)
{
    if (!graph) return;
    heed_arena_free(graph->arena);
    free(graph->values);
    free(graph->nodes);
    free(graph->externals);
    free(graph->outputs);
    free(graph->output_names);
    free(graph);
}

heed_status heed_graph_status(const heed_graph *graph, heed_error *error)
{
    if (graph->error.status == HEED_OK) return HEED_OK;
    return heed_fail(error, graph->error.status, "%s", graph->error.message);
}

heed_value heed_graph_fail(heed_graph *graph, heed_status status, const char *format, ...)
{
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    heed_fail(&graph->error, status, "%s%s%s", graph->scope, *graph->scope ? ": " : "", message);
    return HEED_BAD;
}

static heed_value fail_memory(heed_graph *graph)
{
    heed_fail_memory(&graph->error, graph->n_nodes * sizeof(heed_node), "the graph");
    return HEED_BAD;
}

/* ---- values ---- */

static heed_value add_value(heed_graph *graph, heed_value_info info)
{
    if (graph->n_values >= INT32_MAX ||
        !heed_grow(&graph->values, &graph->values_capacity, graph->n_values + 1, sizeof info))
        return fail_memory(graph);
    graph->values[graph->n_values] = info;
    return (heed_value)graph->n_values++;
}

/* Adds an input or an external. Its name must be unique among them. */
static heed_value add_named(heed_graph *graph, heed_value_kind kind, const char *name,
                            heed_dtype dtype, heed_shape shape)
{
    if (graph->error.status != HEED_OK) return HEED_BAD;
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 0)
            return heed_graph_fail(graph, HEED_E_SHAPE, "%s: extent %lld of axis %d is negative",
                                   name, (long long)shape.dim[i], i);
    for (size_t i = 1; i < graph->n_values; i++)
        if (graph->values[i].name && graph->values[i].kind != HEED_VALUE_COMPUTED &&
            !strcmp(graph->values[i].name, name))
            return heed_graph_fail(
                graph, HEED_E_ARG,
                "\"%s\" is declared twice; names of inputs, weights and states are unique", name);
    heed_value_info info = {
        .kind = kind,
        .dtype = dtype,
        .shape = shape,
        .node = -1,
        .external = -1,
    };
    info.name = heed_arena_string(graph->arena, name);
    if (!info.name) return fail_memory(graph);
    if (kind != HEED_VALUE_INPUT) {
        if (!heed_grow(&graph->externals, &graph->externals_capacity, graph->n_externals + 1,
                       sizeof *graph->externals))
            return fail_memory(graph);
        info.external = (int32_t)graph->n_externals;
    }
    heed_value value = add_value(graph, info);
    if (value > 0 && kind != HEED_VALUE_INPUT) graph->externals[graph->n_externals++] = value;
    return value;
}

heed_value heed_input(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape)
{
    return add_named(graph, HEED_VALUE_INPUT, name, dtype, shape);
}

heed_value heed_constant(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape)
{
    return add_named(graph, HEED_VALUE_CONSTANT, name, dtype, shape);
}

heed_value heed_parameter(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape)
{
    return add_named(graph, HEED_VALUE_PARAMETER, name, dtype, shape);
}

heed_value heed_state(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape)
{
    return add_named(graph, HEED_VALUE_STATE, name, dtype, shape);
}

heed_value heed_bf16_copy(heed_graph *graph, heed_value parameter, heed_layout layout)
{
    char name[192];
    if (parameter <= 0) return parameter;
    snprintf(name, sizeof name, "rounded.%s", graph->values[parameter].name);
    const heed_value copy = heed_constant(graph, name, HEED_BF16, graph->values[parameter].shape);
    if (copy <= 0) return copy;
    heed_value_set_layout(graph, copy, layout);
    graph->values[copy].master = parameter;
    graph->values[parameter].copy = copy;
    return copy;
}

bool heed_value_is_frozen(const heed_graph *graph, heed_value value)
{
    return graph->values[value].kind == HEED_VALUE_CONSTANT && graph->values[value].master <= 0;
}

void heed_value_set_layout(heed_graph *graph, heed_value value, heed_layout layout)
{
    if (value > 0) graph->values[value].layout = layout;
}

void heed_output(heed_graph *graph, const char *name, heed_value value)
{
    if (value <= 0) return;
    const char *copy = heed_arena_string(graph->arena, name);
    if (!copy ||
        !heed_grow(&graph->outputs, &graph->outputs_capacity, graph->n_outputs + 1,
                   sizeof *graph->outputs) ||
        !heed_grow(&graph->output_names, &graph->output_names_capacity, graph->n_outputs + 1,
                   sizeof *graph->output_names)) {
        fail_memory(graph);
        return;
    }
    graph->values[value].is_output = true;
    graph->outputs[graph->n_outputs] = value;
    graph->output_names[graph->n_outputs++] = copy;
}

void heed_checkpoint(heed_graph *graph, heed_value value)
{
    if (value > 0) graph->values[value].is_checkpoint = true;
}

void heed_scope(heed_graph *graph, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *copy = heed_arena_string(graph->arena, text);
    if (copy) graph->scope = copy;
    else fail_memory(graph);
}

int32_t heed_graph_stream(heed_graph *graph)
{
    return graph->streams++;
}

heed_shape heed_value_shape(const heed_graph *graph, heed_value value)
{
    return value <= 0 || (size_t)value >= graph->n_values ? heed_shape_scalar()
                                                          : graph->values[value].shape;
}

heed_dtype heed_value_dtype(const heed_graph *graph, heed_value value)
{
    return value <= 0 || (size_t)value >= graph->n_values ? HEED_F32 : graph->values[value].dtype;
}

const char *heed_value_label(const heed_graph *graph, heed_value value, char text[HEED_SHAPE_TEXT])
{
    if (value > 0 && graph->values[value].name) return graph->values[value].name;
    if (value == HEED_NONE) snprintf(text, HEED_SHAPE_TEXT, "-");
    else snprintf(text, HEED_SHAPE_TEXT, "%%%d", value);
    return text;
}

/* ---- nodes ---- */

heed_status heed_infer_fail(const heed_infer *infer, heed_error *error, heed_status status,
                            const char *expected)
{
    char operands[300] = "";
    size_t used = 0;
    for (int i = 0; i < infer->n_in && used < sizeof operands; i++) {
        char label[HEED_SHAPE_TEXT], shape[HEED_SHAPE_TEXT];
        if (!infer->present[i]) continue;
        used += (size_t)snprintf(
            operands + used, sizeof operands - used, "%s%s %s %s", used ? ", " : "",
            heed_value_label(infer->graph, infer->in[i], label), heed_dtypes[infer->dtype[i]].name,
            heed_shape_text(infer->shape[i], shape));
    }
    return heed_fail(error, status, "%s: %s do not fit: expected %s", infer->op->name,
                     used ? operands : "no inputs", expected);
}

/* Checks the number of inputs, then lets the op infer the shapes and types of its outputs. */
static heed_status infer_node(const heed_graph *graph, heed_node *node, heed_infer *infer,
                              heed_error *error)
{
    *infer = (heed_infer){
        .op = node->op,
        .graph = graph,
        .n_in = node->n_in,
        .in = node->in,
        .attributes = node->attributes,
    };
    for (int i = 0; i < node->n_in; i++) {
        infer->present[i] = node->in[i] > 0;
        if (!infer->present[i]) continue;
        infer->shape[i] = graph->values[node->in[i]].shape;
        infer->dtype[i] = graph->values[node->in[i]].dtype;
    }
    for (int i = 0; i < node->op->in_min; i++)
        if (i >= node->n_in || !infer->present[i])
            return heed_fail(error, HEED_E_ARG,
                             "%s: input %d is missing; expected at least %d inputs", node->op->name,
                             i, node->op->in_min);
    if (node->n_in > node->op->in_max)
        return heed_fail(error, HEED_E_ARG, "%s: %d inputs, expected at most %d", node->op->name,
                         node->n_in, node->op->in_max);
    return node->op->infer(infer, error);
}

heed_value heed_emit(heed_graph *graph, heed_op_id id, const heed_value *in, int n_in,
                     const void *attributes, heed_value *outputs)
{
    const heed_op *op = heed_ops[id];
    for (int i = 0; outputs && i < op->n_out; i++) outputs[i] = HEED_BAD;
    if (graph->error.status != HEED_OK) return HEED_BAD;
    for (int i = 0; i < n_in; i++)
        if (in[i] == HEED_BAD || in[i] >= (heed_value)graph->n_values)
            return heed_graph_fail(graph, HEED_E_ARG, "%s: input %d is not a value of this graph",
                                   op->name, i);
    if (n_in > HEED_MAX_INPUTS)
        return heed_graph_fail(graph, HEED_E_ARG, "%s: %d inputs, at most %d", op->name, n_in,
                               HEED_MAX_INPUTS);
    heed_node node = {.op = op,
                      .id = id,
                      .n_in = (uint8_t)n_in,
                      .n_out = op->n_out,
                      .clone = graph->clone,
                      .is_gradient = graph->in_gradient,
                      .scope = graph->scope};
    memcpy(node.in, in, (size_t)n_in * sizeof *in);
    if (op->attribute_size) {
        node.attributes = heed_arena_take(graph->arena, 1, op->attribute_size);
        if (!node.attributes) return fail_memory(graph);
        if (attributes) memcpy(node.attributes, attributes, op->attribute_size);
    }
    heed_infer infer;
    heed_error problem = {0};
    if (infer_node(graph, &node, &infer, &problem) != HEED_OK)
        return heed_graph_fail(graph, problem.status, "%s", problem.message);
    if (!heed_grow(&graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1, sizeof node))
        return fail_memory(graph);
    for (int i = 0; i < op->n_out; i++) {
        node.out[i] = add_value(graph, (heed_value_info){.kind = HEED_VALUE_COMPUTED,
                                                         .dtype = infer.out_dtype[i],
                                                         .shape = infer.out_shape[i],
                                                         .node = (int32_t)graph->n_nodes,
                                                         .external = -1,
                                                         .master = HEED_NONE});
        if (node.out[i] <= 0) return HEED_BAD;
        if (outputs) outputs[i] = node.out[i];
    }
    graph->nodes[graph->n_nodes++] = node;
    return node.out[0];
}

heed_graph *heed_graph_copy(const heed_graph *source)
{
    heed_graph *copy = heed_graph_new();
    if (!copy) return NULL;
    heed_graph fresh = *copy;
    heed_arena *arena = fresh.arena;
    *copy = *source;
    copy->arena = arena;
    copy->values = fresh.values;
    copy->nodes = NULL;
    copy->externals = NULL;
    copy->outputs = NULL;
    copy->output_names = NULL;
    copy->values_capacity = fresh.values_capacity;
    copy->nodes_capacity = copy->externals_capacity = 0;
    copy->outputs_capacity = copy->output_names_capacity = 0;
    bool ok = heed_grow(&copy->values, &copy->values_capacity, source->n_values,
                        sizeof *copy->values) &&
              heed_grow(&copy->nodes, &copy->nodes_capacity, source->n_nodes,
                        sizeof *copy->nodes) &&
              heed_grow(&copy->externals, &copy->externals_capacity, source->n_externals,
                        sizeof *copy->externals) &&
              heed_grow(&copy->outputs, &copy->outputs_capacity, source->n_outputs,
                        sizeof *copy->outputs) &&
              heed_grow(&copy->output_names, &copy->output_names_capacity, source->n_outputs,
                        sizeof *copy->output_names);
    for (size_t i = 0; ok && i < source->n_values; i++) {
        copy->values[i] = source->values[i];
        if (source->values[i].name)
            ok = (copy->values[i].name = heed_arena_string(arena, source->values[i].name)) != NULL;
    }
    const char *last_scope = NULL, *last_copy = "";
    for (size_t i = 0; ok && i < source->n_nodes; i++) {
        heed_node *node = &copy->nodes[i];
        *node = source->nodes[i];
        if (node->scope != last_scope) { /* consecutive nodes share one scope string */
            last_scope = node->scope;
            ok = (last_copy = heed_arena_string(arena, node->scope)) != NULL;
        }
        node->scope = last_copy;
        if (ok && node->attributes) {
            void *attributes = heed_arena_take(arena, 1, node->op->attribute_size);
            ok = attributes != NULL;
            if (ok) memcpy(attributes, node->attributes, node->op->attribute_size);
            node->attributes = attributes;
        }
    }
    if (ok && source->n_externals)
        memcpy(copy->externals, source->externals, source->n_externals * sizeof *source->externals);
    if (ok && source->n_outputs)
        memcpy(copy->outputs, source->outputs, source->n_outputs * sizeof *source->outputs);
    for (size_t i = 0; ok && i < source->n_outputs; i++)
        ok = (copy->output_names[i] = heed_arena_string(arena, source->output_names[i])) != NULL;
    copy->scope = "";
    if (ok) return copy;
    heed_graph_free(copy);
    return NULL;
}
