/* expert_matmul.h: matmuls by expert as matmuls of cpu/gemm, one for each expert that has slots, so
   that elements are summed as in plain matmuls. Parts are counted over all experts. Each expert
   gets parts by its share of the work, which the offsets tell: an earlier step of the same run has
   computed them. What does not depend on offsets is prepared once a run. */
#ifndef HEED_CPU_KERNEL_EXPERT_MATMUL_H
#define HEED_CPU_KERNEL_EXPERT_MATMUL_H

#include "cpu/gemm/gemm.h"
#include "cpu/kernel/expert_rows.h"
#include "cpu/kernel/matmul.h"

/* How the work is shared among experts: the slots of each, the elements of its weights, the work of
   all (add_up_work), and the most parts of one. */
typedef struct {
    const heed_operand *offsets;
    int64_t experts, slots, elements, total, most;
    const heed_gemm_expert_costs *costs; /* by which parts are counted */
    bool idle_works; /* experts without slots have work too: they write their result */
} expert_shares;

/* What a run prepares. */
typedef struct {
    heed_gemm gemm; /* of expert 0, without its slots */
    expert_shares shares;
    size_t
        weight_bytes; /* expert_matmul: bytes from the weights of an expert to those of the next */
    bool in_one_part; /* expert_outer: a single part does all of an expert */
} prepared_experts;

static inline size_t experts_prepared(const heed_kernel_args *args)
{
    (void)args;
    return sizeof(prepared_experts);
}

static inline int64_t expert_work(const expert_shares *all, int64_t expert)
{
    int64_t begin, end;
    slots_of_expert(all->offsets, expert, all->slots, &begin, &end);
    return end > begin || all->idle_works ? end - begin + all->costs->fixed_rows : 0;
}

/* The shares of the step, with the work of all experts: offsets have their elements by now. */
static inline expert_shares add_up_work(const heed_kernel_args *args)
{
    const prepared_experts *experts = args->prepared;
    expert_shares all = experts->shares;
    for (int64_t e = 0; e < all.experts; e++) all.total += expert_work(&all, e);
    return all;
}

static inline int64_t parts_of_expert(const expert_shares *all, int64_t expert)
{
    int64_t work = expert_work(all, expert);
    if (work == 0) return 0;
    const heed_gemm_expert_costs *costs = all->costs;
    int64_t parts = heed_divide_up(work * costs->parts, all->total),
            worth = all->elements / costs->part_elements * work / costs->fixed_rows;
    parts = parts > worth ? worth : parts;
    parts = parts > all->most ? all->most : parts;
    return parts < 1 ? 1 : parts;
}

static inline int count_expert_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    const expert_shares all = add_up_work(args);
    int64_t parts = 0;
    for (int64_t e = 0; e < all.experts; e++) parts += parts_of_expert(&all, e);
    return parts < 1 ? 1 : (int)parts;
}

/* Finds the expert of part `part`, and which of how many parts of that expert it is; false after
   the last part. */
static inline bool find_expert_part(const expert_shares *all, int part, int64_t *expert, int *own,
                                    int *parts)
{
    int64_t at = part;
    for (*expert = 0; *expert < all->experts; ++*expert) {
        int64_t count = parts_of_expert(all, *expert);
        if (at < count) {
            *own = (int)at;
            *parts = (int)count;
            return true;
        }
        at -= count;
    }
    return false;
}

/* The end of the slots from s on that lie evenly: all up to `end`, or those of one row if there are
   gaps between rows. */
static inline int64_t even_run(const heed_operand *x, const heed_operand *y, int64_t s, int64_t end)
{
    int64_t J = x->shape.dim[1], row_end = (s / J + 1) * J;
    bool dense = x->row_stride == J * x->shape.dim[2] && y->row_stride == J * y->shape.dim[2];
    return dense || end < row_end ? end : row_end;
}

/* ---- expert_matmul ---- */

/* The weights of expert 0, a matrix (O,I). */
static inline heed_operand first_weights(const heed_operand *w)
{
    heed_operand own = *w;
    own.shape = heed_shape_2(w->shape.dim[1], w->shape.dim[2]);
    own.row_stride = w->shape.dim[2];
    return own;
}

/* Bytes from the weights of an expert to those of the next. */
static inline size_t weight_bytes(const heed_operand *w, heed_isa isa)
{
    const int64_t rows = w->shape.dim[1], columns = w->shape.dim[2];
    size_t bytes = heed_dtype_bytes(w->dtype, (size_t)w->row_stride), first;
    if (w->layout == HEED_LAYOUT_PANELS)
        heed_gemm_panel_bytes(isa, w->dtype, rows, columns, &bytes);
    if (w->layout == HEED_LAYOUT_PANELS_BOTH)
        heed_gemm_copy_bytes(isa, rows, columns, &first, &bytes);
    return bytes;
}

