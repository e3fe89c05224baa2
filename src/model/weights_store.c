/* Filling weights: packed into the backend's panels, or as rows; and reading them back. */
#include "cpu/backend.h"
#include "graph/attributes.h"
#include "model/weights.h"
#include "model/weights_range.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- types and layouts ---- */

/* One, or one for each expert. */
static int64_t matrices_of(const heed_weight *weight)
{
    return weight->stack ? weight->stack : 1;
}

/* Does the backend have a kernel for this op that reads its weight, operand `at`, from these panels? */
static bool takes_panels(const heed_backend *backend, heed_op_id op, int at, heed_layout layout, heed_operand *in, const heed_operand *out, const void *attributes)
{
    heed_runtime runtime = {0};
    heed_kernel_args args = {.op = heed_ops[op], .in = in, .out = out, .n_in = 2, .n_out = 1, .attributes = attributes, .runtime = &runtime,
                             .isa = backend->isa};
    static char present; /* maximal arguments carry no data, only a mark that the operand is there */
    in[at].layout = layout;
    for (int i = 0; i < args.n_in; i++) in[i].data = &present;
    return heed_backend_find(backend, op, &args) != NULL;
}

/* Does the backend multiply rows by this weight, in this type, out of these panels? */
static bool multiplies_panels(const heed_model *model, const heed_weight *weight, heed_dtype dtype, heed_layout layout, bool rounded)
{
    heed_shape rows = heed_shape_live(HEED_EXTENT_ROWS, 64, weight->columns), result = heed_shape_live(HEED_EXTENT_ROWS, 64, weight->rows);
    heed_operand x = {.dtype = HEED_F32, .shape = rows, .row_stride = weight->columns}, y = {.dtype = HEED_F32, .shape = result, .row_stride = weight->rows};
    heed_operand w = {.dtype = dtype, .shape = heed_shape_2(weight->rows, weight->columns), .row_stride = weight->columns};
    heed_expert_product_attributes experts = {.transpose_b = 1, .rounded = rounded};
    heed_product_attributes product = {.transpose_b = 1, .rounded = rounded};
    if (!heed_weight_is_multiplied(&model->config, (heed_part)weight->part, (heed_role)weight->role)) return false;
    if (!weight->stack) return takes_panels(model->backend, HEED_OP_PRODUCT, 1, layout, (heed_operand[]){x, w}, &y, &product);
    w.shape = heed_shape_of(3, (int64_t[]){weight->stack, weight->rows / weight->stack, weight->columns});
    return takes_panels(model->backend, HEED_OP_EXPERT_PRODUCT, HEED_EXPERT_WEIGHT, layout, (heed_operand[]){x, w}, &y, &experts);
}

static bool wants_panels(const heed_model *model, const heed_weight *weight, heed_dtype dtype)
{
    if (!model->backend || model->training || weight->tensor < 0 || !multiplies_panels(model, weight, dtype, HEED_LAYOUT_PANELS, false)) return false;
    if (weight->role != HEED_ROLE_TOKEN_EMBEDDING) return true;
    /* A tied embedding is looked up in the same panels. */
    heed_operand w = {.dtype = dtype, .shape = heed_shape_2(weight->rows, weight->columns), .row_stride = weight->columns};
    heed_operand index = {.dtype = HEED_I32, .shape = heed_shape_live(HEED_EXTENT_ROWS, 64, 0), .row_stride = 1};
    heed_operand y = {.dtype = HEED_F32, .shape = heed_shape_live(HEED_EXTENT_ROWS, 64, weight->columns), .row_stride = weight->columns};
    return takes_panels(model->backend, HEED_OP_GATHER, 0, HEED_LAYOUT_PANELS, (heed_operand[]){w, index}, &y, NULL);
}

/* Is a rounded copy of this weight kept beside its rows? */
static bool wants_copy(const heed_model *model, const heed_weight *weight)
{
    if (!model->backend || !model->training || !model->bf16 || !weight->parameter || weight->columns == 0) return false;
    return multiplies_panels(model, weight, HEED_BF16, HEED_LAYOUT_PANELS_BOTH, true);
}

