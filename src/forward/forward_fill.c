/* forward_fill.c: fills the run-time inputs of a plan from a padded batch. */
#include "forward/forward_internal.h"

#include <stdio.h>
#include <string.h>

/* The plan whose inputs are filled, and its memory. */
typedef struct {
    const heed_plan *plan;
    heed_workspace *workspace;
} target;

/* Returns the memory of an input; NULL if the plan has no input of this name. */
static void *input_of(const target *to, const char *prefix, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return heed_plan_input(to->plan, to->workspace, full);
}

/* Copies the sequence table; with only_kept, sequences have only the rows that are seen. */
static void fill_sequences(const heed_rows *rows, int32_t *table, bool only_kept)
{
    if (!table) return;
    memcpy(table, rows->table, (size_t)rows->sequences * HEED_SEQUENCE_FIELDS * sizeof *table);
    for (int64_t s = 0; only_kept && s < rows->sequences; s++)
        table[s * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_QUERY_LENGTH] =
            table[s * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_KEY_LENGTH] = rows->kept[s];
}

/* Copies the input vectors of all rows. */
static void fill_vectors(const heed_forward_stack *stack, float *vectors)
{
    if (!vectors) return;
    int64_t width = stack->vectors->shape[2];
    for (int64_t row = 0; row < stack->rows.count; row++)
        memcpy(vectors + row * width,
               (const char *)stack->vectors->data +
                   stack->rows.place[row] * width * (int64_t)sizeof(float),
               (size_t)width * sizeof(float));
}

/* Returns one past the largest position of the batch, padding included. The published code takes
   this for the length of every text. */
static int64_t length_of(const heed_forward_stack *stack)
{
    int64_t length = 0;
    for (int64_t place = 0; place < stack->padded.batch * stack->padded.length; place++)
        if (heed_forward_position(stack, place) >= length)
            length = heed_forward_position(stack, place) + 1;
    return length;
}

/* Sets what dropout counts by: the sample and the position of a row. */
static void set_sample(int32_t *samples, int64_t row, int64_t sample, int64_t position)
{
    samples[2 * row] = (int32_t)sample;
    samples[2 * row + 1] = (int32_t)position;
}

/* Fills the inputs of one stack, row by row. ALiBi's distances are those of mask indices: if
   positions count the tokens seen, the indices do so too. */
static void fill_stack(const heed_forward_call *call, const target *to,
                       const heed_forward_stack *stack, const char *prefix)
{
    bool counted = stack->seen && call->config->position == HEED_POSITION_ALIBI;
    int32_t *ids = input_of(to, prefix, "ids"), *types = input_of(to, prefix, "types");
    int32_t *positions = input_of(to, prefix, "positions");
    int32_t *query = input_of(to, prefix, "query_index"), *key = input_of(to, prefix, "key_index");
    int32_t *samples = input_of(to, prefix, "samples");
    float *balanced = input_of(to, prefix, "counted");
    fill_sequences(&stack->rows, input_of(to, prefix, "sequences"), false);
    fill_vectors(stack, input_of(to, prefix, "vectors"));
    heed_model_rotary_fill(call->model, stack == &call->source, length_of(stack), stack->rows.count,
                           input_of(to, prefix, "frequencies"));
    for (int64_t row = 0; row < stack->rows.count; row++) {
        int64_t place = stack->rows.place[row], t = place % stack->padded.length;
        int64_t index = counted ? stack->seen[place] - 1 : t;
        if (ids) ids[row] = (int32_t)heed_forward_token(stack, place);
        if (positions) positions[row] = (int32_t)heed_forward_position(stack, place);
        if (balanced) balanced[row] = stack->padded.keep[place] ? 1 : 0;
        if (types)
            types[row] = stack->types ? (int32_t)heed_tensor_integer(stack->types, place) : 0;
        if (query) query[row] = (int32_t)index;
        if (key) key[row] = stack->padded.keep[place] ? (int32_t)index : -1;
        if (samples) set_sample(samples, row, place / stack->padded.length, t);
    }
}

/* Fills the sequence table of cross-attention: queries of the main stack, keys of the source. */
static void fill_cross(const heed_forward_call *call, int32_t *table)
{
    if (!table) return;
    const heed_rows *main = &call->main.rows, *source = &call->source.rows;
    for (int64_t s = 0; s < main->sequences; s++) {
        int32_t *entry = table + s * HEED_SEQUENCE_FIELDS;
        memcpy(entry, main->table + s * HEED_SEQUENCE_FIELDS, HEED_SEQUENCE_FIELDS * sizeof *entry);
        entry[HEED_SEQUENCE_KEY_START] =
            source->table[s * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_KEY_START];
        entry[HEED_SEQUENCE_KEY_LENGTH] =
            source->table[s * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_KEY_LENGTH];
    }
}

/* ---- heads ---- */

/* Fills the rows that heads of tokens see: all of them. */
static void fill_rows(const heed_forward_call *call, int32_t *rows)
{
    for (int64_t row = 0; rows && row < call->main.rows.count; row++) rows[row] = (int32_t)row;
}

/* Fills the rows of the pooled tokens; -1 for sequences that have none. */
static void fill_pooled(const heed_forward_call *call, const target *to)
{
    int32_t *rows = input_of(to, "", "pooled_rows"), *samples = input_of(to, "", "pooled_samples");
    for (int64_t s = 0; s < call->main.rows.sequences; s++) {
        bool real = call->pooled && s < call->main.padded.batch;
        if (rows) rows[s] = real ? (int32_t)call->main.rows.row[call->pooled[s]] : -1;
        if (samples) set_sample(samples, s, s, 0);
    }
    fill_sequences(&call->main.rows, input_of(to, "", "pool_sequences"), true);
}

