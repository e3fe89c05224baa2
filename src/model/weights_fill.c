/* Filling weights: packed into the backend's panels, or as rows; and reading them back. */
#include "cpu/backend.h"
#include "model/weights.h"
#include "model/weights_range.h"
#include "tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

/* How rows of a tensor, its parts one after the other, lie on disk. */
typedef struct {
    int64_t at;                /* element 0 of the row asked for */
    int64_t by_row, by_column; /* from one row, or column, to the next */
    /* rows from here on that are by_row apart, at most as many as were asked for */
    int64_t run;
} disk_rows;

/* Rows of a head in rotary pairs: row i of its first half, row i of its second. */
static int64_t paired_row(const heed_tensor *tensor, int64_t row)
{
    int64_t half = tensor->head_width / 2, at = row % tensor->head_width;
    return row - at + (at < half ? 2 * at : 2 * (at - half) + 1);
}

/* Query heads of a group, its key, its value, group after group. */
static int64_t grouped_row(const heed_tensor *tensor, int64_t row)
{
    int64_t group = tensor->group, width = tensor->head_width,
            groups = tensor->rows / width / (group + 2), head = row / width;
    int64_t block = head < groups * group ? head / group * (group + 2) + head % group
                                          : (head - groups * group) % groups * (group + 2) + group +
                                                (head - groups * group) / groups;
    return block * width + row % width;
}

static disk_rows on_disk(const heed_tensor *tensor, int64_t row, int64_t most)
{
    bool turned = tensor->entry->flags & HEED_NAME_INPUT_FIRST,
         interleaved = tensor->entry->flags & HEED_NAME_INTERLEAVED;
    int64_t matrices = tensor->stack ? tensor->stack : 1, height = tensor->rows / matrices,
            columns = tensor->columns ? tensor->columns : 1;
    disk_rows disk = {
        .by_row = turned ? 1 : columns, .by_column = turned ? height : 1, .run = most};
    if (tensor->entry->flags & HEED_NAME_PAIRS) {
        disk.run = most > 0 ? 1 : 0;
        disk.at = paired_row(tensor, row) * disk.by_row;
    } else if (tensor->group) {
        int64_t left = tensor->head_width - row % tensor->head_width;
        disk.run = left < most ? left : most;
        disk.at = grouped_row(tensor, row) * disk.by_row;
    } else if (tensor->stack || interleaved) {
        int64_t parts = tensor->weights, own = height / parts, part = row / (own * matrices),
                matrix = row / own % matrices, o = row % own;
        disk.run = own - o < most ? own - o : most;
        disk.at = matrix * height * columns +
                  (interleaved ? o * parts + part : part * own + o) * disk.by_row;
        if (interleaved) disk.by_row *= parts;
    } else {
        disk.at = row * disk.by_row;
    }
    return disk;
}

/* disk->run rows of a weight, from row `first` on. */
static void fill_rows(const heed_weight *weight, int64_t first, const disk_rows *disk,
                      const char *source, heed_dtype dtype)
{
    /* of blocks rows follow each other, as below */
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

/* The panels of the matrix that row `row` belongs to, where experts have one each; *row becomes the
   row in it, *rows how many it has. */
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
    const heed_cpu_panels panels = {data, weight->dtype, rows, weight->columns};
    const heed_gemm_source from = {source, dtype, disk->by_row, disk->by_column};
    heed_cpu_panels_pack(model->backend, &panels, first, disk->run, &from);
}

/* Rows that become blocks only here: as f32 first, whatever their order on disk, then rounded.
   `room` holds one row of both. */
static void round_rows(const heed_model *model, const heed_weight *weight, int64_t first,
                       const disk_rows *disk, const char *source, heed_dtype dtype, float *room)
{
    const size_t row_bytes = heed_dtype_bytes(weight->dtype, (size_t)weight->columns);
    heed_weight plain = {.rows = 1, .columns = weight->columns, .dtype = HEED_F32, .data = room};
    char *blocks = (char *)(room + weight->columns);
    disk_rows one = *disk;
    for (one.run = 1; one.at < disk->at + disk->run * disk->by_row;
         one.at += disk->by_row, first++) {
        fill_rows(&plain, 0, &one, source + heed_dtype_bytes(dtype, (size_t)(one.at - disk->at)),
                  dtype);
        heed_convert(blocks, weight->dtype, room, HEED_F32, (size_t)weight->columns);
        const disk_rows rounded = {.by_row = weight->columns, .by_column = 1, .run = 1};
        if (weight->layout == HEED_LAYOUT_PANELS)
            pack_rows(model, weight, first, &rounded, blocks, weight->dtype);
        else memcpy((char *)weight->data + (size_t)first * row_bytes, blocks, row_bytes);
    }
}

