/* batch.c: the columns of a batch. */
#include "model/batch.h"

#include "base/memory.h"
#include "base/number.h"

#include <stdlib.h>
#include <string.h>

void heed_batch_free(heed_batch *batch)
{
    for (size_t i = 0; i < batch->n_columns; i++) {
        free(batch->columns[i].name);
        free(batch->columns[i].data);
    }
    free(batch->columns);
    *batch = (heed_batch){0};
}

void heed_batch_clear(heed_batch *batch, int32_t first_sample)
{
    for (size_t i = 0; i < batch->n_columns; i++) batch->columns[i].rows = 0;
    memset(batch->count, 0, sizeof batch->count);
    memset(batch->term_counts, 0, sizeof batch->term_counts);
    batch->first_sample = first_sample;
}

/* Returns the column of this name, which may have no rows; NULL if there never was one. */
static heed_column *find(const heed_batch *batch, const char *name)
{
    for (size_t i = 0; i < batch->n_columns; i++)
        if (strcmp(batch->columns[i].name, name) == 0) return &batch->columns[i];
    return NULL;
}

/* Adds a column without rows. */
static heed_status add(heed_batch *batch, const char *name, heed_column **added, heed_error *error)
{
    char *copy = heed_string_copy(name);
    if (!copy || !heed_grow(&batch->columns, &batch->columns_capacity, batch->n_columns + 1,
                            sizeof *batch->columns)) {
        free(copy);
        return heed_fail_memory(error, sizeof *batch->columns, "a batch");
    }
    *added = &batch->columns[batch->n_columns++];
    **added = (heed_column){.name = copy};
    return HEED_OK;
}

/* Appends what heed_batch_ints and heed_batch_floats describe. Values of both types have 4 bytes,
   so an empty column may get another type. */
static heed_status append(heed_batch *batch, const char *name, const heed_column *wanted,
                          void **values, heed_error *error)
{
    heed_column *column = find(batch, name);
    *values = NULL;
    if (!column) HEED_TRY(add(batch, name, &column, error));
    if (column->rows > 0 && (column->dtype != wanted->dtype || column->columns != wanted->columns))
        return heed_fail(error, HEED_E_ARG,
                         "column \"%s\" of a batch has %lld values a row; %lld values or another "
                         "type were appended",
                         name, (long long)column->columns, (long long)wanted->columns);
    size_t width = (size_t)(wanted->columns ? wanted->columns : 1), before, count, total;
    if (!heed_multiply_size(width, (size_t)column->rows, &before) ||
        !heed_multiply_size(width, (size_t)wanted->rows, &count) ||
        !heed_add_size(before, count, &total) ||
        !heed_grow(&column->data, &column->capacity, total, sizeof(int32_t)))
        return heed_fail_memory(error, (size_t)wanted->rows * width * sizeof(int32_t), "a batch");
    column->dtype = wanted->dtype;
    column->columns = wanted->columns;
    column->rows += wanted->rows;
    if (count == 0) return HEED_OK;
    *values = (int32_t *)column->data + before;
    memset(*values, 0, count * sizeof(int32_t));
    return HEED_OK;
}

heed_status heed_batch_ints(heed_batch *batch, const char *name, int64_t rows, int64_t columns,
                            int32_t **values, heed_error *error)
{
    const heed_column wanted = {.dtype = HEED_I32, .rows = rows, .columns = columns};
    void *data;
    heed_status status = append(batch, name, &wanted, &data, error);
    *values = data;
    return status;
}

heed_status heed_batch_floats(heed_batch *batch, const char *name, int64_t rows, int64_t columns,
                              float **values, heed_error *error)
{
    const heed_column wanted = {.dtype = HEED_F32, .rows = rows, .columns = columns};
    void *data;
    heed_status status = append(batch, name, &wanted, &data, error);
    *values = data;
    return status;
}

const heed_column *heed_batch_column(const heed_batch *batch, const char *name)
{
    const heed_column *column = find(batch, name);
    return column && column->rows > 0 ? column : NULL;
}

const int32_t *heed_batch_read(const heed_batch *batch, const char *name)
{
    const heed_column *column = heed_batch_column(batch, name);
    return column && column->dtype == HEED_I32 ? column->data : NULL;
}

heed_status heed_batch_sequence(heed_batch *batch, heed_input_stack stack, int64_t rows,
                                heed_batch_rows *appended, heed_error *error)
{
    int64_t *total = &batch->count[heed_stack_extent(stack)];
    const char *table = heed_input_name(HEED_INPUT_SEQUENCES, stack);
    *appended = (heed_batch_rows){.first = *total};
    HEED_TRY(heed_batch_ints(batch, table, 1, HEED_SEQUENCE_FIELDS, &appended->fields, error));
    HEED_TRY(heed_batch_ints(batch, heed_input_name(HEED_INPUT_IDS, stack), rows, 0, &appended->ids,
                             error));
    int64_t sequences = heed_batch_column(batch, table)->rows;
    int32_t *fields = appended->fields;
    fields[HEED_SEQUENCE_QUERY_START] = fields[HEED_SEQUENCE_KEY_START] = (int32_t)*total;
    fields[HEED_SEQUENCE_QUERY_LENGTH] = fields[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)rows;
    fields[HEED_SEQUENCE_SAMPLE] = batch->first_sample + (int32_t)sequences - 1;
    *total += rows;
    if (sequences > batch->count[HEED_EXTENT_SEQUENCES])
        batch->count[HEED_EXTENT_SEQUENCES] = sequences;
    return HEED_OK;
}

heed_status heed_batch_label(heed_batch *batch, int64_t row, int32_t label, heed_error *error)
{
    int32_t *gathered, *labels;
    HEED_TRY(heed_batch_ints(batch, "rows", 1, 0, &gathered, error));
    HEED_TRY(heed_batch_ints(batch, "labels", 1, 0, &labels, error));
    *gathered = (int32_t)row;
    *labels = label;
    batch->count[HEED_EXTENT_GATHERED]++;
    return HEED_OK;
}

/* Returns how many labels of a column are scored. */
static int64_t labels_in(const heed_column *column)
{
    const int32_t *labels = column->data;
    int64_t scored = 0;
    if (column->dtype == HEED_F32) return column->rows * heed_larger(column->columns, 1);
    for (int64_t i = 0; i < column->rows; i++) scored += labels[i] != HEED_IGNORE;
    return scored;
}

int64_t heed_batch_count_labels(const heed_batch *batch, const heed_loss_terms *terms,
                                int64_t counts[HEED_MAX_LOSS_TERMS])
{
    int64_t total = 0;
    for (int i = 0; i < terms->count; i++) {
        const heed_label_use *use = terms->items[i].labels;
        const heed_column *column = use ? heed_batch_column(batch, use->column) : NULL;
        counts[i] = column ? labels_in(column) : 0;
        total += counts[i];
        if (!use) counts[i] = batch->count[HEED_EXTENT_ROWS];
    }
    return total;
}

int64_t heed_batch_tokens(const heed_batch *batch)
{
    return batch->count[HEED_EXTENT_ROWS] + batch->count[HEED_EXTENT_SOURCE_ROWS];
}
