/* attention.h: what attention forward and backward share: the problem, and its sequences.

   Work is cut into query blocks. A query block is a run of queries of one sequence under the query
   heads of one key/value head (a "group" of heads, as in grouped-query attention). Its rows are
   (query, head of the group) pairs, so that all heads of the group share one packed copy of keys
   and values:

      group = 2, queries 5 and 6      row 0: query 5, head 2h      row 2: query 6, head 2h
      under key/value head h          row 1: query 5, head 2h + 1  row 3: query 6, head 2h + 1

   Keys are taken a tile of 64 at a time, rows a row block of 12 at a time. The steps stand in files
   of their own:
   - attention_tiles.h: which keys a tile has, and which of them a query sees;
   - attention_pack.h: how rows of q, k, v and dy are packed and multiplied;
   - attention_scores.h: from q.k to scores, and from scores to softmax weights. */
#ifndef HEED_CPU_KERNEL_ATTENTION_H
#define HEED_CPU_KERNEL_ATTENTION_H

#include "cpu/gemm/kernels.h"
#include "cpu/kernel/kernel.h"
#include "op/sequence.h"

enum {
    /* keys of a tile: one page of the cache */
    TILE = HEED_PAGE_POSITIONS,
    TILE_VECTORS = TILE / HEED_LANES,
    ROWS_AT_ONCE = 12 /* rows of a row block: their scores are computed together */
};

/* What the arguments of an attention kernel ask for, in the words of this folder. */
typedef struct problem {
    const heed_kernel_args *args;
    const heed_attention_attributes *attributes;
    const heed_gemm_kernels *kernels;
    const heed_gemm_tiles *tiles; /* register tiles of the matmuls */
    heed_gemm_packers packers;    /* how the operands of the matmuls are packed */
    int k_group;                  /* values of k in one packed element: 1 or 2 */
    bool bf16;                    /* the matmuls round their operands to bf16 */
    const heed_operand *q, *k, *v, *sequences, *query_index, *key_index, *page_table;
    const float *slopes; /* ALiBi's per-head slopes; NULL if the model does not use ALiBi */
    bool biased;         /* scores need a bias, a soft cap or a scale that is not positive */
    int group;           /* query heads that share a key/value head */
    /* width of a head; the same rounded up to whole vectors (P), for any instruction set */
    int64_t width, padded;
    int64_t packed; /* elements of a packed row of a head, rounded up to whole vectors */
} problem;

/* One sequence of the batch: its number, and its rows of queries and keys. */
typedef struct query_sequence {
    int64_t number;
    heed_sequence of;
} query_sequence;

/* The problem that the arguments of an attention kernel describe. */
static inline problem problem_of(const heed_kernel_args *args)
{
    const heed_attention_attributes *attributes = args->attributes;
    const heed_operand *slopes = heed_optional(args, HEED_ATTENTION_SLOPES);
    const heed_gemm_kernels *kernels = heed_gemm_kernels_for(args->isa);
    const heed_gemm_pair_kernels *pairs = attributes->bf16_operands
                                              ? heed_gemm_pair_kernels_for(args->isa)
                                              : NULL;
    problem p = {.slopes = slopes ? slopes->data : NULL,
                 .biased = slopes || attributes->soft_cap > 0 || !(attributes->scale > 0),
                 .args = args,
                 .attributes = attributes,
                 .kernels = kernels,
                 .tiles = &kernels->tile[HEED_GEMM_F32],
                 .packers = kernels->floats,
                 .k_group = 1,
                 .bf16 = attributes->bf16_operands,
                 .q = &args->in[HEED_ATTENTION_Q],
                 .k = &args->in[HEED_ATTENTION_K],
                 .v = &args->in[HEED_ATTENTION_V],
                 .sequences = &args->in[HEED_ATTENTION_SEQUENCES],
                 .query_index = heed_optional(args, HEED_ATTENTION_QUERY_INDEX),
                 .key_index = heed_optional(args, HEED_ATTENTION_KEY_INDEX),
                 .page_table = heed_optional(args, HEED_ATTENTION_PAGE_TABLE),
                 .group = attributes->heads / attributes->kv_heads,
                 .width = attributes->head_width,
                 .padded = heed_align_floats(attributes->head_width)};
    if (p.bf16) p.packers = kernels->bf16;
    if (pairs) {
        p.tiles = &pairs->tile;
        p.packers = pairs->pairs;
        p.k_group = 2;
    }
    p.packed = heed_align_floats((p.width + p.k_group - 1) / p.k_group);
    return p;
}

/* A run prepares the problem once for all parts. Functions that are asked when the plan is made
   call problem_of. */
static inline size_t problem_prepared(const heed_kernel_args *args)
{
    (void)args;
    return sizeof(problem);
}

static inline void problem_prepare(const heed_kernel_args *args)
{
    problem *p = args->prepared;
    *p = problem_of(args);
}

static inline const problem *prepared_problem(const heed_kernel_args *args)
{
    return args->prepared;
}

/* The number of packed elements that hold `depth` values of k. */
static inline int64_t k_groups_of(const problem *p, int64_t depth)
{
    return (depth + p->k_group - 1) / p->k_group;
}

/* Sequence `number` as the sequence table describes it. */
static inline query_sequence sequence_at(const problem *p, int64_t number)
{
    return (query_sequence){number,
                            heed_sequence_of(p->sequences, number, heed_shape_rows(p->q->shape),
                                             heed_shape_rows(p->k->shape), p->page_table)};
}

/* The mask index of query i of the sequence. */
static inline int64_t query_index_at(const problem *p, const query_sequence *s, int64_t i)
{
    return p->query_index ? integer_at(p->query_index, s->of.query_start + i)
                          : s->of.first_index + i;
}

/* Do the sequences cover rows [0, rows) one after another, without gap or overlap? `field` is the
   column of the sequence table that holds the start; the next column holds the length. */
static inline bool covers(const problem *p, int field, int64_t rows)
{
    int64_t next = 0;
    for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape); b++) {
        const int32_t *table = (const int32_t *)p->sequences->data + b * p->sequences->row_stride;
        if (table[field + 1] == 0) continue;
        if (table[field] != next) return false;
        next += table[field + 1];
    }
    return next == rows;
}

/* Writes zeros into the rows of x that no sequence covers. */
static inline void clear_uncovered(const problem *p, int field, const heed_operand *x)
{
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++) {
        bool covered = false;
        for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape) && !covered; b++) {
            const int32_t *table = (const int32_t *)p->sequences->data +
                                   b * p->sequences->row_stride;
            covered = i >= table[field] && i < (int64_t)table[field] + table[field + 1];
        }
        for (int64_t j = 0; j < columns && !covered; j++) float_row(x, i)[j] = 0;
    }
}

#endif
