/* Ops that write persistent memory and yield its next version. The planner lets the result share
   the state's memory; where it does not, the old contents are copied first.

   accumulate
   Formula:  y = state + x
   Inputs:   state, x f32 of one shape
   Output:   y f32 of that shape
   Gradient: none: it writes memory that outlives the run

   cache_write
   Formula:  y = cache, then row slots[i] = x[i]. Slots outside the cache are skipped, others differ
             from each other (of rows with one slot the last one wins here, any one in a plan that
             writes tile by tile).
   Inputs:   cache (rows,D) f32, f16 or bf16, or (rows,D+4H) i8
             x (N,D) f32
             slots (N) i32
   Output:   y with the shape and type of the cache. f16 and bf16 round to nearest even, beyond
             65,504 f16 is infinite; rows of i8 hold H runs with a scale each
             (tensor/scaled_rows.h)
   Gradient: none: it writes memory that outlives the run

   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG if input 0 is no state */
#include "op/check.h"
#include "op/reference.h"
#include "tensor/scaled_rows.h"

HEED_REFERENCE(accumulate);
HEED_REFERENCE(cache_write);

void REAL(heed_accumulate_reference)(const heed_kernel_args *args)
{
    const heed_operand *state = &args->in[0], *x = &args->in[1], *y = &args->out[0];
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++)
            REAL(row)(y, i)[j] = REAL(row)(state, i)[j] + REAL(row)(x, i)[j];
}

/* The address of row i of a cache of any type. */
static inline char *REAL(cache_row)(const heed_operand *cache, int64_t i)
{
    size_t element = cache->dtype == HEED_F32 ? sizeof(real) : heed_dtypes[cache->dtype].bytes;
    return (char *)cache->data + (size_t)(i * cache->row_stride) * element;
}

/* Writes one run of x into an i8 row. */
static inline void REAL(put_run)(int8_t *row, const real *x, int64_t runs, int64_t width,
                                 int64_t run)
{
    float max = 0;
    for (int64_t e = run * width; e < (run + 1) * width; e++) {
        float size = fabsf((float)x[e]);
        max = size > max || isnan(size) ? size : max;
        if (isnan(max)) break;
    }
    heed_run_scale by = heed_run_scale_of(max);
    for (int64_t e = run * width; e < (run + 1) * width; e++)
        row[e] = heed_run_byte(by, (float)x[e]);
    heed_run_put_scale(row, runs, width, run, by);
}

void REAL(heed_cache_write_reference)(const heed_kernel_args *args)
{
    const heed_operand *cache = &args->in[0], *x = &args->in[1], *slots = &args->in[2],
                       *y = &args->out[0];
    int64_t width = x->shape.dim[1], runs = (cache->shape.dim[1] - width) / HEED_SCALE_BYTES;
    size_t element = cache->dtype == HEED_F32 ? sizeof(real) : heed_dtypes[cache->dtype].bytes;
    for (int64_t i = 0; i < cache->shape.dim[0] && !args->state_in_place; i++)
        memcpy(REAL(cache_row)(y, i), REAL(cache_row)(cache, i),
               (size_t)cache->shape.dim[1] * element);
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        int32_t slot = *REAL(integers)(slots, i);
        if (slot < 0 || slot >= y->shape.dim[0]) continue;
        const real *from = REAL(row)(x, i);
        void *to = REAL(cache_row)(y, slot);
        for (int64_t run = 0; run < runs; run++) REAL(put_run)(to, from, runs, width / runs, run);
        for (int64_t j = 0; j < width && cache->dtype == HEED_F32; j++) ((real *)to)[j] = from[j];
        for (int64_t j = 0; j < width && cache->dtype == HEED_F16; j++)
            ((uint16_t *)to)[j] = heed_f32_to_kept_f16((float)from[j]);
        for (int64_t j = 0; j < width && cache->dtype == HEED_BF16; j++)
            ((uint16_t *)to)[j] = heed_f32_to_bf16((float)from[j]);
    }
}

#if !HEED_REAL_DOUBLE
/* Is input 0 a state, or a later version of one? */
static bool is_state(const heed_infer *infer)
{
    const heed_graph *graph = infer->graph;
    heed_value value = infer->in[0];
    while (graph->values[value].node >= 0) {
        const heed_node *node = &graph->nodes[graph->values[value].node];
        if (!(node->op->flags & HEED_OP_WRITES_STATE) || node->out[0] != value) return false;
        value = heed_node_input(node, node->op->state_input);
        if (value <= 0) return false;
    }
    return graph->values[value].kind == HEED_VALUE_STATE;
}

static heed_status infer_accumulate(heed_infer *infer, heed_error *error)
{
    HEED_TRY(heed_check_f32(infer, error));
    if (!is_state(infer))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a state as first input");
    if (!heed_shape_equal(infer->shape[0], infer->shape[1]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "equal shapes");
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_status infer_cache_write(heed_infer *infer, heed_error *error)
{
    heed_shape cache = infer->shape[0], x = infer->shape[1], slots = infer->shape[2];
    bool bytes = infer->dtype[0] == HEED_I8;
    if (!heed_dtype_keeps_keys(infer->dtype[0]) || infer->dtype[1] != HEED_F32 ||
        infer->dtype[2] != HEED_I32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "a cache of f32, f16, bf16 or i8, x of f32 and slots of i32");
    if (!is_state(infer))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a state as first input");
    int64_t scales = cache.rank == 2 && x.rank == 2 ? cache.dim[1] - x.dim[1] : -1,
            runs = scales / HEED_SCALE_BYTES;
    bool wide = bytes ? runs > 0 && scales % HEED_SCALE_BYTES == 0 && x.dim[1] % runs == 0
                      : scales == 0;
    if (cache.rank != 2 || cache.extent != HEED_EXTENT_FIXED || x.rank != 2 || slots.rank != 1 ||
        !heed_same_rows(x, slots) || !wide)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "a cache (rows,D), of i8 (rows,D+4H), x (N,D) and slots (N)");
    infer->out_shape[0] = cache;
    infer->out_dtype[0] = infer->dtype[0];
    return HEED_OK;
}

heed_value heed_accumulate(heed_graph *graph, heed_value state, heed_value x)
{
    return heed_emit(graph, HEED_OP_ACCUMULATE, (heed_value[]){state, x}, 2, NULL, NULL);
}

heed_value heed_cache_write(heed_graph *graph, heed_value cache, heed_value x, heed_value slots)
{
    return heed_emit(graph, HEED_OP_CACHE_WRITE, (heed_value[]){cache, x, slots}, 3, NULL, NULL);
}

const heed_op heed_op_accumulate = {
    .name = "accumulate",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .state_input = 0,
    .flags = HEED_OP_WRITES_STATE | HEED_OP_ROW_LOCAL,
    .infer = infer_accumulate,
    .no_gradient = "it writes memory that outlives the run",
    HEED_REFERENCES(accumulate),
};
const heed_op heed_op_cache_write = {
    .name = "cache_write",
    .in_min = 3,
    .in_max = 3,
    .n_out = 1,
    .state_input = 0,
    .flags = HEED_OP_WRITES_STATE,
    .infer = infer_cache_write,
    .no_gradient = "it writes memory that outlives the run",
    HEED_REFERENCES(cache_write),
};
#endif
