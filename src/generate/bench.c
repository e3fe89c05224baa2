#include "generate/bench.h"
#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>
#include <sys/resource.h>

typedef struct timing { double prefill, decode; } timing; /* seconds */

static heed_status ignore(void *argument, const heed_logits_row *rows, int64_t count, heed_error *error)
{
    (void)argument, (void)rows, (void)count, (void)error;
    return HEED_OK;
}

/* A prompt and then single tokens in a new sequence; for an encoder-decoder the prompt is the source. */
static heed_status run_round(heed_session *session, const int32_t *ids, int64_t prompt, int64_t count, timing *time, heed_error *error)
{
    int64_t sequence;
    double begin = heed_clock_seconds();
    if (heed_session_has_source(session)) {
        HEED_TRY(heed_session_encode(session, &(heed_ids){ids, prompt}, 1, &sequence, error));
    } else {
        HEED_TRY(heed_session_add(session, &sequence, error));
        heed_step_item item = {sequence, ids, prompt, prompt - 1};
        HEED_TRY(heed_session_step(session, &item, 1, ignore, NULL, error));
    }
    double middle = heed_clock_seconds();
    for (int64_t i = 0; i < count; i++) {
        heed_step_item item = {sequence, ids + prompt + i, 1, 0};
        HEED_TRY(heed_session_step(session, &item, 1, ignore, NULL, error));
    }
    *time = (timing){middle - begin, heed_clock_seconds() - middle};
    return HEED_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of tokens per second, and how far the rounds lie apart. */
static double median(double *rates, double *spread)
{
    qsort(rates, HEED_BENCH_ROUNDS, sizeof *rates, ascending);
    double middle = rates[HEED_BENCH_ROUNDS / 2];
    *spread = middle > 0 ? (rates[HEED_BENCH_ROUNDS - 1] - rates[0]) / middle : 0;
    return middle;
}

static heed_status run_rounds(heed_session *session, const int32_t *ids, int64_t prompt, int64_t count, heed_bench_result *result,
                              heed_error *error)
{
    double prefill[HEED_BENCH_ROUNDS], decode[HEED_BENCH_ROUNDS];
    for (int i = -1; i < HEED_BENCH_ROUNDS; i++) {
        timing time = {0, 0};
        heed_status status = run_round(session, ids, prompt, count, &time, error);
        heed_session_clear(session);
        HEED_TRY(status);
        if (i < 0) continue;
        prefill[i] = time.prefill > 0 ? (double)prompt / time.prefill : 0;
        decode[i] = time.decode > 0 ? (double)count / time.decode : 0;
    }
    result->prefill_tokens_per_second = median(prefill, &result->prefill_spread);
    result->decode_tokens_per_second = median(decode, &result->decode_spread);
    return HEED_OK;
}

heed_status heed_bench(heed_session *session, int64_t prompt, int64_t count, heed_bench_result *result, heed_error *error)
{
    int64_t context = heed_session_context(session), vocabulary = heed_session_vocabulary(session);
    bool source = heed_session_has_source(session);
    *result = (heed_bench_result){0};
    if (heed_session_held(session)) return heed_fail(error, HEED_E_ARG, "the session holds sequences: drop them before measuring");
    if (prompt < 1 || count < 0 || prompt > context || count > context - (source ? 0 : prompt))
        return heed_fail(error, HEED_E_ARG, "%lld tokens to read and %lld to write do not fit the context of %lld positions", (long long)prompt,
                         (long long)count, (long long)context);
    int32_t *ids = heed_allocate((size_t)(prompt + count), sizeof *ids);
    if (!ids) return heed_fail_memory(error, (size_t)(prompt + count) * sizeof *ids, "tokens to measure with");
    for (int64_t i = 0; i < prompt + count; i++) ids[i] = (int32_t)((i * 7919 + 1) % vocabulary);
    heed_status status = run_rounds(session, ids, prompt, count, result, error);
    free(ids);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    result->weight_bytes = heed_model_bytes(heed_session_model(session));
    result->cache_bytes = heed_session_cache_bytes(session);
    result->resident_bytes = (size_t)usage.ru_maxrss * 1024;
    /* Weights are read once for a token, the cache up to its position: half of the new tokens on average. */
    double positions = (double)prompt + (double)count / 2;
    result->bytes_per_token = (double)result->weight_bytes + positions * (double)heed_session_position_bytes(session);
    return status;
}
