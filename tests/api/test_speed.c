/* The machine's peaks and a model's speed through the public interface; what makes this machine
   slower is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cpu.h"
#include <heed/heed.h>
#include <jansson.h>
#include <string.h>
#include <sys/prctl.h>

static heed_error error;

static heed_context *context_of(int threads, const char *isa, bool reference)
{
    heed_context *context = NULL;
    if (heed_context_new(
            &context,
            &(heed_context_options){.threads = threads, .isa = isa, .reference = reference},
            &error))
        fail_msg("%s", error.message);
    return context;
}

static bool until_second(void *argument, const heed_speed_round *round)
{
    assert_true(!round->number.set ||
                (round->prefill_tokens_per_second > 0 && round->decode_tokens_per_second > 0));
    ++*(int *)argument;
    return heed_int_or(round->number, 0) < 1;
}

static void speed_comes_with_shares(void **state)
{
    (void)state;
    heed_context *context = context_of(2, NULL, false);
    heed_transformer *model = NULL;
    heed_speed speed;
    heed_peak peak;
    int calls = 0;
    if (heed_transformer_load(&model, context, HEED_FIXTURES "/gguf-llama-q8_0/model.gguf", NULL,
                              &error))
        fail_msg("%s", error.message);
    heed_speed_task task = {
        .prompt = 16,
        .count = heed_int(4),
        .sequences = 2,
        .endless = true,
        .peaks = true,
        .round = until_second,
        .argument = &calls,
    };
    if (heed_transformer_bench(model, &task, &speed, &error)) fail_msg("%s", error.message);
    assert_int_equal(calls, 3);
    const heed_speed_of *sides[] = {&speed.prefill, &speed.decode};
    for (int i = 0; i < 2; i++) {
        assert_true(sides[i]->tokens_per_second > 0 && sides[i]->operations_per_token > 0 &&
                    sides[i]->bytes_per_token > 0);
        assert_true(sides[i]->measured && sides[i]->compute_share.value > 0 &&
                    sides[i]->compute_share.value < 1 && sides[i]->bandwidth_share.value > 0);
    }
    assert_int_equal(speed.peak.threads, heed_processor_count() < 2 ? 1 : 2);
    task = (heed_speed_task){.prompt = 16, .count = heed_int(0), .rounds = 1};
    if (heed_transformer_bench(model, &task, &speed, &error)) fail_msg("%s", error.message);
    assert_true(!speed.prefill.compute_share.set && !speed.has_peak && speed.prefill.measured &&
                !speed.decode.measured);
    if (heed_context_peak(context, &peak, &error)) fail_msg("%s", error.message);
    assert_true(peak.threads == (heed_processor_count() < 2 ? 1 : 2) && peak.f32.all > 1e6 &&
                peak.memory.all > 1e6 && (peak.threads == 1 || peak.barrier_seconds.value > 0));
    heed_transformer_free(model);
    heed_context_free(context);
}

/* Does a line of "slower" contain this? */
static bool is_slower_by(heed_context *context, const char *words)
{
    char *text = NULL;
    size_t i;
    json_t *line;
    bool found = false;
    if (heed_describe(context, NULL, &text, &error)) fail_msg("%s", error.message);
    json_t *object = json_loads(text, 0, NULL), *lines = json_object_get(object, "slower");
    assert_true(json_is_array(lines));
    json_array_foreach(lines, i, line) found |= strstr(json_string_value(line), words) != NULL;
    json_decref(object);
    heed_free(text);
    heed_context_free(context);
    return found;
}

static void what_is_slower_is_said(void **state)
{
    (void)state;
    assert_true(is_slower_by(context_of(1, NULL, true), "reference kernels"));
    assert_true(is_slower_by(context_of(256, NULL, false), "256 threads are asked for"));
    assert_false(is_slower_by(context_of(1, NULL, false), "threads are asked for"));
    assert_true(is_slower_by(context_of(1, "generic", false), "generic is forced") ||
                is_slower_by(context_of(1, "generic", false), "no AVX2"));
    assert_false(is_slower_by(context_of(1, NULL, false), "forced"));
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) return; /* a kernel without them */
    assert_true(is_slower_by(context_of(1, NULL, false), "huge pages are refused"));
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(speed_comes_with_shares),
                                       cmocka_unit_test(what_is_slower_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
