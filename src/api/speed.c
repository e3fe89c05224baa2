/* speed.c: the machine's peaks and a model's speed for the public interface. */
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

/* Returns a measured rate in its public form, with shares of `peak` unless that is NULL. */
static heed_speed_of speed_of(const heed_bench_rate *rate, const heed_peak *peak)
{
    heed_speed_of speed = {.measured = rate->tokens_per_second > 0,
                           .tokens_per_second = rate->tokens_per_second,
                           .spread = rate->spread,
                           .bytes_per_token = rate->bytes};
    for (int n = 0; n < HEED_NUMBERS; n++) speed.operations_per_token += rate->operations[n];
    if (!peak || !speed.measured) return speed;
    if (peak->f32.measured)
        speed.compute_share = heed_real(rate->tokens_per_second *
                                        heed_seconds_at_peak(rate->operations, peak));
    if (peak->memory.measured)
        speed.bandwidth_share = heed_real(rate->tokens_per_second * rate->bytes / peak->memory.all);
    return speed;
}

static bool on_round(void *argument, int64_t number, heed_bench_round rates)
{
    const heed_speed_task *task = argument;
    heed_speed_round round = {.prefill_tokens_per_second = rates.prefill,
                              .decode_tokens_per_second = rates.decode};
    if (number != HEED_BENCH_WARM) round.number = heed_int(number);
    return task->round(task->argument, &round);
}

/* Sets the lengths of the measurement. Those that were not chosen get their defaults, or less if
   the context is shorter. */
static void choose_lengths(const heed_speed_task *task, const heed_config *config,
                           heed_bench_task *bench)
{
    enum { PROMPT = 512, COUNT = 128 };
    bool reads_only = config->arrangement == HEED_ENCODER_ONLY;
    int64_t room = config->context - task->depth;
    int64_t count = task->prompt ? room - task->prompt : room / 4;
    if (count > COUNT) count = COUNT;
    if (reads_only || count < 0) count = 0;
    bench->count = heed_int_or(task->count, count);
    bench->prompt = task->prompt;
    if (task->prompt) return;
    int64_t rest = reads_only ? room : room - bench->count;
    bench->prompt = PROMPT < rest ? PROMPT : rest;
}

static heed_status check_task(const heed_speed_task *task, heed_error *error)
{
    if (task->endless && !task->round)
        return heed_fail(error, HEED_E_ARG, "endless rounds: expected a callback that ends them");
    if (task->rounds < 0)
        return heed_fail(error, HEED_E_ARG, "%lld rounds: expected 1 or more",
                         (long long)task->rounds);
    return HEED_OK;
}

heed_status heed_transformer_bench(heed_transformer *t, const heed_speed_task *task,
                                   heed_speed *speed, heed_error *error)
{
    static const heed_speed_task defaults = {0};
    heed_bench_result result = {0};
    if (!task) task = &defaults;
    heed_bench_task bench = {
        .shortest = task->shortest,
        .sequences = task->sequences,
        .depth = task->depth,
        .rounds = task->rounds,
        .argument = (void *)task,
    };
    if (task->endless) bench.rounds = -1;
    if (task->round) bench.visitor = on_round;
    *speed = (heed_speed){0};
    HEED_TRY(check_task(task, error));
    choose_lengths(task, heed_model_config(t->model), &bench);
    pthread_mutex_lock(&t->turn);
    heed_status status = heed_bench(t->model, t->context->backend, &bench, &result, error);
    if (status == HEED_OK && task->peaks)
        status = heed_context_peak(t->context, &speed->peak, error);
    pthread_mutex_unlock(&t->turn);
    if (status != HEED_OK) return status;
    speed->has_peak = task->peaks;
    const heed_peak *peak = task->peaks ? &speed->peak : NULL;
    speed->prefill = speed_of(&result.prefill, peak);
    speed->decode = speed_of(&result.decode, peak);
    speed->weight_bytes = result.weight_bytes;
    speed->cache_bytes = result.cache_bytes;
    speed->cache_bytes_per_token = result.cache_bytes_per_token;
    speed->resident_bytes = result.resident_bytes;
    return HEED_OK;
}
