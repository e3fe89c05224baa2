/* kernel.h: what the bodies of the CPU kernels share. Every body is written once in terms of
   cpu/vector.h and compiled per instruction set: kernels_generic.c, kernels_avx2.c and
   kernels_avx512.c (and the three attention_*.c) define HEED_KERNEL_ISA and include the bodies. A
   body ends with HEED_KERNEL(name) = {...}, and cpu/kernels.def lists the names. */
#ifndef HEED_CPU_KERNEL_KERNEL_H
#define HEED_CPU_KERNEL_KERNEL_H

#include "cpu/kernels.h"
#include "cpu/unroll.h"
#include "cpu/vector.h"
#include "graph/attributes.h"
#include "graph/backend.h"
#include "tensor/alignment.h"
#include <string.h>

#define HEED_KERNEL_PASTE(name, isa) heed_kernel_##name##_##isa
#define HEED_KERNEL_EXPAND(name, isa) HEED_KERNEL_PASTE(name, isa)
#define HEED_KERNEL(name) const heed_kernel HEED_KERNEL_EXPAND(name, HEED_KERNEL_ISA)

static inline float *float_row(const heed_operand *x, int64_t i)
{
    return (float *)x->data + i * x->row_stride;
}

/* Row i from column `column` on; NULL while the step is only planned. */
static inline float *float_row_from(const heed_operand *x, int64_t i, int64_t column)
{
    return x->data ? float_row(x, i) + column : NULL;
}

static inline int32_t integer_at(const heed_operand *x, int64_t i)
{
    return ((const int32_t *)x->data)[i * x->row_stride];
}

/* `count` as a number of parts, limited to at least 1 and at most `most`. */
static inline int part_count(int64_t count, int64_t most)
{
    if (count < 1) return 1;
    return (int)(count > most ? most : count);
}

/* Loads or stores a vector of a row that has `left` more elements: all lanes, or at the end of the
   row only those. */
HEED_INLINE heed_v load_some(const float *p, int64_t left)
{
    return left >= HEED_LANES ? heed_v_load(p) : heed_v_load_part(p, left);
}

HEED_INLINE void store_some(float *p, heed_v x, int64_t left)
{
    if (left >= HEED_LANES) heed_v_store(p, x);
    else heed_v_store_part(p, x, left);
}

/* The same for a vector operand (D), whose elements lie row_stride apart. */
HEED_INLINE heed_v load_vector(const heed_operand *x, int64_t j, int64_t left)
{
    if (x->row_stride == 1) return load_some((const float *)x->data + j, left);
    float room[HEED_LANES] = {0};
    for (int64_t i = 0; i < left && i < HEED_LANES; i++) room[i] = *float_row(x, j + i);
    return heed_v_load(room);
}

/* x with zeros in the lanes from `left` on. */
HEED_INLINE heed_v first_lanes(heed_v x, int64_t left)
{
    if (left >= HEED_LANES) return x;
    float room[HEED_LANES] = {0};
    heed_v_store_part(room, x, left);
    return heed_v_load(room);
}

/* Sums and maxima along a row use 64 accumulators on every instruction set: element j goes to
   number j % 64, and at the end accumulators are joined by halves. Hence the bits are the same on
   all of them. */
enum { ACCUMULATORS = 64, ACCUMULATOR_VECTORS = ACCUMULATORS / HEED_LANES };

typedef struct {
    heed_v vector[ACCUMULATOR_VECTORS];
} accumulators;

/* For each vector of a row of `width` elements: it begins at element j + v * HEED_LANES, and goes
   to vector v of the accumulators. */
#define HEED_FOR_ACCUMULATORS(j, v, width)              \
    for (int64_t j = 0; j < (width); j += ACCUMULATORS) \
    HEED_UNROLL for (int v = 0; v < ACCUMULATOR_VECTORS; v++) if (j + v * HEED_LANES < (width))

HEED_INLINE accumulators accumulators_of(float x)
{
    accumulators all;
    HEED_UNROLL for (int v = 0; v < ACCUMULATOR_VECTORS; v++) all.vector[v] = heed_v_set(x);
    return all;
}

HEED_INLINE float accumulators_sum(accumulators all)
{
    HEED_UNROLL for (int half = ACCUMULATOR_VECTORS / 2; half > 0; half /= 2)
        HEED_UNROLL for (int v = 0; v < half; v++)
            all.vector[v] = heed_v_add(all.vector[v], all.vector[v + half]);
    return heed_v_sum(all.vector[0]);
}

HEED_INLINE float accumulators_max(accumulators all)
{
    HEED_UNROLL for (int half = ACCUMULATOR_VECTORS / 2; half > 0; half /= 2)
        HEED_UNROLL for (int v = 0; v < half; v++)
            all.vector[v] = heed_v_max(all.vector[v], all.vector[v + half]);
    return heed_v_hmax(all.vector[0]);
}

/* e^x and log x of one number, with the bits of the vector functions. */
static inline float exp_of(float x)
{
    float y[HEED_LANES];
    heed_v_store(y, heed_v_exp(heed_v_set(x)));
    return y[0];
}

static inline float log_of(float x)
{
    float y[HEED_LANES];
    heed_v_store(y, heed_v_log(heed_v_set(x)));
    return y[0];
}

/* The rows of a part of a row-local kernel, or of the tile that it consumes. */
static inline void rows_of_part(const heed_kernel_args *args, const heed_kernel_call *call,
                                int64_t *begin, int64_t *end)
{
    if (call->tile) {
        *begin = call->tile->row;
        *end = call->tile->row + call->tile->rows;
    } else
        heed_part_range(heed_shape_rows(args->out[0].shape), call->part, call->parts, begin, end);
}

/* The columns of the tile, or all columns. */
static inline void columns_of_tile(const heed_kernel_call *call, int64_t columns, int64_t *begin,
                                   int64_t *end)
{
    *begin = call->tile ? call->tile->column : 0;
    *end = call->tile ? call->tile->column + call->tile->columns : columns;
}

/* What a part of an element-wise kernel works on: rows, from column `first` on. If the rows of all
   operands lie end to end, they count as one long row. */
typedef struct {
    int64_t begin, rows, first, columns;
} stretch;

static inline stretch stretch_of_part(const heed_kernel_args *args, const heed_kernel_call *call,
                                      int operands)
{
    int64_t begin, end, first, last, columns = heed_shape_columns(args->out[0].shape);
    rows_of_part(args, call, &begin, &end);
    columns_of_tile(call, columns, &first, &last);
    bool dense = args->out[0].row_stride == columns && last - first == columns;
    for (int i = 0; i < operands; i++) dense = dense && args->in[i].row_stride == columns;
    return dense ? (stretch){begin, end > begin, 0, (end - begin) * columns}
                 : (stretch){begin, end - begin, first, last - first};
}

/* `consumes_tiles` of element-wise kernels: tiles may have any columns. */
static inline int64_t any_columns(const heed_kernel_args *args)
{
    (void)args;
    return 1;
}

static inline bool is_f32_rows(const heed_operand *x)
{
    return x->dtype == HEED_F32 && x->layout == HEED_LAYOUT_ROWS;
}

/* `fits` of kernels that take f32 rows only; operands may be absent. */
static inline bool all_f32_rows(const heed_kernel_args *args)
{
    for (int i = 0; i < args->n_in; i++)
        if (args->in[i].present && !is_f32_rows(&args->in[i])) return false;
    for (int i = 0; i < args->n_out; i++)
        if (args->out[i].present && !is_f32_rows(&args->out[i])) return false;
    return true;
}

#endif
