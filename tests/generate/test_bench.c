/* The benchmark's figures are there and its limits are explained; speed itself is not tested. */
#include "generate/bench.h"
#include "generate/support.h"

static void figures_are_filled(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt2", "marian"};
    for (int i = 0; i < 2; i++) {
        fixture f = fixture_open(names[i], 1);
        heed_session *session = fixture_session(&f, NULL);
        heed_bench_result result;
        assert_ok(heed_bench(session, 16, 8, &result, &error));
        assert_true(result.prefill_tokens_per_second > 0 && result.decode_tokens_per_second > 0 && result.prefill_spread >= 0);
        assert_int_equal(result.weight_bytes, heed_model_bytes(f.model));
        assert_true(result.cache_bytes > 0 && result.resident_bytes > result.weight_bytes);
        assert_true(result.bytes_per_token > (double)result.weight_bytes);
        assert_int_equal(heed_session_held(session), 0);
        assert_fails(HEED_E_ARG, "do not fit the context", heed_bench(session, 1000, 1, &result, &error));
        assert_fails(HEED_E_ARG, "do not fit the context", heed_bench(session, 0, 1, &result, &error));
        assert_fails(HEED_E_ARG, "do not fit the context", heed_bench(session, 16, 1000, &result, &error));
        heed_session_free(session);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures_are_filled)};
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
