/* Products: op `product` and op `fused_product` as products of cpu/gemm. Joined weights are products of their own, side by side in
   y; their parts are numbered through. A norm before the product: with few rows every part normalises all of them into its
   thread's scratch, which costs less than a barrier; with more a phase of its own does it once for all. Over blocks: product_blocks.h. */
#ifndef HEED_CPU_KERNEL_PRODUCT_H
#define HEED_CPU_KERNEL_PRODUCT_H

#include "cpu/gemm/blocks.h"
#include "cpu/kernel/kernel.h"
#include "cpu/kernel/norm.h"

enum { MAX_JOINED = HEED_FUSED_BIAS - HEED_FUSED_B, FEW_ROWS = 16, ROWS_TO_NORMALISE = 8 };

/* Gated: the second product is the gate of the first, which finds it in y. */
typedef struct { heed_gemm gemm[MAX_JOINED]; int count; bool gated; } products;

static inline heed_gemm_b_kind kind_of_b(const heed_operand *b, bool transposed)
{
    if (b->layout == HEED_LAYOUT_PANELS_BOTH) return HEED_GEMM_B_PANELS;
    if (b->layout == HEED_LAYOUT_PANELS) return transposed ? HEED_GEMM_B_PANELS : HEED_GEMM_B_PANELS_TRANSPOSED;
    return transposed ? HEED_GEMM_B_NT : HEED_GEMM_B_NN;
}

/* Where the elements lie that such a product reads. A kernel that is only asked whether it fits has no data. */
static inline const void *data_of_b(const heed_operand *b, bool transposed, heed_isa isa)
{
    size_t first = 0, bytes;
    if (b->layout == HEED_LAYOUT_PANELS_BOTH && !transposed && b->data) heed_gemm_copy_bytes(isa, b->shape.dim[0], b->shape.dim[1], &first, &bytes);
    return (const char *)b->data + first;
}

/* a times b into columns from `column` on of y, which has no data where a kernel is only asked whether it fits. */
static inline heed_gemm plain_product(const heed_operand *a, const heed_operand *b, const heed_operand *y, bool transpose_a, bool transpose_b, bool rounded,
                                      heed_isa isa, int64_t column)
{
    return (heed_gemm){.m = y->shape.dim[0], .n = b->shape.dim[!transpose_b], .k = a->shape.dim[!transpose_a],
        .a = a->data, .a_stride = a->row_stride, .a_transposed = transpose_a, .rounded = rounded, .b_kind = kind_of_b(b, transpose_b),
        .b_dtype = b->dtype, .b = data_of_b(b, transpose_b, isa), .b_stride = b->row_stride, .c = y->data ? (float *)y->data + column : NULL, .c_stride = y->row_stride};
}

static inline void tell_followers(const heed_gemm *gemm, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    const heed_kernel_args *args = gemm->reader;
    heed_follow(args->followers, (heed_block){row, rows, column + (gemm->c - (const float *)args->out[0].data), columns});
}

/* Whoever follows hears of the blocks of these products, but not of a gate's. */
static inline void lead(const heed_kernel_args *args, products *all)
{
    for (int i = 0; i < all->count; i++) {
        all->gemm[i].grain = args->grain;
        if (args->followers && !(all->gated && i > 0)) {
            all->gemm[i].finished = tell_followers;
            all->gemm[i].reader = args;
        }
    }
}

static inline products products_of(const heed_kernel_args *args)
{
    const heed_operand *in = args->in, *y = &args->out[0];
    products all = {.count = 1};
    if (args->op == heed_ops[HEED_OP_PRODUCT]) {
        const heed_product_attributes *p = args->attributes;
        all.gemm[0] = plain_product(&in[0], &in[1], y, p->transpose_a, p->transpose_b, p->rounded, args->isa, 0);
        lead(args, &all);
        return all;
    }
    const heed_fused_product_attributes *p = args->attributes;
    const heed_operand *gate = optional_input(args, HEED_FUSED_GATE), *residual = optional_input(args, HEED_FUSED_RESIDUAL);
    int64_t column = 0;
    all.count = p->joined;
    for (int i = 0; i < p->joined; i++) {
        heed_gemm *g = &all.gemm[i];
        const heed_operand *bias = optional_input(args, HEED_FUSED_BIAS + i);
        *g = plain_product(&in[HEED_FUSED_A], &in[HEED_FUSED_B + i], y, p->transpose_a, p->transpose_b, p->rounded, args->isa, column);
        g->accumulate = optional_input(args, HEED_FUSED_STATE) != NULL;
        g->activation = p->activation;
        if (bias) g->bias = bias->data;
        if (gate) {
            g->gate = float_row(gate, 0) + column;
            g->gate_stride = gate->row_stride;
        }
        if (residual) {
            g->residual = float_row(residual, 0) + column;
            g->residual_stride = residual->row_stride;
        }
        column += p->gated ? 0 : g->n;
    }
    if (p->gated) {
        all.gated = true;
        all.gemm[1].activation = HEED_UNARY_LINEAR;
        all.gemm[0].gate = all.gemm[0].c;
        all.gemm[0].gate_stride = all.gemm[0].c_stride;
    }
    lead(args, &all);
    return all;
}

