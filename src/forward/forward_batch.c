/* forward_batch.c: makes the batch of a forward call out of its padded inputs. */
#include "forward/forward_internal.h"
#include "base/number.h"
#include "model/feed.h"

#include <stdio.h>
#include <string.h>

/* ---- what a stack reads ---- */

/* Returns one past the largest position of the batch, padding included. The published code takes
   this for the length of every text. */
static int64_t length_of(const heed_forward_stack *stack)
{
    int64_t length = 0;
    for (int64_t place = 0; place < stack->padded.batch * stack->padded.length; place++)
        length = heed_larger(length, heed_forward_position(stack, place) + 1);
    return length;
}

/* Appends the sequence table, and the length of each text. */
static heed_status put_sequences(const heed_forward_stack *stack, heed_input_stack reader,
                                 heed_batch *batch, heed_error *error)
{
    const heed_rows *rows = &stack->rows;
    const int32_t length = (int32_t)length_of(stack);
    int32_t *table, *lengths;
    HEED_TRY(heed_batch_ints(batch, heed_input_name(HEED_INPUT_SEQUENCES, reader), rows->sequences,
                             HEED_SEQUENCE_FIELDS, &table, error));
    HEED_TRY(heed_batch_ints(batch, heed_input_name(HEED_INPUT_LENGTHS, reader), rows->sequences, 0,
                             &lengths, error));
    for (int64_t s = 0; s < rows->sequences; s++) {
        memcpy(table + s * HEED_SEQUENCE_FIELDS, rows->table + s * HEED_SEQUENCE_FIELDS,
               HEED_SEQUENCE_FIELDS * sizeof *table);
        lengths[s] = length;
    }
    return HEED_OK;
}

/* Appends a column of integers with a row for each row of the stack. */
static heed_status add_rows(const heed_forward_stack *stack, heed_input_id id,
                            heed_input_stack reader, heed_batch *batch, int32_t **values,
                            heed_error *error)
{
    return heed_batch_ints(batch, heed_input_name(id, reader), stack->rows.count, 0, values, error);
}

/* Appends the columns that have one number a token. */
static heed_status put_columns(const heed_forward_stack *stack, heed_input_stack reader,
                               heed_batch *batch, heed_error *error)
{
    for (int c = 0; c < HEED_FORWARD_COLUMNS; c++) {
        const heed_forward_column *column = &heed_forward_columns[c];
        int32_t *values;
        if (!column->is_there(stack)) continue;
        HEED_TRY(add_rows(stack, column->id, reader, batch, &values, error));
        for (int64_t row = 0; row < stack->rows.count; row++)
            values[row] = (int32_t)column->value(stack, stack->rows.place[row]);
    }
    return HEED_OK;
}

/* Appends the vectors of all rows, if the stack is given vectors. */
static heed_status put_vectors(const heed_forward_stack *stack, heed_input_stack reader,
                               heed_batch *batch, heed_error *error)
{
    const heed_named_tensor *given = stack->given[HEED_GIVEN_VECTORS];
    float *vectors;
    if (!given) return HEED_OK;
    const int64_t width = given->shape[2];
    const size_t bytes = (size_t)width * sizeof *vectors;
    HEED_TRY(heed_batch_floats(batch, heed_input_name(HEED_INPUT_VECTORS, reader),
                               stack->rows.count, width, &vectors, error));
    for (int64_t row = 0; row < stack->rows.count; row++)
        memcpy(vectors + row * width,
               (const char *)given->data + (size_t)stack->rows.place[row] * bytes, bytes);
    return HEED_OK;
}

/* Returns the factor of the tokens of the sequence that begins at place `first`. Masks that the
   attention mask hides count too, as in transformers. */
static float scale_by_masks(const heed_forward_call *call, const heed_forward_stack *stack,
                            int64_t first)
{
    int64_t masks = 0, seen = 0;
    for (int64_t at = first; at < first + stack->padded.length; at++) {
        masks += heed_forward_token(stack, at) == call->config->mask_id;
        seen += stack->padded.keep[at];
    }
    return heed_feed_token_scale(masks, seen);
}