/* The type on disk; of experts that differ, f32. */
static heed_dtype stored_type(const heed_model *model, const heed_weight *weight)
{
    if (weight->tensor < 0) return HEED_F32;
    const heed_tensor *tensor = &model->tensors[weight->tensor];
    int64_t tensors = tensor->expert < 0 ? 1 : weight->stack;
    for (int64_t i = 1; i < tensors; i++)
        if (tensor[i].stored != tensor->stored) return HEED_F32;
    return tensor->stored;
}

/* The type in memory: as stored where graphs compute on that, or what the options ask of matrices that products read. */
static heed_dtype resident_type(const heed_model *model, const heed_weight *weight)
{
    heed_dtype stored = stored_type(model, weight);
    bool kept = stored == HEED_F16 || stored == HEED_BF16 || heed_dtype_is_block(stored);
    if (model->training || weight->columns == 0) return HEED_F32;
    if (!kept) stored = HEED_F32;
    if (!model->rounded || weight->tensor < 0 || !heed_weight_is_multiplied(&model->config, (heed_part)weight->part, (heed_role)weight->role)) return stored;
    heed_dtype wanted = heed_dtype_fit(model->rounded_to, weight->columns);
    if (weight->role == HEED_ROLE_TOKEN_EMBEDDING && heed_dtype_width(wanted) < heed_dtype_width(HEED_Q8_0)) wanted = heed_dtype_fit(HEED_Q8_0, weight->columns);
    return heed_dtype_width(wanted) < heed_dtype_width(stored) ? wanted : stored;
}

/* Type, layout and bytes of a weight that has no memory yet. */
static heed_status choose_layout(const heed_model *model, heed_weight *weight, heed_error *error)
{
    int64_t matrices = matrices_of(weight);
    weight->dtype = resident_type(model, weight);
    weight->layout = wants_panels(model, weight, weight->dtype) ? HEED_LAYOUT_PANELS : HEED_LAYOUT_ROWS;
    size_t elements = (size_t)(weight->rows * (weight->columns ? weight->columns : 1));
    weight->bytes = heed_dtype_bytes(weight->dtype, elements);
    if (weight->layout == HEED_LAYOUT_PANELS &&
        (!heed_cpu_panel_bytes(model->backend, weight->dtype, weight->rows / matrices, weight->columns, &weight->bytes) ||
         !heed_multiply_size(weight->bytes, (size_t)matrices, &weight->bytes)))
        return heed_fail(error, HEED_E_SHAPE, "%s: %lld x %lld elements are too many", weight->name, (long long)weight->rows, (long long)weight->columns);
    return HEED_OK;
}

float *heed_weights_training_memory(const heed_model *model, const heed_tensor *tensor, bool gradient)
{
    const heed_weight *stack = &model->weights[tensor->first_weight];
    if (tensor->expert > 0) {
        const heed_tensor *first = &model->tensors[stack->tensor];
        float *memory = gradient ? first->gradient : first->values;
        return memory ? memory + (size_t)tensor->expert * tensor->elements : NULL;
    }
    size_t elements = tensor->elements * (size_t)(tensor->expert == 0 ? stack->stack : 1);
    return heed_allocate_aligned(elements * sizeof(float) + 64);
}

/* Training: weights are rows of their tensor's values. */
static heed_status allocate_tensor(heed_model *model, heed_tensor *tensor, heed_error *error)
{
    tensor->values = heed_weights_training_memory(model, tensor, false);
    if (!tensor->values) return heed_fail_memory(error, tensor->elements * sizeof(float), tensor->name);
    for (int32_t i = 0; i < tensor->weights && tensor->expert <= 0; i++) {
        heed_weight *weight = &model->weights[tensor->first_weight + i];
        int64_t width = weight->columns ? weight->columns : 1;
        weight->dtype = HEED_F32;
        weight->layout = HEED_LAYOUT_ROWS;
        weight->data = tensor->values + weight->first_row * width;
        weight->bytes = (size_t)(weight->rows * width) * sizeof(float);
    }
    return HEED_OK;
}

