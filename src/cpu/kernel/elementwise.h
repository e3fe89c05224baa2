/* elementwise.h: ops that work element by element: binary, unary and its gradient, scale, cast,
   broadcast, accumulate, dropout. */
#ifndef HEED_CPU_KERNEL_ELEMENTWISE_H
#define HEED_CPU_KERNEL_ELEMENTWISE_H

#include "cpu/kernel/kernel.h"
#include "cpu/kernel/random.h"
#include "cpu/kernel/unary_derivative.h"
#include "cpu/vector_unary.h"
#include "op/broadcast.h"

/* ---- binary ---- */

HEED_INLINE heed_v combine(heed_binary_kind kind, heed_v a, heed_v b)
{
    if (kind == HEED_BINARY_ADD) return heed_v_add(a, b);
    if (kind == HEED_BINARY_SUBTRACT) return heed_v_sub(a, b);
    return kind == HEED_BINARY_MULTIPLY ? heed_v_mul(a, b) : heed_v_div(a, b);
}

/* y = a kind b over n elements; if `one`, b is a single number for all of them. */
HEED_INLINE void combine_run(heed_binary_kind kind, bool one, const float *a, const float *b,
                             float *y, int64_t n)
{
    heed_v all = one ? heed_v_set(*b) : heed_v_zero();
    for (int64_t j = 0; j < n; j += HEED_LANES)
        store_some(y + j,
                   combine(kind, load_some(a + j, n - j), one ? all : load_some(b + j, n - j)),
                   n - j);
}

static inline void combine_elements(int32_t kind, bool one, const float *a, const float *b,
                                    float *y, int64_t n)
{
    switch (kind) {
#define CASE(KIND)                                    \
    case KIND:                                        \
        if (one) combine_run(KIND, true, a, b, y, n); \
        else combine_run(KIND, false, a, b, y, n);    \
        break
        CASE(HEED_BINARY_ADD);
        CASE(HEED_BINARY_SUBTRACT);
        CASE(HEED_BINARY_MULTIPLY);
        CASE(HEED_BINARY_DIVIDE);
#undef CASE
    }
}

/* One row of a combined with a b that is repeated: (D) for each run of D columns, or one number for
   each run. */
static inline void combine_repeated(int32_t kind, heed_broadcast_kind fit, const heed_operand *x,
                                    const heed_operand *b, int64_t row, float *y)
{
    const float *a = float_row(x, row);
    const int64_t columns = heed_shape_columns(x->shape), width = heed_width(x);
    for (int64_t at = 0; at < columns; at += width) {
        if (fit == HEED_BROADCAST_COLUMN)
            combine_elements(kind, true, a + at, float_row(b, row) + at / width, y + at, width);
        else if (b->row_stride == 1) combine_elements(kind, false, a + at, b->data, y + at, width);
        else
            for (int64_t j = 0; j < width; j++)
                combine_elements(kind, true, a + at + j, float_row(b, j), y + at + j, 1);
    }
}

/* If b has the shape of a or is one number, rows may join to long ones; otherwise b is repeated
   within each row. */
static inline void binary_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1], *y = &args->out[0];
    int32_t kind = ((const heed_binary_attributes *)args->attributes)->kind;
    heed_broadcast_kind fit = heed_broadcast_of(b->shape, a->shape);
    if (fit == HEED_BROADCAST_SAME || fit == HEED_BROADCAST_ONE) {
        bool one = fit == HEED_BROADCAST_ONE;
        stretch s = stretch_of_part(args, call, one ? 1 : 2);
        for (int64_t i = s.begin; i < s.begin + s.rows; i++)
            combine_elements(kind, one, float_row(a, i) + s.first,
                             one ? b->data : float_row(b, i) + s.first, float_row(y, i) + s.first,
                             s.columns);
        return;
    }
    int64_t begin, end;
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) combine_repeated(kind, fit, a, b, i, float_row(y, i));
}

static inline int64_t binary_tile_columns(const heed_kernel_args *args)
{
    const heed_broadcast_kind fit = heed_broadcast_of(args->in[1].shape, args->in[0].shape);
    return fit == HEED_BROADCAST_SAME || fit == HEED_BROADCAST_ONE;
}

/* ---- unary ---- */

HEED_INLINE void unary_elements(heed_unary_kind kind, const float *x, float *y, int64_t n)
{
    for (int64_t j = 0; j < n; j += HEED_LANES)
        store_some(y + j, heed_v_unary(kind, load_some(x + j, n - j)), n - j);
}

