/* kernel_table.h: sizes, numbers and bookkeeping that the tests of the kernels share. Each op
   belongs to one program of tests/cpu/test_kernels_*.c; at its end every_kernel_had_a_case fails
   when a kernel of one of its ops was used by no case, and when a kernel's op belongs to no
   program. */
#ifndef HEED_TESTS_CPU_KERNEL_TABLE_H
#define HEED_TESTS_CPU_KERNEL_TABLE_H

#include "cpu/row_cases.h"
#include "graph/plan.h"
#include "support/sanitized.h"

static const int64_t some_rows[] = {0, 1, 2, 17, 33},
                     some_columns[] = {1, 3, 15, 16, 17, 64, 65, 130};
enum {
    ROWS_COUNT = sizeof some_rows / sizeof *some_rows,
    COLUMNS_COUNT = sizeof some_columns / sizeof *some_columns
};

/* Names of the kernels that some case used. */
static const char *seen_kernels[256];
static size_t seen_count;

static inline void saw(const char *kernel)
{
    for (size_t i = 0; i < seen_count; i++)
        if (!strcmp(seen_kernels[i], kernel)) return;
    assert_true(seen_count < sizeof seen_kernels / sizeof *seen_kernels);
    seen_kernels[seen_count++] = kernel;
}

static inline void run_case(kernel_case c)
{
    case_check(&c, saw);
    heed_graph_free(c.graph);
}

static const row_data plain = {.limit = 7}, with_nan = {.limit = 7, .special = NAN},
                      with_infinity = {.limit = 7, .special = INFINITY},
                      with_minus_infinity = {.limit = 7, .special = -INFINITY};
static const row_data *const specials[] = {&plain, &with_nan, &with_infinity, &with_minus_infinity};

/* For all sizes. */
#define FOR_SIZES(rows, columns)                                                                   \
    for (int size_i = 0; size_i < ROWS_COUNT; size_i++)                                            \
        for (int size_j = HEED_SANITIZED ? size_i % 3 : 0; size_j < COLUMNS_COUNT;                 \
             size_j += HEED_SANITIZED ? 3 : 1)                                                     \
            for (int64_t rows = some_rows[size_i], columns = some_columns[size_j], once = 1; once; \
                 once = 0)

/* The program whose cases are to use the kernels of an op. */
typedef enum {
    KERNELS_NOWHERE,
    KERNELS_ELEMENTWISE,
    KERNELS_ROWS,
    KERNELS_MOVING,
    KERNELS_MATMUL,
    KERNELS_EXPERTS
} kernel_program;

static const kernel_program kernel_programs[HEED_OP_COUNT] = {
    [HEED_OP_BINARY] = KERNELS_ELEMENTWISE,
    [HEED_OP_UNARY] = KERNELS_ELEMENTWISE,
    [HEED_OP_UNARY_BACKWARD] = KERNELS_ELEMENTWISE,
    [HEED_OP_SCALE] = KERNELS_ELEMENTWISE,
    [HEED_OP_CAST] = KERNELS_ELEMENTWISE,
    [HEED_OP_DROPOUT] = KERNELS_ELEMENTWISE,
    [HEED_OP_BROADCAST] = KERNELS_ELEMENTWISE,
    [HEED_OP_ACCUMULATE] = KERNELS_ELEMENTWISE,
    [HEED_OP_CLAMP] = KERNELS_ELEMENTWISE,
    [HEED_OP_CLAMP_BACKWARD] = KERNELS_ELEMENTWISE,
    [HEED_OP_CLAMPED_SWIGLU] = KERNELS_ELEMENTWISE,
    [HEED_OP_CLAMPED_SWIGLU_BACKWARD] = KERNELS_ELEMENTWISE,
    [HEED_OP_REDUCE] = KERNELS_ROWS,
    [HEED_OP_REDUCE_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_SOFTMAX] = KERNELS_ROWS,
    [HEED_OP_SOFTMAX_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_LAYER_NORM] = KERNELS_ROWS,
    [HEED_OP_LAYER_NORM_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_RMS_NORM] = KERNELS_ROWS,
    [HEED_OP_RMS_NORM_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_NORM_GAIN_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_CROSS_ENTROPY] = KERNELS_ROWS,
    [HEED_OP_CROSS_ENTROPY_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_LINEAR_CROSS_ENTROPY] = KERNELS_ROWS,
    [HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD] = KERNELS_ROWS,
    [HEED_OP_GATHER] = KERNELS_MOVING,
    [HEED_OP_SCATTER_ADD] = KERNELS_MOVING,
    [HEED_OP_SLICE] = KERNELS_MOVING,
    [HEED_OP_PAD_COLUMNS] = KERNELS_MOVING,
    [HEED_OP_CONCATENATE] = KERNELS_MOVING,
    [HEED_OP_TRANSPOSE] = KERNELS_MOVING,
    [HEED_OP_RESHAPE] = KERNELS_MOVING,
    [HEED_OP_CACHE_WRITE] = KERNELS_MOVING,
    [HEED_OP_SEQUENCE_MEAN] = KERNELS_MOVING,
    [HEED_OP_SEQUENCE_MEAN_BACKWARD] = KERNELS_MOVING,
    [HEED_OP_ROTARY_TABLE] = KERNELS_MOVING,
    [HEED_OP_ROTARY] = KERNELS_MOVING,
    [HEED_OP_ATTENTION] = KERNELS_MOVING,
    [HEED_OP_ATTENTION_BACKWARD] = KERNELS_MOVING,
    [HEED_OP_MATMUL] = KERNELS_MATMUL,
    [HEED_OP_FUSED_MATMUL] = KERNELS_MATMUL,
    [HEED_OP_TOP_K] = KERNELS_EXPERTS,
    [HEED_OP_TOP_K_BACKWARD] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_PERMUTATION] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_LOAD] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_LOAD_BACKWARD] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_DISPATCH] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_COMBINE] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_DOT] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_MATMUL] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_OUTER] = KERNELS_EXPERTS,
    [HEED_OP_EXPERT_SUM] = KERNELS_EXPERTS,
};

/* Runs last in each program. */
static inline void every_kernel_had_a_case(kernel_program program)
{
    heed_backend *backend = NULL;
    assert_ok(heed_cpu_backend_new(&backend, 1, HEED_ISA_GENERIC, &error));
    int own = 0;
    for (size_t i = 0; i < backend->n_kernels; i++) {
        const heed_kernel *kernel = backend->kernels[i];
        if (kernel_programs[kernel->op] == KERNELS_NOWHERE)
            fail_msg("kernel_programs has no program for %s", heed_ops[kernel->op]->name);
        if (kernel_programs[kernel->op] != program) continue;
        bool found = false;
        for (size_t k = 0; k < seen_count; k++)
            found = found || !strcmp(seen_kernels[k], kernel->name);
        if (!found) fail_msg("no case used %s", kernel->name);
        own++;
    }
    assert_true(own > 0);
    heed_cpu_backend_free(backend);
}

#endif
