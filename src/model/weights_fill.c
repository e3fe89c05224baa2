/* Fills weights from a file, packed by the backend or as rows, and reads them back. */
#include "model/weights_internal.h"
#include "model/weights_range.h"
#include "tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

/* How rows of a tensor lie on disk. Rows are numbered through its fused weights, one after the
   other. */
typedef struct {
    int64_t at; /* element 0 of the first row, counted in elements */
    /* elements from one row to the next, and from one column to the next */
    int64_t by_row, by_column;
    /* how many rows follow at this distance, at most as many as were asked for */
    int64_t run;
} disk_rows;

/* HEED_NAME_PAIRS: on disk the rows of a head are ordered in pairs, row i of its first half and row
   i of its second. */
static int64_t paired_row(const heed_tensor *tensor, int64_t row)
{
    int64_t half = tensor->head_width / 2, at = row % tensor->head_width;
    int64_t paired = at < half ? 2 * at : 2 * (at - half) + 1;
    return row - at + paired;
}

/* HEED_NAME_GROUPED. In memory: all query heads, all key heads, all value heads. On disk: the query
   heads of a group, its key head, its value head, group after group. */
static int64_t grouped_row(const heed_tensor *tensor, int64_t row)
{
    int64_t queries = tensor->group, width = tensor->head_width, head = row / width;
    int64_t heads_per_group = queries + 2, groups = tensor->rows / width / heads_per_group;
    int64_t group = head / queries, in_group = head % queries;
    if (head >= groups * queries) {
        int64_t other = head - groups * queries; /* the keys, then the values */
        group = other % groups;
        in_group = queries + other / groups;
    }
    return (group * heads_per_group + in_group) * width + row % width;
}

/* A tensor with experts, or with fused weights whose rows alternate. In memory: the first weight of
   every expert, then the second of every expert. On disk: expert after expert, and in each the
   fused weights one after the other, or their rows in turn. */
static disk_rows stacked_rows(const heed_tensor *tensor, int64_t row, int64_t most, disk_rows disk)
{
    int64_t matrices = tensor->experts ? tensor->experts : 1, height = tensor->rows / matrices;
    int64_t columns = tensor->columns ? tensor->columns : 1;
    int64_t fused = tensor->weights, own = height / fused; /* rows of one weight in a matrix */
    int64_t weight = row / (own * matrices), matrix = row / own % matrices, own_row = row % own;
    int64_t left = own - own_row, at = weight * own + own_row, step = 1;
    if (tensor->entry->flags & HEED_NAME_INTERLEAVED) {
        at = own_row * fused + weight;
        step = fused;
    }
    disk.run = left < most ? left : most;
    disk.at = matrix * height * columns + at * disk.by_row;
    disk.by_row *= step;
    return disk;
}

/* Returns where row `row` of a tensor is on disk, with a run of at most `most` rows. */
static disk_rows on_disk(const heed_tensor *tensor, int64_t row, int64_t most)
{
    int64_t height = tensor->experts ? tensor->rows / tensor->experts : tensor->rows;
    disk_rows disk = {.by_row = tensor->columns, .by_column = 1, .run = most};
    if (tensor->columns == 0) disk.by_row = 1;
    if (tensor->entry->flags & HEED_NAME_INPUT_FIRST) {
        disk.by_row = 1;
        disk.by_column = height;
    }
    if (tensor->entry->flags & HEED_NAME_PAIRS) {
        disk.run = most > 0 ? 1 : 0;
        disk.at = paired_row(tensor, row) * disk.by_row;
    } else if (tensor->group) {
        int64_t left = tensor->head_width - row % tensor->head_width;
        disk.run = left < most ? left : most;
        disk.at = grouped_row(tensor, row) * disk.by_row;
    } else if (tensor->experts || (tensor->entry->flags & HEED_NAME_INTERLEAVED)) {
        return stacked_rows(tensor, row, most, disk);
    } else {
        disk.at = row * disk.by_row;
    }
    return disk;
}

