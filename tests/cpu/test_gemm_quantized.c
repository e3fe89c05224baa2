/* Quantized matmuls against their definition, heed_qblock_dot, to the bit: every format,
   instruction set, tile and cut. */
#include "cpu/gemm/quantized.h"
#include "cpu/gemm_case.h"

/* Rows of random blocks whose scales are finite. */
static uint8_t *random_blocks(heed_dtype dtype, int64_t rows, int64_t columns)
{
    const heed_dtype_info *type = &heed_dtypes[dtype];
    size_t blocks = (size_t)(rows * columns) / type->qblock;
    uint8_t *bytes = malloc(blocks * type->bytes + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < blocks * type->bytes; i++) bytes[i] = (uint8_t)random_bits();
    for (size_t i = 0; i < blocks; i++)
        for (size_t j = 0; j < type->scales; j++) {
            uint16_t bits = heed_f32_to_f16(random_float());
            memcpy(bytes + i * type->bytes + type->scale_at + 2 * j, &bits, 2);
        }
    return bytes;
}

/* Panels that end at a page which must not be touched, packed in two calls. */
static guarded pack(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                    const uint8_t *blocks)
{
    size_t bytes = 0, row_bytes = heed_dtype_bytes(dtype, (size_t)columns);
    assert_true(heed_gemm_panel_bytes(isa, dtype, rows, columns, &bytes));
    assert_true((double)bytes <=
                1.03 * (double)heed_dtype_bytes(dtype, (size_t)((rows + 15) / 16 * 16 * columns)) +
                    64);
    guarded g = guarded_new(bytes);
    memset(g.data, 0xFF, bytes);
    heed_gemm_panels panels = {g.data, isa, dtype, rows, columns};
    int64_t half = rows / 2;
    if (half) heed_gemm_pack(&panels, 0, half, &(heed_pack_source){blocks, dtype, columns, 1});
    heed_gemm_pack(&panels, half, rows - half,
                   &(heed_pack_source){blocks + (size_t)half * row_bytes, dtype, columns, 1});
    return g;
}

static void check_matmul(heed_isa isa, heed_dtype dtype, int64_t m, int64_t n, int64_t k,
                         bool epilogue)
{
    const heed_qblock_traits *traits = heed_qblock_traits_of(dtype);
    const size_t row_bytes = heed_dtype_bytes(dtype, (size_t)k);
    uint8_t *blocks = random_blocks(dtype, n, k);
    const int64_t a_stride = k + random_below(5), c_stride = n + random_below(3);
    guarded a = random_floats(extent(m, k, a_stride)), c = random_floats(extent(m, n, c_stride)),
            bias = random_floats(n), b = pack(isa, dtype, n, k, blocks);
    heed_gemm gemm = {.m = m,
                      .n = n,
                      .k = k,
                      .a = a.data,
                      .a_stride = a_stride,
                      .b_kind = HEED_GEMM_B_PANELS,
                      .b_dtype = dtype,
                      .b = b.data,
                      .c = c.data,
                      .c_stride = c_stride,
                      .bias = epilogue ? bias.data : NULL};
    const int parts[] = {heed_gemm_parts(&gemm, isa), 1, 7};
    for (int p = 0; p < 3; p++) {
        run_all(&gemm, isa, parts[p], p);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                float expected = heed_qblock_dot(traits, blocks + (size_t)j * row_bytes,
                                                 gemm.a + i * a_stride, k) +
                                 (epilogue ? gemm.bias[j] : 0);
                if (!same_bits(gemm.c[i * c_stride + j], expected))
                    fail_msg("%s %s (%lld,%lld,%lld) at %lld,%lld: %.9g, expected %.9g",
                             heed_isa_name(isa), heed_dtypes[dtype].name, (long long)m,
                             (long long)n, (long long)k, (long long)i, (long long)j,
                             (double)gemm.c[i * c_stride + j], (double)expected);
            }
    }
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&c);
    guarded_free(&bias);
    free(blocks);
}

static void every_format_follows_its_definition(void **state)
{
    (void)state;
    static const int64_t ms[] = {1, 2, 5, 8, 9, 64, 67, 130}, ns[] = {1, 15, 16, 17, 53},
                         ks[] = {1, 3};
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++)
        for (int f = 0; f < HEED_QBLOCK_TRAITS; f++)
            for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
                for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
                    for (size_t l = 0; l < sizeof ks / sizeof *ks; l++)
                        if (ms[i] < 60 || (j % 4 == 1 && l == 1)) {
                            heed_dtype dtype = heed_qblock_traits_table[f].dtype;
                            check_matmul((heed_isa)isa, dtype, ms[i], ns[j],
                                         ks[l] * (int64_t)heed_dtypes[dtype].qblock, (i + j) % 2);
                        }
}

