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
    graph->n_extents = HEED_EXTENT_COUNT;
    /* values[HEED_NONE] is no value: numbers begin with 1 */
    bool ok = heed_grow(&graph->values, &graph->values_capacity, 1, sizeof *graph->values);
    if (graph->arena && ok) {
        graph->values[HEED_NONE] = (heed_value_info){.node = -1, .external = -1, .input = -1};
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
    heed_name_table_free(&graph->named);
    heed_name_table_free(&graph->named_outputs);
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

heed_extent_rule heed_extent_rule_of(const heed_graph *graph, int extent)
{
    if (extent >= HEED_EXTENT_COUNT && graph->extents[extent].base != HEED_EXTENT_FIXED)
        return graph->extents[extent];
    return (heed_extent_rule){.base = (heed_extent)extent, .multiple = 1};
}

heed_extent heed_extent_new(heed_graph *graph, char letter, heed_extent base, int64_t multiple)
{
    enum { MOST_MULTIPLE = 1 << 30 };
    if (graph->error.status != HEED_OK) return HEED_EXTENT_FIXED;
    if (letter < 'A' || letter > 'Z') {
        heed_graph_fail(graph, HEED_E_ARG, "the letter of an extent is %d; expected A to Z",
                        letter);
        return HEED_EXTENT_FIXED;
    }
    if ((int)base < 0 || (int)base >= graph->n_extents || multiple < 1 ||
        multiple > MOST_MULTIPLE || (base == HEED_EXTENT_FIXED && multiple != 1)) {
        heed_graph_fail(graph, HEED_E_ARG,
                        "an extent of %lld times extent %d: expected a live "
                        "extent of this graph, and a multiple from 1 to %d",
                        (long long)multiple, (int)base, MOST_MULTIPLE);
        return HEED_EXTENT_FIXED;
    }
    heed_extent_rule rule = heed_extent_rule_of(graph, base);
    if (graph->n_extents == HEED_MAX_EXTENTS || rule.multiple > MOST_MULTIPLE / multiple) {
        heed_graph_fail(graph, HEED_E_ARG, "a graph has at most %d extents, and multiples up to %d",
                        HEED_MAX_EXTENTS, MOST_MULTIPLE);
        return HEED_EXTENT_FIXED;
    }
    rule.multiple *= multiple;
    rule.letter = letter;
    graph->extents[graph->n_extents] = rule; /* base HEED_EXTENT_FIXED: a count of its own */
    return (heed_extent)graph->n_extents++;
}

heed_value heed_graph_find(const heed_graph *graph, const char *name)
{
    const int32_t value = heed_name_table_find(&graph->named, name);
    return value > 0 ? value : HEED_NONE;
}

/* Refuses a shape that no value can have, and a name that is taken. */
static bool may_add(heed_graph *graph, const char *name, heed_shape shape)
{
    if (graph->error.status != HEED_OK) return false;
    if (shape.rank < 0 || shape.rank > HEED_MAX_RANK) {
        heed_graph_fail(graph, HEED_E_SHAPE, "%s: %d axes; expected at most %d", name, shape.rank,
                        HEED_MAX_RANK);
        return false;
    }
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] >= 0) continue;
        heed_graph_fail(graph, HEED_E_SHAPE, "%s: extent %lld of axis %d is negative", name,
                        (long long)shape.dim[i], i);
        return false;
    }
    if (shape.extent >= graph->n_extents) {
        heed_graph_fail(graph, HEED_E_SHAPE, "%s: the graph has no extent %d", name, shape.extent);
        return false;
    }
    if (heed_graph_find(graph, name) == HEED_NONE) return true;
    heed_graph_fail(graph, HEED_E_ARG,
                    "\"%s\" is declared twice; names of inputs, weights and states are unique",
                    name);
    return false;
}

