/* kernel_case.h: one op with awkward operands, run by its kernels on every instruction set and by
   its two references. A case is the last node of its op in a small graph. Operands get their own
   memory: rows further apart than they are long, live counts below the maxima, and a fence of
   sentinels in every gap and at both ends. */
#ifndef HEED_TESTS_CPU_KERNEL_CASE_H
#define HEED_TESTS_CPU_KERNEL_CASE_H

#include "support/test.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "graph/attributes.h"
#include "graph/ir.h"
#include "graph/rewrite.h"
#include "tensor/dtype.h"
#include <math.h>

typedef struct kernel_case {
    const char *name;
    heed_graph *graph;
    heed_op_id op;
    int64_t count[HEED_MAX_EXTENTS]; /* live counts */
    /* Element (row, column) of input `input`; NULL: normal numbers for floats, 0 for integers. */
    double (*element)(const struct kernel_case *c, int input, int64_t row, int64_t column,
                      heed_rng *rng);
    const void *data; /* for `element` */
    /* against reference64, relative to the largest element of the output; 0 means 2e-6. On top of
       it stands 8 times what the float reference is away from the double one. */
    double tolerance;
    double absolute; /* for differences that cancel to 0 */
    /* the kernel is better than the float reference, which is not looked at */
    bool exact;
    /* weights (inputs from panels_input on, panels_count of them, 0: one) are packed */
    bool panels;
    int panels_input, panels_count;
    bool reference_bits; /* the kernel has the bits of the float reference */
    /* subnormal numbers count as zeros on some instruction sets: what they would have added may
       differ */
    bool flushed;
} kernel_case;

enum { CASE_GUARD = 64 };

