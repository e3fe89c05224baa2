/* An observer through the public interface: the same ids, a trace, a dump, a profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <heed/heed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_error error;

typedef struct {
    int traces, dumps;
    bool reasons, dot;
} seen;

static void on_trace(void *argument, const char *text)
{
    assert_int_equal(text[0], '%');
    assert_int_equal(text[strlen(text) - 1], '\n');
    ((seen *)argument)->traces++;
}

static void on_dump(void *argument, const char *text)
{
    seen *s = argument;
    s->dumps++;
    s->reasons = s->reasons || strstr(text, "not fused: ");
    s->dot = !strncmp(text, "digraph heed {", 14);
}

/* Ids that gpt2 writes greedily, and how many; the profile's text too when asked for. */
static size_t write_ids(const heed_observer_options *observer, int threads, int32_t ids[8],
                        char **profile)
{
    static const int32_t prompt[] = {5, 6, 7};
    heed_context *context = NULL;
    heed_transformer *model = NULL;
    const heed_generation_options how = {
        .max_new_tokens = heed_int(8), .temperature = heed_real(0), .ids_only = true};
    heed_results results = {0};
    heed_context_options options = {.threads = threads, .observer = observer};
    if (heed_context_new(&context, &options, &error) ||
        heed_transformer_load(&model, context, HEED_FIXTURES "/gpt2", NULL, &error))
        fail_msg("%s", error.message);
    const heed_prompt first = {.ids = prompt, .count = 3};
    if (heed_transformer_generate(model, &(heed_prompts){&first, 1}, &how, NULL, &results, &error))
        fail_msg("%s", error.message);
    size_t count = results.items[0].count;
    assert_in_range(count, 1, 8);
    memcpy(ids, results.items[0].ids, count * sizeof *ids);
    heed_results_free(&results);
    if (profile && heed_context_profile(context, profile, &error)) fail_msg("%s", error.message);
    heed_transformer_free(model);
    heed_context_free(context);
    return count;
}

static void watched_generation_writes_the_same(void **state)
{
    (void)state;
    int32_t plain[8], ids[8];
    size_t count = write_ids(NULL, 1, plain, NULL);
    seen s = {0};
    char *profile = NULL;
    heed_observer_options all = {
        .profile = true, .nan_guard = true, .trace = on_trace, .dump = on_dump, .argument = &s};
    for (int threads = 1; threads <= 2; threads++) {
        s = (seen){0};
        assert_int_equal(write_ids(&all, threads, ids, &profile), count);
        assert_memory_equal(ids, plain, count * sizeof *ids);
        assert_true(s.traces > 20 && s.dumps >= 1 && s.reasons && !s.dot);
        static const char *const wanted[] = {"fused_matmul", "attention", "GFLOP/s",
                                             "GB/s",         "\nall ",    "measured now"};
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (!strstr(profile, wanted[i]))
                fail_msg("the profile lacks \"%s\":\n%s", wanted[i], profile);
        heed_free(profile);
    }
    s = (seen){0};
    assert_int_equal(write_ids(
                         &(heed_observer_options){
                             .no_passes = true, .dump = on_dump, .dot = true, .argument = &s},
                         1, ids, NULL),
                     count);
    assert_memory_equal(ids, plain, count * sizeof *ids);
    assert_true(s.dot && s.traces == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(watched_generation_writes_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
