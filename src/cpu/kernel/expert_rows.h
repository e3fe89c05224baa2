/* expert_rows.h: routing: top_k, rows to slots and back, sums by expert; op/expert.h has the
   words. */
#ifndef HEED_CPU_KERNEL_EXPERT_ROWS_H
#define HEED_CPU_KERNEL_EXPERT_ROWS_H

#include "cpu/kernel/kernel.h"

/* The address of slot s of a value (N,J,D). */
static inline float *slot_row(const heed_operand *x, int64_t s)
{
    int64_t J = x->shape.dim[1];
    return float_row(x, s / J) + s % J * x->shape.dim[2];
}

/* Entry p of a table (N,J) of pairs or slots; -1 if it names one that does not exist. */
static inline int64_t pair_integer(const heed_operand *table, int64_t p)
{
    int64_t J = table->shape.dim[1],
            at = ((const int32_t *)table->data)[p / J * table->row_stride + p % J];
    return at < table->shape.dim[0] * J ? at : -1;
}

/* The slots [*begin, *end) of an expert, limited to those that exist. */
static inline void slots_of_expert(const heed_operand *offsets, int64_t expert, int64_t slots,
                                   int64_t *begin, int64_t *end)
{
    int64_t first = integer_at(offsets, expert), last = integer_at(offsets, expert + 1);
    if (first < 0) first = 0;
    *begin = first > slots ? slots : first;
    if (last < *begin) last = *begin;
    *end = last > slots ? slots : last;
}

/* ---- top_k: one element after the other into a sorted list; rows of routers are short ---- */

/* Does a come before b? NaN is larger than any number. */
static inline bool is_larger(float a, float b)
{
    return a > b || (a != a && b == b);
}

static inline void top_k_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0], *index = &args->out[1];
    int64_t begin, end, width = x->shape.dim[1], count = y->shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        const float *from = float_row(x, i);
        float *best = float_row(y, i);
        int32_t *at = (int32_t *)index->data + i * index->row_stride;
        for (int64_t c = 0; c < width; c++) {
            int64_t place = c < count ? c : count;
            if (place == count && !is_larger(from[c], best[count - 1])) continue;
            for (; place > 0 && is_larger(from[c], best[place - 1]); place--)
                if (place < count) {
                    best[place] = best[place - 1];
                    at[place] = at[place - 1];
                }
            best[place] = from[c];
            at[place] = (int32_t)c;
        }
    }
}

static inline void top_k_backward_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *dy = &args->in[0], *index = &args->in[1], *dx = &args->out[0];
    int64_t begin, end, width = dx->shape.dim[1], count = dy->shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        const int32_t *at = (const int32_t *)index->data + i * index->row_stride;
        memset(float_row(dx, i), 0, (size_t)width * sizeof(float));
        for (int64_t j = 0; j < count; j++)
            if (at[j] >= 0 && at[j] < width) float_row(dx, i)[at[j]] = float_row(dy, i)[j];
    }
}

/* ---- rows to slots and back ---- */

/* y of slot s is the row of its pair, times the weight of the pair; zeros if there is no pair. */
static inline void expert_dispatch_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *permutation = &args->in[1];
    const heed_operand *weights = heed_optional(args, 3), *y = &args->out[0];
    int64_t begin, end, J = y->shape.dim[1], width = y->shape.dim[2];
    rows_of_part(args, call, &begin, &end);
    for (int64_t s = begin * J; s < end * J; s++) {
        int64_t p = pair_integer(permutation, s);
        float *to = slot_row(y, s);
        if (p < 0 || !weights) {
            if (p < 0) memset(to, 0, (size_t)width * sizeof *to);
            else memcpy(to, float_row(x, p / J), (size_t)width * sizeof *to);
            continue;
        }
        const float *from = float_row(x, p / J);
        heed_v w = heed_v_set(float_row(weights, p / J)[p % J]);
        for (int64_t d = 0; d < width; d += HEED_LANES)
            store_some(to + d, heed_v_mul(w, load_some(from + d, width - d)), width - d);
    }
}

/* y of row i is the sum over its choices j, ascending, of weight times slot. */
static inline void expert_combine_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *inverse = &args->in[2];
    const heed_operand *weights = heed_optional(args, 3), *y = &args->out[0];
    int64_t begin, end, J = x->shape.dim[1], width = x->shape.dim[2];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t d = 0; d < width; d += HEED_LANES) {
            heed_v sum = heed_v_zero();
            for (int64_t j = 0; j < J; j++) {
                int64_t s = pair_integer(inverse, i * J + j);
                heed_v w = heed_v_set(weights ? float_row(weights, i)[j] : 1);
                if (s >= 0) sum = heed_v_fma(w, load_some(slot_row(x, s) + d, width - d), sum);
            }
            store_some(float_row(y, i) + d, sum, width - d);
        }
}

/* Dot products in 64 accumulators, as other sums along a row. */
static inline void expert_dot_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *z = &args->in[1], *inverse = &args->in[2],
                       *y = &args->out[0];
    int64_t begin, end, J = x->shape.dim[1], width = x->shape.dim[2];
    rows_of_part(args, call, &begin, &end);
    for (int64_t p = begin * J; p < end * J; p++) {
        int64_t s = pair_integer(inverse, p);
        const float *a = slot_row(x, s < 0 ? 0 : s), *b = float_row(z, p / J);
        accumulators all = accumulators_of(0);
        for (int64_t d = 0; d < width && s >= 0; d += ACCUMULATORS)
            for (int v = 0; v < ACCUMULATOR_VECTORS && d + v * HEED_LANES < width; v++) {
                int64_t at = d + v * HEED_LANES;
                all.vector[v] = heed_v_fma(load_some(a + at, width - at),
                                           load_some(b + at, width - at), all.vector[v]);
            }
        float_row(y, p / J)[p % J] = accumulators_sum(all);
    }
}

/* ---- sums by expert: a part owns experts ---- */

static inline void expert_sum_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t first, last, width = y->shape.dim[1], slots = x->shape.dim[0] * x->shape.dim[1];
    rows_of_part(args, call, &first, &last);
    for (int64_t e = first; e < last; e++) {
        int64_t begin, end;
        float *to = float_row(y, e);
        slots_of_expert(&args->in[1], e, slots, &begin, &end);
        memset(to, 0, (size_t)width * sizeof *to);
        for (int64_t s = begin; s < end; s++)
            for (int64_t o = 0; o < width; o += HEED_LANES)
                store_some(to + o,
                           heed_v_add(load_some(to + o, width - o),
                                      load_some(slot_row(x, s) + o, width - o)),
                           width - o);
    }
}

HEED_KERNEL(top_k) = {.name = "k_top_k_f32", .op = HEED_OP_TOP_K, .run = top_k_run};
HEED_KERNEL(top_k_backward) = {
    .name = "k_top_k_backward_f32", .op = HEED_OP_TOP_K_BACKWARD, .run = top_k_backward_run};
HEED_KERNEL(expert_dispatch) = {
    .name = "k_expert_dispatch_f32", .op = HEED_OP_EXPERT_DISPATCH, .run = expert_dispatch_run};
HEED_KERNEL(expert_combine) = {
    .name = "k_expert_combine_f32", .op = HEED_OP_EXPERT_COMBINE, .run = expert_combine_run};
HEED_KERNEL(expert_dot) = {
    .name = "k_expert_dot_f32", .op = HEED_OP_EXPERT_DOT, .run = expert_dot_run};
HEED_KERNEL(expert_sum) = {
    .name = "k_expert_sum_f32", .op = HEED_OP_EXPERT_SUM, .run = expert_sum_run};

#endif