static inline bool floating_rows(const heed_operand *x)
{
    return x->dtype == HEED_F32 || x->dtype == HEED_F16 || x->dtype == HEED_BF16;
}

/* Blocks that products compute on are panels, others rows. */
static inline bool blocks_where_they_are_read(const heed_operand *w)
{
    return heed_dtype_is_block(w->dtype) && (w->layout == HEED_LAYOUT_PANELS) == (heed_block_traits_of(w->dtype) != NULL);
}

/* Either is W (N,K), and nothing is added to an old result. */
static inline bool fits_as_blocks(const heed_kernel_args *args, const heed_operand *w, bool fused)
{
    const heed_product_attributes *p = args->attributes;
    const heed_fused_product_attributes *f = args->attributes;
    if (!blocks_where_they_are_read(w)) return false;
    return fused ? f->transpose_b && !f->transpose_a && !optional_input(args, HEED_FUSED_STATE) : p->transpose_b && !p->transpose_a;
}

/* The left operand and all that is added are f32 rows; weights are rows or panels of any floating type, or blocks. */
static inline bool product_fits(const heed_kernel_args *args)
{
    bool fused = args->op == heed_ops[HEED_OP_FUSED_PRODUCT];
    for (int i = 0; i < args->n_in; i++) {
        const heed_operand *x = &args->in[i];
        bool weight = fused ? i >= HEED_FUSED_B && i < HEED_FUSED_BIAS : i == 1;
        if (x->data && (weight ? !floating_rows(x) && !fits_as_blocks(args, x, fused) : !is_f32_rows(x))) return false;
    }
    return true;
}

static inline heed_fused_norm norm_before(const heed_kernel_args *args)
{
    return args->op == heed_ops[HEED_OP_FUSED_PRODUCT] ? (heed_fused_norm)((const heed_fused_product_attributes *)args->attributes)->norm
                                                       : HEED_FUSED_NORM_NONE;
}

static inline bool product_fits_plain(const heed_kernel_args *args)
{
    return norm_before(args) == HEED_FUSED_NORM_NONE && product_fits(args);
}

static inline bool product_fits_norm(const heed_kernel_args *args)
{
    return norm_before(args) != HEED_FUSED_NORM_NONE && product_fits(args);
}