/* Fills disk->run rows of a weight, from row `first` on; `source` is element disk->at. */
static void fill_rows(const heed_weight *weight, int64_t first, const disk_rows *disk,
                      const char *source, heed_dtype dtype)
{
    /* quantized rows lie end to end, so that the first case below takes them */
    size_t from = heed_dtypes[dtype].bytes, to = heed_dtypes[weight->dtype].bytes;
    int64_t width = weight->columns ? weight->columns : 1;
    char *data = (char *)weight->data + heed_dtype_bytes(weight->dtype, (size_t)(first * width));
    if (disk->by_column == 1 && disk->by_row == width) {
        heed_convert(data, weight->dtype, source, dtype, (size_t)(disk->run * width));
        return;
    }
    for (int64_t row = 0; row < disk->run; row++)
        for (int64_t column = 0; column < width; column++)
            heed_convert(data + (size_t)(row * width + column) * to, weight->dtype,
                         source + (size_t)(row * disk->by_row + column * disk->by_column) * from,
                         dtype, 1);
}

/* Returns the panels of the matrix that contains row `row`; each expert has its own. *row becomes
   the row within the matrix, *rows its number of rows. */
static void *panels_of_row(const heed_weight *weight, int64_t *row, int64_t *rows)
{
    int64_t matrices = heed_weight_matrices(weight);
    *rows = weight->rows / matrices;
    int64_t matrix = *row / *rows;
    *row %= *rows;
    return (char *)weight->data + (size_t)matrix * (weight->bytes / (size_t)matrices);
}

static void pack_rows(const heed_model *model, const heed_weight *weight, int64_t first,
                      const disk_rows *disk, const char *source, heed_dtype dtype)
{
    int64_t rows;
    void *data = panels_of_row(weight, &first, &rows);
    const heed_packed_weight panels = {data, weight->dtype, rows, weight->columns};
    const heed_pack_source from = {source, dtype, disk->by_row, disk->by_column};
    model->backend->packing->pack_rows(model->backend, &panels, first, disk->run, &from);
}

/* The source of a tensor's elements while it is filled. */
typedef struct {
    heed_stored_window *window;
    heed_dtype stored, dtype; /* type on disk; type that packing reads */
    float *converted;         /* buffer for the converted elements if the two types differ */
    size_t capacity;
    /* if rows are quantized here: buffer for one row as f32 and then as qblocks; else NULL */
    float *row;
} fill_source;

/* Fills rows that are stored as floats and kept as qblocks: each row becomes f32 first, whatever
   its order on disk. */
static void quantize_rows(const heed_model *model, const heed_weight *weight, int64_t first,
                          const disk_rows *disk, const char *from, const fill_source *source)
{
    const size_t columns = (size_t)weight->columns;
    const size_t row_bytes = heed_dtype_bytes(weight->dtype, columns);
    const disk_rows packed = {.by_row = weight->columns, .by_column = 1, .run = 1};
    heed_weight plain = {
        .rows = 1, .columns = weight->columns, .dtype = HEED_F32, .data = source->row};
    char *qblocks = (char *)(source->row + columns);
    disk_rows one = *disk;
    one.run = 1;
    for (int64_t row = 0; row < disk->run; row++) {
        one.at = disk->at + row * disk->by_row;
        size_t skipped = heed_dtype_bytes(source->dtype, (size_t)(one.at - disk->at));
        fill_rows(&plain, 0, &one, from + skipped, source->dtype);
        heed_convert(qblocks, weight->dtype, source->row, HEED_F32, columns);
        if (weight->layout == HEED_LAYOUT_PANELS)
            pack_rows(model, weight, first + row, &packed, qblocks, weight->dtype);
        else memcpy((char *)weight->data + (size_t)(first + row) * row_bytes, qblocks, row_bytes);
    }
}

