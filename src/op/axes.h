/* axes.h: a shape as three extents around one axis, for reductions. */
#ifndef HEED_OP_AXES_H
#define HEED_OP_AXES_H

#include <heed/graph.h>

/* x as (outer, count, inner): element (o, k, i) is flat element (o * count + k) * inner + i. */
typedef struct heed_axes {
    int64_t outer, count, inner;
} heed_axes;

static inline heed_axes heed_axes_around(heed_shape shape, int axis)
{
    heed_axes axes = {1, shape.rank ? shape.dim[axis] : 1, 1};
    for (int i = 0; i < axis; i++) axes.outer *= shape.dim[i];
    for (int i = axis + 1; i < shape.rank; i++) axes.inner *= shape.dim[i];
    return axes;
}

#endif