/* One block for all: huge pages, which a weight alone is too small for, spare decoding most misses of address translation. */
static heed_status allocate_weights(heed_model *model, heed_error *error)
{
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        for (size_t i = 0; i < model->n_weights; i++) {
            heed_weight *weight = &model->weights[i];
            bool absent = weight->tensor >= 0 && model->tensors[weight->tensor].absent;
            if (absent || weight->data) continue;
            if (pass == 0) {
                HEED_TRY(choose_layout(model, weight, error));
                if (!heed_add_size(total, (weight->bytes + 63) & ~(size_t)63, &total)) return heed_fail_memory(error, SIZE_MAX, "the weights");
                continue;
            }
            weight->data = model->memory + at;
            at += (weight->bytes + 63) & ~(size_t)63;
        }
        if (pass == 0 && !(model->memory = heed_allocate_aligned(total + 64))) return heed_fail_memory(error, total, "the weights");
    }
    return HEED_OK;
}

/* One block for the rounded copies of all matrices, for the same reason. */
static heed_status allocate_copies(heed_model *model, heed_error *error)
{
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0, bytes;
        for (size_t i = 0; i < model->n_weights; i++) {
            heed_weight *weight = &model->weights[i];
            if (!weight->data || !wants_copy(model, weight)) continue;
            if (!heed_cpu_copy_bytes(model->backend, weight->rows / matrices_of(weight), weight->columns, &weight->copy_bytes) ||
                !heed_multiply_size(weight->copy_bytes, (size_t)matrices_of(weight), &bytes) || !heed_add_size(at, bytes, &total))
                return heed_fail_memory(error, SIZE_MAX, "the weights rounded to bf16");
            if (pass == 1) weight->copy = model->copies + at;
            at = total;
        }
        if (pass == 0 && total > 0 && !(model->copies = heed_allocate_aligned(total))) return heed_fail_memory(error, total, "the weights rounded to bf16");
    }
    model->copies_bytes = total;
    return HEED_OK;
}

heed_status heed_weights_allocate(heed_model *model, heed_error *error)
{
    HEED_TRY(heed_weights_list_parameters(model, error));
    for (size_t i = 0; i < model->n_tensors; i++)
        if (model->training && !model->tensors[i].absent) HEED_TRY(allocate_tensor(model, &model->tensors[i], error));
    HEED_TRY(allocate_weights(model, error));
    return allocate_copies(model, error);
}

/* ---- rounded copies ---- */

/* Matrices of a weight that this tensor holds: one, or all experts'. */
static size_t copies_in(const heed_tensor *tensor, const heed_weight *weight)
{
    return !weight->copy ? 0 : tensor->expert >= 0 ? 1 : (size_t)matrices_of(weight);
}

size_t heed_weights_copy_count(const heed_model *model, const heed_tensor *tensor)
{
    size_t count = 0;
    for (int32_t i = 0; i < tensor->weights; i++) count += copies_in(tensor, &model->weights[tensor->first_weight + i]);
    return count;
}

heed_parameter_copy heed_weights_rounded(const heed_model *model, const heed_tensor *tensor, size_t at)
{
    const heed_weight *weight = &model->weights[tensor->first_weight];
    for (; at >= copies_in(tensor, weight); weight++) at -= copies_in(tensor, weight);
    const int64_t rows = weight->rows / matrices_of(weight);
    const size_t matrix = tensor->expert > 0 ? (size_t)tensor->expert : at;
    return (heed_parameter_copy){.begin = (size_t)((tensor->expert >= 0 ? 0 : weight->first_row + (int64_t)at * rows) * weight->columns), .rows = rows,
                                 .columns = weight->columns, .data = (char *)weight->copy + matrix * weight->copy_bytes};
}

static void round_values(const heed_model *model, const heed_tensor *tensor)
{
    for (size_t i = 0, count = heed_weights_copy_count(model, tensor); i < count; i++) {
        const heed_parameter_copy copy = heed_weights_rounded(model, tensor, i);
        heed_cpu_copy_rows(model->backend, copy.data, copy.rows, copy.columns, 0, copy.rows, tensor->values + copy.begin);
    }
}

/* ---- filling ---- */