/* Where the elements of a tensor come from. */
typedef struct {
    heed_stored_window *window;
    heed_dtype stored, dtype; /* on disk; as they are packed */
    float *converted;         /* where the two differ */
    size_t capacity;
} fill_source;

/* Packing takes f32, f16 and bf16, and blocks where the weights keep them. The rest becomes f32. */
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

/* *from becomes the place of element disk->at, with the elements of disk->run rows after it. Where
   a row lies in one piece, the run is cut to what is read at once. */
static heed_status get_rows(fill_source *source, disk_rows *disk, int64_t width, const char **from,
                            heed_error *error)
{
    enum { PIECE = 1 << 22 };
    const heed_dtype_info *type = &heed_dtypes[source->stored];
    size_t row_bytes = heed_dtype_bytes(source->stored, (size_t)disk->by_row);
    int64_t most = disk->by_column == 1 && row_bytes > 0 ? (int64_t)(PIECE / row_bytes) : disk->run;
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

/* Every value fits the type that the tensor's weights are kept in. Blocks follow rows, which may
   lie otherwise on disk: as f32 in the order of rows then. */
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
        .in_blocks = true,
    };
    if (model->training || !heed_dtype_may_overflow(first->dtype, source->stored)) return HEED_OK;
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

/* How many of the rows from `row` on are filled before the next question whether to go on; panels
   are not cut. Rows that are columns on disk are filled at once, since each takes the whole
   tensor. */
static int64_t rows_at_once(const heed_tensor *tensor, int64_t row, int64_t count)
{
    enum { ELEMENTS_AT_ONCE = 1 << 18, ROWS_AT_ONCE = 64 };
    int64_t columns = tensor->columns ? tensor->columns : 1;
    int64_t most = ELEMENTS_AT_ONCE / columns / ROWS_AT_ONCE * ROWS_AT_ONCE;
    if (most < ROWS_AT_ONCE) most = ROWS_AT_ONCE;
    if (tensor->entry->flags & HEED_NAME_INPUT_FIRST) most = count;
    return count - row < most ? count - row : most;
}

/* `room`: a row as f32 and as blocks where the weights become blocks only here, else NULL. */
static heed_status fill_weight(const heed_model *model, const heed_tensor *tensor,
                               const heed_weight *weight, fill_source *source, float *room,
                               heed_error *error)
{
    int64_t width = tensor->columns ? tensor->columns : 1;
    int64_t begin = tensor->expert > 0 ? tensor->expert * tensor->rows : 0;
    int64_t count = tensor->expert >= 0 ? tensor->rows : weight->rows;
    for (int64_t row = 0; row < count;) {
        disk_rows disk = on_disk(tensor, weight->first_row + row, rows_at_once(tensor, row, count));
        const char *from = NULL;
        HEED_TRY(heed_cancel_check(model->cancel, "loading the model", error));
        HEED_TRY(get_rows(source, &disk, width, &from, error));
        if (room) round_rows(model, weight, begin + row, &disk, from, source->dtype, room);
        else if (weight->layout == HEED_LAYOUT_PANELS)
            pack_rows(model, weight, begin + row, &disk, from, source->dtype);
        else fill_rows(weight, begin + row, &disk, from, source->dtype);
        row += disk.run;
    }
    return HEED_OK;
}