/* With and without VNNI, which matmuls choose by the machine; every shape of a tile. */
static void kernels_without_vnni_agree(void **state)
{
    (void)state;
#if defined(__x86_64__)
    enum { ROWS = 7, COLUMNS = 512, RUNS = COLUMNS / HEED_RUN, LANES = 16 };
    if (heed_isa_detect() < HEED_ISA_AVX512 || !heed_isa_has_vnni()) return;
    guarded x = random_floats(ROWS * COLUMNS);
    static heed_q8_run quantized[ROWS * RUNS], other[ROWS * RUNS];
    for (int f = 0; f < HEED_QBLOCK_TRAITS; f++) {
        const heed_dtype dtype = heed_qblock_traits_table[f].dtype;
        for (int i = 0; i < ROWS; i++) {
            heed_qgemm_kernels_vnni.quantize((const float *)x.data + i * COLUMNS,
                                             &heed_qblock_traits_table[f], RUNS, ROWS,
                                             quantized + i);
            heed_qgemm_kernels_avx512.quantize((const float *)x.data + i * COLUMNS,
                                               &heed_qblock_traits_table[f], RUNS, ROWS, other + i);
        }
        assert_memory_equal(quantized, other, sizeof quantized);
        uint8_t *blocks = random_blocks(dtype, 2 * LANES, COLUMNS);
        guarded b = pack(HEED_ISA_AVX512, dtype, 2 * LANES, COLUMNS, blocks);
        for (int shape = 0; shape < HEED_QGEMM_SHAPES; shape++) {
            float one[ROWS * 2 * LANES] = {0}, two[ROWS * 2 * LANES] = {0};
            heed_qgemm_tile tile = {
                .panel = b.data,
                .panel_stride = (ptrdiff_t)heed_qgemm_panel_stride(HEED_ISA_AVX512, dtype, COLUMNS),
                .a = quantized,
                .a_run = ROWS,
                .rows = shape == HEED_QGEMM_ONE_ROW ? 1 : ROWS,
                .to = one,
                .blocks = COLUMNS / (int64_t)heed_dtypes[dtype].qblock};
            heed_qgemm_kernels_vnni.tile[f][shape](&tile);
            tile.to = two;
            heed_qgemm_kernels_avx512.tile[f][shape](&tile);
            for (int i = 0; i < ROWS * 2 * LANES; i++) assert_true(same_bits(one[i], two[i]));
            assert_true(one[0] != 0);
        }
        guarded_free(&b);
        free(blocks);
    }
    guarded_free(&x);
#endif
}

/* Quantized once for several parts and matmuls, or by each part for itself. */
static void rows_quantized_once_give_the_same_bits(void **state)
{
    (void)state;
    const int64_t ms[] = {1, 3, 64, 65, 150}, n = 37, k = 512;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++)
        for (int f = 0; f < HEED_QBLOCK_TRAITS; f++)
            for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
                const heed_dtype dtype = heed_qblock_traits_table[f].dtype;
                const int64_t m = ms[i], half = m / 2;
                uint8_t *blocks = random_blocks(dtype, n, k);
                guarded a = random_floats(m * k), c = random_floats(m * n),
                        b = pack((heed_isa)isa, dtype, n, k, blocks);
                heed_gemm gemm = {
                    .m = m,
                    .n = n,
                    .k = k,
                    .a = a.data,
                    .a_stride = k,
                    .b_kind = HEED_GEMM_B_PANELS,
                    .b_dtype = dtype,
                    .b = b.data,
                    .c = c.data,
                    .c_stride = n,
                };
                run_all(&gemm, (heed_isa)isa, heed_gemm_parts(&gemm, (heed_isa)isa), 0);
                float *first = malloc((size_t)(m * n) * sizeof *first);
                void *quantized = malloc(heed_qgemm_quantized_bytes(m, k));
                assert_true(first && quantized);
                memcpy(first, c.data, (size_t)(m * n) * sizeof *first);
                const heed_qgemm_operand operand = {(heed_isa)isa, dtype, m, k};
                heed_qgemm_quantize(&operand, (const float *)a.data + half * k, k, half, m,
                                    quantized);
                heed_qgemm_quantize(&operand, a.data, k, 0, half, quantized);
                gemm.a_runs = quantized;
                gemm.a = NULL;
                run_all(&gemm, (heed_isa)isa, 3, 0);
                for (int64_t j = 0; j < m * n; j++) assert_true(same_bits(first[j], gemm.c[j]));
                free(first);
                free(quantized);
                free(blocks);
                guarded_free(&a);
                guarded_free(&b);
                guarded_free(&c);
            }
}