/* How rows of a tensor, its parts one behind the other, lie on disk. */
typedef struct {
    int64_t at;                /* element 0 of the row asked for */
    int64_t by_row, by_column; /* from one row, or column, to the next */
    int64_t run;               /* rows from here on that are by_row apart, at most as many as were asked for */
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
    int64_t group = tensor->group, width = tensor->head_width, groups = tensor->rows / width / (group + 2), head = row / width;
    int64_t block = head < groups * group ? head / group * (group + 2) + head % group
                                          : (head - groups * group) % groups * (group + 2) + group + (head - groups * group) / groups;
    return block * width + row % width;
}

static disk_rows on_disk(const heed_tensor *tensor, int64_t row, int64_t most)
{
    bool turned = tensor->entry->flags & HEED_NAME_INPUT_FIRST, interleaved = tensor->entry->flags & HEED_NAME_INTERLEAVED;
    int64_t matrices = tensor->stack ? tensor->stack : 1, height = tensor->rows / matrices, columns = tensor->columns ? tensor->columns : 1;
    disk_rows disk = {.by_row = turned ? 1 : columns, .by_column = turned ? height : 1, .run = most};
    if (tensor->entry->flags & HEED_NAME_PAIRS) {
        disk.run = most > 0 ? 1 : 0;
        disk.at = paired_row(tensor, row) * disk.by_row;
    } else if (tensor->group) {
        int64_t left = tensor->head_width - row % tensor->head_width;
        disk.run = left < most ? left : most;
        disk.at = grouped_row(tensor, row) * disk.by_row;
    } else if (tensor->stack || interleaved) {
        int64_t parts = tensor->weights, own = height / parts, part = row / (own * matrices), matrix = row / own % matrices, o = row % own;
        disk.run = own - o < most ? own - o : most;
        disk.at = matrix * height * columns + (interleaved ? o * parts + part : part * own + o) * disk.by_row;
        if (interleaved) disk.by_row *= parts;
    } else {
        disk.at = row * disk.by_row;
    }
    return disk;
}

/* disk->run rows of a weight, from row `first` on. */
static void fill_rows(const heed_weight *weight, int64_t first, const disk_rows *disk, const char *source, heed_dtype dtype)
{
    size_t from = heed_dtypes[dtype].bytes, to = heed_dtypes[weight->dtype].bytes; /* of blocks rows follow each other, as below */
    int64_t width = weight->columns ? weight->columns : 1;
    char *data = (char *)weight->data + heed_dtype_bytes(weight->dtype, (size_t)(first * width));
    if (disk->by_column == 1 && disk->by_row == width) {
        heed_convert(data, weight->dtype, source, dtype, (size_t)(disk->run * width));
        return;
    }
    for (int64_t row = 0; row < disk->run; row++)
        for (int64_t column = 0; column < width; column++)
            heed_convert(data + (size_t)(row * width + column) * to, weight->dtype,
                         source + (size_t)(row * disk->by_row + column * disk->by_column) * from, dtype, 1);
}

/* The panels of the matrix that row `row` belongs to, where experts have one each; *row becomes the row in it, *rows how many it has. */
static void *panels_of_row(const heed_weight *weight, int64_t *row, int64_t *rows)
{
    int64_t matrices = matrices_of(weight);
    *rows = weight->rows / matrices;
    int64_t matrix = *row / *rows;
    *row %= *rows;
    return (char *)weight->data + (size_t)matrix * (weight->bytes / (size_t)matrices);
}

static void pack_rows(const heed_model *model, const heed_weight *weight, int64_t first, const disk_rows *disk, const char *source, heed_dtype dtype)
{
    int64_t rows;
    void *panels = panels_of_row(weight, &first, &rows);
    heed_cpu_panel_pack(model->backend, panels, weight->dtype, rows, weight->columns, first, disk->run, source, dtype, disk->by_row, disk->by_column);
}