/* Packing reads f32, f16 and bf16, and a quantized type if the weights keep it. Other types are
   converted to f32 before. */
static fill_source source_of(const heed_model *model, const heed_tensor *tensor,
                             heed_stored_window *window)
{
    heed_dtype stored = window->tensor->dtype;
    bool kept = heed_dtype_is_quantized(stored) &&
                model->weights[tensor->first_weight].dtype == stored;
    bool packable = kept || stored == HEED_F32 || stored == HEED_F16 || stored == HEED_BF16;
    return (fill_source){.window = window, .stored = stored, .dtype = packable ? stored : HEED_F32};
}

static heed_status convert_elements(fill_source *source, const void *bytes, size_t count,
                                    heed_error *error)
{
    if (!heed_grow(&source->converted, &source->capacity, count, sizeof *source->converted))
        return heed_fail_memory(error, count * sizeof *source->converted,
                                source->window->tensor->name);
    heed_convert(source->converted, HEED_F32, bytes, source->stored, count);
    return HEED_OK;
}

/* *from becomes the address of element disk->at, after which the elements of disk->run rows lie. If
   the elements of a row are contiguous, the run is cut to what is read at once. */
static heed_status get_rows(fill_source *source, disk_rows *disk, int64_t width, const char **from,
                            heed_error *error)
{
    enum { PIECE = 1 << 22 };
    const heed_dtype_info *type = &heed_dtypes[source->stored];
    size_t row_bytes = heed_dtype_bytes(source->stored, (size_t)disk->by_row);
    int64_t most = disk->run;
    if (disk->by_column == 1 && row_bytes > 0) most = (int64_t)(PIECE / row_bytes);
    if (disk->run > most) disk->run = most > 0 ? most : 1;
    int64_t span = (disk->run - 1) * disk->by_row + (width - 1) * disk->by_column + 1;
    size_t skipped = (size_t)disk->at % type->qblock;
    size_t begin = (size_t)disk->at - skipped;
    size_t count = (skipped + (size_t)span + type->qblock - 1) / type->qblock * type->qblock;
    const void *bytes = NULL;
    HEED_TRY(heed_stored_window_get(source->window, heed_dtype_bytes(source->stored, begin),
                                    heed_dtype_bytes(source->stored, count), &bytes, error));
    *from = bytes;
    if (source->dtype == source->stored) return HEED_OK;
    HEED_TRY(convert_elements(source, bytes, count, error));
    *from = (const char *)(source->converted + skipped);
    return HEED_OK;
}

/* Checks that every value fits the type in which the tensor's weights are kept. Qblocks lie along
   rows in memory, but rows may not be contiguous on disk; therefore they are read as f32, row by
   row. */
static heed_status check_rounding(const heed_model *model, const heed_tensor *tensor,
                                  fill_source *source, heed_error *error)
{
    const heed_weight *first = &model->weights[tensor->first_weight];
    const heed_value_target target = {
        .where = tensor->source ? tensor->source->file : "weights",
        .name = tensor->name,
        .option = "--weights",
        .dtype = first->dtype,
        .columns = tensor->columns,
        .may_quantize = true,
    };
    if (tensor->trained || !heed_dtype_may_overflow(first->dtype, source->stored)) return HEED_OK;
    if (!heed_dtype_is_quantized(first->dtype))
        return heed_stored_values_fit(&target, source->window, tensor->elements, error);
    heed_weight row = {.rows = 1, .columns = tensor->columns, .dtype = HEED_F32};
    row.data = heed_allocate((size_t)tensor->columns, sizeof(float));
    heed_status status = row.data ? HEED_OK
                                  : heed_fail_memory(error, (size_t)tensor->columns * sizeof(float),
                                                     tensor->name);
    for (int64_t i = 0; status == HEED_OK && i < tensor->rows; i++) {
        disk_rows disk = on_disk(tensor, i, 1);
        const char *from = NULL;
        status = get_rows(source, &disk, tensor->columns, &from, error);
        if (status != HEED_OK) break;
        fill_rows(&row, 0, &disk, from, source->dtype);
        heed_element_place place = {(size_t)disk.at, (size_t)disk.by_column};
        status = heed_values_fit(&target, row.data, (size_t)tensor->columns, place, error);
    }
    free(row.data);
    return status;
}