/* Appends the factor of each token row in models that scale by the share of masks. */
static heed_status put_token_scale(const heed_forward_call *call, const heed_forward_stack *stack,
                                   heed_input_stack reader, heed_batch *batch, heed_error *error)
{
    const int64_t mask = call->config->mask_id, length = stack->padded.length;
    int64_t sequence = -1; /* the place at which that of `scale` begins */
    float *scales, scale = 0;
    if (!call->config->mask_scaling) return HEED_OK;
    HEED_TRY(heed_batch_floats(batch, heed_input_name(HEED_INPUT_TOKEN_SCALE, reader),
                               stack->rows.count, 1, &scales, error));
    for (int64_t row = 0; row < stack->rows.count; row++) {
        const int64_t place = stack->rows.place[row], first = place - place % length;
        if (first != sequence) scale = scale_by_masks(call, stack, first);
        sequence = first;
        scales[row] = heed_forward_token(stack, place) == mask ? 0 : scale;
    }
    return HEED_OK;
}

/* Appends mask indices. ALiBi's distances are those of mask indices: if positions count the tokens
   seen, the indices do so too. */
static heed_status put_indices(const heed_forward_call *call, const heed_forward_stack *stack,
                               heed_input_stack reader, heed_batch *batch, heed_error *error)
{
    const bool counted = stack->counted && call->config->position == HEED_POSITION_ALIBI;
    int32_t *query, *key;
    HEED_TRY(add_rows(stack, HEED_INPUT_QUERY_INDEX, reader, batch, &query, error));
    HEED_TRY(add_rows(stack, HEED_INPUT_KEY_INDEX, reader, batch, &key, error));
    for (int64_t row = 0; row < stack->rows.count; row++) {
        const int64_t place = stack->rows.place[row];
        query[row] = counted ? stack->counted[place] - 1 : (int32_t)(place % stack->padded.length);
        key[row] = stack->padded.keep[place] ? query[row] : -1;
    }
    return HEED_OK;
}

static heed_status put_stack(const heed_forward_call *call, const heed_forward_stack *stack,
                             heed_input_stack reader, heed_batch *batch, heed_error *error)
{
    batch->count[heed_stack_extent(reader)] = stack->rows.count;
    HEED_TRY(put_sequences(stack, reader, batch, error));
    HEED_TRY(put_columns(stack, reader, batch, error));
    HEED_TRY(put_vectors(stack, reader, batch, error));
    HEED_TRY(put_token_scale(call, stack, reader, batch, error));
    return put_indices(call, stack, reader, batch, error);
}

/* ---- what heads read ---- */

/* Appends the rows of the pooled tokens, -1 for sequences that have none, and the rows that are
   averaged: those that are seen. */
static heed_status put_pooled(const heed_forward_call *call, heed_batch *batch, heed_error *error)
{
    const heed_rows *rows = &call->main.rows;
    int32_t *pooled, *table;
    HEED_TRY(heed_batch_ints(batch, "pooled_rows", rows->sequences, 0, &pooled, error));
    HEED_TRY(heed_batch_ints(batch, "pool_sequences", rows->sequences, HEED_SEQUENCE_FIELDS, &table,
                             error));
    if (rows->sequences == 0) return HEED_OK;
    memcpy(table, rows->table, (size_t)rows->sequences * HEED_SEQUENCE_FIELDS * sizeof *table);
    for (int64_t s = 0; s < rows->sequences; s++, table += HEED_SEQUENCE_FIELDS) {
        const bool real = call->pooled && s < call->main.padded.batch;
        pooled[s] = real ? (int32_t)rows->row[call->pooled[s]] : -1;
        table[HEED_SEQUENCE_QUERY_LENGTH] = table[HEED_SEQUENCE_KEY_LENGTH] = rows->kept[s];
    }
    return HEED_OK;
}

/* Appends where each score stands in a grid (lines,columns), and the bias that hides the other
   elements. */