typedef struct case_operands {
    heed_operand operand[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    void *memory[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    size_t bytes[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    int n_in, n_out;
} case_operands;

static inline const heed_node *case_node(const kernel_case *c)
{
    heed_error error = {0};
    if (heed_graph_status(c->graph, &error) != HEED_OK) fail_msg("%s: %s", c->name, error.message);
    for (size_t i = c->graph->n_nodes; i-- > 0;)
        if (c->graph->nodes[i].id == c->op) return &c->graph->nodes[i];
    fail_msg("%s: the graph has no %s", c->name, heed_ops[c->op]->name);
    return NULL;
}

static inline size_t case_element_bytes(heed_dtype dtype, bool wide)
{
    return dtype == HEED_F32 && wide ? sizeof(double) : heed_dtypes[dtype].bytes;
}

/* Bytes of rows; a quantized element counts as its share of a qblock. */
static inline size_t case_bytes(heed_dtype dtype, int64_t elements, bool wide)
{
    if (heed_dtype_is_quantized(dtype)) return heed_dtype_bytes(dtype, (size_t)elements);
    return (size_t)elements * case_element_bytes(dtype, wide);
}

static inline void case_put(heed_operand *x, int64_t row, int64_t column, double value, bool wide)
{
    int64_t at = row * x->row_stride + column;
    if (x->dtype == HEED_I32) ((int32_t *)x->data)[at] = (int32_t)value;
    else if (x->dtype == HEED_I8) ((int8_t *)x->data)[at] = (int8_t)value;
    else if (x->dtype == HEED_F16) ((uint16_t *)x->data)[at] = heed_f32_to_f16((float)value);
    else if (x->dtype == HEED_BF16) ((uint16_t *)x->data)[at] = heed_f32_to_bf16((float)value);
    else if (wide) ((double *)x->data)[at] = (double)(float)value;
    else ((float *)x->data)[at] = (float)value;
}

static inline double case_get(const heed_operand *x, int64_t row, int64_t column, bool wide)
{
    int64_t at = row * x->row_stride + column;
    if (x->dtype == HEED_I32) return ((const int32_t *)x->data)[at];
    if (x->dtype == HEED_I8) return ((const int8_t *)x->data)[at];
    if (x->dtype == HEED_F16) return (double)heed_f16_to_f32(((const uint16_t *)x->data)[at]);
    if (x->dtype == HEED_BF16) return (double)heed_bf16_to_f32(((const uint16_t *)x->data)[at]);
    return wide ? ((const double *)x->data)[at] : (double)((const float *)x->data)[at];
}

/* Rows of qblocks, quantized. */
static inline void case_put_blocks(const kernel_case *c, int input, const heed_operand *x,
                                   heed_rng *rng)
{
    const int64_t columns = heed_shape_columns(x->shape);
    float *row = heed_allocate((size_t)columns, sizeof *row);
    assert_non_null(row);
    for (int64_t r = 0; r < heed_shape_rows(x->shape); r++) {
        for (int64_t j = 0; j < columns; j++)
            row[j] = (float)(c->element ? c->element(c, input, r, j, rng) : heed_rng_normal(rng));
        heed_convert((char *)x->data + heed_dtype_bytes(x->dtype, (size_t)(r * columns)), x->dtype,
                     row, HEED_F32, (size_t)columns);
    }
    free(row);
}

/* Element (row, column) of input `input`. */
static inline double case_number(const kernel_case *c, int input, heed_dtype dtype, int64_t row,
                                 int64_t column, heed_rng *rng)
{
    if (c->element) return c->element(c, input, row, column, rng);
    return dtype == HEED_I32 ? 0 : heed_rng_normal(rng);
}

/* Operands of the case: the same numbers whatever the gap between rows and whatever the
   precision. */
static inline case_operands case_operands_new(const kernel_case *c, int64_t gap, bool wide)
{
    const heed_node *node = case_node(c);
    case_operands all = {.n_in = node->n_in, .n_out = node->n_out};
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        heed_value value = i < node->n_in ? node->in[i] : node->out[i - node->n_in];
        if (value <= 0) continue;
        const heed_value_info *info = &c->graph->values[value];
        heed_operand *x = &all.operand[i];
        *x = (heed_operand){.present = true,
                            .dtype = info->dtype,
                            .shape = info->shape,
                            .row_stride = heed_shape_columns(info->shape)};
        const bool blocks = heed_dtype_is_quantized(x->dtype);
        if ((x->shape.rank != 1 || x->shape.extent) && !blocks) x->row_stride += gap;
        if (x->shape.extent) x->shape.dim[0] = c->count[x->shape.extent];
        size_t element = case_element_bytes(x->dtype, wide);
        all.bytes[i] = case_bytes(x->dtype, heed_shape_rows(info->shape) * x->row_stride, wide) +
                       2 * CASE_GUARD * element;
        all.memory[i] = heed_allocate_aligned(all.bytes[i]);
        assert_non_null(all.memory[i]);
        memset(all.memory[i], 0xA5, all.bytes[i]);
        x->data = (char *)all.memory[i] + CASE_GUARD * element;
        heed_rng rng = {.seed = 11, .stream = (uint64_t)i};
        int64_t columns = heed_shape_columns(x->shape);
        if (blocks) case_put_blocks(c, i, x, &rng);
        for (int64_t r = 0; !blocks && i < node->n_in && r < heed_shape_rows(x->shape); r++)
            for (int64_t j = 0; j < columns; j++)
                case_put(x, r, j, case_number(c, i, x->dtype, r, j, &rng), wide);
    }
    return all;
}

static inline void case_operands_free(case_operands *all)
{
    for (int i = 0; i < all->n_in + all->n_out; i++) heed_free_aligned(all->memory[i]);
}

static inline heed_kernel_args case_args(const kernel_case *c, case_operands *all,
                                         const heed_runtime *runtime, heed_isa isa)
{
    return (heed_kernel_args){
        .op = heed_ops[c->op],
        .in = all->operand,
        .out = all->operand + all->n_in,
        .n_in = all->n_in,
        .n_out = all->n_out,
        .attributes = case_node(c)->attributes,
        .runtime = runtime,
        .isa = isa,
    };
}

static inline heed_runtime case_runtime(const kernel_case *c)
{
    heed_runtime runtime = {.seed = 3, .step = 7};
    memcpy(runtime.count, c->count, sizeof runtime.count);
    return runtime;
}

/* The kernel for the case at its maximal shapes; NULL when the backend leaves it to the
   reference. */
static inline const heed_kernel *case_kernel(const kernel_case *c, case_operands *all,
                                             const heed_backend *backend)
{
    heed_kernel_args args = case_args(c, all, NULL, backend->isa);
    for (size_t i = 0; i < backend->n_kernels; i++)
        if (backend->kernels[i]->op == c->op &&
            (!backend->kernels[i]->fits || backend->kernels[i]->fits(&args)))
            return backend->kernels[i];
    return NULL;
}

/* Sentinels around `output` are as they were. */
static inline void case_check_fence(const kernel_case *c, const case_operands *all, int i)
{
    const heed_operand *x = &all->operand[i];
    int64_t columns = heed_shape_columns(x->shape), rows = heed_shape_rows(x->shape);
    size_t element = case_element_bytes(x->dtype, false);
    const unsigned char *bytes = all->memory[i];
    for (size_t at = 0; at < all->bytes[i]; at++) {
        int64_t place = (int64_t)(at / element) - CASE_GUARD;
        bool inside = place >= 0 && x->row_stride > 0 && place / x->row_stride < rows &&
                      place % x->row_stride < columns;
        if (!inside && bytes[at] != 0xA5)
            fail_msg("%s: operand %d was written outside its rows, element %lld", c->name, i,
                     (long long)place);
    }
}

/* Puts the panels of a weight in the place of its rows. */
static inline void case_pack_one(case_operands *all, int input, const heed_backend *backend)
{
    heed_operand *x = &all->operand[input];
    size_t bytes = 0, element = heed_dtypes[x->dtype].bytes;
    bool stack = x->shape.rank == 3; /* one matrix an expert */
    int64_t matrices = stack ? x->shape.dim[0] : 1, rows = x->shape.dim[stack],
            columns = x->shape.dim[1 + stack];
    assert_true(backend->packing->panel_bytes(backend, x->dtype, rows, columns, &bytes));
    char *panels = heed_allocate_aligned(bytes * (size_t)matrices);
    assert_non_null(panels);
    for (int64_t i = 0; i < matrices; i++) {
        const heed_packed_weight own = {panels + (size_t)i * bytes, x->dtype, rows, columns};
        const char *data = (char *)x->data + (size_t)(i * x->row_stride) * element;
        backend->packing->pack_rows(
            backend, &own, 0, rows,
            &(heed_pack_source){data, x->dtype, stack ? columns : x->row_stride, 1});
    }
    bytes *= (size_t)matrices;
    heed_free_aligned(all->memory[input]);
    all->memory[input] = panels;
    all->bytes[input] = bytes;
    x->data = panels;
    x->layout = HEED_LAYOUT_PANELS;
    x->row_stride = heed_shape_columns(x->shape);
}

static inline void case_pack(const kernel_case *c, case_operands *all, const heed_backend *backend)
{
    for (int i = 0; i < (c->panels_count ? c->panels_count : 1); i++)
        case_pack_one(all, c->panels_input + i, backend);
}

/* Memory for a kernel with a fence after it. */
typedef struct {
    char *bytes;
    size_t size;
} fenced_memory;

static inline fenced_memory fenced_new(size_t size)
{
    fenced_memory memory = {heed_allocate_aligned(size + 64), size};
    assert_non_null(memory.bytes);
    memset(memory.bytes, 0x7F, size + 64);
    return memory;
}

static inline void fenced_free(fenced_memory memory, const char *kernel)
{
    for (size_t i = 0; i < 64; i++)
        if (memory.bytes[memory.size + i] != 0x7F) fail_msg("%s wrote after its memory", kernel);
    heed_free_aligned(memory.bytes);
}

/* Runs all parts of all phases; `backwards` takes the parts of a phase last first; `cut` parts
   where rows decide. */
static inline void case_run_kernel(const heed_kernel *kernel, heed_kernel_args args, int cut,
                                   bool backwards)
{
    const fenced_memory scratch = fenced_new(kernel->scratch ? kernel->scratch(&args) : 0);
    const fenced_memory shared = fenced_new(kernel->shared ? kernel->shared(&args) : 0);
    const fenced_memory prepared = fenced_new(kernel->prepared ? kernel->prepared(&args) : 0);
    args.shared = shared.bytes;
    args.prepared = prepared.bytes;
    if (kernel->prepare) kernel->prepare(&args);
    heed_kernel_call call = {.scratch = scratch.bytes};
    int phases = kernel->phases ? kernel->phases : 1;
    if (kernel->live_phases) phases = kernel->live_phases(&args);
    for (call.phase = 0; call.phase < phases; call.phase++) {
        call.parts = kernel->parts ? kernel->parts(&args, call.phase) : cut;
        assert_true(call.parts >= 1);
        for (int part = 0; part < call.parts; part++) {
            call.part = backwards ? call.parts - 1 - part : part;
            call.scratch_valid = part > 0 && cut != 1; /* parts of one thread; else of as many */
            kernel->run(&args, &call);
        }
    }
    fenced_free(scratch, kernel->name);
    fenced_free(shared, kernel->name);
    fenced_free(prepared, kernel->name);
}

static inline void case_check_numbers(const kernel_case *c, const char *kernel,
                                      const case_operands *found, const case_operands *single,
                                      const case_operands *wide)
{
    for (int i = found->n_in; i < found->n_in + found->n_out; i++) {
        const heed_operand *x = &found->operand[i];
        int64_t rows = heed_shape_rows(x->shape), columns = heed_shape_columns(x->shape);
        double largest = 0, noise = 0, limit = c->tolerance > 0 ? c->tolerance : 2e-6;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < columns; j++) {
                double value = case_get(&wide->operand[i], r, j, true);
                double away = fabs(case_get(&single->operand[i], r, j, false) - value);
                if (isfinite(value) && fabs(value) > largest) largest = fabs(value);
                if (isfinite(away) && away > noise && !c->exact) noise = away;
            }
        if (x->dtype == HEED_F16) limit += 0x1p-10;
        if (x->dtype == HEED_BF16) limit += 0x1p-7;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < columns; j++) {
                double got = case_get(x, r, j, false),
                       exact = case_get(&wide->operand[i], r, j, true),
                       rough = case_get(&single->operand[i], r, j, false);
                bool same = fabs(got - exact) <= limit * largest + 8 * noise + c->absolute + 1e-37;
                if (isinf(exact) || isinf(rough)) same = got == rough;
                if (isnan(exact) || isnan(rough)) same = isnan(got);
                if (!same)
                    fail_msg("%s: %s, output %d (%lld,%lld): %.9g, reference %.9g, in double %.9g, "
                             "largest %.3g",
                             c->name, kernel, i - found->n_in, (long long)r, (long long)j, got,
                             rough, exact, largest);
            }
    }
}

