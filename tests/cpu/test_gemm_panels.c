#include "cpu/gemm_case.h"

static const heed_dtype dtypes[] = {HEED_F32, HEED_F16, HEED_BF16};

/* Rows come back as they went in, from any source type and stride, packed at once or joined from
   pieces; the filling is zero. */
static void check_rows(heed_isa isa, heed_dtype from, heed_dtype to, int64_t columns,
                       bool transposed)
{
    const int64_t rows = 75, stride = 137;
    const size_t bytes = heed_dtypes[from].bytes;
    const int64_t held = transposed ? columns : rows, wide = rows + columns - held;
    guarded source = guarded_new((size_t)extent(held, wide, stride) * bytes);
    for (int64_t i = 0; i < held; i++)
        for (int64_t j = 0; j < wide; j++) {
            float x = random_float();
            heed_convert((char *)source.data + (size_t)(i * stride + j) * bytes, from, &x, HEED_F32,
                         1);
        }
    heed_gemm_panels panels = {.isa = isa, .dtype = to, .rows = rows, .columns = columns};
    size_t size = 0;
    assert_true(heed_gemm_panel_bytes(panels.isa, panels.dtype, rows, columns, &size));
    guarded packed = guarded_new(size);
    panels.data = packed.data;
    memset(packed.data, 0xFF, size);
    const int64_t row_stride = transposed ? 1 : stride, column_stride = stride + 1 - row_stride;
    const int64_t cuts[] = {0, 5, 40, 41, rows};
    for (int i = 0; i < 4; i++)
        heed_gemm_pack(
            &panels, cuts[i], cuts[i + 1] - cuts[i],
            &(heed_pack_source){(char *)source.data + (size_t)(cuts[i] * row_stride) * bytes, from,
                                row_stride, column_stride});
    guarded row = guarded_new((size_t)columns * 4);
    for (int64_t r = 0; r < rows; r++) {
        heed_gemm_gather(&panels, r, row.data);
        for (int64_t k = 0; k < columns; k++) {
            char element[4];
            float want;
            heed_convert(element, panels.dtype,
                         (char *)source.data + (size_t)(r * row_stride + k * column_stride) * bytes,
                         from, 1);
            heed_convert(&want, HEED_F32, element, panels.dtype, 1);
            assert_true(same_bits(((float *)row.data)[k], want));
        }
    }
    const int64_t width = heed_gemm_panel_width(panels.isa);
    panels.rows = (rows + width - 1) / width * width; /* to read the filling */
    for (int64_t r = rows; r < panels.rows; r++) {
        heed_gemm_gather(&panels, r, row.data);
        for (int64_t k = 0; k < columns; k++) assert_true(((float *)row.data)[k] == 0);
    }
    guarded_free(&source);
    guarded_free(&packed);
    guarded_free(&row);
}

static void rows_come_back(void **state)
{
    (void)state;
    const int64_t columns[] = {1, 2, 64, 65, 133};
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (size_t from = 0; from < 3; from++)
            for (size_t to = 0; to < 3; to++)
                for (size_t i = 0; i < 2 * sizeof columns / sizeof *columns; i++)
                    check_rows((heed_isa)isa, dtypes[from], dtypes[to], columns[i / 2], i % 2);
}

/* Elements of bf16 stand where gemm.h says, two steps to an element of 4 bytes, with 0 beside the
   last of an odd number. */
static void halves_stand_in_pairs(void **state)
{
    (void)state;
    const int64_t rows = 39, columns = 37, pairs = 19;
    uint16_t source[39 * 37];
    for (int64_t i = 0; i < rows * columns; i++) source[i] = (uint16_t)(i + 1);
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        const int64_t width = heed_gemm_panel_width((heed_isa)isa);
        size_t size = 0;
        assert_true(heed_gemm_panel_bytes((heed_isa)isa, HEED_BF16, rows, columns, &size));
        assert_int_equal(size,
                         (size_t)((rows + width - 1) / width * width * pairs * 4 + 63) / 64 * 64);
        guarded packed = guarded_new(size);
        memset(packed.data, 0xFF, size);
        heed_gemm_panels panels = {packed.data, (heed_isa)isa, HEED_BF16, rows, columns};
        heed_gemm_pack(&panels, 0, rows, &(heed_pack_source){source, HEED_BF16, columns, 1});
        for (int64_t o = 0; o < rows; o++)
            for (int64_t i = 0; i < columns; i += 2) {
                const uint32_t second = i + 1 < columns ? source[o * columns + i + 1] : 0;
                assert_int_equal(
                    ((uint32_t *)packed.data)[(o / width * pairs + i / 2) * width + o % width],
                    (uint32_t)source[o * columns + i] << 16 | second);
            }
        guarded_free(&packed);
    }
}

