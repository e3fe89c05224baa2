/* attention.h: which keys a query sees, where a key lies, and how a score is computed. Attention
   and its gradient share it, and faster kernels follow it. */
#ifndef HEED_OP_ATTENTION_H
#define HEED_OP_ATTENTION_H

#include "op/random.h"
#include "op/reference.h"
#include "op/sequence.h"
#include "tensor/scaled_rows.h"

/* One sequence of a step of attention, with what all sequences of the step share. */
typedef struct heed_attention_sequence {
    const heed_attention_attributes *attributes;
    /* NULL if absent */
    const heed_operand *query_index, *key_index, *page_table, *slopes, *sinks;
    heed_sequence fields; /* its row of the sequence table */
    int64_t key_rows;     /* rows of k and v */
} heed_attention_sequence;

static inline heed_attention_sequence heed_attention_sequence_of(const heed_kernel_args *args,
                                                                 int64_t b)
{
    heed_attention_sequence sequence = {
        .attributes = args->attributes,
        .query_index = heed_optional(args, HEED_ATTENTION_QUERY_INDEX),
        .key_index = heed_optional(args, HEED_ATTENTION_KEY_INDEX),
        .page_table = heed_optional(args, HEED_ATTENTION_PAGE_TABLE),
        .slopes = heed_optional(args, HEED_ATTENTION_SLOPES),
        .sinks = heed_optional(args, HEED_ATTENTION_SINKS),
        .key_rows = args->in[HEED_ATTENTION_K].shape.dim[0],
    };
    sequence.fields = heed_sequence_of(&args->in[HEED_ATTENTION_SEQUENCES], b,
                                       args->in[HEED_ATTENTION_Q].shape.dim[0], sequence.key_rows,
                                       sequence.page_table);
    return sequence;
}

/* The row of k and v in which key j of the sequence lies; -1 if the page table leads outside of
   them. */
static inline int64_t heed_attention_key_row(const heed_attention_sequence *sequence, int64_t j)
{
    const heed_operand *table = sequence->page_table;
    if (!table) return sequence->fields.key_start + j;
    int64_t at = sequence->fields.table_row, page = j / HEED_PAGE_POSITIONS;
    if (at < 0 || at >= table->shape.dim[0] || page >= table->shape.dim[1]) return -1;
    int64_t row = (int64_t)((const int32_t *)table->data)[at * table->row_stride + page] *
                      HEED_PAGE_POSITIONS +
                  j % HEED_PAGE_POSITIONS;
    return row >= 0 && row < sequence->key_rows ? row : -1;
}

/* The mask index of query i, and of key j, which lies in row `row`. */
static inline int64_t heed_attention_query_at(const heed_attention_sequence *sequence, int64_t i)
{
    const heed_operand *queries = sequence->query_index;
    return queries ? ((const int32_t *)
                          queries->data)[(sequence->fields.query_start + i) * queries->row_stride]
                   : sequence->fields.first_index + i;
}

static inline int64_t heed_attention_key_at(const heed_attention_sequence *sequence, int64_t j,
                                            int64_t row)
{
    const heed_operand *keys = sequence->key_index;
    return keys ? ((const int32_t *)keys->data)[row * keys->row_stride] : j;
}

/* The row of key j if query i (both counted within the sequence) sees it, else -1. */
static inline int64_t heed_attention_visible_row(const heed_attention_sequence *sequence, int64_t i,
                                                 int64_t j)
{
    const heed_attention_attributes *attributes = sequence->attributes;
    int64_t row = heed_attention_key_row(sequence, j);
    if (row < 0) return -1;
    int64_t key = heed_attention_key_at(sequence, j, row),
            distance = heed_attention_query_at(sequence, i) - key;
    if (sequence->key_index && key < 0) return -1;
    if (attributes->causal && distance < 0) return -1;
    if (attributes->window > 0 &&
        (distance >= attributes->window || -distance >= attributes->window))
        return -1;
    return row;
}

