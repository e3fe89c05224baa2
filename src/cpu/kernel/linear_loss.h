/* linear_loss.h: the output projection with cross-entropy (op/linear_cross_entropy.c). Rows are
   worked through in chunks whose logits lie in shared memory; heed_gemm_loss_chunks limits them.
   Each chunk takes three phases:
   1. LOSS_LOGITS     logits = x weight^T + bias
   2. LOSS_DLOGITS    the losses, and dlogits in the place of the logits
   3. LOSS_GRADIENTS  dx = dlogits weight, dweight += dlogits^T x, dbias += sums of dlogits
   Without gradients there are only the first two. Chunks ascend, and the sums of dweight and dbias
   go on from chunk to chunk, so that the number of rows of a chunk changes no bit. What chunks have
   in common is prepared once a run, with the grids of their matmuls. */
#ifndef HEED_CPU_KERNEL_LINEAR_LOSS_H
#define HEED_CPU_KERNEL_LINEAR_LOSS_H

#include "cpu/kernel/matmul.h"
#include "cpu/kernel/softmax.h"

enum { LOGITS_PER_PART = 1 << 15, BIAS_PER_PART = 4096 };
enum { LOSS_LOGITS, LOSS_DLOGITS, LOSS_GRADIENTS, LOSS_PHASES };
/* The matmuls of a chunk. */
enum { LOGITS_MATMUL, DX_MATMUL, DWEIGHT_MATMUL, LOSS_MATMULS };

/* The grids of the matmuls of a chunk, and their parts; 0 parts if the step does without one. */
typedef struct {
    heed_gemm_grid grid[LOSS_MATMULS];
    int parts[LOSS_MATMULS];
} loss_grids;

typedef struct {
    const heed_kernel_args *args;
    const heed_operand *x, *weight, *labels, *bias, *drow;
    bool backward, wants_weight, bf16;
    int64_t vocabulary, stride, begin, rows; /* begin, rows: the chunk of this phase */
    int what;                                /* LOSS_LOGITS, LOSS_DLOGITS or LOSS_GRADIENTS */
    float *logits;
    const loss_grids *grids; /* for its rows; NULL while the step is only planned */
} loss_chunk;

/* What a run prepares. All chunks have the rows of the first one, except the last, which may have
   fewer. */
typedef struct {
    loss_chunk first;
    loss_grids grids, last_grids;
} prepared_loss;

static inline int64_t loss_stride(const heed_kernel_args *args)
{
    return heed_align_floats(args->in[HEED_LINEAR_LOSS_WEIGHT].shape.dim[0]);
}

static inline int64_t rows_of_chunk(const heed_kernel_args *args)
{
    const heed_gemm_loss_chunks *limits = &heed_gemm_kernels_for(args->isa)->loss_chunks;
    const int64_t rows = limits->most_bytes / ((int64_t)sizeof(float) * loss_stride(args));
    const int64_t whole = rows / limits->least_rows * limits->least_rows;
    return heed_larger(heed_smaller(whole, limits->most_rows), limits->least_rows);
}

static inline bool loss_is_backward(const heed_kernel_args *args)
{
    return args->op == heed_ops[HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD];
}

static inline int loss_phases(const heed_kernel_args *args)
{
    int64_t rows = args->in[HEED_LINEAR_LOSS_X].shape.dim[0], each = rows_of_chunk(args),
            chunks = (rows + each - 1) / each;
    if (chunks < 1) chunks = 1;
    return (int)(chunks * (loss_is_backward(args) ? LOSS_PHASES : LOSS_GRADIENTS));
}

/* The first chunk, without grids. */
static inline loss_chunk first_chunk(const heed_kernel_args *args)
{
    loss_chunk c = {.args = args,
                    .x = &args->in[HEED_LINEAR_LOSS_X],
                    .weight = &args->in[HEED_LINEAR_LOSS_WEIGHT],
                    .labels = &args->in[HEED_LINEAR_LOSS_LABELS],
                    .bias = heed_optional(args, HEED_LINEAR_LOSS_BIAS),
                    .backward = loss_is_backward(args),
                    .stride = loss_stride(args),
                    .logits = args->shared};
    c.vocabulary = c.weight->shape.dim[0];
    c.bf16 = ((const heed_linear_loss_attributes *)args->attributes)->bf16_operands;
    if (c.backward) {
        c.drow = &args->in[HEED_LINEAR_LOSS_DROW];
        c.wants_weight = args->out[0].shape.dim[0] > 0;
    }
    c.rows = heed_smaller(c.x->shape.dim[0], rows_of_chunk(args));
    return c;
}

/* The chunk that a phase works on, and what it does with it. */
static inline loss_chunk chunk_of_phase(const heed_kernel_args *args, int phase)
{
    const prepared_loss *loss = args->prepared;
    loss_chunk c = loss->first;
    const int per_chunk = c.backward ? LOSS_PHASES : LOSS_GRADIENTS;
    c.what = phase % per_chunk;
    c.begin = phase / per_chunk * loss->first.rows;
    c.rows = heed_smaller(c.x->shape.dim[0] - c.begin, loss->first.rows);
    c.grids = c.rows == loss->first.rows ? &loss->grids : &loss->last_grids;
    return c;
}