/* Rows that become blocks only here: as f32 first, whatever their order on disk, then rounded. `room` holds one row of both. */
static void round_rows(const heed_model *model, const heed_weight *weight, int64_t first, const disk_rows *disk, const char *source, heed_dtype dtype, float *room)
{
    const size_t row_bytes = heed_dtype_bytes(weight->dtype, (size_t)weight->columns);
    heed_weight plain = {.rows = 1, .columns = weight->columns, .dtype = HEED_F32, .data = room};
    char *blocks = (char *)(room + weight->columns);
    disk_rows one = *disk;
    for (one.run = 1; one.at < disk->at + disk->run * disk->by_row; one.at += disk->by_row, first++) {
        fill_rows(&plain, 0, &one, source + heed_dtype_bytes(dtype, (size_t)(one.at - disk->at)), dtype);
        heed_convert(blocks, weight->dtype, room, HEED_F32, (size_t)weight->columns);
        const disk_rows rounded = {.by_row = weight->columns, .by_column = 1, .run = 1};
        if (weight->layout == HEED_LAYOUT_PANELS) pack_rows(model, weight, first, &rounded, blocks, weight->dtype);
        else memcpy((char *)weight->data + (size_t)first * row_bytes, blocks, row_bytes);
    }
}

/* Elements in a form that packing takes: the source itself, or *copy. The packing reads whole elements; files promise neither alignment
   nor a floating type that it knows. Blocks stay blocks where the weights keep them. */
static heed_status make_packable(const heed_model *model, const heed_tensor *tensor, const void **source, heed_dtype *dtype, void **copy, heed_error *error)
{
    bool blocks = heed_dtype_is_block(*dtype) && model->weights[tensor->first_weight].dtype == *dtype;
    bool packable = blocks || *dtype == HEED_F32 || *dtype == HEED_F16 || *dtype == HEED_BF16;
    if (packable && (blocks || (uintptr_t)*source % heed_dtypes[*dtype].bytes == 0)) return HEED_OK;
    heed_dtype kept = packable ? *dtype : HEED_F32;
    *copy = heed_allocate(tensor->elements, heed_dtypes[kept].bytes);
    if (!*copy) return heed_fail_memory(error, tensor->elements * heed_dtypes[kept].bytes, tensor->name);
    heed_convert(*copy, kept, *source, *dtype, tensor->elements);
    *source = *copy;
    *dtype = kept;
    return HEED_OK;
}

/* Every value fits the type that the tensor's weights are kept in. Blocks follow rows, which may
   lie otherwise on disk: as f32 in the order of rows then. */
static heed_status check_rounding(const heed_model *model, const heed_tensor *tensor,
                                  const void *source, heed_dtype dtype, heed_error *error)
{
    const heed_weight *first = &model->weights[tensor->first_weight];
    const heed_value_target target = {.where = tensor->source ? tensor->source->file : "weights",
                                      .name = tensor->name,
                                      .option = "--weights",
                                      .dtype = first->dtype,
                                      .columns = tensor->columns,
                                      .in_blocks = true};
    if (model->training || !heed_dtype_may_overflow(first->dtype, dtype)) return HEED_OK;
    if (!heed_dtype_is_block(first->dtype))
        return heed_stored_values_fit(&target, source, dtype, tensor->elements, error);
    heed_weight row = {.rows = 1, .columns = tensor->columns, .dtype = HEED_F32};
    row.data = heed_allocate((size_t)tensor->columns, sizeof(float));
    heed_status status = row.data ? HEED_OK
                                  : heed_fail_memory(error, (size_t)tensor->columns * sizeof(float),
                                                     tensor->name);
    for (int64_t i = 0; status == HEED_OK && i < tensor->rows; i++) {
        disk_rows disk = on_disk(tensor, i, 1);
        fill_rows(&row, 0, &disk, (const char *)source + heed_dtype_bytes(dtype, (size_t)disk.at),
                  dtype);
        heed_element_place place = {(size_t)disk.at, (size_t)disk.by_column};
        status = heed_values_fit(&target, row.data, (size_t)tensor->columns, place, error);
    }
    free(row.data);
    return status;
}

