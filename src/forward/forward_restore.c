/* forward_restore.c: brings outputs from rows back to the padded layout. */
#include "forward/forward_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_tensor_list_add(heed_tensor_list *list, const char *prefix, const char *name,
                                 heed_shape shape, float **values, heed_error *error)
{
    size_t elements = 1, length = strlen(prefix) + strlen(name) + 1;
    heed_named_tensor tensor = {.dtype = HEED_F32, .rank = shape.rank};
    *values = NULL;
    for (int i = 0; i < shape.rank; i++) {
        tensor.shape[i] = shape.dim[i];
        if (!heed_multiply_size(elements, (size_t)shape.dim[i], &elements))
            return heed_fail(error, HEED_E_SHAPE, "%s%s: too many elements", prefix, name);
    }
    float *data = heed_allocate(elements + 1, sizeof *data);
    char *full = heed_allocate(length, 1);
    if (!data || !full ||
        !heed_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        free(data);
        free(full);
        return heed_fail_memory(error, elements * sizeof *data, name);
    }
    snprintf(full, length, "%s%s", prefix, name);
    tensor.name = full;
    tensor.data = *values = data;
    list->items[list->count++] = tensor;
    return HEED_OK;
}

void heed_tensor_list_free(heed_tensor_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free((void *)list->items[i].data);
    }
    free(list->items);
    *list = (heed_tensor_list){0};
}

/* The functions below add one output each. If an operand was not computed, it is not present and
   its output is zeros. */

/* Restores (N,D) to (B,T,D); with `squeeze`, the single score of each row (N,1) to (B,T). */
static heed_status restore_rows(const heed_forward_stack *stack, const char *name,
                                const heed_operand *from, bool squeeze, heed_tensor_list *outputs,
                                heed_error *error)
{
    int64_t columns = heed_shape_columns(from->shape);
    int64_t sizes[] = {stack->padded.batch, stack->padded.length, columns};
    heed_shape shape = heed_shape_of(squeeze ? 2 : 3, sizes);
    float *values = NULL;
    HEED_TRY(heed_tensor_list_add(outputs, "out.", name, shape, &values, error));
    for (int64_t row = 0; from->present && row < stack->rows.count; row++) {
        int64_t place = stack->rows.place[row];
        if (stack->padded.keep[place])
            memcpy(values + place * columns, (const float *)from->data + row * from->row_stride,
                   (size_t)columns * sizeof *values);
    }
    return HEED_OK;
}

/* Restores an output with one line for each sequence. The scores of choices become
   (questions,choices). */
static heed_status restore_sequences(const heed_forward_call *call, const char *name,
                                     const heed_operand *from, heed_tensor_list *outputs,
                                     heed_error *error)
{
    int64_t columns = heed_shape_columns(from->shape), batch = call->main.padded.batch;
    heed_shape shape = from->shape;
    shape.extent = HEED_EXTENT_FIXED;
    shape.dim[0] = batch;
    if (heed_head_any(call->config, HEED_TRAIT_COMPARES) && columns == 1)
        shape = heed_shape_2(call->choices > 0 ? batch / call->choices : 0, call->choices);
    float *values = NULL;
    HEED_TRY(heed_tensor_list_add(outputs, "out.", name, shape, &values, error));
    for (int64_t b = 0; from->present && b < batch; b++)
        memcpy(values + b * columns, (const float *)from->data + b * from->row_stride,
               (size_t)columns * sizeof *values);
    return HEED_OK;
}

/* Copies the attention weights of one sequence, (H,T',S') by rows, to their places in (B,H,T,S). */
static void restore_weights(const heed_forward_stack *query, const heed_forward_stack *key,
                            int64_t sequence, const heed_operand *from, float *values)
{
    int64_t heads = from->shape.dim[1];
    int64_t most_queries = from->shape.dim[2], most_keys = from->shape.dim[3];
    int64_t T = query->padded.length, S = key->padded.length, b = query->rows.batch[sequence];
    const int32_t *q = query->rows.table + sequence * HEED_SEQUENCE_FIELDS;
    const int32_t *k = key->rows.table + sequence * HEED_SEQUENCE_FIELDS;
    const float *data = (const float *)from->data + sequence * from->row_stride;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < q[HEED_SEQUENCE_QUERY_LENGTH]; i++)
            for (int64_t j = 0; j < k[HEED_SEQUENCE_KEY_LENGTH]; j++) {
                int64_t at = query->rows.place[q[HEED_SEQUENCE_QUERY_START] + i];
                int64_t to = key->rows.place[k[HEED_SEQUENCE_KEY_START] + j];
                if (query->padded.keep[at])
                    values[((b * heads + h) * T + at % T) * S + to % S] =
                        data[(h * most_queries + i) * most_keys + j];
            }
}

