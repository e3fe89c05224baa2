/* attention_backward_operands.h: the scratch memory of attention backward, and what is prepared
   once for all tiles of keys of one head: q and dy as operands, and D = y.dy. */
#ifndef HEED_CPU_KERNEL_ATTENTION_BACKWARD_OPERANDS_H
#define HEED_CPU_KERNEL_ATTENTION_BACKWARD_OPERANDS_H

#include "cpu/kernel/attention_pack.h"

/* Rows of a row block of this kernel; keys whose dk and dv are computed together; rows whose D is
   computed together. */
enum { BLOCK_ROWS = 96, KEYS_AT_ONCE = 12, TOGETHER = 8 };

/* A thread's scratch memory. (rows) are those of one block of 96, unless it says more. */
typedef struct backward_scratch {
    /* (E,64): k and v, right operands of sums over channels */
    float *key_columns, *value_columns;
    /* (64,P): k, right operand of sums over keys; dk and dv of the tile; gathered rows */
    float *key_rows, *dkeys, *dvalues, *spare;
    /* (rows,P): q or dy as floats; dy rounded to bf16, as the matmuls see it */
    float *rows, *dy_bf16;
    /* (rows of the head,packed): q and dy, left operands; unused if they are read in place */
    float *queries, *dy;
    /* (rows of the head,P): q and dy, right operands of sums over queries */
    float *query_groups, *dy_groups;
    float *weights, *dscores; /* (rows,64): q.k, then p f; dy.v, then ds */
    /* (rows,64): p f and ds, packed as transposed left operands of sums over queries */
    float *weight_groups, *dscore_groups;
    /* (ROWS_AT_ONCE,64): ds, packed as left operand of the sum over keys */
    float *dscore_rows;
    float *inner;   /* D of every row of the head */
    float *lse;     /* lse of the rows */
    float *dq_rows; /* (ROWS_AT_ONCE,P): what a row block adds to dq */
    uint64_t *seen; /* the keys of the tile that each of the rows sees, as bits */
} backward_scratch;

/* Can q and dy be operands where they lie? They can if they are floats whose rows are evenly spaced
   and made of whole vectors. */
static inline bool in_place(const problem *p)
{
    return !p->bf16 && p->group == 1 && p->padded == p->width;
}

/* Divides `memory` among the fields of s and returns the bytes that this takes. With memory = NULL
   it only counts them. */
static inline size_t backward_layout(const problem *p, char *memory, backward_scratch *s)
{
    const int64_t padded = p->padded, columns = p->width * TILE;
    const int64_t keys = padded * TILE, rows = padded * BLOCK_ROWS;
    const int64_t square = BLOCK_ROWS * TILE;
    const int64_t all = (heed_shape_rows(p->q->shape) * p->group + BLOCK_ROWS - 1) / BLOCK_ROWS *
                        BLOCK_ROWS;
    const int64_t left = in_place(p) ? 0 : all * p->packed;
    const int64_t right = p->bf16 ? k_groups_of(p, all) * padded : 0;
    const int64_t rounded_rows = p->bf16 ? rows : 0;
    const struct {
        float **place;
        int64_t count;
    } pieces[] = {
        {&s->key_columns, columns},
        {&s->value_columns, columns},
        {&s->key_rows, keys},
        {&s->dkeys, keys},
        {&s->dvalues, keys},
        {&s->spare, keys},
        {&s->rows, rows},
        {&s->dy_bf16, rounded_rows},
        {&s->queries, left},
        {&s->dy, left},
        {&s->query_groups, right},
        {&s->dy_groups, right},
        {&s->weights, square},
        {&s->dscores, square},
        {&s->weight_groups, square},
        {&s->dscore_groups, square},
        {&s->dscore_rows, ROWS_AT_ONCE * TILE},
        {&s->inner, all + TOGETHER},
        {&s->lse, BLOCK_ROWS},
        {&s->dq_rows, ROWS_AT_ONCE * padded},
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++, at = heed_align(at)) {
        if (memory) *pieces[i].place = (float *)(memory + at);
        at += (size_t)pieces[i].count * sizeof(float);
    }
    if (memory) s->seen = (uint64_t *)(memory + at);
    return at + BLOCK_ROWS * sizeof(uint64_t);
}

/* One sequence and one key/value head: what a part works on at a time. */
typedef struct backward_head {
    const problem *p;
    const query_sequence *s;
    backward_scratch *scratch;
    key_tile tile;
    strided_rows keys;                    /* k of the tile, right operand of the sum over keys */
    strided_rows queries, dy;             /* q and dy of the head, left operands */
    strided_rows query_groups, dy_groups; /* q and dy of the head, right operands */
    int64_t number;                       /* the number of the tile in the sequence */
    int kv_head;
    bool fresh; /* nothing was added to dkeys and dvalues of this tile yet */
    bool add;   /* dk and dv are added to what stands there: sequences share keys */
} backward_head;

