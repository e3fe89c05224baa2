/* broadcast.h: the four ways in which a smaller operand fits a larger one, for `binary` and
   `broadcast`. */
#ifndef HEED_OP_BROADCAST_H
#define HEED_OP_BROADCAST_H

#include "op/reference.h"

typedef enum heed_broadcast_kind {
    HEED_BROADCAST_MISFIT,
    HEED_BROADCAST_SAME,  /* equal shapes */
    HEED_BROADCAST_ONE,   /* one element, fixed, of any rank */
    HEED_BROADCAST_ROW,   /* (D) against (...,D) */
    HEED_BROADCAST_COLUMN /* (...,1) against (...,D) */
} heed_broadcast_kind;

/* How `from` fits `to`. The answer is the same for maximal and for live shapes. */
static inline heed_broadcast_kind heed_broadcast_of(heed_shape from, heed_shape to)
{
    if (heed_shape_equal(from, to)) return HEED_BROADCAST_SAME;
    bool fixed = from.extent == HEED_EXTENT_FIXED;
    if (fixed && heed_shape_elements(from) == 1) return HEED_BROADCAST_ONE;
    if (to.rank >= 2 && from.rank == 1)
        return fixed && from.dim[0] == to.dim[to.rank - 1] ? HEED_BROADCAST_ROW
                                                           : HEED_BROADCAST_MISFIT;
    if (from.rank < 2 || from.rank != to.rank || from.dim[from.rank - 1] != 1)
        return HEED_BROADCAST_MISFIT;
    from.dim[from.rank - 1] = to.dim[to.rank - 1];
    return heed_shape_equal(from, to) ? HEED_BROADCAST_COLUMN : HEED_BROADCAST_MISFIT;
}

/* The element of `from` that is combined with element (i, column j) of a value whose last axis is
   `width` long. */
static inline real REAL(broadcast_at)(const heed_operand *from, heed_broadcast_kind kind, int64_t i,
                                      int64_t j, int64_t width)
{
    switch (kind) {
    case HEED_BROADCAST_ONE: return *(const real *)from->data;
    case HEED_BROADCAST_ROW: return *REAL(row)(from, j % width);
    case HEED_BROADCAST_COLUMN: return REAL(row)(from, i)[j / width];
    default: return REAL(row)(from, i)[j];
    }
}

/* Sums dy over the axes along which a value of shape `target` was repeated: the gradient of that
   value. */
heed_value heed_reduce_to(heed_graph *graph, heed_value dy, heed_shape target);

#endif
