/* panels.c: the resident packed panels of a weight: their size, how rows get into them, and how a
   row gets out. gemm.h draws them. */
#include "cpu/gemm/quantized.h"
#include "cpu/gemm/kernels.h"

#include "base/memory.h"
#include "tensor/alignment.h"
#include "tensor/dtype.h"
#include <string.h>

int heed_gemm_panel_width(heed_isa isa)
{
    return heed_gemm_kernels_for(isa)->nr;
}

/* Bytes of an element of panels, and the elements of a row of W: two values of bf16 share one. */
static size_t element_bytes(heed_dtype dtype)
{
    return dtype == HEED_BF16 ? sizeof(uint32_t) : heed_dtypes[dtype].bytes;
}
static int64_t elements_of_row(heed_dtype dtype, int64_t columns)
{
    return dtype == HEED_BF16 ? columns / 2 + columns % 2 : columns;
}

bool heed_gemm_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                           size_t *bytes)
{
    if (heed_qblock_traits_of(dtype))
        return heed_qgemm_panel_bytes(isa, dtype, rows, columns, bytes);
    const size_t width = (size_t)heed_gemm_panel_width(isa);
    size_t padded, elements, total;
    if (rows < 0 || columns < 0 || !heed_add_size((size_t)rows, width - 1, &padded)) return false;
    padded -= padded % width;
    if (!heed_multiply_size(padded, (size_t)elements_of_row(dtype, columns), &elements) ||
        !heed_multiply_size(elements, element_bytes(dtype), &total))
        return false;
    if (!heed_add_size(total, HEED_ALIGNMENT - 1, &total)) return false;
    *bytes = total - total % HEED_ALIGNMENT;
    return true;
}

/* The address of the first element of row `row` in its panel; the next ones stand `width` elements
   apart. */
static char *row_start(const heed_gemm_panels *panels, int64_t row, int64_t width)
{
    return (char *)panels->data +
           (size_t)(row / width * elements_of_row(panels->dtype, panels->columns) * width +
                    row % width) *
               element_bytes(panels->dtype);
}

/* Copies `count` elements of `bytes` bytes (2 or 4); strides are in elements. */
static void copy_strided(char *to, ptrdiff_t to_stride, const char *from, ptrdiff_t from_stride,
                         int64_t count, size_t bytes)
{
    if (bytes == 4)
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * to_stride * 4, from + i * from_stride * 4, 4);
    else
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * to_stride * 2, from + i * from_stride * 2, 2);
}

/* Writes `count` consecutive numbers in bf16 as pairs, `stride` elements apart; 0 beside the last
   of an odd count. */
static void put_pairs(char *to, ptrdiff_t stride, const char *from, int64_t count)
{
    for (int64_t i = 0; i < count; i += 2, to += stride * (ptrdiff_t)sizeof(uint32_t)) {
        uint16_t halves[2] = {0};
        memcpy(halves, from + i * 2, i + 1 < count ? 4 : 2);
        const uint32_t pair = (uint32_t)halves[0] << 16 | halves[1];
        memcpy(to, &pair, sizeof pair);
    }
}

/* Packs rows [row, stop), which share a panel, element by element. 64 elements of each row in turn,
   so that the lines of the panel are filled while they are in the cache. */
static void pack_elements(const heed_gemm_panels *panels, int64_t row, int64_t stop,
                          const char *data, const heed_pack_source *source)
{
    enum { DEPTH = 64 };
    const int64_t width = heed_gemm_panel_width(panels->isa), column_stride = source->column_stride;
    const size_t bytes = heed_dtypes[panels->dtype].bytes,
                 source_bytes = heed_dtypes[source->dtype].bytes;
    for (int64_t k = 0; k < panels->columns; k += DEPTH) {
        const int64_t depth = panels->columns - k < DEPTH ? panels->columns - k : DEPTH;
        for (int64_t r = row; r < stop; r++) {
            const char *from = data + (size_t)((r - row) * source->row_stride + k * column_stride) *
                                          source_bytes;
            char *to = row_start(panels, r, width) +
                       (size_t)(elements_of_row(panels->dtype, k) * width) *
                           element_bytes(panels->dtype);
            char gathered[DEPTH * 4], converted[DEPTH * 4];
            if (source->dtype == panels->dtype && panels->dtype != HEED_BF16) {
                copy_strided(to, width, from, column_stride, depth, bytes);
                continue;
            }
            copy_strided(gathered, 1, from, column_stride, depth, source_bytes);
            heed_convert(converted, panels->dtype, gathered, source->dtype, (size_t)depth);
            if (panels->dtype == HEED_BF16) put_pairs(to, width, converted, depth);
            else copy_strided(to, width, converted, 1, depth, bytes);
        }
    }
}