/* The row of q, y, dy and dq where the query of `row` stands. */
static inline int64_t query_row(const backward_head *head, int64_t row)
{
    return head->s->of.query_start + row / head->p->group;
}

/* The column of q, y, dy and dq where the head of `row` begins. */
static inline int64_t query_column(const backward_head *head, int64_t row)
{
    return (head->kv_head * head->p->group + row % head->p->group) * head->p->width;
}

/* sums[i] = a[i].b[i] for a few rows, over the channels in one accumulator each, ascending, as dy.v
   is summed. A row that sees a single key has that key's v as its y, so D and dy.v are then equal
   to the bit and its gradient is exactly 0. Several rows are summed side by side, because additions
   to one accumulator wait for each other. */
static inline void inner_products(const float *const *a, const float *const *b, int rows,
                                  int64_t width, float *sums)
{
    float sum[TOGETHER] = {0};
    if (rows == TOGETHER)
        for (int64_t e = 0; e < width; e++)
            for (int i = 0; i < TOGETHER; i++) sum[i] = fmaf(a[i][e], b[i][e], sum[i]);
    else
        for (int i = 0; i < rows; i++)
            for (int64_t e = 0; e < width; e++) sum[i] = fmaf(a[i][e], b[i][e], sum[i]);
    for (int i = 0; i < rows; i++) sums[i] = sum[i];
}

/* D of rows [first, first + rows). dy is what the matmuls see: rounded if operands are bf16. */
static inline void find_inner(const backward_head *head, int64_t first, int64_t rows)
{
    const problem *p = head->p;
    const heed_operand *y = &p->args->in[HEED_ATTENTION_Y];
    const pair_rows pairs = {head->s, head->kv_head, first, rows};
    strided_rows dy = query_rows(p, &p->args->in[HEED_ATTENTION_DY], &pairs, true,
                                 head->scratch->rows);
    if (p->bf16) {
        const heed_gemm_rows floats = {dy.data, HEED_GEMM_F32, dy.stride};
        p->kernels->bf16.pack_n(head->scratch->dy_bf16, (int)p->padded, floats, rows,
                                (int)p->width);
        dy = (strided_rows){head->scratch->dy_bf16, p->padded};
    }
    for (int64_t r = 0; r < rows; r += TOGETHER) {
        int count = (int)(rows - r < TOGETHER ? rows - r : TOGETHER);
        const float *y_row[TOGETHER], *dy_row[TOGETHER];
        for (int i = 0; i < count; i++) {
            int64_t row = first + r + i;
            y_row[i] = float_row(y, query_row(head, row)) + query_column(head, row);
            dy_row[i] = dy.data + (r + i) * dy.stride;
        }
        inner_products(y_row, dy_row, count, p->width, head->scratch->inner + first + r);
    }
}

/* Rows as the left operand of some matmuls and the right operand of others. */
typedef struct {
    strided_rows left, right;
} operand_pair;

/* All rows of q or dy of the head as operands of both kinds, once for all tiles of keys. They are
   packed 96 rows at a time, while their floats are in the cache. */
static inline operand_pair load_operands(const backward_head *head, const heed_operand *x,
                                         int64_t rows, float *left_room, float *right_room)
{
    const problem *p = head->p;
    pair_rows pairs = {head->s, head->kv_head, 0, rows};
    if (in_place(p)) {
        const strided_rows all = query_rows(p, x, &pairs, true, NULL);
        return (operand_pair){all, all};
    }
    const strided_rows left = {left_room, p->packed}, right = {right_room, p->padded};
    for (int64_t first = 0; first < rows; first += BLOCK_ROWS) {
        const int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        pairs.first = first;
        pairs.count = count;
        const strided_rows floats = query_rows(
            p, x, &pairs, true, p->bf16 ? head->scratch->rows : left_room + first * p->packed);
        if (!p->bf16) continue;
        packed_rows(p, floats, count, left_room + first * p->packed);
        pack_rows(p, (heed_gemm_rows){floats.data, HEED_GEMM_F32, floats.stride}, count,
                  right_room + first / p->k_group * p->padded);
    }
    return (operand_pair){left, p->bf16 ? right : left};
}

/* The rows of a right operand from `first` on, which is a multiple of a k_group. */
static inline strided_rows groups_from(const problem *p, strided_rows groups, int64_t first)
{
    return (strided_rows){groups.data + first / p->k_group * groups.stride, groups.stride};
}

/* Gathers lse of rows [first, first + rows). */
static inline void load_lse(const backward_head *head, int64_t first, int64_t rows)
{
    const problem *p = head->p;
    const heed_operand *lse = &p->args->in[HEED_ATTENTION_LSE];
    for (int64_t r = 0; r < rows; r++)
        head->scratch->lse[r] = float_row(
            lse, query_row(head, first + r))[head->kv_head * p->group + (first + r) % p->group];
}

#endif