/* Returns how many of the rows from `row` on are filled before the next check for cancellation; a
   multiple of 64, so that panels are not cut. Rows that are columns on disk are filled all at once,
   because each of them reads the whole tensor. */
static int64_t rows_at_once(const heed_tensor *tensor, int64_t row, int64_t count)
{
    enum { ELEMENTS_AT_ONCE = 1 << 18, ROWS_AT_ONCE = 64 };
    int64_t columns = tensor->columns ? tensor->columns : 1;
    int64_t most = ELEMENTS_AT_ONCE / columns / ROWS_AT_ONCE * ROWS_AT_ONCE;
    if (most < ROWS_AT_ONCE) most = ROWS_AT_ONCE;
    if (tensor->entry->flags & HEED_NAME_INPUT_FIRST) most = count;
    return count - row < most ? count - row : most;
}

/* The rows of a weight that one tensor holds: all of them, or those of one expert. */
typedef struct {
    int64_t begin, count;
} row_range;

static row_range rows_in(const heed_weight *weight, const heed_tensor *tensor)
{
    if (tensor->expert < 0) return (row_range){0, weight->rows};
    return (row_range){tensor->expert * tensor->rows, tensor->rows};
}

static heed_status fill_weight(const heed_model *model, const heed_tensor *tensor,
                               const heed_weight *weight, fill_source *source, heed_error *error)
{
    int64_t width = tensor->columns ? tensor->columns : 1;
    row_range own = rows_in(weight, tensor);
    for (int64_t row = 0; row < own.count;) {
        disk_rows disk = on_disk(tensor, weight->first_row + row,
                                 rows_at_once(tensor, row, own.count));
        const char *from = NULL;
        HEED_TRY(heed_cancel_check(model->cancel, "loading the model", error));
        HEED_TRY(get_rows(source, &disk, width, &from, error));
        if (source->row) quantize_rows(model, weight, own.begin + row, &disk, from, source);
        else if (weight->layout == HEED_LAYOUT_PANELS)
            pack_rows(model, weight, own.begin + row, &disk, from, source->dtype);
        else fill_rows(weight, own.begin + row, &disk, from, source->dtype);
        row += disk.run;
    }
    return HEED_OK;
}

static heed_status fill_weights(const heed_model *model, const heed_tensor *tensor,
                                fill_source *source, heed_error *error)
{
    heed_dtype kept = model->weights[tensor->first_weight].dtype;
    if (heed_dtype_is_quantized(kept) && source->dtype != kept) {
        source->row = heed_allocate((size_t)tensor->columns, 2 * sizeof *source->row);
        if (!source->row)
            return heed_fail_memory(error, (size_t)tensor->columns * 2 * sizeof *source->row,
                                    tensor->name);
    }
    heed_status status = HEED_OK;
    for (int32_t i = 0; status == HEED_OK && i < tensor->weights; i++)
        status = fill_weight(model, tensor, &model->weights[tensor->first_weight + i], source,
                             error);
    return status;
}

/* Fills a whole tensor, with rows that belong to no weight. */
static heed_status fill_training(const heed_model *model, const heed_tensor *tensor,
                                 fill_source *source, heed_error *error)
{
    int64_t width = tensor->columns ? tensor->columns : 1;
    heed_weight all = {.rows = tensor->rows,
                       .columns = tensor->columns,
                       .dtype = HEED_F32,
                       .data = tensor->values};
    for (int64_t row = 0; row < tensor->rows;) {
        disk_rows disk = on_disk(tensor, row, rows_at_once(tensor, row, tensor->rows));
        const char *from = NULL;
        HEED_TRY(heed_cancel_check(model->cancel, "loading the model", error));
        HEED_TRY(get_rows(source, &disk, width, &from, error));
        fill_rows(&all, row, &disk, from, source->dtype);
        row += disk.run;
    }
    heed_weights_write_bf16(model, tensor);
    return HEED_OK;
}