static inline void case_check_bits(const kernel_case *c, const char *what, const case_operands *a,
                                   const case_operands *b)
{
    for (int i = a->n_in; i < a->n_in + a->n_out; i++) {
        const heed_operand *x = &a->operand[i];
        size_t element = case_element_bytes(x->dtype, false);
        int64_t columns = heed_shape_columns(x->shape);
        for (int64_t r = 0; r < heed_shape_rows(x->shape); r++) {
            const char *one = (const char *)x->data + (size_t)(r * x->row_stride) * element;
            const char *two = (const char *)b->operand[i].data +
                              (size_t)(r * b->operand[i].row_stride) * element;
            for (int64_t j = 0; j < columns; j++) {
                double left = case_get(x, r, j, false),
                       right = case_get(&b->operand[i], r, j, false);
                bool alike = (isnan(left) && isnan(right)) ||
                             (c->flushed && fabs(left - right) < 0x1p-118);
                if (memcmp(one + (size_t)j * element, two + (size_t)j * element, element) && !alike)
                    fail_msg("%s: output %d (%lld,%lld) differs by %s: %.9g and %.9g", c->name,
                             i - a->n_in, (long long)r, (long long)j, what, left, right);
            }
        }
    }
}

/* The input in whose memory output 0 may lie: the state, or input 0. -1 if there is none. */
static inline int case_input_in_place(const kernel_case *c, const case_operands *all)
{
    const heed_op *op = heed_ops[c->op];
    const heed_operand *first = &all->operand[0], *out = &all->operand[all->n_in];
    if (heed_node_state(case_node(c)) != HEED_NONE) return op->state_input;
    if (!(op->flags & HEED_OP_IN_PLACE) || c->panels) return -1;
    return heed_shape_equal(first->shape, out->shape) && first->dtype == out->dtype ? 0 : -1;
}

