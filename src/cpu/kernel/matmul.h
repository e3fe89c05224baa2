/* Ops `matmul` and `fused_matmul` as matmuls of cpu/gemm. Joined weights are matmuls of their own,
   side by side in y; their parts are numbered through. A norm before the matmul: with few rows
   every part normalizes all of them into its thread's scratch, which costs less than a barrier;
   with more rows a phase of its own does it once for all. Quantized weights: matmul_quantized.h. */
#ifndef HEED_CPU_KERNEL_MATMUL_H
#define HEED_CPU_KERNEL_MATMUL_H

#include "cpu/gemm/kernels.h"
#include "cpu/gemm/quantized.h"
#include "cpu/kernel/kernel.h"
#include "cpu/kernel/norm.h"
#include "cpu/rules.h"

enum { ROWS_TO_NORMALIZE = 8 }; /* of a part, in a phase of their own */

/* Gated: the second matmul is the gate of the first, which finds it in y. */
typedef struct {
    heed_gemm gemm[HEED_FUSED_JOINED];
    int count;
    bool gated;
} matmuls;

static inline heed_gemm_b_kind kind_of_b(const heed_operand *b, bool transposed)
{
    if (b->layout == HEED_LAYOUT_PANELS_BOTH) return HEED_GEMM_B_PANELS;
    if (b->layout == HEED_LAYOUT_PANELS)
        return transposed ? HEED_GEMM_B_PANELS : HEED_GEMM_B_PANELS_TRANSPOSED;
    return transposed ? HEED_GEMM_B_NT : HEED_GEMM_B_NN;
}

/* Where the elements lie that such a matmul reads; NULL while the step is only planned. */
static inline const void *data_of_b(const heed_operand *b, bool transposed, heed_isa isa)
{
    size_t first = 0, bytes;
    if (!b->data) return NULL;
    if (b->layout == HEED_LAYOUT_PANELS_BOTH && !transposed)
        heed_gemm_copy_bytes(isa, b->shape.dim[0], b->shape.dim[1], &first, &bytes);
    return (const char *)b->data + first;
}

/* a times b into columns from `column` on of y. */
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

static inline void pass_tile_on(const heed_gemm *gemm, heed_gemm_area area)
{
    const heed_kernel_args *args = gemm->tile_argument;
    const int64_t column = area.column + (gemm->c - (const float *)args->out[0].data);
    heed_tile_done(args->consumers, (heed_tile){area.row, area.rows, column, area.columns});
}

/* Tile consumers are told of the tiles of these matmuls, but not of a gate's. */
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

/* Qblocks that matmuls compute on are packed panels, others rows. */
static inline bool qblocks_where_they_are_read(const heed_operand *w)
{
    return heed_dtype_is_quantized(w->dtype) &&
           (w->layout == HEED_LAYOUT_PANELS) == (heed_qblock_traits_of(w->dtype) != NULL);
}

/* Both are W (N,K), and nothing is added to an old result. */
static inline bool fits_as_quantized(const heed_kernel_args *args, const heed_operand *w,
                                     bool fused)
{
    const heed_matmul_attributes *p = args->attributes;
    const heed_fused_matmul_attributes *f = args->attributes;
    if (!qblocks_where_they_are_read(w)) return false;
    return fused ? f->transpose_b && !f->transpose_a && !heed_optional(args, HEED_FUSED_STATE)
                 : p->transpose_b && !p->transpose_a;
}

/* The left operand and all that is added are f32 rows; weights are rows or panels of any floating
   type, or quantized. */
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

static inline bool matmul_fits_norm(const heed_kernel_args *args)
{
    return norm_before(args) != HEED_FUSED_NORM_NONE && matmul_fits(args);
}

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

static inline int numbered_parts(const matmuls *all, heed_isa isa)
{
    int parts = 0;
    for (int i = all->gated ? 1 : 0; i < all->count; i++)
        parts += heed_gemm_parts(&all->gemm[i], isa);
    return parts;
}

/* Can the matmuls be cut at multiples of args->tile_columns, each by itself, without becoming too
   few parts for the threads? */
static inline bool matmul_produces_tiles(const heed_kernel_args *args)
{
    enum { PARTS_ENOUGH = 8 };
    matmuls all = matmuls_of(args);
    int64_t column = 0;
    for (int i = 0; i < (all.gated ? 1 : all.count); i++) {
        if (column % args->tile_columns) return false;
        column += all.gemm[i].n;
    }
    const int parts = numbered_parts(&all, args->isa);
    for (int i = 0; i < all.count; i++) all.gemm[i].tile_columns = 0;
    const int freely = numbered_parts(&all, args->isa);
    return parts >= (freely < PARTS_ENOUGH ? freely : PARTS_ENOUGH);
}

static inline int matmul_parts(const heed_kernel_args *args)
{
    matmuls all = matmuls_of(args);
    return numbered_parts(&all, args->isa);
}

/* Part `part` of the parts of all matmuls numbered through. Matmuls of equal shapes have the same
   parts over the same elements of C. */
