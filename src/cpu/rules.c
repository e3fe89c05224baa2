/* rules.c: what pays on a CPU. */
#include "cpu/rules.h"

#include "tensor/dtype.h"

static bool fuses_norm(const heed_matmul_descriptor *matmul)
{
    const bool quantized_panels = heed_dtype_is_quantized(matmul->weight_dtype) &&
                                  matmul->weight_layout == HEED_LAYOUT_PANELS;
    return quantized_panels || matmul->max_rows <= HEED_CPU_FUSED_ROWS;
}

/* Two matmuls become one gated step if the first can multiply its sums by the gate that lies in C.
   Then C cannot hold sums between blocks, so k is one block and columns are taken 128 at a time
   (gemm/cut.c); over many rows of floats that costs more than the step that is saved. Matmuls over
   quantized panels have no such blocks. Quantized weights without traits are multiplied as floats,
   with these blocks, and are fused at any number of rows nevertheless; whether that pays was not
   measured. */
static bool fuses_gate(const heed_matmul_descriptor *matmul)
{
    return heed_dtype_is_quantized(matmul->weight_dtype) || matmul->max_rows <= HEED_CPU_FUSED_ROWS;
}

/* Tiles that are cut at multiples of more columns leave fewer parts, and tiles of whole rows make
   every part pack for itself what parts of a grid share. Measured on trainings with 384 columns in
   turn: whole rows were no faster than a barrier. */
static bool fuses_tiles(int64_t tile_columns, int64_t columns)
{
    enum { MOST_COLUMNS = 256, MOST_WHOLE_COLUMNS = 128 };
    const bool whole_rows = tile_columns >= columns;
    return tile_columns <= MOST_COLUMNS && (!whole_rows || columns <= MOST_WHOLE_COLUMNS);
}

const heed_backend_rules heed_cpu_rules = {
    .fuses_norm = fuses_norm,
    .fuses_gate = fuses_gate,
    .fuses_tiles = fuses_tiles,
    .rows_per_part = 16,
};
