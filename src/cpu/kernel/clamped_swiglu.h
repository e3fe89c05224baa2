/* clamped_swiglu.h: the gated unit of gpt-oss and its gradient, element by element. */
#ifndef HEED_CPU_KERNEL_CLAMPED_SWIGLU_H
#define HEED_CPU_KERNEL_CLAMPED_SWIGLU_H

#include "cpu/kernel/kernel.h"

/* The limit is the first operand, so that NaN stays: heed_v_min returns its second one if either is
   NaN. */
HEED_INLINE heed_v at_most(heed_v x, heed_v limit)
{
    return heed_v_min(limit, x);
}

HEED_INLINE heed_v within(heed_v x, heed_v limit)
{
    return heed_v_max(heed_v_negate(limit), heed_v_min(limit, x));
}

/* y = (clamp(u) + 1) g sigmoid(alpha g) with g = min(gate, limit). */
static inline void clamped_swiglu_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_clamped_swiglu_attributes *p = args->attributes;
    const heed_v limit = heed_v_set(p->limit), alpha = heed_v_set(p->alpha), one = heed_v_set(1);
    stretch s = stretch_of_part(args, call, 2);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++) {
        const float *gate = float_row(&args->in[0], i) + s.first,
                    *up = float_row(&args->in[1], i) + s.first;
        float *y = float_row(&args->out[0], i) + s.first;
        for (int64_t j = 0; j < s.columns; j += HEED_LANES) {
            int64_t left = s.columns - j;
            heed_v g = at_most(load_some(gate + j, left), limit),
                   u = within(load_some(up + j, left), limit);
            store_some(
                y + j,
                heed_v_mul(heed_v_add(u, one), heed_v_mul(g, heed_v_sigmoid(heed_v_mul(alpha, g)))),
                left);
        }
    }
}

/* dgate and du; both are 0 where the limit cuts. */
static inline void clamped_swiglu_backward_run(const heed_kernel_args *args,
                                               const heed_kernel_call *call)
{
    const heed_clamped_swiglu_attributes *p = args->attributes;
    const heed_v limit = heed_v_set(p->limit), alpha = heed_v_set(p->alpha), one = heed_v_set(1),
                 zero = heed_v_zero();
    stretch s = stretch_of_part(args, call, 3);
    for (int64_t i = s.begin; i < s.begin + s.rows; i++) {
        const float *dy = float_row(&args->in[0], i) + s.first,
                    *gate = float_row(&args->in[1], i) + s.first,
                    *up = float_row(&args->in[2], i) + s.first;
        float *dgate = float_row(&args->out[0], i) + s.first,
              *dup = float_row(&args->out[1], i) + s.first;
        for (int64_t j = 0; j < s.columns; j += HEED_LANES) {
            int64_t left = s.columns - j;
            heed_v d = load_some(dy + j, left), g = load_some(gate + j, left);
            heed_v u = load_some(up + j, left), at = at_most(g, limit);
            heed_v sigmoid = heed_v_sigmoid(heed_v_mul(alpha, at)), swish = heed_v_mul(at, sigmoid);
            heed_v derivative = heed_v_add(
                sigmoid, heed_v_mul(heed_v_mul(alpha, swish), heed_v_sub(one, sigmoid)));
            heed_v factor = heed_v_mul(heed_v_mul(d, heed_v_add(within(u, limit), one)),
                                       derivative);
            store_some(dgate + j, heed_v_select(heed_v_less(limit, g), zero, factor), left);
            heed_v outside = heed_v_select(heed_v_less(u, heed_v_negate(limit)), zero,
                                           heed_v_mul(d, swish));
            store_some(dup + j, heed_v_select(heed_v_less(limit, u), zero, outside), left);
        }
    }
}

HEED_KERNEL(clamped_swiglu) = {
    .name = "k_clamped_swiglu_f32", .op = HEED_OP_CLAMPED_SWIGLU, .run = clamped_swiglu_run};
HEED_KERNEL(clamped_swiglu_backward) = {.name = "k_clamped_swiglu_backward_f32",
                                        .op = HEED_OP_CLAMPED_SWIGLU_BACKWARD,
                                        .run = clamped_swiglu_backward_run};

#endif