void heed_gemm_pack(const heed_gemm_panels *panels, int64_t first, int64_t count,
                    const heed_pack_source *source)
{
    if (heed_qblock_traits_of(panels->dtype)) {
        heed_qgemm_pack(panels, first, count, source->data);
        return;
    }
    const heed_gemm_kernels *kernels = heed_gemm_kernels_for(panels->isa);
    const int64_t width = kernels->nr, end = first + count;
    const bool by_rows = source->column_stride == 1; /* the elements of a row are consecutive */
    heed_gemm_pack_kernel *const pack = by_rows ? kernels->floats.pack_t : kernels->floats.pack_n;
    heed_gemm_rows rows = {NULL, heed_gemm_type_of(source->dtype),
                           by_rows ? source->row_stride : source->column_stride};
    for (int64_t row = first; row < end;) {
        const int64_t start = row - row % width, stop = start + width < end ? start + width : end;
        const char *from = (const char *)source->data +
                           (size_t)((row - first) * source->row_stride) *
                               heed_dtypes[source->dtype].bytes;
        const bool whole_panel = row == start && (stop == start + width || stop == panels->rows);
        rows.data = from;
        if (panels->dtype == HEED_F32 && whole_panel && (by_rows || source->row_stride == 1))
            pack((float *)row_start(panels, row, width), (int)width, rows, panels->columns,
                 (int)(stop - row));
        else pack_elements(panels, row, stop, from, source);
        row = stop;
    }
    if (end < panels->rows || end % width == 0) return;
    const size_t bytes = element_bytes(panels->dtype);
    for (int64_t i = 0; i < elements_of_row(panels->dtype, panels->columns); i++)
        memset(row_start(panels, end, width) + (size_t)(i * width) * bytes, 0,
               (size_t)(width - end % width) * bytes);
}

/* ---- bf16 working copies ---- */

bool heed_gemm_copy_bytes(heed_isa isa, int64_t rows, int64_t columns, size_t *first, size_t *bytes)
{
    size_t second;
    return heed_gemm_panel_bytes(isa, HEED_BF16, rows, columns, first) &&
           heed_gemm_panel_bytes(isa, HEED_BF16, columns, rows, &second) &&
           heed_add_size(*first, second, bytes);
}

void heed_gemm_copy_rows(const heed_gemm_panels *copy, int64_t first, int64_t count,
                         const float *source, int64_t stride)
{
    const heed_isa isa = copy->isa;
    const heed_gemm_kernels *kernels = heed_gemm_kernels_for(isa);
    const heed_gemm_pair_kernels *pairs = heed_gemm_pair_kernels_for(isa);
    const heed_gemm_packers *packers = pairs ? &pairs->pairs : &kernels->bf16_pairs;
    const int64_t width = kernels->nr, columns = copy->columns;
    const int64_t panel = elements_of_row(HEED_BF16, columns) * width,
                  across = elements_of_row(HEED_BF16, copy->rows) * width;
    size_t bytes = 0;
    heed_gemm_panel_bytes(isa, HEED_BF16, copy->rows, columns, &bytes);
    float *own = (float *)copy->data + first / width * panel;
    float *transposed = (float *)((char *)copy->data + bytes) + first / 2 * width;
    heed_gemm_rows rows = {NULL, HEED_GEMM_F32, stride};
    for (int64_t row = 0; row < count; row += width, own += panel) {
        rows.data = source + row * stride;
        packers->pack_t(own, (int)width, rows, columns,
                        (int)(count - row < width ? count - row : width));
    }
    for (int64_t column = 0; column < columns; column += width, transposed += across) {
        rows.data = source + column;
        packers->pack_n(transposed, (int)width, rows, count,
                        (int)(columns - column < width ? columns - column : width));
    }
}

void heed_gemm_gather(const heed_gemm_panels *panels, int64_t row, float *out)
{
    if (heed_qblock_traits_of(panels->dtype)) {
        heed_qgemm_gather(panels, row, out);
        return;
    }
    const int64_t width = heed_gemm_panel_width(panels->isa);
    const char *from = row_start(panels, row, width);
    for (int64_t k = 0; k < panels->columns; k++) {
        uint16_t bits;
        uint32_t pair;
        switch (panels->dtype) {
        case HEED_F16:
            memcpy(&bits, from + k * width * 2, 2);
            out[k] = heed_f16_to_f32(bits);
            break;
        case HEED_BF16:
            memcpy(&pair, from + k / 2 * width * 4, 4);
            out[k] = heed_bf16_to_f32((uint16_t)(k % 2 ? pair : pair >> 16));
            break;
        default: memcpy(out + k, from + k * width * 4, 4);
        }
    }
}