static heed_status fail_layout(const char *name, const heed_operand *from, heed_error *error)
{
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "output \"%s\" with %d axes has no padded layout: expected (rows,columns), "
                     "(sequences,columns), attention weights or a fixed shape",
                     name, from->shape.rank);
}

static const heed_forward_stack *stack_of(const heed_forward_call *call, heed_input_stack reader)
{
    return reader == HEED_MAIN_STACK ? &call->main : &call->source;
}

/* Restores attention weights to (B,H,T,S). */
static heed_status restore_attention(const heed_forward_call *call, const char *name,
                                     const heed_operand *from, heed_tensor_list *outputs,
                                     heed_error *error)
{
    heed_input_stack queries, keys;
    if (!heed_output_find_weights(name, &queries, &keys)) return fail_layout(name, from, error);
    const heed_forward_stack *query = stack_of(call, queries), *key = stack_of(call, keys);
    int64_t sizes[] = {query->padded.batch, from->shape.dim[1], query->padded.length,
                       key->padded.length};
    float *values = NULL;
    HEED_TRY(heed_tensor_list_add(outputs, "out.", name, heed_shape_of(4, sizes), &values, error));
    for (int64_t s = 0; from->present && s < query->rows.sequences; s++)
        restore_weights(query, key, s, from, values);
    return HEED_OK;
}

/* Adds an output of a fixed extent as it is. */
static heed_status copy_fixed(const char *name, const heed_operand *from, heed_tensor_list *outputs,
                              heed_error *error)
{
    const int64_t columns = heed_shape_columns(from->shape);
    float *values = NULL;
    HEED_TRY(heed_tensor_list_add(outputs, "out.", name, from->shape, &values, error));
    for (int64_t row = 0; from->present && row < heed_shape_rows(from->shape); row++)
        memcpy(values + row * columns, (const float *)from->data + row * from->row_stride,
               (size_t)columns * sizeof *values);
    return HEED_OK;
}

/* Is this an output (rows,columns) with the rows that a run of the call has? */
static bool has_rows(const heed_operand *from, int64_t rows)
{
    return from->shape.rank == 2 && (!from->present || from->shape.dim[0] == rows);
}

/* Restores one output by its extent. */
static heed_status restore_one(const heed_forward_call *call, const char *name,
                               const heed_operand *from, heed_tensor_list *outputs,
                               heed_error *error)
{
    const int64_t rows = call->main.rows.count, sequences = call->main.rows.sequences;
    bool squeeze = heed_head_any(call->config, HEED_TRAIT_SCORES_ROWS) && from->shape.dim[1] == 1;
    switch ((heed_extent)from->shape.extent) {
    case HEED_EXTENT_FIXED: return copy_fixed(name, from, outputs, error);
    case HEED_EXTENT_ROWS:
    case HEED_EXTENT_GATHERED:
        if (!has_rows(from, rows)) break;
        return restore_rows(&call->main, name, from, squeeze, outputs, error);
    case HEED_EXTENT_SOURCE_ROWS:
        if (!has_rows(from, call->source.rows.count)) break;
        return restore_rows(&call->source, name, from, false, outputs, error);
    case HEED_EXTENT_SEQUENCES:
        if (from->shape.rank == 4) return restore_attention(call, name, from, outputs, error);
        if (from->shape.rank != 3 && !has_rows(from, sequences)) break;
        return restore_sequences(call, name, from, outputs, error);
    default: break;
    }
    return fail_layout(name, from, error);
}

heed_status heed_forward_restore(const heed_forward_call *call, const heed_plan *plan,
                                 const heed_workspace *workspace, bool ran,
                                 heed_tensor_list *outputs, heed_error *error)
{
    const heed_graph *graph = heed_plan_graph(plan);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        heed_operand from = {.shape = graph->values[graph->outputs[i]].shape};
        if (ran) HEED_TRY(heed_plan_output(plan, workspace, graph->output_names[i], &from, error));
        HEED_TRY(restore_one(call, graph->output_names[i], &from, outputs, error));
    }
    return HEED_OK;
}
