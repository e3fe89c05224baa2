/* Scores of pairs of tokens from attention weights, as ESM predicts contacts.
   Formula:  s[h] = w[h] + w[h] transposed, of the chosen rows of a sequence
             y[p,q] = sum over h of c[h] * (s[h,p,q] - r[h,p] r[h,q] / t[h]), where r[h] are the
             sums of the rows of s[h], and t[h] is the sum of r[h] (average product correction)
   Inputs:   weights (B,H,T,T) f32: w
             choice (B,P) i32: the row of its sequence that each p stands for; -1, and what is
             outside of [0, T), stands for a row of zeros
             coefficients (H) f32, fixed: c
   Outputs:  y (B,P,P) f32
             sums (B,H*P) f32: r
   Gradient: none, since attention weights have none
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE
   Source:   Rao et al. 2021, "Transformer protein language models are unsupervised structure
             learners"; Dunn et al. 2008 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(pair_scores);

/* The weights of one head and sequence, (T,T), and the rows that are chosen of them. */
typedef struct {
    const real *weights;
    const int32_t *choice;
    int64_t tokens, chosen; /* T and P */
} REAL(head_weights);

static inline real REAL(symmetric)(const REAL(head_weights) * head, int64_t p, int64_t q)
{
    int64_t i = head->choice[p], j = head->choice[q], tokens = head->tokens;
    if (i < 0 || j < 0 || i >= tokens || j >= tokens) return 0;
    return head->weights[i * tokens + j] + head->weights[j * tokens + i];
}

/* Adds the scores of one head to y (P,P); its row sums become `sums`. */
static inline void REAL(add_head)(const REAL(head_weights) * head, real coefficient, real *sums,
                                  real *y)
{
    const int64_t chosen = head->chosen;
    real total = 0;
    for (int64_t p = 0; p < chosen; p++) {
        for (int64_t q = 0; q < chosen; q++) sums[p] += REAL(symmetric)(head, p, q);
        total += sums[p];
    }
    if (total == 0) return;
    for (int64_t p = 0; p < chosen; p++)
        for (int64_t q = 0; q < chosen; q++)
            y[p * chosen + q] += coefficient *
                                 (REAL(symmetric)(head, p, q) - sums[p] * sums[q] / total);
}

void REAL(heed_pair_scores_reference)(const heed_kernel_args *args)
{
    const heed_operand *weights = &args->in[0], *y = &args->out[0], *sums = &args->out[1];
    const int64_t heads = weights->shape.dim[1], tokens = weights->shape.dim[2];
    REAL(clear)(y);
    REAL(clear)(sums);
    for (int64_t b = 0; b < y->shape.dim[0]; b++)
        for (int64_t h = 0; h < heads; h++) {
            const REAL(head_weights) head = {
                .weights = REAL(row)(weights, b) + h * tokens * tokens,
                .choice = REAL(integers)(&args->in[1], b),
                .tokens = tokens,
                .chosen = y->shape.dim[1],
            };
            const real coefficient = *REAL(row)(&args->in[2], h);
            real *own_sums = REAL(row)(sums, b) + h * head.chosen;
            REAL(add_head)(&head, coefficient, own_sums, REAL(row)(y, b));
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_shape weights = infer->shape[0], choice = infer->shape[1], factors = infer->shape[2];
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32 || infer->dtype[2] != HEED_F32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "weights of f32, a choice of i32, coefficients of f32");
    if (weights.rank != 4 || weights.dim[2] != weights.dim[3])
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "weights (B,H,T,T)");
    if (choice.rank != 2 || !heed_same_rows(weights, choice))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a choice (B,P) for the sequences");
    if (factors.rank != 1 || factors.extent != HEED_EXTENT_FIXED ||
        factors.dim[0] != weights.dim[1])
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "coefficients (H), fixed");
    infer->out_shape[0] = heed_shape_of(3,
                                        (int64_t[]){choice.dim[0], choice.dim[1], choice.dim[1]});
    infer->out_shape[1] = heed_shape_2(choice.dim[0], weights.dim[1] * choice.dim[1]);
    infer->out_shape[0].extent = infer->out_shape[1].extent = choice.extent;
    if (heed_shape_is_valid(infer->out_shape[0]) && heed_shape_is_valid(infer->out_shape[1]))
        return HEED_OK;
    return heed_infer_fail(infer, error, HEED_E_SHAPE, "scores that can be counted");
}

heed_value heed_pair_scores(heed_graph *graph, heed_value weights, heed_value choice,
                            heed_value coefficients)
{
    heed_value out[2] = {HEED_NONE, HEED_NONE};
    return heed_emit(graph, HEED_OP_PAIR_SCORES, (heed_value[]){weights, choice, coefficients}, 3,
                     NULL, out);
}

const heed_op heed_op_pair_scores = {
    .name = "pair_scores",
    .in_min = 3,
    .in_max = 3,
    .n_out = 2,
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .no_gradient = "attention weights have no gradient, so scores of pairs are not trained",
    HEED_REFERENCES(pair_scores),
};
#endif