/* Adds an input or an external. */
static heed_value add_named(heed_graph *graph, heed_value_kind kind, const char *name,
                            heed_dtype dtype, heed_shape shape)
{
    if (!may_add(graph, name, shape)) return HEED_BAD;
    const bool is_input = kind == HEED_VALUE_INPUT;
    heed_value_info info = {
        .kind = kind,
        .dtype = dtype,
        .shape = shape,
        .node = -1,
        .external = -1,
        .input = -1,
        .name = heed_arena_string(graph->arena, name),
    };
    if (is_input) info.input = (int32_t)graph->n_inputs;
    else info.external = (int32_t)graph->n_externals;
    if (!info.name || !heed_grow(&graph->externals, &graph->externals_capacity,
                                 graph->n_externals + 1, sizeof *graph->externals))
        return fail_memory(graph);
    heed_value value = add_value(graph, info);
    if (value <= 0) return value;
    if (!heed_name_table_add(&graph->named, info.name, value)) return fail_memory(graph);
    if (is_input) graph->n_inputs++;
    else graph->externals[graph->n_externals++] = value;
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
    if (parameter <= 0) return parameter;
    const char *master = graph->values[parameter].name;
    const size_t length = strlen(master) + sizeof "rounded.";
    char *name = heed_arena_take(graph->arena, length, 1);
    if (!name) return fail_memory(graph);
    snprintf(name, length, "rounded.%s", master);
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
    if (value <= 0 || graph->error.status != HEED_OK) return;
    if (heed_name_table_find(&graph->named_outputs, name) >= 0) {
        heed_graph_fail(graph, HEED_E_ARG, "there are two outputs \"%s\"; their names are unique",
                        name);
        return;
    }
    const char *copy = heed_arena_string(graph->arena, name);
    if (!copy || !heed_name_table_add(&graph->named_outputs, copy, (int32_t)graph->n_outputs) ||
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
            heed_shape_text(infer->graph, infer->shape[i], shape));
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
                                                         .input = -1,
                                                         .master = HEED_NONE});
        if (node.out[i] <= 0) return HEED_BAD;
        if (outputs) outputs[i] = node.out[i];
    }
    graph->nodes[graph->n_nodes++] = node;
    return node.out[0];
}

/* ---- copies ---- */

/* Copies values with their names. */
static bool copy_values(heed_graph *copy, const heed_graph *source)
{
    if (!heed_grow(&copy->values, &copy->values_capacity, source->n_values, sizeof *copy->values))
        return false;
    copy->n_values = source->n_values;
    for (size_t i = 1; i < source->n_values; i++) {
        heed_value_info *info = &copy->values[i];
        *info = source->values[i];
        if (!info->name) continue;
        info->name = heed_arena_string(copy->arena, info->name);
        if (!info->name || !heed_name_table_add(&copy->named, info->name, (int32_t)i)) return false;
    }
    return true;
}

/* Copies nodes with their scopes and attributes. Consecutive nodes share one scope string. */
static bool copy_nodes(heed_graph *copy, const heed_graph *source)
{
    const char *last_scope = NULL, *last_copy = "";
    if (!heed_grow(&copy->nodes, &copy->nodes_capacity, source->n_nodes, sizeof *copy->nodes))
        return false;
    copy->n_nodes = source->n_nodes;
    for (size_t i = 0; i < source->n_nodes; i++) {
        heed_node *node = &copy->nodes[i];
        *node = source->nodes[i];
        if (node->scope != last_scope) {
            last_scope = node->scope;
            last_copy = heed_arena_string(copy->arena, node->scope);
            if (!last_copy) return false;
        }
        node->scope = last_copy;
        if (!node->attributes) continue;
        void *attributes = heed_arena_take(copy->arena, 1, node->op->attribute_size);
        if (!attributes) return false;
        memcpy(attributes, node->attributes, node->op->attribute_size);
        node->attributes = attributes;
    }
    return true;
}

static bool copy_externals(heed_graph *copy, const heed_graph *source)
{
    if (!heed_grow(&copy->externals, &copy->externals_capacity, source->n_externals,
                   sizeof *copy->externals))
        return false;
    for (size_t i = 0; i < source->n_externals; i++) copy->externals[i] = source->externals[i];
    copy->n_externals = source->n_externals;
    copy->n_inputs = source->n_inputs;
    return true;
}

static bool copy_outputs(heed_graph *copy, const heed_graph *source)
{
    for (size_t i = 0; i < source->n_outputs; i++)
        heed_output(copy, source->output_names[i], source->outputs[i]);
    return copy->error.status == HEED_OK;
}

heed_graph *heed_graph_copy(const heed_graph *source)
{
    heed_graph *copy = heed_graph_new();
    if (!copy) return NULL;
    copy->streams = source->streams;
    memcpy(copy->extents, source->extents, sizeof copy->extents);
    copy->n_extents = source->n_extents;
    copy->clone = source->clone;
    copy->in_gradient = source->in_gradient;
    if (copy_values(copy, source) && copy_nodes(copy, source) && copy_externals(copy, source) &&
        copy_outputs(copy, source))
        return copy;
    heed_graph_free(copy);
    return NULL;
}
