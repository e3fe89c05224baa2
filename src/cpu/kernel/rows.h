/* rows.h: ops that move rows and columns: gather, scatter_add, slice, pad_columns, concatenate,
   reshape, transpose. */
#ifndef HEED_CPU_KERNEL_ROWS_H
#define HEED_CPU_KERNEL_ROWS_H

#include "cpu/gemm/quantized.h"
#include "tensor/dtype.h"
#include "cpu/kernel/kernel.h"
#include <string.h>

HEED_INLINE void copy_run(float *to, const float *from, int64_t n)
{
    memcpy(to, from, (size_t)n * sizeof *to);
}

HEED_INLINE void clear_run(float *to, int64_t n)
{
    memset(to, 0, (size_t)n * sizeof *to);
}

/* ---- gather ---- */

/* One row of a table of any type and layout, as floats. */
static inline void gather_row(const heed_kernel_args *args, const heed_operand *table, int64_t row,
                              float *to, int64_t width)
{
    if (table->layout == HEED_LAYOUT_PANELS) {
        heed_gemm_panels panels = {table->data, args->isa, table->dtype, table->shape.dim[0],
                                   table->shape.dim[1]};
        heed_gemm_gather(&panels, row, to);
        return;
    }
    if (table->dtype == HEED_F32) {
        copy_run(to, float_row(table, row), width);
        return;
    }
    if (heed_dtype_is_quantized(table->dtype)) {
        heed_convert(to, HEED_F32,
                     (const char *)table->data +
                         heed_dtype_bytes(table->dtype, (size_t)(row * table->row_stride)),
                     table->dtype, (size_t)width);
        return;
    }
    const uint16_t *from = (const uint16_t *)table->data + row * table->row_stride;
    for (int64_t j = 0; j < width; j += HEED_LANES)
        store_some(to + j,
                   table->dtype == HEED_F16 ? heed_v_load_f16_part(from + j, width - j)
                                            : heed_v_load_bf16_part(from + j, width - j),
                   width - j);
}

static inline void gather_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *table = &args->in[0], *y = &args->out[0];
    int64_t begin, end, width = y->shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int32_t at = integer_at(&args->in[1], i);
        if (at >= 0 && at < table->shape.dim[0])
            gather_row(args, table, at, float_row(y, i), width);
        else clear_run(float_row(y, i), width);
    }
}

static inline bool gather_fits(const heed_kernel_args *args)
{
    heed_dtype dtype = args->in[0].dtype;
    if (heed_dtype_is_quantized(dtype))
        return args->in[0].layout == HEED_LAYOUT_ROWS || heed_qblock_traits_of(dtype);
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

/* ---- scatter_add ----
   A part owns a rectangle of rows and columns of y and walks all indices, ascending. */

enum { SCATTER_COLUMNS = 128, SCATTER_ROWS = 1024, SCATTER_MOST_ROW_PARTS = 16 };

static inline int64_t scatter_row_parts(const heed_operand *y)
{
    int64_t parts = heed_shape_rows(y->shape) / SCATTER_ROWS;
    return part_count(parts, SCATTER_MOST_ROW_PARTS);
}

static inline int64_t scatter_column_parts(const heed_operand *y)
{
    int64_t parts = y->shape.dim[1] / SCATTER_COLUMNS;
    return scatter_row_parts(y) > 1 || parts < 1 ? 1 : parts;
}

static inline int scatter_add_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    return (int)(scatter_row_parts(&args->out[0]) * scatter_column_parts(&args->out[0]));
}

/* Adds the rows whose index lies in the rectangle of the part, which begins with zeros unless there
   is a state. */
static inline void scatter_add_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t by_columns = scatter_column_parts(y), by_rows = call->parts / by_columns, begin, end,
            first, last;
    int64_t skipped = ((const heed_shape_attributes *)args->attributes)->skipped - 1;
    heed_part_range(heed_shape_rows(y->shape), call->part / (int)by_columns, (int)by_rows, &begin,
                    &end);
    heed_part_range(y->shape.dim[1], call->part % (int)by_columns, (int)by_columns, &first, &last);
    for (int64_t i = begin; i < end && !heed_optional(args, HEED_SCATTER_STATE); i++)
        clear_run(float_row(y, i) + first, last - first);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++) {
        int32_t at = integer_at(&args->in[1], i);
        if (at < begin || at >= end || at == skipped) continue;
        const float *from = float_row(x, i);
        float *to = float_row(y, at);
        for (int64_t j = first; j < last; j += HEED_LANES)
            store_some(to + j,
                       heed_v_add(load_some(to + j, last - j), load_some(from + j, last - j)),
                       last - j);
    }
}

