/* The real SmolLM2-135M-Instruct.Q4_1.gguf. With its weights decoded to f32: what transformers
   computes from them. As it is, with 8-bit activations: what llama.cpp computes, as far as rounding
   lets the two agree. The rounding noise is measured: by how much the distance of two likely tokens
   moves against the decoded weights, in heed and in llama.cpp. Where the ids of the two part,
   heed's distance between their two tokens must be below the sum: what separates two programs that
   round differently.
   The file is fetched by tools/fetch_real_weights.py, which ./check --slow runs first; without it
   the tests are skipped. */
#include "support/oracle.h"
#include <heed/heed.h>
#include <math.h>

enum { LIKELY = 20, MOST_IDS = 512 };

static char path[1024];
static scratch work;
static heed_context *context;
static heed_transformer *blocks, *decoded;
static oracle fixture;
/* nats: by how much heed and llama.cpp may differ in the distance of two tokens'
   log-probabilities */
static double noise;

static bool have_weights(void)
{
    if (blocks) return true;
    print_message("SKIPPED: %s is not there; tools/fetch_real_weights.py fetches it\n", path);
    return false;
}

static int start(void **state)
{
    char *notes = NULL;
    (void)state;
    real_weights_path(path, "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    if (!heed_path_exists(path)) return 0;
    scratch_make(&work);
    assert_ok(heed_context_new(&context, NULL, &error));
    assert_ok(heed_transformer_load(&blocks, context, path, NULL, &error));
    assert_ok(heed_convert_model(
        &(heed_conversion){.model = path, .out = scratch_path(&work, "f32.gguf"), .dtype = "f32"},
        &notes, &error));
    heed_free(notes);
    assert_ok(
        heed_transformer_load(&decoded, context, scratch_path(&work, "f32.gguf"), NULL, &error));
    fixture = oracle_open("real-smollm2");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (!blocks) return 0;
    oracle_close(&fixture);
    heed_transformer_free(blocks);
    heed_transformer_free(decoded);
    heed_context_free(context);
    scratch_remove(&work);
    return 0;
}

/* ---- generating ---- */

typedef struct ids {
    int32_t values[MOST_IDS];
    size_t count;
} ids;

static ids ids_of(const json_t *list)
{
    ids result = {.count = json_array_size(list)};
    assert_in_range(result.count, 1, MOST_IDS);
    for (size_t i = 0; i < result.count; i++)
        result.values[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return result;
}

/* Greedy, with the LIKELY likeliest tokens at each place. */
static heed_results generate(heed_transformer *model, const ids *prompt, size_t count)
{
    const heed_generation_options options = {
        .temperature = heed_real(0),
        .repeat_penalty = heed_real(1),
        .max_new_tokens = heed_int((int64_t)count),
        .log_probabilities = heed_int(LIKELY),
    };
    const heed_prompt first = {.ids = prompt->values, .count = prompt->count};
    heed_results results = {0};
    assert_ok(heed_transformer_generate(model, &(heed_prompts){&first, 1}, &options, NULL, &results,
                                        &error));
    assert_int_equal(results.count, 1);
    return results;
}

static float likelihood_of(const heed_candidate *likely, int32_t id)
{
    for (int k = 0; k < LIKELY; k++)
        if (likely[k].id == id) return likely[k].log_probability;
    return -INFINITY;
}

/* ---- decoded weights ---- */

/* the less likely half may have changed places with tokens not listed */
enum { COMPARED = LIKELY / 2 };

/* How far log-probabilities are from those of the decoded weights: one by one, and in the distance
   of two at one place. */
typedef struct distance {
    double single, pair;
} distance;

/* The likely tokens of one place. */
static void compare_place(distance *d, const int32_t *top, const float *logits, double sum,
                          const heed_candidate *found)
{
    double least = INFINITY, most = -INFINITY;
    for (int k = 0; k < COMPARED; k++) {
        double moved = (double)likelihood_of(found, top[k]) - ((double)logits[k] - sum);
        if (!isfinite(moved)) continue;
        d->single = fmax(d->single, fabs(moved));
        least = fmin(least, moved);
        most = fmax(most, moved);
    }
    assert_true(most >= least);
    d->pair = fmax(d->pair, most - least);
}

typedef struct listed {
    int32_t *ids;
    float *values;
} listed;

static listed list_of(const char *prefix, size_t number)
{
    char name[64];
    listed l;
    snprintf(name, sizeof name, "%s.%zu.top20.ids", prefix, number);
    l.ids = oracle_ids(&fixture, name);
    snprintf(name, sizeof name, "%s.%zu.top20.values", prefix, number);
    l.values = oracle_floats(&fixture, name);
    return l;
}

/* At each place of a prompt, a model against what transformers computed from the decoded weights;
   llama.cpp's own results without a model. */
static distance compare_prompt(heed_transformer *model, size_t number, const ids *prompt)
{
    char name[64];
    distance d = {0};
    heed_results results = {0};
    listed exact = list_of("out", number), theirs = list_of("llama_cpp", number);
    snprintf(name, sizeof name, "out.%zu.lse", number);
    float *sums = oracle_floats(&fixture, name);
    if (model) results = generate(model, prompt, 1);
    for (size_t t = 0; t < prompt->count; t++) {
        heed_candidate own[LIKELY];
        for (size_t k = 0; k < LIKELY; k++)
            own[k] = (heed_candidate){true, theirs.ids[t * LIKELY + k],
                                      theirs.values[t * LIKELY + k] - sums[t]};
        const heed_candidate *found = own;
        if (model && t + 1 < prompt->count) found = results.prompts[0].likely + t * LIKELY;
        else if (model) found = results.items[0].likely;
        compare_place(&d, exact.ids + t * LIKELY, exact.values + t * LIKELY, sums[t], found);
    }
    free(exact.ids);
    free(exact.values);
    free(theirs.ids);
    free(theirs.values);
    free(sums);
    heed_results_free(&results);
    return d;
}

/* The log-likelihoods of the fixture's text, token by token. */
static double text_nll(heed_transformer *model, double *worst)
{
    const json_t *text = json_object_get(fixture.json, "perplexity");
    const ids all = ids_of(json_object_get(text, "ids"));
    heed_results results = generate(model, &all, 1);
    float *wanted = oracle_floats(&fixture, "ppl.nll");
    double sum = 0;
    *worst = 0;
    for (size_t t = 1; t < all.count; t++) {
        double nll = -(double)results.prompts[0].log_probabilities[t - 1];
        sum += nll;
        *worst = fmax(*worst, fabs(nll - wanted[t - 1]));
    }
    free(wanted);
    heed_results_free(&results);
    return sum / (double)(all.count - 1);
}

static void decoded_weights_give_what_transformers_gives(void **state)
{
    (void)state;
    if (!have_weights()) return;
    const json_t *prompts = json_object_get(fixture.json, "prompts");
    for (size_t i = 0; i < json_array_size(prompts); i++) {
        const json_t *row = json_array_get(prompts, i);
        const ids prompt = ids_of(json_object_get(row, "ids")),
                  wanted = ids_of(json_object_get(row, "greedy"));
        double worst = compare_prompt(decoded, i, &prompt).single;
        heed_results results = generate(decoded, &prompt, wanted.count);
        print_message("prompt %zu: log-probabilities within %.2g nats\n", i + 1, worst);
        assert_true(worst < 1e-3);
        assert_int_equal(results.items[0].count, wanted.count);
        assert_memory_equal(results.items[0].ids, wanted.values,
                            wanted.count * sizeof *wanted.values);
        heed_results_free(&results);
    }
    double worst, mean = text_nll(decoded, &worst),
                  wanted = json_number_value(
                      json_object_get(json_object_get(fixture.json, "perplexity"), "mean_nll"));
    print_message("text: nll %.6f, transformers %.6f; a token's within %.2g\n", mean, wanted,
                  worst);
    assert_true(fabs(mean - wanted) < 1e-4 && worst < 2e-3);
}

/* ---- the blocks as they are ---- */

static void rounding_noise_is_small(void **state)
{
    (void)state;
    if (!have_weights()) return;
    const json_t *prompts = json_object_get(fixture.json, "prompts"),
                 *text = json_object_get(fixture.json, "perplexity");
    distance own = {0}, their = {0};
    for (size_t i = 0; i < json_array_size(prompts); i++) {
        const ids prompt = ids_of(json_object_get(json_array_get(prompts, i), "ids"));
        own.pair = fmax(own.pair, compare_prompt(blocks, i, &prompt).pair);
        their.pair = fmax(their.pair, compare_prompt(NULL, i, &prompt).pair);
    }
    noise = own.pair + their.pair;
    float *exact = oracle_floats(&fixture, "ppl.nll"),
          *theirs = oracle_floats(&fixture, "ppl.llama_cpp_nll");
    double worst, mean = text_nll(blocks, &worst),
                  wanted = json_number_value(json_object_get(text, "mean_nll")), their_worst = 0;
    for (size_t t = 0; t + 1 < json_array_size(json_object_get(text, "ids")); t++)
        their_worst = fmax(their_worst, fabs((double)exact[t] - theirs[t]));
    free(exact);
    free(theirs);
    print_message("the distance of two tokens moves by up to %.3f nats, llama.cpp's by %.3f; a "
                  "token's nll by %.3f and %.3f; mean nll %.4f, decoded %.4f, llama.cpp %.4f\n",
                  own.pair, their.pair, worst, their_worst, mean, wanted,
                  json_number_value(json_object_get(text, "llama_cpp_mean_nll")));
    assert_true(fabs(mean - wanted) < 0.005 * wanted);
    /* heed rounds no more than llama.cpp does */
    assert_true(own.pair < 2 * their.pair && worst < 2 * their_worst);
}

static const json_t *reference(json_t **whole)
{
    char file[600];
    snprintf(file, sizeof file, "%s/llama_cpp.json", fixture.folder);
    assert_ok(heed_json_read(whole, file, &error));
    return json_object_get(*whole, "SmolLM2-135M-Instruct.Q4_1.gguf");
}

static void nll_is_that_of_llama_cpp(void **state)
{
    (void)state;
    if (!have_weights()) return;
    json_t *whole = NULL;
    const json_t *wanted = reference(&whole);
    const ids first = ids_of(json_object_get(wanted, "ids_first"));
    heed_buffer text = {0};
    heed_evaluation evaluation;
    assert_ok(heed_file_read(HEED_SOURCE "/share/shakespeare/test.txt", 1 << 24, &text, &error));
    const char *file = scratch_file(&work, "test.txt", text.data, 6000);
    const heed_score_task task = {.files = &file, .file_count = 1, .max_tokens = 1024};
    assert_ok(heed_transformer_score(blocks, &task, NULL, &evaluation, &error));
    const double own = evaluation.nll.value;
    double nll = json_number_value(json_object_get(wanted, "nll_mean"));
    print_message("nll %.4f over %lld tokens, llama.cpp %.4f: %+.3f %%\n", own,
                  (long long)evaluation.tokens, nll, 100 * (own / nll - 1));
    assert_int_equal(evaluation.tokens, json_integer_value(json_object_get(wanted, "nll_tokens")));
    assert_true(fabs(own - nll) < 0.005 * nll);
    heed_tokens found = {0};
    heed_error problem = {0};
    assert_ok(heed_tokenize(heed_transformer_tokenizer(blocks, &problem), text.data, 6000, NULL,
                            &found, &error));
    assert_true(found.count >= first.count);
    assert_memory_equal(found.ids, first.values, first.count * sizeof *found.ids);
    heed_tokens_free(&found);
    heed_buffer_free(&text);
    json_decref(whole);
}

/* Equal ids; where they part, heed's own distance between the two tokens is below the noise of
   both. */
static void compare_greedy(const char *prompt_text, const ids *prompt, const ids *wanted)
{
    heed_results results = generate(blocks, prompt, wanted->count);
    const heed_result *found = &results.items[0];
    size_t same = 0;
    while (same < wanted->count && same < found->count && found->ids[same] == wanted->values[same])
        same++;
    print_message("\"%s\": %zu of %zu ids equal", prompt_text, same, wanted->count);
    if (same < wanted->count && same < found->count) {
        double gap = (double)found->likely[same * LIKELY].log_probability -
                     likelihood_of(found->likely + same * LIKELY, wanted->values[same]);
        print_message("; then two tokens %.3f nats apart, rounding noise %.3f", gap, noise);
        assert_true(noise > 0 && gap < noise);
    }
    print_message("\n");
    heed_results_free(&results);
}

static void greedy_ids_are_those_of_llama_cpp(void **state)
{
    (void)state;
    if (!have_weights()) return;
    json_t *whole = NULL;
    const json_t *greedy = json_object_get(reference(&whole), "greedy"),
                 *prompts = json_object_get(fixture.json, "prompts");
    for (size_t i = 0; i < json_array_size(greedy); i++) {
        const json_t *row = json_array_get(greedy, i);
        const ids prompt = ids_of(json_object_get(row, "prompt_ids")),
                  wanted = ids_of(json_object_get(row, "ids"));
        compare_greedy(json_string_value(json_object_get(row, "prompt")), &prompt, &wanted);
    }
    for (size_t i = 0; i < json_array_size(prompts); i++) {
        const json_t *row = json_array_get(prompts, i);
        const ids prompt = ids_of(json_object_get(row, "ids")),
                  wanted = ids_of(json_object_get(row, "llama_cpp_greedy"));
        compare_greedy(json_string_value(json_object_get(row, "text")), &prompt, &wanted);
    }
    json_decref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoded_weights_give_what_transformers_gives),
        cmocka_unit_test(rounding_noise_is_small), cmocka_unit_test(nll_is_that_of_llama_cpp),
        cmocka_unit_test(greedy_ids_are_those_of_llama_cpp)};
    return cmocka_run_group_tests(tests, start, stop);
}
