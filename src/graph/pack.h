/* pack.h: how a backend keeps the weights that its matmuls read: packed panels of weights that do
   not change, and bf16 working copies of weights that are trained. Only the backend knows the order
   of the elements; everybody else reaches them through this table. */
#ifndef HEED_GRAPH_PACK_H
#define HEED_GRAPH_PACK_H

#include <heed/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heed_backend;

/* A weight W (rows,columns) in the backend's own order. `data` is borrowed, 64-byte aligned, and as
   large as the table below says. */
typedef struct heed_packed_weight {
    void *data;
    heed_dtype dtype; /* of the packed elements */
    int64_t rows, columns;
} heed_packed_weight;

/* Rows of a weight as they lie in a file or in memory. Strides count elements: a weight stored
   (rows,columns) has column_stride 1, one stored (columns,rows), as GPT-2's Conv1D is, has
   row_stride 1. */
typedef struct heed_pack_source {
    const void *data; /* element 0 of the first row; borrowed for the call */
    /* f32, f16 or bf16, converted to nearest even if the packed type is another one; a quantized
       type only if it is the packed type, with rows that lie end to end */
    heed_dtype dtype;
    int64_t row_stride, column_stride;
} heed_pack_source;

/* Every function takes the backend whose table it is in. Calls that write different ranges of rows
   may run on several threads at once if the ranges begin at multiples of rows_at_once. */
typedef struct heed_pack_table {
    /* ---- packed panels: HEED_LAYOUT_PANELS ---- */
    /* Writes to *bytes the size of a packed weight, a multiple of 64. Returns false if the size
       overflows. */
    bool (*panel_bytes)(const struct heed_backend *backend, heed_dtype dtype, int64_t rows,
                        int64_t columns, size_t *bytes);
    /* Packs rows [first, first + count) of the weight. Several tensors may fill one weight, range
       after range; the call that writes the last row also fills up the last panel. */
    void (*pack_rows)(const struct heed_backend *backend, const heed_packed_weight *weight,
                      int64_t first, int64_t count, const heed_pack_source *source);
    /* Writes row `row` of the weight to out (columns), widened to f32: the way back to a file. */
    void (*read_row)(const struct heed_backend *backend, const heed_packed_weight *weight,
                     int64_t row, float *out);

    /* ---- bf16 working copies: HEED_LAYOUT_PANELS_BOTH ---- */
    /* Writes to *bytes the size of the copy of a weight (rows,columns), a multiple of 64. Returns
       false if the size overflows. */
    bool (*copy_bytes)(const struct heed_backend *backend, int64_t rows, int64_t columns,
                       size_t *bytes);
    /* Writes rows [first, first + count) of the copy (dtype HEED_BF16) from f32 rows that lie end
       to end, each element rounded by heed_round_operand. `first` is a multiple of rows_at_once,
       and so is `count` unless the range ends with the last row. */
    void (*write_copy)(const struct heed_backend *backend, const heed_packed_weight *copy,
                       int64_t first, int64_t count, const float *rows);
    /* Returns the number of rows that are packed together, at least 1. */
    int64_t (*rows_at_once)(const struct heed_backend *backend);
} heed_pack_table;

#endif