static void activations_are_rounded_as_defined(void **state)
{
    (void)state;
    const heed_qgemm_kernels *all[3] = {&heed_qgemm_kernels_generic};
#if defined(__x86_64__)
    if (heed_isa_detect() >= HEED_ISA_AVX2) all[1] = &heed_qgemm_kernels_avx2;
    if (heed_isa_detect() >= HEED_ISA_AVX512) all[2] = &heed_qgemm_kernels_avx512;
#endif
    static const float scales[] = {1, 1e-20f, 1e-38f, 1e30f, 0};
    float x[HEED_RUN * 8];
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
        for (int odd = 0; odd < 4; odd++) {
            for (int i = 0; i < HEED_RUN * 8; i++) x[i] = random_float() * scales[s];
            if (odd == 1) x[40] = NAN;
            if (odd == 2) x[70] = -INFINITY;
            if (odd == 3) { /* halves go to even */
                x[5] = 127;
                x[6] = 0.5f;
                x[7] = 1.5f;
                x[8] = -2.5f;
            }
            for (size_t k = 0; k < sizeof all / sizeof *all * HEED_QBLOCK_TRAITS; k++) {
                const heed_qgemm_kernels *kernels = all[k / HEED_QBLOCK_TRAITS];
                const heed_qblock_traits *traits =
                    &heed_qblock_traits_table[k % HEED_QBLOCK_TRAITS];
                heed_q8_run out[16], expected[8];
                if (!kernels) continue;
                kernels->quantize(x, traits, 8, 2, out);
                for (int i = 0; i < 8; i++) {
                    heed_q8_run_make(x + HEED_RUN * i, traits, &expected[i]);
                    assert_true(same_bits(out[2 * i].dx, expected[i].dx) &&
                                same_bits(out[2 * i].sum, expected[i].sum));
                    assert_memory_equal(out[2 * i].start, expected[i].start,
                                        sizeof expected[i].start);
                    assert_memory_equal(out[2 * i].x, expected[i].x, HEED_RUN);
                }
                if (odd == 3 && scales[s] <= 1)
                    assert_true(out[0].x[6] == 0 && out[0].x[7] == 2 && out[0].x[8] == -2);
                if (odd == 1) assert_true(isnan(out[2].dx));
            }
        }
}

static void rows_come_back_out_of_panels(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++)
        for (int f = 0; f < HEED_QBLOCK_TRAITS; f++) {
            const heed_dtype dtype = heed_qblock_traits_table[f].dtype;
            const int64_t rows = 37, columns = 2 * (int64_t)heed_dtypes[dtype].qblock;
            const size_t row_bytes = heed_dtype_bytes(dtype, (size_t)columns);
            uint8_t *blocks = random_blocks(dtype, rows, columns);
            guarded b = pack((heed_isa)isa, dtype, rows, columns, blocks);
            heed_gemm_panels panels = {b.data, (heed_isa)isa, dtype, rows, columns};
            for (int64_t row = 0; row < rows; row++) {
                float values[512], expected[512];
                heed_gemm_gather(&panels, row, values);
                heed_convert(expected, HEED_F32, blocks + (size_t)row * row_bytes, dtype,
                             (size_t)columns);
                for (int64_t i = 0; i < columns; i++)
                    if (values[i] != expected[i])
                        fail_msg("%s: %.9g, expected %.9g", heed_dtypes[dtype].name,
                                 (double)values[i], (double)expected[i]);
            }
            guarded_free(&b);
            free(blocks);
        }
}

/* Formats without kernels of their own are decoded into panels of f32, tile by tile. */
static void other_formats_are_expanded_exactly(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++)
        for (int d = 0; d < HEED_DTYPE_COUNT; d++) {
            const heed_dtype dtype = (heed_dtype)d;
            if (!heed_dtype_is_quantized(dtype) || heed_qblock_traits_of(dtype)) continue;
            for (int64_t m = 1; m < 40; m = m * 3 + 1) {
                const int64_t n = 33, k = 3 * 256;
                uint8_t *blocks = random_blocks(dtype, n, k);
                for (size_t i = 0;
                     dtype == HEED_MXFP4 && i < heed_dtype_bytes(dtype, (size_t)(n * k)); i += 17)
                    blocks[i] = (uint8_t)(120 + i % 16);
                float *weights = malloc((size_t)(n * k) * sizeof *weights),
                      *transposed = malloc((size_t)(n * k) * sizeof *transposed);
                assert_true(weights && transposed);
                heed_convert(weights, HEED_F32, blocks, dtype, (size_t)(n * k));
                for (int64_t i = 0; i < k; i++)
                    for (int64_t j = 0; j < n; j++) transposed[i * n + j] = weights[j * k + i];
                guarded a = random_floats(m * k), c = random_floats(m * n);
                heed_gemm gemm = {
                    .m = m,
                    .n = n,
                    .k = k,
                    .a = a.data,
                    .a_stride = k,
                    .b_kind = HEED_GEMM_B_NT,
                    .b_dtype = dtype,
                    .b = blocks,
                    .b_stride = k,
                    .c = c.data,
                    .c_stride = n,
                };
                float *expected = exact_order_sums(&gemm, transposed, NULL);
                run_all(&gemm, (heed_isa)isa, heed_gemm_parts(&gemm, (heed_isa)isa), 0);
                for (int64_t i = 0; i < m * n; i++) assert_true(same_bits(gemm.c[i], expected[i]));
                free(expected);
                free(transposed);
                free(weights);
                free(blocks);
                guarded_free(&a);
                guarded_free(&c);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_format_follows_its_definition),
                                       cmocka_unit_test(kernels_without_vnni_agree),
                                       cmocka_unit_test(rows_quantized_once_give_the_same_bits),
                                       cmocka_unit_test(activations_are_rounded_as_defined),
                                       cmocka_unit_test(rows_come_back_out_of_panels),
                                       cmocka_unit_test(other_formats_are_expanded_exactly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