heed_status heed_weights_fill(heed_model *model, heed_tensor *tensor, heed_stored_window *window,
                              heed_error *error)
{
    fill_source source = source_of(model, tensor, window);
    heed_status status = check_rounding(model, tensor, &source, error);
    if (status == HEED_OK && tensor->trained) status = fill_training(model, tensor, &source, error);
    else if (status == HEED_OK) status = fill_weights(model, tensor, &source, error);
    free(source.converted);
    free(source.row);
    return status;
}

/* ---- reading back ---- */

/* Reads row `row` of a weight as f32. */
static void read_row(const heed_model *model, const heed_weight *weight, int64_t row, float *out)
{
    int64_t width = weight->columns ? weight->columns : 1;
    if (weight->layout == HEED_LAYOUT_PANELS) {
        int64_t rows;
        void *data = panels_of_row(weight, &row, &rows);
        const heed_packed_weight panels = {data, weight->dtype, rows, weight->columns};
        model->backend->packing->read_row(model->backend, &panels, row, out);
    } else {
        heed_convert(out, HEED_F32,
                     (const char *)weight->data +
                         heed_dtype_bytes(weight->dtype, (size_t)(row * width)),
                     weight->dtype, (size_t)width);
    }
}

/* Writes a row into the memory of a tensor in the order on disk. */
static void scatter_row(const float *row, float *values, int64_t width, const disk_rows *disk)
{
    for (int64_t i = 0; i < width; i++) values[disk->at + i * disk->by_column] = row[i];
}

void heed_weights_read_training(const heed_tensor *tensor, bool gradient, float *values)
{
    int64_t width = tensor->columns ? tensor->columns : 1;
    const float *from = gradient ? tensor->gradient : tensor->values;
    for (int64_t row = 0; row < tensor->rows; row++) {
        disk_rows disk = on_disk(tensor, row, 1);
        scatter_row(from + row * width, values, width, &disk);
    }
}

heed_status heed_weights_read(const heed_model *model, const heed_weight *weight,
                              const heed_tensor *tensor, int64_t first_row, float *values,
                              heed_error *error)
{
    int64_t width = weight->columns ? weight->columns : 1;
    row_range own = rows_in(weight, tensor);
    float *row = heed_allocate((size_t)width, sizeof *row);
    if (!row) return heed_fail_memory(error, (size_t)width * sizeof *row, weight->name);
    for (int64_t j = 0; j < own.count; j++) {
        disk_rows disk = on_disk(tensor, first_row + j, 1);
        read_row(model, weight, own.begin + j, row);
        scatter_row(row, values, width, &disk);
    }
    free(row);
    return HEED_OK;
}

bool heed_weights_copy(const heed_weight *weight, const heed_tensor *tensor, int64_t first_row,
                       heed_dtype dtype, void *bytes)
{
    int64_t width = weight->columns ? weight->columns : 1;
    row_range own = rows_in(weight, tensor);
    disk_rows disk = on_disk(tensor, first_row, 1);
    if (weight->layout != HEED_LAYOUT_ROWS || weight->dtype != dtype || disk.by_column != 1 ||
        disk.by_row != width)
        return false;
    size_t row_bytes = heed_dtype_bytes(dtype, (size_t)width);
    for (int64_t j = 0; j < own.count; j++) {
        disk = on_disk(tensor, first_row + j, 1);
        memcpy((char *)bytes + heed_dtype_bytes(dtype, (size_t)disk.at),
               (const char *)weight->data + (size_t)(own.begin + j) * row_bytes, row_bytes);
    }
    return true;
}