/* A bf16 working copy holds every element as matmuls round it, and those of the transpose, with
   zeros to fill up the last panel of either. */
static void check_copy(heed_isa isa, int64_t rows, int64_t columns)
{
    const int64_t stride = columns + 3, width = heed_gemm_panel_width(isa);
    guarded source = random_floats(extent(rows, columns, stride));
    float *values = source.data;
    for (int64_t i = 0; i < extent(rows, columns, stride); i += 3) {
        /* subnormal; any but the largest */
        const uint32_t bits = i % 2 ? random_bits() & 0x807FFFFF : random_bits() & 0xBFFFFFFF;
        memcpy(&values[i], &bits, 4);
    }
    size_t first = 0, bytes = 0;
    assert_true(heed_gemm_copy_bytes(isa, rows, columns, &first, &bytes));
    guarded copy = guarded_new(bytes);
    memset(copy.data, 0xFF, bytes);
    const heed_gemm_panels target = {copy.data, isa, HEED_BF16, rows, columns};
    for (int64_t row = 0; row < rows; row += 2 * width)
        heed_gemm_copy_rows(&target, row, rows - row < 2 * width ? rows - row : 2 * width,
                            values + row * stride, stride);
    for (int is_transposed = 0; is_transposed < 2; is_transposed++) {
        const int64_t own = is_transposed ? columns : rows, other = rows + columns - own,
                      filled = (own + width - 1) / width * width;
        const heed_gemm_panels panels = {(char *)copy.data + (is_transposed ? first : 0), isa,
                                         HEED_BF16, filled, other + other % 2};
        float row[160];
        for (int64_t i = 0; i < filled; i++) {
            heed_gemm_gather(&panels, i, row);
            for (int64_t k = 0; k < other + other % 2; k++) {
                const int64_t at = is_transposed ? k * stride + i : i * stride + k;
                const bool filling = i >= own || k >= other;
                assert_true(same_bits(row[k], filling ? 0 : heed_round_operand(values[at])));
            }
        }
    }
    guarded_free(&source);
    guarded_free(&copy);
}

static void copies_are_rounded(void **state)
{
    (void)state;
    const int64_t extents[] = {1, 2, 16, 33, 64, 75, 133};
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (int i = 0; i < 49; i++) check_copy((heed_isa)isa, extents[i / 7], extents[i % 7]);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    size_t bytes = 7;
    assert_false(heed_gemm_panel_bytes(HEED_ISA_GENERIC, HEED_F32, INT64_MAX, INT64_MAX, &bytes));
    assert_false(heed_gemm_panel_bytes(HEED_ISA_GENERIC, HEED_F32, INT64_MAX / 2, 3, &bytes));
    assert_false(heed_gemm_panel_bytes(HEED_ISA_GENERIC, HEED_F32, -1, 3, &bytes));
    assert_int_equal(bytes, 7);
    assert_true(heed_gemm_panel_bytes(HEED_ISA_GENERIC, HEED_BF16, 1, 3, &bytes) &&
                bytes % 64 == 0 && bytes >= 48);
    assert_true(heed_gemm_panel_bytes(HEED_ISA_GENERIC, HEED_F32, 0, 3, &bytes) && bytes == 0);
    assert_false(heed_gemm_panel_bytes(HEED_ISA_GENERIC, HEED_BF16, 4, INT64_MAX, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back), cmocka_unit_test(halves_stand_in_pairs),
        cmocka_unit_test(copies_are_rounded), cmocka_unit_test(sizes_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