heed_status heed_weights_fill(heed_model *model, heed_tensor *tensor, const void *source, heed_dtype dtype, heed_error *error)
{
    void *copy = NULL, *room = NULL;
    HEED_TRY(check_rounding(model, tensor, source, dtype, error));
    heed_status status = make_packable(model, tensor, &source, &dtype, &copy, error);
    const bool rounded = status == HEED_OK && !model->training && heed_dtype_is_block(model->weights[tensor->first_weight].dtype) &&
                         dtype != model->weights[tensor->first_weight].dtype;
    if (rounded && !(room = heed_allocate((size_t)tensor->columns, 2 * sizeof(float)))) status = heed_fail_memory(error, (size_t)tensor->columns * 8, tensor->name);
    for (int32_t i = 0; status == HEED_OK && i < tensor->weights && !model->training; i++) {
        const heed_weight *weight = &model->weights[tensor->first_weight + i];
        int64_t begin = tensor->expert > 0 ? tensor->expert * tensor->rows : 0, count = tensor->expert >= 0 ? tensor->rows : weight->rows;
        for (int64_t row = 0; row < count;) {
            disk_rows disk = on_disk(tensor, weight->first_row + row, count - row);
            const char *from = (const char *)source + heed_dtype_bytes(dtype, (size_t)disk.at);
            if (rounded) round_rows(model, weight, begin + row, &disk, from, dtype, room);
            else if (weight->layout == HEED_LAYOUT_PANELS) pack_rows(model, weight, begin + row, &disk, from, dtype);
            else fill_rows(weight, begin + row, &disk, from, dtype);
            row += disk.run;
        }
    }
    heed_weight whole = {.rows = tensor->rows, .columns = tensor->columns, .dtype = HEED_F32, .data = tensor->values};
    for (int64_t row = 0; status == HEED_OK && model->training && row < tensor->rows;) { /* whole tensors: rows that no weight shows are kept too */
        disk_rows disk = on_disk(tensor, row, tensor->rows - row);
        fill_rows(&whole, row, &disk, (const char *)source + heed_dtype_bytes(dtype, (size_t)disk.at), dtype);
        row += disk.run;
    }
    if (status == HEED_OK && model->training) round_values(model, tensor);
    free(copy);
    free(room);
    return status;
}

/* ---- reading back ---- */

/* Row `row` of a weight as f32. */
static void read_row(const heed_model *model, const heed_weight *weight, int64_t row, float *out)
{
    int64_t width = weight->columns ? weight->columns : 1;
    if (weight->layout == HEED_LAYOUT_PANELS) {
        int64_t rows;
        const void *panels = panels_of_row(weight, &row, &rows);
        heed_cpu_panel_row(model->backend, panels, weight->dtype, rows, weight->columns, row, out);
    } else {
        heed_convert(out, HEED_F32, (const char *)weight->data + heed_dtype_bytes(weight->dtype, (size_t)(row * width)), weight->dtype, (size_t)width);
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

heed_status heed_weights_read(const heed_model *model, const heed_weight *weight, const heed_tensor *tensor, int64_t first_row, float *values,
                              heed_error *error)
{
    int64_t width = weight->columns ? weight->columns : 1;
    int64_t begin = tensor->expert > 0 ? tensor->expert * tensor->rows : 0, count = tensor->expert >= 0 ? tensor->rows : weight->rows;
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

bool heed_weights_copy(const heed_weight *weight, const heed_tensor *tensor, int64_t first_row, heed_dtype dtype, void *bytes)
{
    int64_t width = weight->columns ? weight->columns : 1;
    int64_t begin = tensor->expert > 0 ? tensor->expert * tensor->rows : 0, count = tensor->expert >= 0 ? tensor->rows : weight->rows;
    disk_rows disk = on_disk(tensor, first_row, 1);
    if (weight->layout != HEED_LAYOUT_ROWS || weight->dtype != dtype || disk.by_column != 1 || disk.by_row != width) return false;
    size_t row_bytes = heed_dtype_bytes(dtype, (size_t)width);
    for (int64_t j = 0; j < count; j++) {
        disk = on_disk(tensor, first_row + j, 1);
        memcpy((char *)bytes + heed_dtype_bytes(dtype, (size_t)disk.at), (const char *)weight->data + (size_t)(begin + j) * row_bytes, row_bytes);
    }
    return true;
}