/* Output 0 in the memory of this input. */
static inline void case_check_in_place(const kernel_case *c, const heed_kernel *kernel,
                                       const heed_backend *backend, const case_operands *expected,
                                       int64_t gap, int input)
{
    case_operands all = case_operands_new(c, gap, false);
    heed_runtime runtime = case_runtime(c);
    heed_free_aligned(all.memory[all.n_in]);
    all.memory[all.n_in] = NULL;
    heed_shape shape = all.operand[all.n_in].shape;
    all.operand[all.n_in] = all.operand[input];
    all.operand[all.n_in].shape = shape;
    heed_kernel_args args = case_args(c, &all, &runtime, backend->isa);
    args.state_in_place = heed_node_state(case_node(c)) != HEED_NONE;
    case_run_kernel(kernel, args, 2, false);
    case_check_bits(c, "working in place", &all, expected);
    case_check_fence(c, &all, input);
    case_operands_free(&all);
}

/* All checks of one case. Kernels used are appended to `used` (by name) when it is not NULL. */
static inline void case_check(const kernel_case *c, void (*used)(const char *kernel))
{
    case_operands single = case_operands_new(c, 0, false), wide = case_operands_new(c, 0, true),
                  first = {0};
    heed_runtime runtime = case_runtime(c);
    heed_kernel_args args = case_args(c, &single, &runtime, HEED_ISA_GENERIC);
    heed_ops[c->op]->reference(&args);
    args = case_args(c, &wide, &runtime, HEED_ISA_GENERIC);
    heed_ops[c->op]->reference64(&args);
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        for (int variant = 0; variant < 3; variant++) {
            /* the best instruction set takes all variants */
            if (isa < (int)heed_isa_detect() && variant != isa % 2) continue;
            static const int64_t gaps[] = {0, 5, 16};
            static const int cuts[] = {1, 3, 1000};
            const int64_t gap = gaps[variant];
            case_operands all = case_operands_new(c, gap, false),
                          before = case_operands_new(c, gap, false);
            if (c->panels) {
                case_pack(c, &all, backend);
                case_pack(c, &before, backend);
            }
            const heed_kernel *kernel = case_kernel(c, &all, backend);
            if (!kernel)
                fail_msg("%s: no kernel for %s on %s", c->name, heed_ops[c->op]->name,
                         heed_isa_name((heed_isa)isa));
            if (used) used(kernel->name);
            case_run_kernel(kernel, case_args(c, &all, &runtime, (heed_isa)isa), cuts[variant],
                            variant & 1);
            for (int i = all.n_in; i < all.n_in + all.n_out; i++) case_check_fence(c, &all, i);
            for (int i = 0; i < all.n_in; i++)
                if (all.memory[i] && memcmp(all.memory[i], before.memory[i], all.bytes[i]))
                    fail_msg("%s: %s changed input %d", c->name, kernel->name, i);
            if (c->reference_bits) case_check_bits(c, "kernel", &single, &all);
            else case_check_numbers(c, kernel->name, &all, &single, &wide);
            if (first.n_out) case_check_bits(c, "parts, gaps or instruction set", &first, &all);
            const int in_place = case_input_in_place(c, &all);
            if (in_place >= 0) case_check_in_place(c, kernel, backend, &all, gap, in_place);
            case_operands_free(&before);
            if (first.n_out) case_operands_free(&all);
            else first = all;
        }
        heed_cpu_backend_free(backend);
    }
    case_operands_free(&first);
    case_operands_free(&single);
    case_operands_free(&wide);
}

#endif
