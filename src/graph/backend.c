/* backend.c: how a backend answers: its kernels, and what pays on it. */
#include "graph/backend.h"

#include "tensor/dtype.h"

const heed_kernel *heed_backend_find(const heed_backend *backend, heed_op_id op,
                                     const heed_kernel_args *args)
{
    for (size_t i = 0; i < backend->n_kernels; i++)
        if (backend->kernels[i]->op == op &&
            (!backend->kernels[i]->fits || backend->kernels[i]->fits(args)))
            return backend->kernels[i];
    return NULL;
}

/* ---- the reference backend ---- */

/* Reference kernels run whole steps on one thread, and nothing depends on their speed. They fuse
   small matmuls, so that tests of both kinds of graph need no other backend. */
enum { REFERENCE_ROWS = 8 };

static bool fuses_norm(const heed_matmul_descriptor *matmul)
{
    const bool quantized_panels = heed_dtype_is_quantized(matmul->weight_dtype) &&
                                  matmul->weight_layout == HEED_LAYOUT_PANELS;
    return quantized_panels || matmul->max_rows <= REFERENCE_ROWS;
}

static bool fuses_gate(const heed_matmul_descriptor *matmul)
{
    return heed_dtype_is_quantized(matmul->weight_dtype) || matmul->max_rows <= REFERENCE_ROWS;
}

/* No reference kernel produces tiles. */
static bool fuses_tiles(int64_t tile_columns, int64_t columns)
{
    (void)tile_columns;
    (void)columns;
    return false;
}

static const heed_backend_rules reference_rules = {
    .fuses_norm = fuses_norm,
    .fuses_gate = fuses_gate,
    .fuses_tiles = fuses_tiles,
    .rows_per_part = 16,
};

const heed_backend_rules *heed_backend_rules_of(const heed_backend *backend)
{
    return backend->rules ? backend->rules : &reference_rules;
}
