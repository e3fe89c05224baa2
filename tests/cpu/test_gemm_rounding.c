/* How matmuls round: within the error bound of the order of sums, each operation once, NaN and
   infinities in their row and column alone, bf16 operands as defined. */
#include "cpu/gemm_case.h"

static const heed_gemm_b_kind kinds[] = {HEED_GEMM_B_PANELS, HEED_GEMM_B_PANELS_TRANSPOSED,
                                         HEED_GEMM_B_NT, HEED_GEMM_B_NN};

/* |sum - exact| <= K u / (1 - K u) * sum |a b|, u = 2^-24 (Higham 2002, section 3.1). */
static void the_chain_is_within_its_error_bound(void **state)
{
    (void)state;
    const int64_t m = 64, n = 96, k = 1000;
    const double bound = (double)k * 0x1p-24 / (1 - (double)k * 0x1p-24);
    guarded a = random_floats(m * k), c = guarded_new((size_t)(m * n) * 4);
    float *b = random_b(k, n, HEED_F32);
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        heed_gemm gemm = dense_gemm(m, n, k, a.data, c.data);
        gemm.b_kind = HEED_GEMM_B_NN;
        gemm.b = b;
        gemm.b_stride = n;
        run_all(&gemm, (heed_isa)isa, heed_gemm_parts(&gemm, (heed_isa)isa), 0);
        for (int64_t i = 0; i < m * n; i++) {
            double exact = 0, size = 0;
            for (int64_t j = 0; j < k; j++) {
                double product = (double)gemm.a[i / n * k + j] * (double)b[j * n + i % n];
                exact += product;
                size += fabs(product);
            }
            assert_true(fabs((double)gemm.c[i] - exact) <= bound * size + 1e-12);
        }
    }
    free(b);
    guarded_free(&a);
    guarded_free(&c);
}

/* NaN and infinities go where the sum takes them, and nowhere else: a column's neighbors and
   filling stay clean. */
static void special_values_stay_in_their_row_and_column(void **state)
{
    (void)state;
    const int64_t m = 30, n = 75, k = 290;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (size_t mode = 0; mode < 2 * sizeof kinds / sizeof *kinds; mode++) {
            guarded a = random_floats(m * k), c = guarded_new((size_t)(m * n) * 4);
            float *b = random_b(k, n, HEED_F32), *values = a.data;
            values[3 * k + 7] = NAN;
            values[11 * k + 280] = INFINITY;
            values[12 * k] = -INFINITY;
            values[12 * k + 1] = INFINITY;
            values[20 * k + 5] = 3e38f;
            b[100 * n + 2] = NAN;
            b[289 * n + 74] = -INFINITY;
            b[5 * n + 40] = 3e38f;
            b[7 * n + 33] = 0;
            b[280 * n + 50] = 0;
            heed_gemm gemm = dense_gemm(m, n, k, a.data, c.data);
            gemm.b_kind = kinds[mode / 2];
            gemm.bf16_operands = mode % 2;
            gemm.prepacked = mode / 2 % 2;
            gemm.b_stride = gemm.b_kind == HEED_GEMM_B_NT ? k : n;
            guarded laid = lay_out_b(&gemm, b, (heed_isa)isa);
            run_all(&gemm, (heed_isa)isa, heed_gemm_parts(&gemm, (heed_isa)isa), 0);
            float *expected = exact_order_sums(&gemm, b, NULL);
            for (int64_t i = 0; i < m * n; i++) assert_true(same_bits(gemm.c[i], expected[i]));
            assert_true(isfinite(gemm.c[4 * n + 3]) && isnan(gemm.c[3 * n + 3]) &&
                        isnan(gemm.c[4 * n + 2]) && isinf(gemm.c[20 * n + 40]));
            free(b);
            free(expected);
            guarded_free(&a);
            guarded_free(&c);
            guarded_free(&laid);
        }
}