/* Rows [begin, begin + rows) of an operand. */
static inline heed_operand rows_from(const heed_operand *x, int64_t begin, int64_t rows)
{
    heed_operand part = *x;
    if (part.data) part.data = float_row(x, begin);
    part.shape.dim[0] = rows;
    return part;
}

static inline heed_operand logits_of(const loss_chunk *c)
{
    heed_shape shape = c->x->shape;
    shape.dim[0] = c->rows;
    shape.dim[1] = c->vocabulary;
    return (heed_operand){
        .data = c->logits,
        .present = true,
        .dtype = HEED_F32,
        .layout = HEED_LAYOUT_ROWS,
        .shape = shape,
        .row_stride = c->stride,
    };
}

static inline heed_gemm logits_matmul(const loss_chunk *c)
{
    heed_operand x = rows_from(c->x, c->begin, c->rows), logits = logits_of(c);
    heed_gemm g = plain_matmul(&x, c->weight, &logits, (heed_matmul_attributes){0, 1, c->bf16},
                               c->args->isa, 0);
    g.bias = c->bias ? c->bias->data : NULL;
    return g;
}

static inline heed_gemm dx_matmul(const loss_chunk *c)
{
    heed_operand dx = rows_from(&c->args->out[1], c->begin, c->rows), dlogits = logits_of(c);
    return plain_matmul(&dlogits, c->weight, &dx, (heed_matmul_attributes){0, 0, c->bf16},
                        c->args->isa, 0);
}

static inline heed_gemm dweight_matmul(const loss_chunk *c)
{
    heed_operand x = rows_from(c->x, c->begin, c->rows), dlogits = logits_of(c);
    heed_gemm g = plain_matmul(&dlogits, &x, &c->args->out[0],
                               (heed_matmul_attributes){1, 0, c->bf16}, c->args->isa, 0);
    g.accumulate = c->begin > 0 || heed_optional(c->args, HEED_LINEAR_LOSS_STATE);
    return g;
}

/* A matmul of a chunk, with its grid if that was prepared. */
static inline heed_gemm loss_matmul(const loss_chunk *c, int which)
{
    static heed_gemm (*const makers[LOSS_MATMULS])(const loss_chunk *) = {
        [LOGITS_MATMUL] = logits_matmul,
        [DX_MATMUL] = dx_matmul,
        [DWEIGHT_MATMUL] = dweight_matmul,
    };
    heed_gemm g = makers[which](c);
    if (c->grids) g.grid = &c->grids->grid[which];
    return g;
}

static inline bool has_matmul(const loss_chunk *c, int which)
{
    if (which == DX_MATMUL) return c->backward;
    return which == LOGITS_MATMUL || c->wants_weight;
}

/* Finds the grids and parts of the matmuls of a chunk. */
static inline void find_grids(const loss_chunk *c, loss_grids *grids)
{
    for (int i = 0; i < LOSS_MATMULS; i++) {
        grids->parts[i] = 0;
        if (!has_matmul(c, i)) continue;
        heed_gemm g = loss_matmul(c, i);
        heed_gemm_find_grid(&g, c->args->isa, &grids->grid[i]);
        g.grid = &grids->grid[i];
        grids->parts[i] = heed_gemm_parts(&g, c->args->isa);
    }
}

static inline size_t loss_prepared(const heed_kernel_args *args)
{
    (void)args;
    return sizeof(prepared_loss);
}

static inline void loss_prepare(const heed_kernel_args *args)
{
    prepared_loss *loss = args->prepared;
    loss->first = first_chunk(args);
    find_grids(&loss->first, &loss->grids);
    const int64_t each = heed_larger(loss->first.rows, 1);
    loss_chunk last = loss->first;
    last.rows = loss->first.x->shape.dim[0] % each;
    if (last.rows > 0) find_grids(&last, &loss->last_grids);
}

static inline int bias_parts(const loss_chunk *c)
{
    return c->bias ? (int)((c->vocabulary + BIAS_PER_PART - 1) / BIAS_PER_PART) : 0;
}

static inline int loss_parts(const heed_kernel_args *args, int phase)
{
    loss_chunk c = chunk_of_phase(args, phase);
    const int *parts = c.grids->parts;
    if (c.what == LOSS_LOGITS) return parts[LOGITS_MATMUL];
    if (c.what == LOSS_DLOGITS) {
        int64_t each = LOGITS_PER_PART / c.stride;
        if (each < 1) each = 1;
        return part_count((c.rows + each - 1) / each, INT32_MAX);
    }
    return parts[DX_MATMUL] + bias_parts(&c) + parts[DWEIGHT_MATMUL];
}

