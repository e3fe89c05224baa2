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
    for (uint32_t bits = 0; bits < 0x7BFF; bits++) { /* midpoints between neighbours go to the even one */
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
    assert_int_equal(small[0], INT32_MAX), assert_int_equal(small[1], INT32_MIN), assert_int_equal(small[2], 5);
    float values[4] = {NAN, 300, -7.9f, 1e30f};
    uint8_t bytes[4];
    heed_convert(bytes, HEED_U8, values, HEED_F32, 4);
    assert_int_equal(bytes[0], 0), assert_int_equal(bytes[1], 255), assert_int_equal(bytes[2], 0), assert_int_equal(bytes[3], 255);
    heed_convert(big, HEED_I64, values, HEED_F32, 3);
    assert_int_equal(big[0], 0), assert_int_equal(big[1], 300), assert_int_equal(big[2], -7);
    heed_convert(big, HEED_I64, values + 3, HEED_F32, 1);
    assert_true(big[0] == INT64_MAX);
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
        cmocka_unit_test(every_half_survives_a_round_trip), cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(conversion_saturates), cmocka_unit_test(names_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