static inline void run_numbered(const matmuls *all, heed_isa isa, int part, void *scratch)
{
    if (all->gated) {
        const int parts = heed_gemm_parts(&all->gemm[1], isa);
        heed_gemm_run(&all->gemm[1], isa, part, parts, scratch);
        heed_gemm_run(&all->gemm[0], isa, part, parts, scratch);
        return;
    }
    int i = 0, own = heed_gemm_parts(&all->gemm[0], isa);
    while (part >= own && i + 1 < all->count) {
        part -= own;
        own = heed_gemm_parts(&all->gemm[++i], isa);
    }
    heed_gemm_run(&all->gemm[i], isa, part, own, scratch);
}

static inline void matmul_run(const heed_kernel_args *args, int part, int parts)
{
    (void)parts;
    matmuls all = matmuls_of(args);
    run_numbered(&all, args->isa, part, args->scratch);
}

/* ---- bf16 operands, packed once for all parts ---- */

static inline const heed_gemm_prepacking *prepacking_of(heed_isa isa)
{
    return &heed_gemm_kernels_for(isa)->prepacking;
}

static inline int packing_parts(size_t bytes, heed_isa isa)
{
    enum { MOST_PACKING_PARTS = 32 };
    return part_count((int64_t)bytes / prepacking_of(isa)->part_bytes, MOST_PACKING_PARTS);
}

/* Plans to prepack the operands of all matmuls: A, which all of them read, and after it each B that
   is not read as it lies. Gives them their places in `room` if there is one, and returns the bytes.
   Returns 0 if parts do better to pack for themselves, for which there is scratch: if rows are few,
   or if A alone would take a phase and no other matmul reads it, which costs a barrier and the way
   through memory. A run with fewer rows than its plan needs no more bytes. */
static inline size_t plan_prepack(matmuls *all, heed_isa isa, char *room)
{
    size_t bytes = 0, own = 0;
    if (!all->gemm[0].bf16_operands) return 0;
    for (int i = 0; i < all->count; i++) {
        heed_gemm *g = &all->gemm[i];
        size_t a, b;
        g->prepacked = true;
        heed_gemm_prepack_bytes(g, isa, &a, &b);
        if (i == 0) bytes = a;
        if (room) {
            g->packed_a = room;
            g->packed_b = room + bytes;
        }
        bytes += b;
        own += b;
    }
    const heed_gemm *first = &all->gemm[0];
    const heed_gemm_prepacking *limits = prepacking_of(isa);
    const bool rows_alone = own == 0 && all->count == 1 && packing_parts(bytes, isa) > 1 &&
                            first->k <= limits->own_depth && first->n <= limits->own_columns;
    if (!rows_alone && (own == 0 || first->m >= limits->rows)) return bytes;
    for (int i = 0; i < all->count; i++) all->gemm[i].prepacked = false;
    return 0;
}

static inline void prepack(const matmuls *all, heed_isa isa, int part, int parts)
{
    for (int i = 0; i < all->count; i++) {
        heed_gemm g = all->gemm[i];
        if (i > 0) g.packed_a = NULL; /* the same one */
        heed_gemm_prepack(&g, isa, part, parts);
    }
}

static inline size_t prepack_shared(const heed_kernel_args *args)
{
    matmuls all = matmuls_of(args);
    return plan_prepack(&all, args->isa, NULL);
}

/* The parts after packing. */
static inline int packed_parts(const heed_kernel_args *args)
{
    matmuls all = matmuls_of(args);
    plan_prepack(&all, args->isa, NULL);
    return numbered_parts(&all, args->isa);
}

static inline bool matmul_fits_prepack(const heed_kernel_args *args)
{
    if (!matmul_fits_plain(args)) return false;
    const size_t bytes = prepack_shared(args);
    return bytes > 0 && bytes <= (size_t)prepacking_of(args->isa)->most_bytes;
}

static inline int prepack_parts(const heed_kernel_args *args)
{
    return args->phase == 1 ? packed_parts(args) : packing_parts(prepack_shared(args), args->isa);
}

static inline void prepack_run(const heed_kernel_args *args, int part, int parts)
{
    matmuls all = matmuls_of(args);
    plan_prepack(&all, args->isa, args->shared);
    if (args->phase == 1) run_numbered(&all, args->isa, part, args->scratch);
    else prepack(&all, args->isa, part, parts);
}

HEED_KERNEL(matmul_prepack) = {
    .name = "k_matmul_prepack",
    .op = HEED_OP_MATMUL,
    .fits = matmul_fits_prepack,
    .scratch = matmul_scratch,
    .shared = prepack_shared,
    .phases = 2,
    .produces_tiles = matmul_produces_tiles,
    .parts = prepack_parts,
    .run = prepack_run,
};
HEED_KERNEL(fused_matmul_prepack) = {
    .name = "k_fused_matmul_prepack",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_prepack,
    .scratch = matmul_scratch,
    .shared = prepack_shared,
    .phases = 2,
    .produces_tiles = matmul_produces_tiles,
    .parts = prepack_parts,
    .run = prepack_run,
};
HEED_KERNEL(matmul) = {.name = "k_matmul",
                       .op = HEED_OP_MATMUL,
                       .fits = matmul_fits,
                       .scratch = matmul_scratch,
                       .produces_tiles = matmul_produces_tiles,
                       .parts = matmul_parts,
                       .run = matmul_run};