static heed_status put_grid(const heed_forward_call *call, const heed_program_spec *spec,
                            heed_batch *batch, heed_error *error)
{
    const bool compares = heed_head_any(call->config, HEED_TRAIT_COMPARES);
    const int64_t count = compares ? call->main.rows.sequences : call->main.rows.count;
    const int64_t width = compares ? call->choices : call->main.padded.length;
    const int64_t lines = spec->sequences, columns = spec->queries;
    int32_t *places;
    float *bias;
    HEED_TRY(heed_batch_ints(batch, "places", count, 0, &places, error));
    HEED_TRY(heed_batch_floats(batch, "grid_bias", lines, columns, &bias, error));
    for (int64_t i = 0; i < lines * columns; i++) bias[i] = -1e30f;
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = compares ? i : call->main.rows.place[i];
        places[i] = (int32_t)(place / width * columns + place % width);
        bias[places[i]] = 0;
    }
    return HEED_OK;
}

/* Appends the labels of a term of the loss, and what it is divided by. */
static heed_status put_labels(const heed_forward_call *call, int term, heed_batch *batch,
                              heed_error *error)
{
    const heed_label_use *use = call->terms.items[term].labels;
    const int64_t sequences = call->main.rows.sequences;
    void *column = NULL;
    if (use && use->kind == HEED_LABEL_NUMBERS) {
        float *numbers;
        int64_t classes = use->classes(call->config);
        HEED_TRY(heed_batch_floats(batch, use->column, sequences, classes, &numbers, error));
        column = numbers;
    } else if (use) {
        int32_t *labels;
        bool by_token = use->kind == HEED_LABEL_TOKEN;
        HEED_TRY(heed_batch_ints(batch, use->column, by_token ? call->main.rows.count : sequences,
                                 0, &labels, error));
        column = labels;
    }
    batch->term_counts[term] = heed_forward_write_labels(call, term, column);
    return HEED_OK;
}

/* Appends the rows that the tokens of a map of contacts stand for. Masked tokens and ends of texts
   stand for none. */
static heed_status put_pairs(const heed_forward_call *call, heed_batch *batch, heed_error *error)
{
    const heed_forward_stack *stack = &call->main;
    const int64_t length = stack->padded.length, tokens = length - HEED_CONTACT_ENDS;
    int32_t *pairs;
    if (!call->config->contacts || tokens < 1) return HEED_OK;
    HEED_TRY(heed_batch_ints(batch, "pair_rows", stack->rows.sequences, tokens, &pairs, error));
    for (int64_t i = 0; i < stack->rows.sequences * tokens; i++) {
        const int64_t b = i / tokens, place = b * length + 1 + i % tokens;
        const int32_t *fields = stack->rows.table + b * HEED_SEQUENCE_FIELDS;
        const bool stands = stack->padded.keep[place] &&
                            heed_forward_token(stack, place) != HEED_CONTACT_END_ID;
        pairs[i] = -1;
        if (stands) pairs[i] = (int32_t)stack->rows.row[place] - fields[HEED_SEQUENCE_QUERY_START];
    }
    return HEED_OK;
}

static heed_status put_heads(const heed_forward_call *call, heed_batch *batch, heed_error *error)
{
    const heed_program_spec spec = heed_forward_spec(call, HEED_PURPOSE_LOSS);
    HEED_TRY(put_pooled(call, batch, error));
    HEED_TRY(put_pairs(call, batch, error));
    if (heed_head_any(call->config, HEED_TRAIT_COMPARES | HEED_TRAIT_SCORES_ROWS))
        HEED_TRY(put_grid(call, &spec, batch, error));
    for (int i = 0; i < call->terms.count; i++) HEED_TRY(put_labels(call, i, batch, error));
    return HEED_OK;
}

/* ---- cotangents ---- */

/* Appends a cotangent in the shape of its input: takes the rows of a padded (B,T,D) tensor, or the
   tensor as it is if it has a line for each sequence. */