/* Phase 2 for one row: its loss, then its dlogits in the place of the logits. */
static inline void score_row(const loss_chunk *c, int64_t row)
{
    float smoothing = ((const heed_linear_loss_attributes *)c->args->attributes)->smoothing,
          *x = c->logits + (row - c->begin) * c->stride;
    float *nll = float_row(&c->args->out[c->backward ? 3 : 0], row);
    int32_t label = integer_at(c->labels, row);
    bool scored = label >= 0 && label < c->vocabulary;
    if (!scored) {
        *nll = 0;
        for (int64_t j = 0; j < c->vocabulary && c->backward; j++) x[j] = 0;
        return;
    }
    const float max = max_of_row(x, c->vocabulary), own = x[label] - max;
    const float mean = smoothing > 0
                           ? sum_of_differences(x, c->vocabulary, max) / (float)c->vocabulary
                           : 0;
    const float sum = exponentiate_row(x, c->backward ? x : NULL, c->vocabulary, max),
                loss = log_of(sum) - (1 - smoothing) * own;
    *nll = smoothing > 0 ? loss - smoothing * mean : loss;
    if (c->backward)
        gradient_of_exponentials(x, c->vocabulary, sum, label, smoothing, *float_row(c->drow, row));
}

/* Sums columns of dlogits into dbias, rows ascending, on top of the sums of earlier chunks. */
static inline void sum_bias(const loss_chunk *c, int part)
{
    float *sum = c->args->out[2].data;
    int64_t stop = (int64_t)(part + 1) * BIAS_PER_PART;
    for (int64_t j = (int64_t)part * BIAS_PER_PART; j < stop && j < c->vocabulary;
         j += HEED_LANES) {
        int64_t left = c->vocabulary - j;
        heed_v total = c->begin > 0 ? load_some(sum + j, left) : heed_v_zero();
        for (int64_t i = 0; i < c->rows; i++)
            total = heed_v_add(total, load_some(c->logits + i * c->stride + j, left));
        store_some(sum + j, total, left);
    }
}

/* Runs one part of a matmul of a chunk. */
static inline void run_loss_matmul(const loss_chunk *c, int which, int part, void *scratch)
{
    const heed_gemm g = loss_matmul(c, which);
    heed_gemm_run(&g, c->args->isa, part, c->grids->parts[which], scratch);
}

/* Runs one part of phase 3: those of dx come first, then those of dbias, then those of dweight. */
static inline void loss_gradients(const loss_chunk *c, int part, void *scratch)
{
    const int dx_parts = c->grids->parts[DX_MATMUL], sums = bias_parts(c);
    if (part < dx_parts) run_loss_matmul(c, DX_MATMUL, part, scratch);
    else if (part < dx_parts + sums) sum_bias(c, part - dx_parts);
    else run_loss_matmul(c, DWEIGHT_MATMUL, part - dx_parts - sums, scratch);
}

static inline void loss_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    loss_chunk c = chunk_of_phase(args, call->phase);
    if (c.what == LOSS_LOGITS) {
        run_loss_matmul(&c, LOGITS_MATMUL, call->part, call->scratch);
    } else if (c.what == LOSS_DLOGITS) {
        int64_t begin, end;
        heed_part_range(c.rows, call->part, call->parts, &begin, &end);
        for (; begin < end; begin++) score_row(&c, c.begin + begin);
    } else loss_gradients(&c, call->part, call->scratch);
}

static inline size_t loss_scratch(const heed_kernel_args *args)
{
    const loss_chunk c = first_chunk(args);
    size_t most = 0;
    for (int i = 0; i < LOSS_MATMULS; i++) {
        if (!has_matmul(&c, i)) continue;
        const heed_gemm g = loss_matmul(&c, i);
        const size_t bytes = heed_gemm_scratch(&g, args->isa);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static inline size_t loss_shared(const heed_kernel_args *args)
{
    int64_t rows = args->in[HEED_LINEAR_LOSS_X].shape.dim[0], each = rows_of_chunk(args);
    return (size_t)((rows < each ? rows : each) * loss_stride(args)) * sizeof(float);
}

/* Are left operands f32 rows, and is the weight rows or panels of a floating type? dbias is always
   dense. */
static inline bool loss_fits(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[HEED_LINEAR_LOSS_X]) &&
           floating_rows(&args->in[HEED_LINEAR_LOSS_WEIGHT]);
}

HEED_KERNEL(linear_cross_entropy) = {
    .name = "k_linear_cross_entropy",
    .op = HEED_OP_LINEAR_CROSS_ENTROPY,
    .fits = loss_fits,
    .scratch = loss_scratch,
    .shared = loss_shared,
    .prepared = loss_prepared,
    .prepare = loss_prepare,
    .live_phases = loss_phases,
    .parts = loss_parts,
    .run = loss_run,
};
HEED_KERNEL(linear_cross_entropy_backward) = {
    .name = "k_linear_cross_entropy_backward",
    .op = HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD,
    .fits = loss_fits,
    .scratch = loss_scratch,
    .shared = loss_shared,
    .prepared = loss_prepared,
    .prepare = loss_prepare,
    .live_phases = loss_phases,
    .parts = loss_parts,
    .run = loss_run,
};

#endif