HEED_INLINE void unary_derivative_elements(heed_unary_kind kind, const float *dy, const float *x,
                                           float *dx, int64_t n)
{
    for (int64_t j = 0; j < n; j += HEED_LANES)
        store_some(
            dx + j,
            heed_v_mul(load_some(dy + j, n - j), unary_derivative(kind, load_some(x + j, n - j))),
            n - j);
}

static inline void unary_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    stretch s = stretch_of_part(args, call, 1);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++) {
        const float *x = float_row(&args->in[0], i) + s.first;
        float *y = float_row(&args->out[0], i) + s.first;
        switch (((const heed_unary_attributes *)args->attributes)->kind) {
#define HEED_UNARY(symbol, name, formula, derivative)         \
    case HEED_UNARY_##symbol:                                 \
        unary_elements(HEED_UNARY_##symbol, x, y, s.columns); \
        break;
#include <heed/unaries.def>
#undef HEED_UNARY
        }
    }
}

static inline void unary_backward_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    stretch s = stretch_of_part(args, call, 2);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++) {
        const float *dy = float_row(&args->in[0], i) + s.first,
                    *x = float_row(&args->in[1], i) + s.first;
        float *dx = float_row(&args->out[0], i) + s.first;
        switch (((const heed_unary_attributes *)args->attributes)->kind) {
#define HEED_UNARY(symbol, name, formula, derivative)                         \
    case HEED_UNARY_##symbol:                                                 \
        unary_derivative_elements(HEED_UNARY_##symbol, dy, x, dx, s.columns); \
        break;
#include <heed/unaries.def>
#undef HEED_UNARY
        }
    }
}

/* ---- scale, accumulate, broadcast ---- */

static inline void scale_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_scale_attributes *a = args->attributes;
    const heed_v factor = heed_v_set((float)a->factor), offset = heed_v_set((float)a->offset);
    stretch s = stretch_of_part(args, call, 1);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++) {
        const float *x = float_row(&args->in[0], i) + s.first;
        float *y = float_row(&args->out[0], i) + s.first;
        for (int64_t j = 0; j < s.columns; j += HEED_LANES)
            store_some(y + j,
                       heed_v_add(heed_v_mul(load_some(x + j, s.columns - j), factor), offset),
                       s.columns - j);
    }
}

static inline void accumulate_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    stretch s = stretch_of_part(args, call, 2);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++)
        combine_elements(HEED_BINARY_ADD, false, float_row(&args->in[0], i) + s.first,
                         float_row(&args->in[1], i) + s.first,
                         float_row(&args->out[0], i) + s.first, s.columns);
}

static inline void broadcast_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    heed_broadcast_kind fit = heed_broadcast_of(x->shape, y->shape);
    int64_t begin, end, columns = heed_shape_columns(y->shape), width = heed_width(y);
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += width) {
            const float *one = NULL;
            float *to = float_row(y, i) + at;
            if (fit == HEED_BROADCAST_ONE) one = x->data;
            if (fit == HEED_BROADCAST_COLUMN) one = float_row(x, i) + at / width;
            for (int64_t j = 0; j < width; j += HEED_LANES) {
                heed_v value;
                if (one) value = heed_v_set(*one);
                else if (fit == HEED_BROADCAST_ROW) value = load_vector(x, j, width - j);
                else value = load_some(float_row(x, i) + at + j, width - j);
                store_some(to + j, value, width - j);
            }
        }
}

/* ---- cast ---- */

/* load_some for elements of any floating type; `at` is the first one. */
HEED_INLINE heed_v load_some_of(const heed_operand *x, int64_t at, int64_t left)
{
    const uint16_t *half = (const uint16_t *)x->data + at;
    if (x->dtype == HEED_F32) return load_some((const float *)x->data + at, left);
    if (x->dtype == HEED_F16)
        return left < HEED_LANES ? heed_v_load_f16_part(half, left) : heed_v_load_f16(half);
    return left < HEED_LANES ? heed_v_load_bf16_part(half, left) : heed_v_load_bf16(half);
}

