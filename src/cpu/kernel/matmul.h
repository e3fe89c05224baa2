/* matmul.h: ops `matmul` and `fused_matmul` as matmuls of cpu/gemm. Each joined weight is a matmul
   of its own, and their results lie side by side in y. The parts of a step are those of the first
   matmul, then those of the second, and so on. What all parts need, the descriptions of the matmuls
   and their grids, is prepared once a run. Packing in advance: matmul_prepack.h. A norm before the
   matmul: matmul_norm.h. Quantized weights: matmul_quantized.h. */
#ifndef HEED_CPU_KERNEL_MATMUL_H
#define HEED_CPU_KERNEL_MATMUL_H

#include "cpu/gemm/cut.h"
#include "cpu/kernel/kernel.h"

/* The matmuls of a step. If `gated`, the second one makes the gate of the first, which finds it in
   y, and both have the same parts. */
typedef struct {
    heed_gemm gemm[HEED_FUSED_JOINED];
    int count;
    bool gated;
    /* the grid of each matmul, and its parts; the parts of all of them (find_parts) */
    heed_gemm_grid grid[HEED_FUSED_JOINED];
    int parts[HEED_FUSED_JOINED], all_parts;
    /* operands that are packed once for all parts: their bytes, and where each B begins
       (plan_prepack) */
    size_t packed, packed_b[HEED_FUSED_JOINED];
} matmuls;

/* How a matmul finds its B in this operand: b, or its transpose. */
static inline heed_gemm_b_kind kind_of_b(const heed_operand *b, bool transposed)
{
    if (b->layout == HEED_LAYOUT_PANELS_BOTH) return HEED_GEMM_B_PANELS;
    if (b->layout == HEED_LAYOUT_PANELS)
        return transposed ? HEED_GEMM_B_PANELS : HEED_GEMM_B_PANELS_TRANSPOSED;
    return transposed ? HEED_GEMM_B_NT : HEED_GEMM_B_NN;
}

/* The address of the elements that such a matmul reads; NULL while the step is only planned. */
static inline const void *data_of_b(const heed_operand *b, bool transposed, heed_isa isa)
{
    size_t first = 0, bytes;
    if (!b->data) return NULL;
    if (b->layout == HEED_LAYOUT_PANELS_BOTH && !transposed)
        heed_gemm_copy_bytes(isa, b->shape.dim[0], b->shape.dim[1], &first, &bytes);
    return (const char *)b->data + first;
}

/* The matmul of a and b, into y from column `column` on. */
static inline heed_gemm plain_matmul(const heed_operand *a, const heed_operand *b,
                                     const heed_operand *y, heed_matmul_attributes how,
                                     heed_isa isa, int64_t column)
{
    const bool transpose_a = how.transpose_a, transpose_b = how.transpose_b;
    return (heed_gemm){.m = y->shape.dim[0],
                       .n = b->shape.dim[!transpose_b],
                       .k = a->shape.dim[!transpose_a],
                       .a = a->data,
                       .a_stride = a->row_stride,
                       .a_transposed = transpose_a,
                       .bf16_operands = how.bf16_operands,
                       .b_kind = kind_of_b(b, transpose_b),
                       .b_dtype = b->dtype,
                       .b = data_of_b(b, transpose_b, isa),
                       .b_stride = b->row_stride,
                       .c = float_row_from(y, 0, column),
                       .c_stride = y->row_stride};
}

/* Passes a finished tile of one matmul on to the consumers of y. */
static inline void pass_tile_on(const heed_gemm *gemm, heed_gemm_area area)
{
    const heed_kernel_args *args = gemm->tile_argument;
    const int64_t column = area.column + (gemm->c - (const float *)args->out[0].data);
    heed_tile_done(args->consumers, (heed_tile){area.row, area.rows, column, area.columns});
}

/* Lets these matmuls call the tile consumers, except one that makes a gate. */
static inline void announce_tiles(const heed_kernel_args *args, matmuls *all)
{
    for (int i = 0; i < all->count; i++) {
        all->gemm[i].tile_columns = args->tile_columns;
        if (args->consumers && !(all->gated && i > 0)) {
            all->gemm[i].tile_done = pass_tile_on;
            all->gemm[i].tile_argument = args;
        }
    }
}

