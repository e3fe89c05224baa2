/* Known answers: Random123's kat_vectors for philox4x32-10. */
#include "base/rng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

static void philox_known_answers(void **state)
{
    (void)state;
    uint32_t out[4];
    heed_philox((uint32_t[4]){0}, (uint32_t[2]){0}, out);
    assert_int_equal(out[0], 0x6627e8d5);
    assert_int_equal(out[1], 0xe169c58d);
    assert_int_equal(out[2], 0xbc57ac4c);
    assert_int_equal(out[3], 0x9b00dbd8);
    heed_philox((uint32_t[4]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                (uint32_t[2]){0xa4093822, 0x299f31d0}, out);
    assert_int_equal(out[0], 0xd16cfe09);
    assert_int_equal(out[1], 0x94fdcceb);
    assert_int_equal(out[2], 0x5001e420);
    assert_int_equal(out[3], 0x24126ea1);
}

static void stream_resumes_from_a_copy(void **state)
{
    (void)state;
    heed_rng rng = {.seed = 7, .stream = 3};
    for (int i = 0; i < 5; i++) (void)heed_rng_u32(&rng);
    heed_rng copy = rng;
    for (int i = 0; i < 9; i++) assert_int_equal(heed_rng_u32(&rng), heed_rng_u32(&copy));
}

static void draws_have_the_right_moments(void **state)
{
    (void)state;
    heed_rng rng = {.seed = 1};
    double sum = 0, square = 0, uniform = 0;
    int count = 100000, below[7] = {0};
    for (int i = 0; i < count; i++) {
        double x = heed_rng_normal(&rng);
        sum += x;
        square += x * x;
        uniform += heed_rng_uniform(&rng);
        below[heed_rng_below(&rng, 7)]++;
    }
    assert_true(fabs(sum / count) < 0.02 && fabs(square / count - 1) < 0.03 &&
                fabs(uniform / count - 0.5) < 0.01);
    for (int i = 0; i < 7; i++) assert_true(abs(below[i] - count / 7) < 700);
    assert_int_equal(heed_rng_below(&rng, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(philox_known_answers),
                                       cmocka_unit_test(stream_resumes_from_a_copy),
                                       cmocka_unit_test(draws_have_the_right_moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