/* Converts columns [first, first + columns) of row i, rounding to nearest even. */
static inline void cast_row(const heed_operand *x, int64_t i, const heed_operand *y, int64_t first,
                            int64_t columns)
{
    int64_t from = i * x->row_stride + first, to = i * y->row_stride + first;
    for (int64_t j = 0; j < columns; j += HEED_LANES) {
        int64_t left = columns - j, count = left < HEED_LANES ? left : HEED_LANES;
        const heed_v value = load_some_of(x, from + j, left);
        if (y->dtype == HEED_F32) {
            store_some((float *)y->data + to + j, value, left);
            continue;
        }
        float room[HEED_LANES];
        heed_v_store(room, value);
        uint16_t *out = (uint16_t *)y->data + to + j;
        for (int64_t k = 0; k < count; k++)
            out[k] = y->dtype == HEED_F16 ? heed_f32_to_f16(room[k]) : heed_f32_to_bf16(room[k]);
    }
}

static inline void cast_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    stretch s = stretch_of_part(args, call, 1);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++)
        cast_row(&args->in[0], i, &args->out[0], s.first, s.columns);
}

static inline bool cast_fits(const heed_kernel_args *args)
{
    return args->in[0].layout == HEED_LAYOUT_ROWS;
}

/* ---- dropout ---- */

static inline void dropout_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_dropout_attributes *a = args->attributes;
    uint32_t threshold = heed_dropout_threshold(a->rate);
    float factors[RANDOM_WORDS], scale = 1 / (1 - a->rate);
    int64_t begin, end, first, last;
    rows_of_part(args, call, &begin, &end);
    columns_of_tile(call, heed_shape_columns(args->out[0].shape), &first, &last);
    for (int64_t i = begin; i < end; i++) {
        const int32_t *row = (const int32_t *)args->in[1].data + i * args->in[1].row_stride;
        heed_random_row random = heed_random_row_of(args->runtime, a->stream, 0, row[0], row[1]);
        for (int64_t j = first; j < last; j += RANDOM_WORDS) {
            int64_t left = last - j < RANDOM_WORDS ? last - j : RANDOM_WORDS;
            dropout_factors(&random, threshold, scale, j / RANDOM_WORDS, factors);
            /* a dropped element becomes 0, even if it was NaN */
            const float *x = float_row(&args->in[0], i) + j;
            float *y = float_row(&args->out[0], i) + j;
            for (int64_t k = 0; k < left; k += HEED_LANES) {
                heed_v f = heed_v_load(factors + k);
                store_some(y + k,
                           heed_v_select(heed_v_less(heed_v_zero(), f),
                                         heed_v_mul(load_some(x + k, left - k), f), heed_v_zero()),
                           left - k);
            }
        }
    }
}

/* `consumes_tiles`: random numbers are drawn for 64 columns at a time. */
static inline int64_t whole_random_words(const heed_kernel_args *args)
{
    (void)args;
    return RANDOM_WORDS;
}

static inline bool dropout_fits(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[0]);
}

HEED_KERNEL(binary) = {.name = "k_binary_f32",
                       .op = HEED_OP_BINARY,
                       .fits = all_f32_rows,
                       .consumes_tiles = binary_tile_columns,
                       .run = binary_run};
HEED_KERNEL(unary) = {.name = "k_unary_f32",
                      .op = HEED_OP_UNARY,
                      .fits = all_f32_rows,
                      .consumes_tiles = any_columns,
                      .run = unary_run};
HEED_KERNEL(unary_backward) = {
    .name = "k_unary_backward_f32",
    .op = HEED_OP_UNARY_BACKWARD,
    .fits = all_f32_rows,
    .consumes_tiles = any_columns,
    .run = unary_backward_run,
};
HEED_KERNEL(scale) = {.name = "k_scale_f32",
                      .op = HEED_OP_SCALE,
                      .fits = all_f32_rows,
                      .consumes_tiles = any_columns,
                      .run = scale_run};
HEED_KERNEL(accumulate) = {
    .name = "k_accumulate_f32",
    .op = HEED_OP_ACCUMULATE,
    .fits = all_f32_rows,
    .run = accumulate_run,
};
HEED_KERNEL(broadcast) = {
    .name = "k_broadcast_f32", .op = HEED_OP_BROADCAST, .fits = all_f32_rows, .run = broadcast_run};
HEED_KERNEL(cast) = {.name = "k_cast", .op = HEED_OP_CAST, .fits = cast_fits, .run = cast_run};
HEED_KERNEL(dropout) = {.name = "k_dropout_f32",
                        .op = HEED_OP_DROPOUT,
                        .fits = dropout_fits,
                        .consumes_tiles = whole_random_words,
                        .run = dropout_run};

#endif