/* Does query i see no key, so that with masked_mean it attends to all of them alike? */
static inline bool heed_attention_is_fully_masked(const heed_attention_sequence *sequence,
                                                  int64_t i)
{
    for (int64_t j = 0; sequence->attributes->masked_mean && j < sequence->fields.keys; j++)
        if (heed_attention_visible_row(sequence, i, j) >= 0) return false;
    return sequence->attributes->masked_mean;
}

/* Element e of key/value head `head` in a row of k or v: f32, or kept in a cache as f16, bf16 or in
   scaled bytes. */
static inline real REAL(heed_attention_key_element)(const heed_attention_attributes *attributes,
                                                    const heed_operand *x, int64_t row,
                                                    int64_t head, int64_t e)
{
    int64_t width = attributes->head_width, at = row * x->row_stride;
    if (x->dtype == HEED_F16)
        return heed_f16_to_f32(((const uint16_t *)x->data)[at + head * width + e]);
    if (x->dtype == HEED_BF16)
        return heed_bf16_to_f32(((const uint16_t *)x->data)[at + head * width + e]);
    if (x->dtype != HEED_I8) return ((const real *)x->data)[at + head * width + e];
    const int8_t *bytes = (const int8_t *)x->data + at;
    return heed_scaled_run_scale(bytes, attributes->kv_heads, width, head) *
           (float)bytes[head * width + e];
}

/* scale * q.k, with products added in ascending order, then the soft cap: cap * tanh(score /
   cap). */
static inline real REAL(heed_attention_score)(const heed_attention_attributes *attributes,
                                              const real *q, const heed_operand *k, int64_t row,
                                              int64_t head)
{
    real sum = 0, cap = (real)attributes->soft_cap;
    for (int64_t e = 0; e < attributes->head_width; e++)
        sum = R(fma)(REAL(operand)(q[e], attributes->bf16_operands),
                     REAL(operand)(REAL(heed_attention_key_element)(attributes, k, row, head, e),
                                   attributes->bf16_operands),
                     sum);
    sum *= (real)attributes->scale;
    return cap > 0 ? cap * R(tanh)(sum / cap) : sum;
}

/* ALiBi: what is added to the score of query i and key j of a head: scale * slope * distance, or
   with alibi_bf16 scale times the difference of two products that are rounded to bf16. */
static inline real REAL(heed_attention_bias)(const heed_attention_sequence *sequence, int64_t head,
                                             int64_t i, int64_t j, int64_t row)
{
    if (!sequence->slopes) return 0;
    real slope = *REAL(row)(sequence->slopes, head),
         scale = (real)sequence->attributes->alibi_scale;
    int64_t query = heed_attention_query_at(sequence, i),
            key = heed_attention_key_at(sequence, j, row);
    if (!sequence->attributes->alibi_bf16) return scale * slope * (real)(key - query);
    return scale *
           (real)(heed_alibi_product((float)slope, key) - heed_alibi_product((float)slope, query));
}

/* What dropout multiplies the weights of one query and head by: 0 or 1 / (1 - rate). Keys are asked
   for in ascending order. */
typedef struct {
    heed_random_row row;
    uint32_t threshold, words[4];
    real kept;
    bool active;
} REAL(heed_attention_dropout);

static inline REAL(heed_attention_dropout)
    REAL(heed_attention_dropout_of)(const heed_kernel_args *args,
                                    const heed_attention_sequence *sequence, int64_t head,
                                    int64_t i)
{
    const heed_attention_attributes *attributes = sequence->attributes;
    REAL(heed_attention_dropout) dropout = {.active = attributes->dropout > 0, .kept = 1};
    if (!dropout.active) return dropout;
    dropout.row = heed_random_row_of(args->runtime, attributes->stream, (int)head,
                                     sequence->fields.sample,
                                     (int32_t)(sequence->fields.first_index + i));
    dropout.threshold = heed_dropout_threshold(attributes->dropout);
    dropout.kept = 1 / (1 - (real)attributes->dropout);
    return dropout;
}

static inline real REAL(heed_attention_dropout_at)(REAL(heed_attention_dropout) * dropout,
                                                   int64_t j)
{
    if (!dropout->active) return 1;
    return heed_dropout_keeps(&dropout->row, dropout->threshold, j, dropout->words) ? dropout->kept
                                                                                    : 0;
}

#endif