/* Scratch is asked for before operands have addresses. */
static inline size_t product_scratch(const heed_kernel_args *args)
{
    products all = products_of(args);
    size_t most = 0;
    for (int i = 0; i < all.count; i++) {
        heed_gemm g = all.gemm[i];
        float place;
        g.c = all.gated && i == 0 ? &place : NULL;
        g.gate = g.c;
        g.residual = NULL;
        size_t bytes = heed_gemm_scratch(&g, args->isa);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static inline int numbered_parts(const products *all, heed_isa isa)
{
    int parts = 0;
    for (int i = all->gated ? 1 : 0; i < all->count; i++) parts += heed_gemm_parts(&all->gemm[i], isa);
    return parts;
}

/* Can the products be cut at multiples of args->grain, each by itself, without becoming too few parts for the threads? */
static inline bool product_leads(const heed_kernel_args *args)
{
    enum { PARTS_ENOUGH = 8 };
    products all = products_of(args);
    int64_t column = 0;
    for (int i = 0; i < (all.gated ? 1 : all.count); i++) {
        if (column % args->grain) return false;
        column += all.gemm[i].n;
    }
    const int parts = numbered_parts(&all, args->isa);
    for (int i = 0; i < all.count; i++) all.gemm[i].grain = 0;
    const int freely = numbered_parts(&all, args->isa);
    return parts >= (freely < PARTS_ENOUGH ? freely : PARTS_ENOUGH);
}

static inline int product_parts(const heed_kernel_args *args)
{
    products all = products_of(args);
    return numbered_parts(&all, args->isa);
}

/* Part `part` of the parts of all products numbered through. Products of equal shapes have the same parts over the same elements of C. */
static inline void run_numbered(const products *all, heed_isa isa, int part, void *scratch)
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

static inline void product_run(const heed_kernel_args *args, int part, int parts)
{
    (void)parts;
    products all = products_of(args);
    run_numbered(&all, args->isa, part, args->scratch);
}

/* ---- rounded operands, packed once for all parts ---- */

enum { MOST_AHEAD_BYTES = 32 << 20, AHEAD_ROWS = 24 }; /* beyond, as with a head over a large vocabulary, parts pack for themselves */
enum { PART_TO_PACK = 1 << 17, MOST_PACKING_PARTS = 32 }; /* bytes that are worth a part */
enum { MOST_OWN_STEPS = 1024, MOST_OWN_COLUMNS = 2048 };  /* up to here parts pack rows alone faster for themselves: once, into the cache */

static inline int packing_parts(size_t bytes)
{
    return part_count((int64_t)(bytes / PART_TO_PACK), MOST_PACKING_PARTS);
}

/* Has the operands of all products packed ahead: A, which all of them read, and behind it each B that is not read as it lies. Gives them their
   places in `room` where there is one, and returns the bytes; 0 where parts do better to pack for themselves, for which there is scratch: where rows
   are few, and where A alone would take a phase and no other product reads it, which costs a barrier and the way through memory. A run with fewer
   rows than its plan needs no more bytes. */
static inline size_t plan_ahead(products *all, heed_isa isa, char *room)
{
    size_t bytes = 0, own = 0;
    if (!all->gemm[0].rounded) return 0;
    for (int i = 0; i < all->count; i++) {
        heed_gemm *g = &all->gemm[i];
        size_t a, b;
        g->ahead = true;
        heed_gemm_ahead_bytes(g, isa, &a, &b);
        if (i == 0) bytes = a;
        if (room) {
            g->packed_a = room;
            g->packed_b = room + bytes;
        }
        bytes += b;
        own += b;
    }
    const heed_gemm *first = &all->gemm[0];
    const bool rows_alone = own == 0 && all->count == 1 && packing_parts(bytes) > 1 && first->k <= MOST_OWN_STEPS && first->n <= MOST_OWN_COLUMNS;
    if (!rows_alone && (own == 0 || first->m >= AHEAD_ROWS)) return bytes;
    for (int i = 0; i < all->count; i++) all->gemm[i].ahead = false;
    return 0;
}

static inline void pack_ahead(const products *all, heed_isa isa, int part, int parts)
{
    for (int i = 0; i < all->count; i++) {
        heed_gemm g = all->gemm[i];
        if (i > 0) g.packed_a = NULL; /* the same one */
        heed_gemm_pack_ahead(&g, isa, part, parts);
    }
}

static inline size_t ahead_shared(const heed_kernel_args *args)
{
    products all = products_of(args);
    return plan_ahead(&all, args->isa, NULL);
}

/* The parts after packing. */
static inline int packed_parts(const heed_kernel_args *args)
{
    products all = products_of(args);
    plan_ahead(&all, args->isa, NULL);
    return numbered_parts(&all, args->isa);
}

static inline bool product_fits_ahead(const heed_kernel_args *args)
{
    if (!product_fits_plain(args)) return false;
    const size_t bytes = ahead_shared(args);
    return bytes > 0 && bytes <= MOST_AHEAD_BYTES;
}

static inline int ahead_parts(const heed_kernel_args *args)
{
    return args->phase == 1 ? packed_parts(args) : packing_parts(ahead_shared(args));
}

static inline void ahead_run(const heed_kernel_args *args, int part, int parts)
{
    products all = products_of(args);
    plan_ahead(&all, args->isa, args->shared);
    if (args->phase == 1) run_numbered(&all, args->isa, part, args->scratch);
    else pack_ahead(&all, args->isa, part, parts);
}

HEED_KERNEL(product_ahead) = {.name = "k_product_ahead", .op = HEED_OP_PRODUCT, .fits = product_fits_ahead, .scratch = product_scratch,
    .shared = ahead_shared, .phases = 2, .leads = product_leads, .parts = ahead_parts, .run = ahead_run};
HEED_KERNEL(fused_product_ahead) = {.name = "k_fused_product_ahead", .op = HEED_OP_FUSED_PRODUCT, .fits = product_fits_ahead, .scratch = product_scratch,
    .shared = ahead_shared, .phases = 2, .leads = product_leads, .parts = ahead_parts, .run = ahead_run};
HEED_KERNEL(product) = {.name = "k_product", .op = HEED_OP_PRODUCT, .fits = product_fits, .scratch = product_scratch, .leads = product_leads,
    .parts = product_parts, .run = product_run};
HEED_KERNEL(fused_product) = {.name = "k_fused_product", .op = HEED_OP_FUSED_PRODUCT, .fits = product_fits_plain, .scratch = product_scratch,
    .leads = product_leads, .parts = product_parts, .run = product_run};

/* ---- with a norm before ---- */

/* Rows [begin, end) of a, normalised, into out (end - begin,K). */
static inline void normalise_left(const heed_kernel_args *args, int64_t begin, int64_t end, float *out)
{
    const heed_fused_product_attributes *p = args->attributes;
    const heed_operand *a = &args->in[HEED_FUSED_A];
    int64_t width = a->shape.dim[1];
    norm how = {.layer = p->norm == HEED_FUSED_NORM_LAYER, .eps = p->eps, .offset = p->offset, .width = width,
                .gain = optional_input(args, HEED_FUSED_NORM_GAIN), .bias = optional_input(args, HEED_FUSED_NORM_BIAS)};
    for (int64_t i = begin; i < end; i++) normalise_row(&how, float_row(a, i), out + (i - begin) * width);
}

static inline void read_normalised(products *all, const float *rows)
{
    for (int i = 0; i < all->count; i++) {
        all->gemm[i].a = rows;
        all->gemm[i].a_stride = all->gemm[i].k;
    }
}

static inline size_t normalised_bytes(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[HEED_FUSED_A];
    return ((size_t)(a->shape.dim[0] * a->shape.dim[1]) * sizeof(float) + 63) & ~(size_t)63;
}

/* Few rows: what a single part would prepare, every thread prepares for itself, which saves a barrier: it normalises them, and packs what is
   rounded. */
static inline bool product_fits_few_rows(const heed_kernel_args *args)
{
    const size_t packed = ahead_shared(args);
    if (!product_fits(args)) return false;
    return norm_before(args) != HEED_FUSED_NORM_NONE ? args->out[0].shape.dim[0] <= FEW_ROWS : packed > 0 && packing_parts(packed) == 1;
}

static inline size_t few_rows_normalised(const heed_kernel_args *args)
{
    return norm_before(args) != HEED_FUSED_NORM_NONE ? normalised_bytes(args) : 0;
}

static inline size_t few_rows_scratch(const heed_kernel_args *args)
{
    return few_rows_normalised(args) + ahead_shared(args) + product_scratch(args);
}

static inline void few_rows_run(const heed_kernel_args *args, int part, int parts)
{
    products all = products_of(args);
    char *room = (char *)args->scratch + few_rows_normalised(args);
    (void)parts;
    if (room != args->scratch) read_normalised(&all, args->scratch);
    const size_t packed = plan_ahead(&all, args->isa, room);
    if (!args->again) {
        if (room != args->scratch) normalise_left(args, 0, args->in[HEED_FUSED_A].shape.dim[0], args->scratch);
        if (packed) pack_ahead(&all, args->isa, 0, 1);
    }
    run_numbered(&all, args->isa, part, room + packed);
}

static inline int norm_product_parts(const heed_kernel_args *args)
{
    if (args->phase == 1) return product_parts(args);
    int64_t parts = (args->in[HEED_FUSED_A].shape.dim[0] + ROWS_TO_NORMALISE - 1) / ROWS_TO_NORMALISE;
    return parts < 1 ? 1 : (int)parts;
}

static inline void norm_product_run(const heed_kernel_args *args, int part, int parts)
{
    if (args->phase == 0) {
        int64_t begin, end;
        heed_part_range(args->in[HEED_FUSED_A].shape.dim[0], part, parts, &begin, &end);
        normalise_left(args, begin, end, (float *)args->shared + begin * args->in[HEED_FUSED_A].shape.dim[1]);
        return;
    }
    products all = products_of(args);
    read_normalised(&all, args->shared);
    run_numbered(&all, args->isa, part, args->scratch);
}

HEED_KERNEL(product_few_rows) = {.name = "k_product_few_rows", .op = HEED_OP_PRODUCT, .fits = product_fits_few_rows, .scratch = few_rows_scratch,
    .leads = product_leads, .parts = packed_parts, .run = few_rows_run};
HEED_KERNEL(fused_product_few_rows) = {.name = "k_fused_product_few_rows", .op = HEED_OP_FUSED_PRODUCT, .fits = product_fits_few_rows,
    .scratch = few_rows_scratch, .leads = product_leads, .parts = packed_parts, .run = few_rows_run};
HEED_KERNEL(fused_product_norm) = {.name = "k_fused_product_norm", .op = HEED_OP_FUSED_PRODUCT, .fits = product_fits_norm,
    .scratch = product_scratch, .shared = normalised_bytes, .phases = 2, .leads = product_leads, .parts = norm_product_parts, .run = norm_product_run};

#endif
