/* expert.h: slots, the rows that experts work on.
   N rows choose J of X experts each, which makes N * J pairs: pair p is choice number p % J of row
   p / J. A slot is a pair in the order of experts: slots of expert 0 first, then of expert 1, and
   so on; those of one expert in the order of their pairs. Values by slot are (N,J,D): slot s stands
   in row s / J at s % J. */
#ifndef HEED_OP_EXPERT_H
#define HEED_OP_EXPERT_H

#include "op/check.h"
#include "op/reference.h"

/* The number of live slots, or pairs, of a value (N,J,...). */
static inline int64_t heed_slot_count(const heed_operand *x)
{
    return x->shape.dim[0] * x->shape.dim[1];
}

static inline real *REAL(slot)(const heed_operand *x, int64_t s)
{
    int64_t J = x->shape.dim[1];
    return REAL(row)(x, s / J) + s % J * x->shape.dim[2];
}

/* The address of number s of an integer table (N,J). */
static inline int32_t *heed_slot_index(const heed_operand *table, int64_t s)
{
    int64_t J = table->shape.dim[1];
    return (int32_t *)table->data + s / J * table->row_stride + s % J;
}

/* The address of the number of pair p in a table (N,J) of reals. */
static inline real *REAL(pair)(const heed_operand *table, int64_t p)
{
    int64_t J = table->shape.dim[1];
    return REAL(row)(table, p / J) + p % J;
}

/* The slots [*begin, *end) of an expert, limited to those that exist. */
static inline void heed_expert_range(const heed_operand *offsets, int64_t expert, int64_t slots,
                                     int64_t *begin, int64_t *end)
{
    const int32_t *at = (const int32_t *)offsets->data + expert * offsets->row_stride;
    int64_t first = at[0] < 0 ? 0 : at[0], last = at[offsets->row_stride];
    *begin = first > slots ? slots : first;
    if (last < *begin) last = *begin;
    *end = last > slots ? slots : last;
}

#if !HEED_REAL_DOUBLE
/* Is the input a table (N,J) with J >= 1? */
static inline bool heed_is_pairs(const heed_infer *infer, int input, heed_dtype dtype)
{
    heed_shape shape = infer->shape[input];
    return infer->dtype[input] == dtype && shape.rank == 2 && shape.dim[1] >= 1;
}

/* Is x a value (N,J,D) over the same rows and choices as a table (N,J)? */
static inline bool heed_is_slots(heed_shape x, heed_shape pairs)
{
    return x.rank == 3 && heed_same_rows(x, pairs) && x.dim[1] == pairs.dim[1];
}

static inline heed_shape heed_slots_shape(heed_shape rows, int64_t choices, int64_t columns)
{
    heed_shape shape = heed_shape_of(3, (int64_t[]){rows.dim[0], choices, columns});
    shape.extent = rows.extent;
    return shape;
}
#endif

#endif