/* Fills where each score stands in a grid (lines,columns) and hides the other elements by a
   bias. */
static void fill_grid(const heed_forward_call *call, const target *to, int64_t lines,
                      int64_t columns)
{
    int32_t *places = input_of(to, "", "places");
    float *bias = input_of(to, "", "grid_bias");
    bool compares = heed_head_any(call->config, HEED_TRAIT_COMPARES);
    int64_t count = compares ? call->main.padded.batch : call->main.rows.count;
    int64_t width = compares ? call->choices : call->main.padded.length;
    for (int64_t i = 0; bias && i < lines * columns; i++) bias[i] = -1e30f;
    for (int64_t i = 0; places && i < count; i++) {
        int64_t place = compares ? i : call->main.rows.place[i];
        places[i] = (int32_t)(place / width * columns + place % width);
        if (bias) bias[places[i]] = 0;
    }
}

/* Fills the labels of all terms of the loss, and the scale of each: its weight over the number of
   labels, or 0 without labels. */
static void fill_scores(const heed_forward_call *call, const target *to)
{
    float *scale = input_of(to, "", "loss_scale");
    for (int i = 0; i < call->terms.count; i++) {
        const heed_loss_term *term = &call->terms.items[i];
        void *column = term->labels ? input_of(to, "", term->labels->column) : NULL;
        int64_t count = heed_forward_write_labels(call, i, column);
        if (scale) scale[i] = count > 0 ? (float)((double)term->weight / (double)count) : 0;
    }
}

/* ---- cotangents ---- */

/* Fills a cotangent: takes the rows of a padded (B,T,D) tensor, or the tensor as it is if it has a
   line for each sequence. */
static heed_status fill_cotangent(const heed_forward_call *call, const heed_named_tensor *source,
                                  const heed_operand *into, heed_error *error)
{
    bool of_source = into->shape.extent == HEED_EXTENT_SOURCE_ROWS;
    bool by_token = of_source || into->shape.extent == HEED_EXTENT_ROWS ||
                    into->shape.extent == HEED_EXTENT_GATHERED;
    const heed_forward_stack *stack = of_source ? &call->source : &call->main;
    const heed_padded *padded = &stack->padded;
    int64_t columns = heed_shape_columns(into->shape);
    int64_t lines = by_token ? padded->batch * padded->length : padded->batch;
    int64_t count = by_token ? stack->rows.count : stack->rows.sequences;
    float *values = into->data;
    if (source->dtype != HEED_F32 || heed_tensor_elements(source) != lines * columns)
        return heed_fail(error, HEED_E_SHAPE, "input \"%s\": expected f32, %lld x %lld numbers",
                         source->name, (long long)lines, (long long)columns);
    memset(values, 0, (size_t)(count * columns) * sizeof *values);
    for (int64_t line = 0; line < count; line++) {
        int64_t place = by_token ? stack->rows.place[line] : line;
        bool seen = by_token ? padded->keep[place] : line < padded->batch;
        for (int64_t j = 0; seen && j < columns; j++)
            values[line * columns + j] = (float)heed_tensor_number(source, place * columns + j);
    }
    return HEED_OK;
}

/* Fills all cotangents of the call; "w" is the cotangent of the model's main output. */
static heed_status fill_cotangents(const heed_forward_call *call, const target *to,
                                   heed_error *error)
{
    for (int i = 0; i < call->n_cotangents; i++) {
        char name[128], input[128];
        snprintf(name, sizeof name, "cotangent.%s", call->cotangents[i]);
        const heed_named_tensor *source = heed_forward_input(call, name);
        if (!source) source = heed_forward_input(call, "w");
        const heed_graph *graph = heed_plan_graph(to->plan);
        heed_operand into = {.data = input_of(to, "", name)};
        for (size_t v = 1; v < graph->n_values; v++)
            if (graph->values[v].kind == HEED_VALUE_INPUT &&
                strcmp(graph->values[v].name, name) == 0)
                into.shape = graph->values[v].shape;
        snprintf(input, sizeof input, "%s", call->cotangents[i]);
        if (!into.data)
            return heed_fail(error, HEED_E_ARG,
                             "\"%s\" is no output of this model that a cotangent can meet", input);
        HEED_TRY(fill_cotangent(call, source, &into, error));
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

heed_runtime heed_forward_runtime(const heed_forward_call *call)
{
    heed_runtime runtime = {0};
    runtime.count[HEED_EXTENT_ROWS] = runtime.count[HEED_EXTENT_GATHERED] = call->main.rows.count;
    runtime.count[HEED_EXTENT_SOURCE_ROWS] = call->source.rows.count;
    runtime.count[HEED_EXTENT_SEQUENCES] = call->main.rows.sequences;
    return runtime;
}

heed_status heed_forward_fill(const heed_forward_call *call, const heed_plan *plan,
                              heed_workspace *workspace, heed_error *error)
{
    target to = {plan, workspace};
    heed_program_spec spec = heed_forward_spec(call, HEED_PURPOSE_LOSS);
    fill_stack(call, &to, &call->main, "");
    if (call->both) {
        fill_stack(call, &to, &call->source, "source_");
        fill_cross(call, input_of(&to, "", "cross_sequences"));
    }
    fill_rows(call, input_of(&to, "", "rows"));
    fill_pooled(call, &to);
    fill_grid(call, &to, spec.sequences, spec.queries);
    fill_scores(call, &to);
    return heed_plan_has_output(plan, "loss") ? fill_cotangents(call, &to, error) : HEED_OK;
}