/* The matmuls of a step, with bias, activation, gate and residual. */
static inline matmuls matmuls_of(const heed_kernel_args *args)
{
    const heed_operand *in = args->in, *y = &args->out[0];
    matmuls all = {.count = 1};
    if (args->op == heed_ops[HEED_OP_MATMUL]) {
        all.gemm[0] = plain_matmul(&in[0], &in[1], y,
                                   *(const heed_matmul_attributes *)args->attributes, args->isa, 0);
        announce_tiles(args, &all);
        return all;
    }
    const heed_fused_matmul_attributes *p = args->attributes;
    const heed_matmul_attributes plain = {p->transpose_a, p->transpose_b, p->bf16_operands};
    const heed_operand *gate = heed_optional(args, HEED_FUSED_GATE),
                       *residual = heed_optional(args, HEED_FUSED_RESIDUAL);
    int64_t column = 0;
    all.count = p->joined;
    for (int i = 0; i < p->joined; i++) {
        heed_gemm *g = &all.gemm[i];
        const heed_operand *bias = heed_optional(args, HEED_FUSED_BIAS + i);
        *g = plain_matmul(&in[HEED_FUSED_A], &in[HEED_FUSED_B + i], y, plain, args->isa, column);
        g->accumulate = heed_optional(args, HEED_FUSED_STATE) != NULL;
        g->activation = p->activation;
        if (bias) g->bias = bias->data;
        if (gate) {
            g->gate = float_row_from(gate, 0, column);
            g->gate_stride = gate->row_stride;
        }
        if (residual) {
            g->residual = float_row_from(residual, 0, column);
            g->residual_stride = residual->row_stride;
        }
        column += p->gated ? 0 : g->n;
    }
    if (p->gated) {
        all.gated = true;
        all.gemm[1].activation = HEED_UNARY_LINEAR;
        all.gemm[0].gate_in_c = true;
    }
    announce_tiles(args, &all);
    return all;
}

static inline bool floating_rows(const heed_operand *x)
{
    return x->dtype == HEED_F32 || x->dtype == HEED_F16 || x->dtype == HEED_BF16;
}

/* Does a quantized weight lie as its matmul reads it? Formats with traits lie in packed panels,
   others in rows. */
static inline bool qblocks_where_they_are_read(const heed_operand *w)
{
    return heed_dtype_is_quantized(w->dtype) &&
           (w->layout == HEED_LAYOUT_PANELS) == (heed_qblock_traits_of(w->dtype) != NULL);
}

/* Can this quantized weight be multiplied: is it W (N,K), and is the result not added to a
   state? */
static inline bool fits_as_quantized(const heed_kernel_args *args, const heed_operand *w,
                                     bool fused)
{
    const heed_matmul_attributes *p = args->attributes;
    const heed_fused_matmul_attributes *f = args->attributes;
    if (!qblocks_where_they_are_read(w)) return false;
    return fused ? f->transpose_b && !f->transpose_a && !heed_optional(args, HEED_FUSED_STATE)
                 : p->transpose_b && !p->transpose_a;
}

/* Are a and all operands that are added f32 rows, and the weights rows or panels of a floating
   type, or quantized? */
static inline bool matmul_fits(const heed_kernel_args *args)
{
    bool fused = args->op == heed_ops[HEED_OP_FUSED_MATMUL];
    for (int i = 0; i < args->n_in; i++) {
        const heed_operand *x = &args->in[i];
        bool weight = fused ? i >= HEED_FUSED_B && i < HEED_FUSED_BIAS : i == 1;
        if (x->present &&
            (weight ? !floating_rows(x) && !fits_as_quantized(args, x, fused) : !is_f32_rows(x)))
            return false;
    }
    return true;
}