static heed_status fill_weights(const heed_model *model, const heed_tensor *tensor,
                                fill_source *source, heed_error *error)
{
    float *room = NULL;
    heed_dtype kept = model->weights[tensor->first_weight].dtype;
    if (heed_dtype_is_quantized(kept) && source->dtype != kept) {
        room = heed_allocate((size_t)tensor->columns, 2 * sizeof *room);
        if (!room)
            return heed_fail_memory(error, (size_t)tensor->columns * 2 * sizeof *room,
                                    tensor->name);
    }
    heed_status status = HEED_OK;
    for (int32_t i = 0; status == HEED_OK && i < tensor->weights; i++)
        status = fill_weight(model, tensor, &model->weights[tensor->first_weight + i], source, room,
                             error);
    free(room);
    return status;
}

/* A whole tensor: rows that no weight shows are kept too. */
static heed_status fill_training(const heed_model *model, const heed_tensor *tensor,
                                 fill_source *source, heed_error *error)
{
    int64_t width = tensor->columns ? tensor->columns : 1;
    heed_weight whole = {.rows = tensor->rows,
                         .columns = tensor->columns,
                         .dtype = HEED_F32,
                         .data = tensor->values};
    for (int64_t row = 0; row < tensor->rows;) {
        disk_rows disk = on_disk(tensor, row, rows_at_once(tensor, row, tensor->rows));
        const char *from = NULL;
        HEED_TRY(heed_cancel_check(model->cancel, "loading the model", error));
        HEED_TRY(get_rows(source, &disk, width, &from, error));
        fill_rows(&whole, row, &disk, from, source->dtype);
        row += disk.run;
    }
    heed_weights_round(model, tensor);
    return HEED_OK;
}

heed_status heed_weights_fill(heed_model *model, heed_tensor *tensor, heed_stored_window *window,
                              heed_error *error)
{
    fill_source source = source_of(model, tensor, window);
    heed_status status = check_rounding(model, tensor, &source, error);
    if (status == HEED_OK && model->training) status = fill_training(model, tensor, &source, error);
    else if (status == HEED_OK) status = fill_weights(model, tensor, &source, error);
    free(source.converted);
    return status;
}

/* ---- reading back ---- */

/* Row `row` of a weight as f32. */
static void read_row(const heed_model *model, const heed_weight *weight, int64_t row, float *out)
{
    int64_t width = weight->columns ? weight->columns : 1;
    if (weight->layout == HEED_LAYOUT_PANELS) {
        int64_t rows;
        void *data = panels_of_row(weight, &row, &rows);
        const heed_cpu_panels panels = {data, weight->dtype, rows, weight->columns};
        heed_cpu_panels_row(model->backend, &panels, row, out);
    } else {
        heed_convert(out, HEED_F32,
                     (const char *)weight->data +
                         heed_dtype_bytes(weight->dtype, (size_t)(row * width)),
                     weight->dtype, (size_t)width);
    }
}

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
    int64_t begin = tensor->expert > 0 ? tensor->expert * tensor->rows : 0,
            count = tensor->expert >= 0 ? tensor->rows : weight->rows;
    float *row = heed_allocate((size_t)width, sizeof *row);
    if (!row) return heed_fail_memory(error, (size_t)width * sizeof *row, weight->name);
    for (int64_t j = 0; j < count; j++) {
        disk_rows disk = on_disk(tensor, first_row + j, 1);
        read_row(model, weight, begin + j, row);
        scatter_row(row, values, width, &disk);
    }
    free(row);
    return HEED_OK;
}

bool heed_weights_copy(const heed_weight *weight, const heed_tensor *tensor, int64_t first_row,
                       heed_dtype dtype, void *bytes)
{
    int64_t width = weight->columns ? weight->columns : 1;
    int64_t begin = tensor->expert > 0 ? tensor->expert * tensor->rows : 0,
            count = tensor->expert >= 0 ? tensor->rows : weight->rows;
    disk_rows disk = on_disk(tensor, first_row, 1);
    if (weight->layout != HEED_LAYOUT_ROWS || weight->dtype != dtype || disk.by_column != 1 ||
        disk.by_row != width)
        return false;
    size_t row_bytes = heed_dtype_bytes(dtype, (size_t)width);
    for (int64_t j = 0; j < count; j++) {
        disk = on_disk(tensor, first_row + j, 1);
        memcpy((char *)bytes + heed_dtype_bytes(dtype, (size_t)disk.at),
               (const char *)weight->data + (size_t)(begin + j) * row_bytes, row_bytes);
    }
    return true;
}