static inline bool first_is_f32_rows(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[0]);
}

/* ---- columns: runs of the last axis. A vector (D) has one element a row. ---- */

/* Columns [from, from + count) of each run of the last axis of x become columns [to, to + count) of
   y. */
typedef struct {
    int64_t from, to, count;
} column_copy;

/* Copies these columns for rows [begin, end) of y. */
static inline void copy_columns(const heed_operand *x, const heed_operand *y, column_copy copy,
                                int64_t begin, int64_t end)
{
    const int64_t from = copy.from, to = copy.to, count = copy.count;
    if (y->shape.rank == 1) {
        for (int64_t i = to > begin ? to : begin; i < to + count && i < end; i++)
            *float_row(y, i) = *float_row(x, i - to + from);
        return;
    }
    int64_t x_width = heed_width(x), y_width = heed_width(y),
            runs = y_width ? heed_shape_columns(y->shape) / y_width : 0;
    for (int64_t i = begin; i < end; i++)
        for (int64_t r = 0; r < runs; r++)
            copy_run(float_row(y, i) + r * y_width + to, float_row(x, i) + r * x_width + from,
                     count);
}

static inline void slice_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_slice_attributes *a = args->attributes;
    int64_t begin, end;
    rows_of_part(args, call, &begin, &end);
    copy_columns(&args->in[0], &args->out[0], (column_copy){a->begin, 0, a->end - a->begin}, begin,
                 end);
}

static inline void pad_columns_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_pad_columns_attributes *a = args->attributes;
    int64_t begin, end;
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        clear_run(float_row(&args->out[0], i), heed_shape_columns(args->out[0].shape));
    copy_columns(&args->in[0], &args->out[0], (column_copy){0, a->begin, heed_width(&args->in[0])},
                 begin, end);
}

static inline void concatenate_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    int64_t begin, end, to = 0;
    rows_of_part(args, call, &begin, &end);
    for (int i = 0; i < args->n_in; i++) {
        copy_columns(&args->in[i], &args->out[0], (column_copy){0, to, heed_width(&args->in[i])},
                     begin, end);
        to += heed_width(&args->in[i]);
    }
}

/* Fills y row by row, in runs that end where a row of x ends. */
static inline void reshape_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t begin, end, x_columns = heed_shape_columns(x->shape),
                        y_columns = heed_shape_columns(y->shape);
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < y_columns;) {
            int64_t at = i * y_columns + j, run = x_columns - at % x_columns;
            run = run < y_columns - j ? run : y_columns - j;
            copy_run(float_row(y, i) + j, float_row(x, at / x_columns) + at % x_columns, run);
            j += run;
        }
}

/* Transposes blocks of 16 x 16, so that both sides stay in the cache. */
static inline void transpose_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    enum { BLOCK = 16 };
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t begin, end, columns = y->shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i += BLOCK)
        for (int64_t j = 0; j < columns; j += BLOCK)
            for (int64_t r = i; r < end && r < i + BLOCK; r++)
                for (int64_t c = j; c < columns && c < j + BLOCK; c++)
                    float_row(y, r)[c] = float_row(x, c)[r];
}

HEED_KERNEL(gather) = {
    .name = "k_gather", .op = HEED_OP_GATHER, .fits = gather_fits, .run = gather_run};
HEED_KERNEL(scatter_add) = {
    .name = "k_scatter_add_f32",
    .op = HEED_OP_SCATTER_ADD,
    .fits = first_is_f32_rows,
    .parts = scatter_add_parts,
    .run = scatter_add_run,
};
HEED_KERNEL(slice) = {
    .name = "k_slice_f32", .op = HEED_OP_SLICE, .fits = all_f32_rows, .run = slice_run};
HEED_KERNEL(pad_columns) = {
    .name = "k_pad_columns_f32",
    .op = HEED_OP_PAD_COLUMNS,
    .fits = all_f32_rows,
    .run = pad_columns_run,
};
HEED_KERNEL(concatenate) = {
    .name = "k_concatenate_f32",
    .op = HEED_OP_CONCATENATE,
    .fits = all_f32_rows,
    .run = concatenate_run,
};
HEED_KERNEL(reshape) = {
    .name = "k_reshape_f32", .op = HEED_OP_RESHAPE, .fits = all_f32_rows, .run = reshape_run};
HEED_KERNEL(transpose) = {
    .name = "k_transpose_f32", .op = HEED_OP_TRANSPOSE, .fits = all_f32_rows, .run = transpose_run};

#endif