/* The matmul of expert 0, without its slots: m, a, c and gate are still missing. */
static inline heed_gemm first_expert_gemm(const heed_kernel_args *args)
{
    const heed_expert_matmul_attributes *p = args->attributes;
    const heed_operand *x = &args->in[HEED_EXPERT_X], *w = &args->in[HEED_EXPERT_WEIGHT];
    const heed_operand *y = &args->out[0], *bias = heed_optional(args, HEED_EXPERT_BIAS);
    const heed_operand own = first_weights(w);
    return (heed_gemm){.n = y->shape.dim[2],
                       .k = x->shape.dim[2],
                       .a_stride = x->shape.dim[2],
                       .b_kind = kind_of_b(w, p->transpose_b),
                       .b_dtype = w->dtype,
                       .b = data_of_b(&own, p->transpose_b, args->isa),
                       .b_stride = own.row_stride,
                       .c_stride = y->shape.dim[2],
                       .bf16_operands = p->bf16_operands,
                       .activation = p->activation,
                       .bias = bias ? bias->data : NULL,
                       .gate_stride = y->shape.dim[2]};
}

static inline void expert_matmul_prepare(const heed_kernel_args *args)
{
    const heed_operand *w = &args->in[HEED_EXPERT_WEIGHT], *y = &args->out[0];
    const heed_operand *offsets = &args->in[HEED_EXPERT_OFFSETS];
    prepared_experts *experts = args->prepared;
    *experts = (prepared_experts){
        .gemm = first_expert_gemm(args),
        .weight_bytes = weight_bytes(w, args->isa),
        .shares = {.costs = &heed_gemm_kernels_for(args->isa)->experts,
                   .offsets = offsets,
                   .experts = offsets->shape.dim[0] - 1,
                   .slots = y->shape.dim[0] * y->shape.dim[1],
                   .elements = w->shape.dim[1] * w->shape.dim[2],
                   .most = heed_divide_up(y->shape.dim[2], heed_gemm_panel_width(args->isa))},
    };
}

/* The matmul of an expert, without its slots. */
static inline heed_gemm expert_gemm(const heed_kernel_args *args, int64_t expert)
{
    const prepared_experts *experts = args->prepared;
    const heed_operand *bias = heed_optional(args, HEED_EXPERT_BIAS);
    heed_gemm g = experts->gemm;
    g.b = (const char *)g.b + (size_t)expert * experts->weight_bytes;
    if (bias) g.bias = float_row(bias, expert);
    return g;
}

static inline bool expert_matmul_fits(const heed_kernel_args *args)
{
    const heed_expert_matmul_attributes *p = args->attributes;
    const heed_operand *w = &args->in[HEED_EXPERT_WEIGHT];
    return floating_rows(w) || (p->transpose_b && qblocks_where_they_are_read(w));
}

static inline size_t expert_matmul_scratch(const heed_kernel_args *args)
{
    heed_gemm g = first_expert_gemm(args);
    g.m = args->out[0].shape.dim[0] * args->out[0].shape.dim[1];
    return heed_gemm_scratch(&g, args->isa);
}

/* Writes zeros into the slots after those of all experts; part 0 does this. */
static inline void clear_idle_slots(const heed_kernel_args *args)
{
    const heed_operand *offsets = &args->in[HEED_EXPERT_OFFSETS], *y = &args->out[0];
    int64_t begin, end, slots = y->shape.dim[0] * y->shape.dim[1];
    slots_of_expert(offsets, offsets->shape.dim[0] - 2, slots, &begin, &end);
    for (; end < slots; end++) memset(slot_row(y, end), 0, (size_t)y->shape.dim[2] * sizeof(float));
}

/* The matmul of the expert that the part belongs to, over its slots in runs that lie evenly. */
static inline void expert_matmul_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[HEED_EXPERT_X], *gate = heed_optional(args, HEED_EXPERT_GATE),
                       *y = &args->out[0];
    const expert_shares all = add_up_work(args);
    int64_t expert, begin, end;
    int own, of;
    if (call->part == 0) clear_idle_slots(args);
    if (!find_expert_part(&all, call->part, &expert, &own, &of)) return;
    slots_of_expert(all.offsets, expert, all.slots, &begin, &end);
    heed_gemm g = expert_gemm(args, expert);
    for (int64_t next; begin < end; begin = next) {
        next = even_run(x, y, begin, end);
        if (gate) {
            int64_t other = even_run(gate, y, begin, end);
            next = other < next ? other : next;
            g.gate = slot_row(gate, begin);
        }
        g.m = next - begin;
        g.a = slot_row(x, begin);
        g.c = slot_row(y, begin);
        heed_gemm_run(&g, args->isa, own, of, call->scratch);
    }
}

