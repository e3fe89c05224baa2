#include "tensor/dtype.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static void every_half_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float value = heed_f16_to_f32((uint16_t)bits);
        if (isnan(value)) assert_true(isnan(heed_f16_to_f32(heed_f32_to_f16(value))));
        else assert_int_equal(heed_f32_to_f16(value), bits);
        float brain = heed_bf16_to_f32((uint16_t)bits);
        if (isnan(brain)) assert_true(isnan(heed_bf16_to_f32(heed_f32_to_bf16(brain))));
        else assert_int_equal(heed_f32_to_bf16(brain), bits);
    }
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    /* midpoints between neighbors go to the even one */
    for (uint32_t bits = 0; bits < 0x7BFF; bits++) {
        double low = heed_f16_to_f32((uint16_t)bits), high = heed_f16_to_f32((uint16_t)(bits + 1));
        float middle = (float)((low + high) / 2);
        assert_int_equal(heed_f32_to_f16(middle), bits & 1 ? bits + 1 : bits);
        assert_int_equal(heed_f32_to_f16(nextafterf(middle, 1e9f)), bits + 1);
        assert_int_equal(heed_f32_to_f16(nextafterf(middle, -1e9f)), bits);
    }
    assert_int_equal(heed_f32_to_f16(65519.996f), 0x7BFF);
    assert_int_equal(heed_f32_to_f16(65520.0f), 0x7C00);
    assert_int_equal(heed_f32_to_bf16(heed_bf16_to_f32(0x3F80) + 0x1p-8f), 0x3F80);
    assert_int_equal(heed_f32_to_bf16(heed_bf16_to_f32(0x3F81) + 0x1p-8f), 0x3F82);
}

static void conversion_saturates(void **state)
{
    (void)state;
    int64_t big[3] = {INT64_MAX, INT64_MIN, 5};
    int32_t small[3];
    heed_convert(small, HEED_I32, big, HEED_I64, 3);
    assert_int_equal(small[0], INT32_MAX);
    assert_int_equal(small[1], INT32_MIN);
    assert_int_equal(small[2], 5);
    float values[4] = {NAN, 300, -7.9f, 1e30f};
    uint8_t bytes[4];
    heed_convert(bytes, HEED_U8, values, HEED_F32, 4);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(bytes[1], 255);
    assert_int_equal(bytes[2], 0);
    assert_int_equal(bytes[3], 255);
    heed_convert(big, HEED_I64, values, HEED_F32, 3);
    assert_int_equal(big[0], 0);
    assert_int_equal(big[1], 300);
    assert_int_equal(big[2], -7);
    heed_convert(big, HEED_I64, values + 3, HEED_F32, 1);
    assert_true(big[0] == INT64_MAX);
}

/* A row of small numbers with `value` at place `at`. */
static void fill_row(float *row, size_t count, size_t at, float value)
{
    for (size_t i = 0; i < count; i++) row[i] = (float)((int)(i * 7 % 13) - 6) / 16;
    row[at] = value;
}

/* What a type says it can hold, it holds: read back, a number is off by no more than a step of its
   block. */
static void what_does_not_fit_a_type_is_found(void **state)
{
    (void)state;
    static const float values[] = {
        1,    65504, 65519.9f, 65520,         1e6f,           1e7f,     -1e7f,
        1e8f, 1e9f,  3.3e38f,  3.4028235e38f, -3.4028235e38f, INFINITY, NAN};
    static const size_t places[] = {0, 300, 511};
    float row[512];
    float back[512];
    unsigned char bytes[512 * 8];
    for (int dtype = 0; dtype < HEED_DTYPE_COUNT; dtype++) {
        const heed_dtype_info *type = &heed_dtypes[dtype];
        bool floating = dtype == HEED_F32 || dtype == HEED_F64 || dtype == HEED_F16 ||
                        dtype == HEED_BF16;
        if (!floating && !type->encode) continue;
        for (size_t i = 0; i < 3 * sizeof values / sizeof *values; i++) {
            const float value = values[i / 3];
            const size_t at = places[i % 3];
            fill_row(row, 512, at, value);
            size_t found = heed_dtype_overflow((heed_dtype)dtype, row, 512);
            assert_true(found == 512 || found == at);
            if (!isfinite(value)) {
                assert_int_equal(found, 512);
                continue;
            }
            heed_convert(bytes, (heed_dtype)dtype, row, HEED_F32, 512);
            heed_convert(back, HEED_F32, bytes, (heed_dtype)dtype, 512);
            bool held = fabsf(back[at] - value) <= fabsf(value) * (value == 1 ? 0.2f : 0.01f);
            assert_true(held == (found == 512));
        }
    }
}

static void limits_of_types_are_where_rounding_puts_them(void **state)
{
    (void)state;
    static const struct {
        heed_dtype dtype;
        float last, first;
    } limits[] = {
        {HEED_F16, 65519.996f, 65520},
        {HEED_BF16, 0x1.fefffep127f, 0x1.ffp127f},
        {HEED_Q8_0, 65519.99f * 127, 65521.f * 127},
        {HEED_Q4_0, 65519.99f * 8, 65521.f * 8},
        {HEED_Q5_0, 65519.99f * 16, 65521.f * 16},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        float row[32] = {0};
        row[31] = -limits[i].last;
        assert_int_equal(heed_dtype_overflow(limits[i].dtype, row, 32), 32);
        row[31] = -limits[i].first;
        assert_int_equal(heed_dtype_overflow(limits[i].dtype, row, 32), 31);
        assert_int_equal(heed_dtype_overflow(limits[i].dtype, row, 31), 31);
    }
    float part[3] = {0, 0, 1e30f}; /* a part of a block */
    assert_int_equal(heed_dtype_overflow(HEED_Q6_K, part, 3), 2);
    assert_int_equal(heed_dtype_overflow(HEED_Q6_K, part, 2), 2);
    assert_false(heed_dtype_may_overflow(HEED_F32, HEED_BF16) ||
                 heed_dtype_may_overflow(HEED_Q4_0, HEED_F16));
    assert_true(heed_dtype_may_overflow(HEED_F16, HEED_BF16) &&
                heed_dtype_may_overflow(HEED_F16, HEED_Q8_0));
}

static void names_are_found(void **state)
{
    (void)state;
    heed_dtype dtype;
    assert_true(heed_dtype_by_name("torch.bfloat16", &dtype) && dtype == HEED_BF16);
    assert_true(heed_dtype_by_name("F16", &dtype) && dtype == HEED_F16);
    assert_false(heed_dtype_by_name("float8", &dtype));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_survives_a_round_trip),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(conversion_saturates),
        cmocka_unit_test(what_does_not_fit_a_type_is_found),
        cmocka_unit_test(limits_of_types_are_where_rounding_puts_them),
        cmocka_unit_test(names_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
