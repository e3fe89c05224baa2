/* attention_backward_operands.h: scratch memory of attention backward, and what of one head is
   prepared once for all tiles of keys: q and dy as operands, D = y.dy. */
#ifndef HEED_CPU_KERNEL_ATTENTION_BACKWARD_OPERANDS_H
#define HEED_CPU_KERNEL_ATTENTION_BACKWARD_OPERANDS_H

#include "cpu/kernel/attention_pack.h"

enum { BLOCK_ROWS = 96, KEYS_AT_ONCE = 12, TOGETHER = 8 };

typedef struct backward_scratch {
    float *key_columns, *value_columns;        /* (E,64) */
    float *key_rows, *dkeys, *dvalues, *spare; /* (64,P) */
    /* (rows,P): q or dy as floats; dy as the matmuls see it */
    float *rows, *dy_bf16;
    /* (rows of the head,packed): q, dy; left operands, unless they are used in place */
    float *queries, *dy;
    /* (rows of the head,P): q, dy; right operands of sums over queries */
    float *query_groups, *dy_groups;
    float *weights, *dscores; /* (rows,64): p f, ds scale */
    /* (rows,64): the same, transposed left operands of sums over queries */
    float *weight_groups, *dscore_groups;
    /* (ROWS_AT_ONCE,64): the same, left operand of a sum over keys */
    float *dscore_rows;
    float *inner;   /* (rows of the head): D */
    float *lse;     /* (rows) */
    float *dq_rows; /* (ROWS_AT_ONCE,P) */
    uint64_t *seen; /* (rows) */
} backward_scratch;

/* q and dy are operands where they lie: evenly spaced whole vectors of floats. */
static inline bool in_place(const problem *p)
{
    return !p->bf16 && p->group == 1 && p->padded == p->width;
}

/* Cuts `memory` (NULL: only measures) and returns the bytes. */
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

typedef struct backward_head {
    const problem *p;
    const query_sequence *s;
    backward_scratch *scratch;
    key_tile tile;
    view keys;                    /* of the tile, right operand of a sum over keys */
    view queries, dy;             /* of the head: q and dy, left operands */
    view query_groups, dy_groups; /* the same, right operands */
    int64_t number;               /* of the tile */
    int kv_head;
    bool fresh; /* nothing was added to dkeys and dvalues of this tile */
    bool add;   /* dk and dv are added to: sequences share keys */
} backward_head;

static inline int64_t query_row(const backward_head *u, int64_t row)
{
    return u->s->of.query_start + row / u->p->group;
}

static inline int64_t query_column(const backward_head *u, int64_t row)
{
    return (u->kv_head * u->p->group + row % u->p->group) * u->p->width;
}

/* D = y.dy of a few rows, each summed over the channels in one accumulator as dy.v is: rounding
   then treats both alike, and a row that sees a single key, whose y is that key's v, gets a
   gradient of exactly 0. Rows side by side hide the latency of the accumulators. */
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

/* D of rows [first, first + rows), with dy as the matmuls see it. */
static inline void find_inner(const backward_head *u, int64_t first, int64_t rows)
{
    const problem *p = u->p;
    const heed_operand *y = &p->args->in[HEED_ATTENTION_Y];
    const pair_rows pairs = {u->s, u->kv_head, first, rows};
    view dy = query_rows(p, &p->args->in[HEED_ATTENTION_DY], &pairs, true, u->scratch->rows);
    if (p->bf16) {
        const heed_gemm_rows floats = {dy.data, HEED_GEMM_F32, dy.stride};
        p->kernels->bf16.pack_n(u->scratch->dy_bf16, (int)p->padded, floats, rows, (int)p->width);
        dy = (view){u->scratch->dy_bf16, p->padded};
    }
    for (int64_t r = 0; r < rows; r += TOGETHER) {
        int count = (int)(rows - r < TOGETHER ? rows - r : TOGETHER);
        const float *y_row[TOGETHER], *dy_row[TOGETHER];
        for (int i = 0; i < count; i++) {
            int64_t row = first + r + i;
            y_row[i] = float_row(y, query_row(u, row)) + query_column(u, row);
            dy_row[i] = dy.data + (r + i) * dy.stride;
        }
        inner_products(y_row, dy_row, count, p->width, u->scratch->inner + first + r);
    }
}

/* Rows as the left and as the right operand of matmuls. */
typedef struct {
    view left, right;
} operand_pair;

/* All rows of the head's q or dy as operands, once for all tiles of keys: 96 rows at a time, while
   their floats are at hand. */
static inline operand_pair load_operands(const backward_head *u, const heed_operand *x,
                                         int64_t rows, float *left_room, float *right_room)
{
    const problem *p = u->p;
    pair_rows pairs = {u->s, u->kv_head, 0, rows};
    if (in_place(p)) {
        const view all = query_rows(p, x, &pairs, true, NULL);
        return (operand_pair){all, all};
    }
    const view left = {left_room, p->packed}, right = {right_room, p->padded};
    for (int64_t first = 0; first < rows; first += BLOCK_ROWS) {
        const int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        pairs.first = first;
        pairs.count = count;
        const view floats = query_rows(p, x, &pairs, true,
                                       p->bf16 ? u->scratch->rows : left_room + first * p->packed);
        if (!p->bf16) continue;
        packed_rows(p, floats, count, left_room + first * p->packed);
        pack_rows(p, (heed_gemm_rows){floats.data, HEED_GEMM_F32, floats.stride}, count,
                  right_room + first / p->k_group * p->padded);
    }
    return (operand_pair){left, p->bf16 ? right : left};
}

/* Rows [first, ...) of a right operand. */
static inline view groups_from(const problem *p, view groups, int64_t first)
{
    return (view){groups.data + first / p->k_group * groups.stride, groups.stride};
}

static inline void load_lse(const backward_head *u, int64_t first, int64_t rows)
{
    const problem *p = u->p;
    const heed_operand *lse = &p->args->in[HEED_ATTENTION_LSE];
    for (int64_t r = 0; r < rows; r++)
        u->scratch->lse[r] = float_row(
            lse, query_row(u, first + r))[u->kv_head * p->group + (first + r) % p->group];
}

#endif
