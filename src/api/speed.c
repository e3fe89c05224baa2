/* The machine's peaks and a model's speed for the public interface. */
#include "api/speed.h"

#include "api/transformer.h"
#include "cpu/peak.h"
#include "evaluate/bench.h"

heed_status heed_context_peak(heed_context *context, heed_peak *peak, heed_error *error)
{
    return heed_cpu_peak(context->backend, peak, error);
}

double heed_seconds_at_peak(const double operations[HEED_NUMBERS], const heed_peak *peak)
{
    const double rates[HEED_NUMBERS] = {peak->f32.all, peak->bf16.all, peak->int8.all};
    double seconds = 0;
    for (int n = 0; n < HEED_NUMBERS; n++) seconds += rates[n] > 0 ? operations[n] / rates[n] : 0;
    return seconds;
}

static heed_speed_of speed_of(const heed_bench_rate *rate, const heed_peak *peak)
{
    heed_speed_of speed = {.tokens_per_second = rate->tokens_per_second,
                           .spread = rate->spread,
                           .bytes_per_token = rate->bytes};
    for (int n = 0; n < HEED_NUMBERS; n++) speed.operations_per_token += rate->operations[n];
    speed.compute_share = rate->tokens_per_second * heed_seconds_at_peak(rate->operations, peak);
    if (peak->memory.all > 0)
        speed.bandwidth_share = rate->tokens_per_second * rate->bytes / peak->memory.all;
    return speed;
}

static bool on_round(void *argument, int64_t number, heed_bench_round rates)
{
    const heed_speed_task *task = argument;
    return task->round(task->argument, number, rates.prefill, rates.decode);
}

heed_status heed_transformer_bench(heed_transformer *t, const heed_speed_task *task,
                                   heed_speed *speed, heed_error *error)
{
    heed_bench_result result = {0};
    const heed_bench_task bench = {
        .prompt = task->prompt,
        .shortest = task->shortest,
        .sequences = task->sequences,
        .count = task->count,
        .depth = task->depth,
        .rounds = task->rounds,
        .visitor = task->round ? on_round : NULL,
        .argument = (void *)task,
    };
    *speed = (heed_speed){0};
    pthread_mutex_lock(&t->turn);
    heed_status status = heed_bench(t->model, t->context->backend, &bench, &result, error);
    if (status == HEED_OK && task->peaks)
        status = heed_context_peak(t->context, &speed->peak, error);
    pthread_mutex_unlock(&t->turn);
    if (status != HEED_OK) return status;
    speed->prefill = speed_of(&result.prefill, &speed->peak);
    speed->decode = speed_of(&result.decode, &speed->peak);
    speed->weight_bytes = result.weight_bytes, speed->cache_bytes = result.cache_bytes,
    speed->cache_bytes_per_token = result.cache_bytes_per_token,
    speed->resident_bytes = result.resident_bytes;
    return HEED_OK;
}
