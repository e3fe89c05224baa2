/* pack.c: packed panels and bf16 working copies of weights, for the model and the optimizer
   (graph/pack.h). gemm/panels.c knows the order of the elements. */
#include "cpu/pack.h"

#include "cpu/gemm/gemm.h"
#include "graph/backend.h"

static heed_gemm_panels panels_of(const heed_backend *backend, const heed_packed_weight *weight)
{
    return (heed_gemm_panels){.data = weight->data,
                              .isa = backend->isa,
                              .dtype = weight->dtype,
                              .rows = weight->rows,
                              .columns = weight->columns};
}

static bool panel_bytes(const heed_backend *backend, heed_dtype dtype, int64_t rows,
                        int64_t columns, size_t *bytes)
{
    return heed_gemm_panel_bytes(backend->isa, dtype, rows, columns, bytes);
}

static void pack_rows(const heed_backend *backend, const heed_packed_weight *weight, int64_t first,
                      int64_t count, const heed_pack_source *source)
{
    const heed_gemm_panels panels = panels_of(backend, weight);
    heed_gemm_pack(&panels, first, count, source);
}

static void read_row(const heed_backend *backend, const heed_packed_weight *weight, int64_t row,
                     float *out)
{
    const heed_gemm_panels panels = panels_of(backend, weight);
    heed_gemm_gather(&panels, row, out);
}

static bool copy_bytes(const heed_backend *backend, int64_t rows, int64_t columns, size_t *bytes)
{
    size_t first;
    return heed_gemm_copy_bytes(backend->isa, rows, columns, &first, bytes);
}

static void write_copy(const heed_backend *backend, const heed_packed_weight *copy, int64_t first,
                       int64_t count, const float *rows)
{
    const heed_gemm_panels panels = panels_of(backend, copy);
    heed_gemm_copy_rows(&panels, first, count, rows, copy->columns);
}

static int64_t rows_at_once(const heed_backend *backend)
{
    return heed_gemm_panel_width(backend->isa);
}

const heed_pack_table heed_cpu_packing = {
    .panel_bytes = panel_bytes,
    .pack_rows = pack_rows,
    .read_row = read_row,
    .copy_bytes = copy_bytes,
    .write_copy = write_copy,
    .rows_at_once = rows_at_once,
};