static heed_status put_cotangent(const heed_forward_call *call, const heed_named_tensor *source,
                                 const heed_plan_input_info *input, heed_batch *batch,
                                 heed_error *error)
{
    const heed_extent extent = (heed_extent)input->shape.extent;
    const bool of_source = extent == HEED_EXTENT_SOURCE_ROWS;
    const bool by_token = of_source || extent == HEED_EXTENT_ROWS || extent == HEED_EXTENT_GATHERED;
    const heed_forward_stack *stack = of_source ? &call->source : &call->main;
    const heed_padded *padded = &stack->padded;
    const int64_t columns = heed_shape_columns(input->shape);
    const int64_t lines = by_token ? padded->batch * padded->length : padded->batch;
    const int64_t count = by_token ? stack->rows.count : stack->rows.sequences;
    float *values;
    if (source->dtype != HEED_F32 || heed_tensor_elements(source) != lines * columns)
        return heed_fail(error, HEED_E_SHAPE, "input \"%s\": expected f32, %lld x %lld numbers",
                         source->name, (long long)lines, (long long)columns);
    HEED_TRY(heed_batch_floats(batch, input->name, count, columns, &values, error));
    for (int64_t line = 0; line < count; line++) {
        const int64_t place = by_token ? stack->rows.place[line] : line;
        const bool seen = by_token ? padded->keep[place] : line < padded->batch;
        for (int64_t j = 0; seen && j < columns; j++)
            values[line * columns + j] = (float)heed_tensor_number(source, place * columns + j);
    }
    return HEED_OK;
}

/* Returns the input of the plan that has this name; NULL if there is none. */
static const heed_plan_input_info *input_of(const heed_plan *plan, const char *name)
{
    size_t count;
    const heed_plan_input_info *inputs = heed_plan_inputs(plan, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(inputs[i].name, name) == 0) return &inputs[i];
    return NULL;
}

heed_status heed_forward_put_cotangents(const heed_forward_call *call, const heed_plan *plan,
                                        heed_batch *batch, heed_error *error)
{
    for (int i = 0; i < call->n_cotangents; i++) {
        char name[128];
        snprintf(name, sizeof name, "cotangent.%s", call->cotangents[i]);
        const heed_named_tensor *source = heed_forward_input(call, name);
        const heed_plan_input_info *input = input_of(plan, name);
        if (!source) source = heed_forward_input(call, "w");
        if (!input)
            return heed_fail(error, HEED_E_ARG,
                             "\"%s\" is no output of this model that a cotangent can meet",
                             call->cotangents[i]);
        HEED_TRY(put_cotangent(call, source, input, batch, error));
    }
    return HEED_OK;
}

/* ---- a run ---- */

static int64_t at_least_one(int64_t count)
{
    return count > 0 ? count : 1;
}

heed_program_spec heed_forward_spec(const heed_forward_call *call, heed_purpose purpose)
{
    bool compares = heed_head_any(call->config, HEED_TRAIT_COMPARES) &&
                    purpose != HEED_PURPOSE_FORWARD;
    int64_t queries = compares ? call->choices : call->main.padded.length;
    const heed_padded *keys = call->both ? &call->source.padded : &call->main.padded;
    return (heed_program_spec){.purpose = purpose,
                               .indexed = call->main.rows.indexed || call->source.rows.indexed,
                               .problem = (int32_t)call->problem,
                               .masked_mean = call->fully_masked,
                               .rows = at_least_one(call->main.rows.count),
                               .source_rows = at_least_one(call->source.rows.count),
                               .sequences = at_least_one(call->main.rows.sequences),
                               .gathered = at_least_one(call->main.rows.count),
                               .queries = at_least_one(queries),
                               .keys = at_least_one(keys->length)};
}

heed_status heed_forward_put(const heed_forward_call *call, heed_batch *batch, heed_error *error)
{
    heed_batch_clear(batch, 0);
    batch->count[HEED_EXTENT_GATHERED] = call->main.rows.count;
    batch->count[HEED_EXTENT_SEQUENCES] = call->main.rows.sequences;
    HEED_TRY(put_stack(call, &call->main, HEED_MAIN_STACK, batch, error));
    if (call->both) HEED_TRY(put_stack(call, &call->source, HEED_SOURCE_STACK, batch, error));
    return put_heads(call, batch, error);
}
