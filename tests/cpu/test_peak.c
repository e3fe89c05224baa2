/* The machine's peaks: every figure is there, of every instruction set, and they stand in the order
   that any machine keeps. */
#include "cpu/peak.h"

#include "base/cpu.h"
#include "support/test.h"

static void every_peak_is_measured(void **state)
{
    (void)state;
    const int best = (int)heed_isa_detect();
    for (int isa = 0; isa <= best; isa++)
        for (int threads = 1; threads <= (isa == best ? 3 : 1); threads += 2) {
            heed_backend *backend = NULL;
            heed_peak peak;
            assert_ok(heed_cpu_backend_new(&backend, threads, (heed_isa)isa, &error));
            assert_ok(heed_cpu_peak(backend, &peak, &error));
            assert_int_equal(peak.threads, threads);
            assert_string_equal(peak.isa, heed_isa_name((heed_isa)isa));
            const heed_rate *rates[] = {&peak.f32, &peak.bf16, &peak.int8, &peak.memory,
                                        &peak.small_pages};
            for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
                assert_true(rates[i]->measured && rates[i]->one > 1e7 &&
                            rates[i]->all >= rates[i]->one);
                assert_true(strlen(rates[i]->how) > 0);
            }
            assert_true(peak.l2.measured == peak.l2_bytes.set);
            assert_true(peak.barrier_seconds.set == (threads > 1));
            if (!heed_isa_has_bf16() || isa < HEED_ISA_AVX512)
                assert_non_null(strstr(peak.bf16.how, "absent"));
            if (isa == HEED_ISA_GENERIC) assert_non_null(strstr(peak.int8.how, "emulated"));
            heed_cpu_backend_free(backend);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_peak_is_measured)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
