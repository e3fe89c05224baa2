/* Gradient of attention.
   Formula:  p(j) = exp(s(j) - lse), m(j) the dropout of the forward pass, c(j) the capped score
             without its ALiBi bias, d = dy.y:
               dv(j) += p(j) m(j) dy
               ds(j)  = p(j) (m(j) dy.v(j) - d) (1 - (c(j) / cap)^2)
               dq    += scale ds(j) k(j)
               dk(j) += scale ds(j) q
             Sums of a key row run over sequences, query heads, then queries, all ascending; those
             of dq over keys, ascending. Rows of no sequence get zeros.
   Inputs:   those of attention, then y (N,H*E), lse (N,H) and dy (N,H*E), f32
   Outputs:  dq, dk, dv, f32, with the shapes of q, k, v
   Options:  those of attention; with masked_mean a query that saw no key has p = 1 / keys, and
             gradients flow to its scores as if they had been added to one large negative number
   Gradient: none
   Errors:   those of attention; HEED_E_SHAPE if y, lse or dy do not fit q
   Source:   Dao et al. 2022, algorithm 4 */
#include "op/attention.h"
#include "op/attention_check_internal.h"
#include "op/check.h"

HEED_REFERENCE(attention_backward);

/* dy.x. dy, and x if it is an operand of a matmul, are rounded as in matmuls. */
static inline real REAL(dot)(const heed_attention_attributes *attributes, const real *dy,
                             const real *x, bool operand)
{
    real sum = 0;
    for (int64_t e = 0; e < attributes->head_width; e++)
        sum = R(fma)(REAL(operand)(dy[e], attributes->bf16_operands),
                     operand ? REAL(operand)(x[e], attributes->bf16_operands) : x[e], sum);
    return sum;
}

/* What one query and head add to dq, dk and dv. */
static inline void REAL(attend_backward)(const heed_kernel_args *args,
                                         const heed_attention_sequence *sequence, int64_t i,
                                         int64_t head)
{
    const heed_attention_attributes *attributes = sequence->attributes;
    int64_t row = sequence->fields.query_start + i, width = attributes->head_width;
    int64_t from = head * width, group = head / (attributes->heads / attributes->kv_heads);
    const real *q = REAL(row)(&args->in[HEED_ATTENTION_Q], row) + from,
               *dy = REAL(row)(&args->in[HEED_ATTENTION_DY], row) + from;
    real *dq = REAL(row)(&args->out[0], row) + from, scale = (real)attributes->scale,
         cap = (real)attributes->soft_cap;
    real lse = REAL(row)(&args->in[HEED_ATTENTION_LSE], row)[head];
    real delta = REAL(dot)(attributes, dy, REAL(row)(&args->in[HEED_ATTENTION_Y], row) + from,
                           false);
    REAL(heed_attention_dropout) dropout = REAL(heed_attention_dropout_of)(args, sequence, head, i);
    bool fully_masked = heed_attention_is_fully_masked(sequence, i);
    for (int64_t j = 0; j < sequence->fields.keys; j++) {
        int64_t at = fully_masked ? heed_attention_key_row(sequence, j)
                                  : heed_attention_visible_row(sequence, i, j);
        real kept = REAL(heed_attention_dropout_at)(&dropout, j);
        if (at < 0) continue;
        const real *k = REAL(row)(&args->in[HEED_ATTENTION_K], at) + group * width,
                   *v = REAL(row)(&args->in[HEED_ATTENTION_V], at) + group * width;
        real *dk = REAL(row)(&args->out[1], at) + group * width,
             *dv = REAL(row)(&args->out[2], at) + group * width;
        real score = REAL(heed_attention_score)(attributes, q, &args->in[HEED_ATTENTION_K], at,
                                                group),
             bias = REAL(heed_attention_bias)(sequence, head, i, j, at);
        real weight = R(exp)((fully_masked ? 0 : score + bias) - lse);
        real ds = weight * (kept * REAL(dot)(attributes, dy, v, true) - delta) * scale;
        if (cap > 0) ds *= 1 - score / cap * (score / cap);
        for (int64_t e = 0; e < width; e++) {
            dv[e] = R(fma)(weight * kept, REAL(operand)(dy[e], attributes->bf16_operands), dv[e]);
            dq[e] = R(fma)(ds, REAL(operand)(k[e], attributes->bf16_operands), dq[e]);
            dk[e] = R(fma)(ds, REAL(operand)(q[e], attributes->bf16_operands), dk[e]);
        }
    }
}

void REAL(heed_attention_backward_reference)(const heed_kernel_args *args)
{
    const heed_attention_attributes *attributes = args->attributes;
    for (int i = 0; i < 3; i++) REAL(clear)(&args->out[i]);
    for (int64_t b = 0; b < args->in[HEED_ATTENTION_SEQUENCES].shape.dim[0]; b++) {
        heed_attention_sequence sequence = heed_attention_sequence_of(args, b);
        for (int64_t head = 0; head < attributes->heads; head++)
            for (int64_t i = 0; i < sequence.fields.queries; i++)
                REAL(attend_backward)(args, &sequence, i, head);
    }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    const heed_attention_attributes *attributes = infer->attributes;
    HEED_TRY(heed_attention_check(infer, error));
    heed_shape q = infer->shape[HEED_ATTENTION_Q], lse = infer->shape[HEED_ATTENTION_LSE];
    bool present = infer->present[HEED_ATTENTION_Y] && infer->present[HEED_ATTENTION_LSE] &&
                   infer->present[HEED_ATTENTION_DY];
    if (!present || !heed_shape_equal(infer->shape[HEED_ATTENTION_Y], q) ||
        !heed_shape_equal(infer->shape[HEED_ATTENTION_DY], q) || lse.rank != 2 ||
        lse.dim[1] != attributes->heads || !heed_same_rows(lse, q))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "y and dy with the shape of q, and lse (N,heads)");
    for (int i = 0; i < 3; i++) infer->out_shape[i] = infer->shape[i];
    return HEED_OK;
}

/* The backward pass has five matmuls, the forward pass two. */
static heed_cost cost(const heed_kernel_args *args)
{
    heed_cost cost = heed_op_attention.cost(args);
    return (heed_cost){.flops = 2.5 * cost.flops, .bytes = 2.5 * cost.bytes, .number = cost.number};
}

const heed_op heed_op_attention_backward = {
    .name = "attention_backward",
    .in_min = 4,
    .in_max = HEED_ATTENTION_BACKWARD_INPUTS,
    .n_out = 3,
    .attribute_size = sizeof(heed_attention_attributes),
    .infer = infer,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(attention_backward),
    .cost = cost,
};
#endif