/* ---- expert_outer ---- */

/* The matmul a^T b of expert 0, without its slots. */
static inline heed_gemm first_outer_gemm(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1], *y = &args->out[0];
    const heed_expert_outer_attributes *p = args->attributes;
    return (heed_gemm){.m = a->shape.dim[2],
                       .n = b->shape.dim[2],
                       .bf16_operands = p->bf16_operands,
                       .a_stride = a->shape.dim[2],
                       .a_transposed = true,
                       .b_kind = HEED_GEMM_B_NN,
                       .b_dtype = HEED_F32,
                       .b_stride = b->shape.dim[2],
                       .c = y->data,
                       .c_stride = b->shape.dim[2]};
}

static inline size_t expert_outer_scratch(const heed_kernel_args *args)
{
    heed_gemm g = first_outer_gemm(args);
    g.k = args->in[0].shape.dim[0] * args->in[0].shape.dim[1];
    return heed_gemm_scratch(&g, args->isa);
}

/* Must one part do all of an expert? It must if slots lie in several runs, or if the state has to
   be copied first, since what comes second waits for what comes first. Plans lay slots end to end
   and states in place. */
static inline bool outer_in_one_part(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1];
    int64_t slots = a->shape.dim[0] * a->shape.dim[1];
    return even_run(a, b, 0, slots) < slots ||
           (heed_optional(args, HEED_EXPERT_OUTER_STATE) && !args->state_in_place);
}

/* If the result lies where the state lies, experts without slots stay as they are. */
static inline void expert_outer_prepare(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[0], *offsets = &args->in[2], *y = &args->out[0];
    prepared_experts *experts = args->prepared;
    *experts = (prepared_experts){
        .gemm = first_outer_gemm(args),
        .in_one_part = outer_in_one_part(args),
        .shares = {.costs = &heed_gemm_kernels_for(args->isa)->experts,
                   .offsets = offsets,
                   .experts = offsets->shape.dim[0] - 1,
                   .slots = a->shape.dim[0] * a->shape.dim[1],
                   .elements = y->shape.dim[1] * y->shape.dim[2],
                   .most = heed_divide_up(y->shape.dim[2], heed_gemm_panel_width(args->isa)),
                   .idle_works = !args->state_in_place},
    };
}

/* The matmul a^T b of the expert that the part belongs to, added up over runs of its slots. */
static inline void expert_outer_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1], *y = &args->out[0],
                       *state = heed_optional(args, HEED_EXPERT_OUTER_STATE);
    const prepared_experts *experts = args->prepared;
    const expert_shares all = add_up_work(args);
    int64_t expert, begin, end;
    int own, of;
    if (!find_expert_part(&all, call->part, &expert, &own, &of)) return;
    if (experts->in_one_part) {
        if (own > 0) return;
        of = 1;
    }
    if (state && !args->state_in_place)
        memcpy(float_row(y, expert), float_row(state, expert),
               (size_t)heed_shape_columns(y->shape) * sizeof(float));
    heed_gemm g = experts->gemm;
    g.c = float_row(y, expert);
    g.accumulate = state != NULL;
    slots_of_expert(all.offsets, expert, all.slots, &begin, &end);
    do {
        int64_t next = even_run(a, b, begin, end);
        g.k = next - begin;
        g.a = slot_row(a, begin);
        g.b = slot_row(b, begin);
        heed_gemm_run(&g, args->isa, own, of, call->scratch);
        g.accumulate = true;
        begin = next;
    } while (begin < end);
}

HEED_KERNEL(expert_matmul) = {
    .name = "k_expert_matmul",
    .op = HEED_OP_EXPERT_MATMUL,
    .fits = expert_matmul_fits,
    .scratch = expert_matmul_scratch,
    .prepared = experts_prepared,
    .prepare = expert_matmul_prepare,
    .parts = count_expert_parts,
    .run = expert_matmul_run,
};
HEED_KERNEL(expert_outer) = {
    .name = "k_expert_outer_f32",
    .op = HEED_OP_EXPERT_OUTER,
    .scratch = expert_outer_scratch,
    .prepared = experts_prepared,
    .prepare = expert_outer_prepare,
    .parts = count_expert_parts,
    .run = expert_outer_run,
};

#endif