HEED_KERNEL(fused_matmul) = {
    .name = "k_fused_matmul",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_plain,
    .scratch = matmul_scratch,
    .produces_tiles = matmul_produces_tiles,
    .parts = matmul_parts,
    .run = matmul_run,
};

/* ---- with a norm before ---- */

/* Rows [begin, end) of a, normalized, into out (end - begin,K). */
static inline void normalize_a(const heed_kernel_args *args, int64_t begin, int64_t end, float *out)
{
    const heed_fused_matmul_attributes *p = args->attributes;
    const heed_operand *a = &args->in[HEED_FUSED_A];
    int64_t width = a->shape.dim[1];
    norm how = {.layer = p->norm == HEED_FUSED_NORM_LAYER,
                .eps = p->eps,
                .offset = p->offset,
                .width = width,
                .gain = heed_optional(args, HEED_FUSED_NORM_GAIN),
                .bias = heed_optional(args, HEED_FUSED_NORM_BIAS)};
    for (int64_t i = begin; i < end; i++)
        normalize_row(&how, float_row(a, i), out + (i - begin) * width);
}

static inline void read_normalized(matmuls *all, const float *rows)
{
    for (int i = 0; i < all->count; i++) {
        all->gemm[i].a = rows;
        all->gemm[i].a_stride = all->gemm[i].k;
    }
}

static inline size_t normalized_bytes(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[HEED_FUSED_A];
    return heed_align((size_t)(a->shape.dim[0] * a->shape.dim[1]) * sizeof(float));
}

/* Few rows: what a single part would prepare, every thread prepares for itself, which saves a
   barrier: it normalizes them, and packs bf16 operands. */
static inline bool matmul_fits_few_rows(const heed_kernel_args *args)
{
    const size_t packed = prepack_shared(args);
    if (!matmul_fits(args)) return false;
    return norm_before(args) != HEED_FUSED_NORM_NONE
               ? args->out[0].shape.dim[0] <= HEED_CPU_OWN_NORM_ROWS
               : packed > 0 && packing_parts(packed, args->isa) == 1;
}

static inline size_t few_rows_normalized(const heed_kernel_args *args)
{
    return norm_before(args) != HEED_FUSED_NORM_NONE ? normalized_bytes(args) : 0;
}

static inline size_t few_rows_scratch(const heed_kernel_args *args)
{
    return few_rows_normalized(args) + prepack_shared(args) + matmul_scratch(args);
}

static inline void few_rows_run(const heed_kernel_args *args, int part, int parts)
{
    matmuls all = matmuls_of(args);
    char *room = (char *)args->scratch + few_rows_normalized(args);
    (void)parts;
    if (room != args->scratch) read_normalized(&all, args->scratch);
    const size_t packed = plan_prepack(&all, args->isa, room);
    if (!args->scratch_valid) {
        if (room != args->scratch)
            normalize_a(args, 0, args->in[HEED_FUSED_A].shape.dim[0], args->scratch);
        if (packed) prepack(&all, args->isa, 0, 1);
    }
    run_numbered(&all, args->isa, part, room + packed);
}

static inline int norm_matmul_parts(const heed_kernel_args *args)
{
    if (args->phase == 1) return matmul_parts(args);
    int64_t parts = (args->in[HEED_FUSED_A].shape.dim[0] + ROWS_TO_NORMALIZE - 1) /
                    ROWS_TO_NORMALIZE;
    return parts < 1 ? 1 : (int)parts;
}

static inline void norm_matmul_run(const heed_kernel_args *args, int part, int parts)
{
    if (args->phase == 0) {
        int64_t begin, end;
        heed_part_range(args->in[HEED_FUSED_A].shape.dim[0], part, parts, &begin, &end);
        normalize_a(args, begin, end,
                    (float *)args->shared + begin * args->in[HEED_FUSED_A].shape.dim[1]);
        return;
    }
    matmuls all = matmuls_of(args);
    read_normalized(&all, args->shared);
    run_numbered(&all, args->isa, part, args->scratch);
}

HEED_KERNEL(matmul_few_rows) = {
    .name = "k_matmul_few_rows",
    .op = HEED_OP_MATMUL,
    .fits = matmul_fits_few_rows,
    .scratch = few_rows_scratch,
    .produces_tiles = matmul_produces_tiles,
    .parts = packed_parts,
    .run = few_rows_run,
};
HEED_KERNEL(fused_matmul_few_rows) = {
    .name = "k_fused_matmul_few_rows",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_few_rows,
    .scratch = few_rows_scratch,
    .produces_tiles = matmul_produces_tiles,
    .parts = packed_parts,
    .run = few_rows_run,
};
HEED_KERNEL(fused_matmul_norm) = {
    .name = "k_fused_matmul_norm",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_norm,
    .scratch = matmul_scratch,
    .shared = normalized_bytes,
    .phases = 2,
    .produces_tiles = matmul_produces_tiles,
    .parts = norm_matmul_parts,
    .run = norm_matmul_run,
};

#endif