/* The norm that the step applies to the rows of a. */
static inline heed_fused_norm norm_before(const heed_kernel_args *args)
{
    return args->op == heed_ops[HEED_OP_FUSED_MATMUL]
               ? (heed_fused_norm)((const heed_fused_matmul_attributes *)args->attributes)->norm
               : HEED_FUSED_NORM_NONE;
}

static inline bool matmul_fits_plain(const heed_kernel_args *args)
{
    return norm_before(args) == HEED_FUSED_NORM_NONE && matmul_fits(args);
}

/* The most scratch memory that one of the matmuls needs. */
static inline size_t matmul_scratch(const heed_kernel_args *args)
{
    matmuls all = matmuls_of(args);
    size_t most = 0;
    for (int i = 0; i < all.count; i++) {
        const size_t bytes = heed_gemm_scratch(&all.gemm[i], args->isa);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Finds grids and parts of the matmuls, when all else of them is set. */
static inline void find_parts(matmuls *all, heed_isa isa)
{
    all->all_parts = 0;
    for (int i = 0; i < all->count; i++) {
        heed_gemm_find_grid(&all->gemm[i], isa, &all->grid[i]);
        all->gemm[i].grid = &all->grid[i];
        all->parts[i] = heed_gemm_parts(&all->gemm[i], isa);
        if (i > 0 || !all->gated) all->all_parts += all->parts[i];
    }
}

static inline size_t matmul_prepared(const heed_kernel_args *args)
{
    (void)args;
    return sizeof(matmuls);
}

static inline const matmuls *prepared_matmuls(const heed_kernel_args *args)
{
    return args->prepared;
}

static inline void matmul_prepare(const heed_kernel_args *args)
{
    matmuls *all = args->prepared;
    *all = matmuls_of(args);
    find_parts(all, args->isa);
}

/* Can each matmul be cut at multiples of args->tile_columns, and do enough parts remain for the
   threads? */
static inline bool matmul_produces_tiles(const heed_kernel_args *args)
{
    enum { PARTS_ENOUGH = 8 };
    matmuls all = matmuls_of(args);
    int64_t column = 0;
    for (int i = 0; i < (all.gated ? 1 : all.count); i++) {
        if (column % args->tile_columns) return false;
        column += all.gemm[i].n;
    }
    find_parts(&all, args->isa);
    const int parts = all.all_parts;
    for (int i = 0; i < all.count; i++) all.gemm[i].tile_columns = 0;
    find_parts(&all, args->isa);
    const int freely = all.all_parts;
    return parts >= (freely < PARTS_ENOUGH ? freely : PARTS_ENOUGH);
}

static inline int matmul_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    return prepared_matmuls(args)->all_parts;
}

/* Runs one part, counted over the parts of all matmuls. With a gate, the same part of both: they
   have the same shape, so their parts have the same elements of C. */
static inline void run_numbered(const matmuls *all, heed_isa isa, int part, void *scratch)
{
    if (all->gated) {
        heed_gemm_run(&all->gemm[1], isa, part, all->parts[1], scratch);
        heed_gemm_run(&all->gemm[0], isa, part, all->parts[1], scratch);
        return;
    }
    int i = 0;
    while (part >= all->parts[i] && i + 1 < all->count) part -= all->parts[i++];
    heed_gemm_run(&all->gemm[i], isa, part, all->parts[i], scratch);
}

static inline void matmul_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    run_numbered(prepared_matmuls(args), args->isa, call->part, call->scratch);
}

HEED_KERNEL(matmul) = {.name = "k_matmul",
                       .op = HEED_OP_MATMUL,
                       .fits = matmul_fits,
                       .scratch = matmul_scratch,
                       .prepared = matmul_prepared,
                       .prepare = matmul_prepare,
                       .produces_tiles = matmul_produces_tiles,
                       .parts = matmul_parts,
                       .run = matmul_run};
HEED_KERNEL(fused_matmul) = {
    .name = "k_fused_matmul",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_plain,
    .scratch = matmul_scratch,
    .prepared = matmul_prepared,
    .prepare = matmul_prepare,
    .produces_tiles = matmul_produces_tiles,
    .parts = matmul_parts,
    .run = matmul_run,
};

#endif