/* Subnormal sums and products that underflow round as fmaf rounds them. */
static void tiny_values_round_once(void **state)
{
    (void)state;
    const int64_t m = 14, n = 35, k = 61;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        guarded a = random_floats(m * k), c = guarded_new((size_t)(m * n) * 4);
        float *b = random_b(k, n, HEED_F32);
        for (int64_t i = 0; i < m * k; i++)
            ((float *)a.data)[i] = ldexpf(((float *)a.data)[i], -(int)random_below(150));
        for (int64_t i = 0; i < k * n; i++) b[i] = ldexpf(b[i], (int)random_below(40) - 40);
        heed_gemm gemm = dense_gemm(m, n, k, a.data, c.data);
        gemm.b_kind = HEED_GEMM_B_NN;
        gemm.b = b;
        gemm.b_stride = n;
        run_all(&gemm, (heed_isa)isa, 1, 0);
        float *expected = exact_order_sums(&gemm, b, NULL);
        for (int64_t i = 0; i < m * n; i++) assert_true(same_bits(gemm.c[i], expected[i]));
        free(b);
        free(expected);
        guarded_free(&a);
        guarded_free(&c);
    }
}

/* Where operands are rounded, subnormal ones count as zeros, NaN stays NaN and what is beyond the
   largest becomes infinite. A sum that is subnormal may be one or zero. */
static void operands_round_as_defined(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    static const uint32_t special[] = {0,          0x80000000, 1,          0x007FFFFF, 0x807FFFFF,
                                       0x00800000, 0x00808000, 0x3F808000, 0x3F818000, 0x3F808001,
                                       0x3F807FFF, 0x7F7FFFFF, 0x7F7F7FFF, 0x7F7F8000, 0x7F800000,
                                       0xFF800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF};
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        guarded b = guarded_new(COUNT * 4), c = guarded_new(COUNT * 4);
        for (size_t i = 0; i < COUNT; i++)
            ((uint32_t *)b.data)[i] = i < sizeof special / sizeof *special ? special[i]
                                                                           : random_bits();
        const float one = 1;
        heed_gemm gemm = dense_gemm(1, COUNT, 1, &one, c.data);
        gemm.b_kind = HEED_GEMM_B_NN;
        gemm.b = b.data;
        gemm.b_stride = COUNT;
        gemm.bf16_operands = true;
        for (int side = 0; side < 2; side++) {
            if (side) { /* the same values as A */
                gemm.m = COUNT;
                gemm.n = 1;
                gemm.a = b.data;
                gemm.b = &one;
                gemm.b_stride = 1;
                gemm.c_stride = 1;
            }
            run_all(&gemm, (heed_isa)isa, heed_gemm_parts(&gemm, (heed_isa)isa), 0);
            for (int i = 0; i < COUNT; i++) {
                const float x = ((float *)b.data)[i], y = ((float *)c.data)[i],
                            expected = fmaf(one, heed_round_operand(x), 0);
                assert_true(same_bits(y, expected));
                if (isnan(x)) assert_true(isnan(y));
                else
                    assert_true(fabsf(y - x) <= fabsf(x) * 0x1p-8f || fabsf(x) < 0x1p-126f ||
                                isinf(y));
            }
        }
        guarded_free(&b);
        guarded_free(&c);
    }
}

/* c + a b where a b is half a unit of c but for 2^-46 of itself: rounding to double first would
   tie, and err for one parity of c. */
static void halfway_sums_round_once(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        float c[COUNT], b[COUNT], expected[COUNT], a = 1 + 0x1p-23f;
        int uneven = 0;
        for (int i = 0; i < COUNT; i++) {
            c[i] = (i & 1 ? -1.0f : 1.0f) * (1 + (float)(i / 8) * 0x1p-23f);
            b[i] = 0x1p-24f * (i & 4 ? 1 - 0x1p-23f : 1 - 0x1p-24f);
            if (i & 2) b[i] = -b[i];
            expected[i] = fmaf(a, b[i], c[i]);
            uneven += expected[i] != (float)((double)a * (double)b[i] + (double)c[i]);
        }
        assert_true(uneven > 0); /* the case that is meant does occur */
        heed_gemm gemm = dense_gemm(1, COUNT, 1, &a, c);
        gemm.b_kind = HEED_GEMM_B_NN;
        gemm.b = b;
        gemm.b_stride = COUNT;
        gemm.accumulate = true;
        run_all(&gemm, (heed_isa)isa, 1, 0);
        for (int i = 0; i < COUNT; i++) assert_true(same_bits(c[i], expected[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_is_within_its_error_bound),
        cmocka_unit_test(special_values_stay_in_their_row_and_column),
        cmocka_unit_test(tiny_values_round_once), cmocka_unit_test(operands_round_as_defined),
        cmocka_unit_test(halfway_sums_round_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
