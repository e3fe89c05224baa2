/* bench.c: times rounds of reading and writing and counts their operations and bytes. */
#include "evaluate/bench.h"
#include "base/clock.h"
#include "base/memory.h"
#include "graph/observer.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Passes are repeated until a round has measured this many seconds of reading. */
static const double round_seconds = 0.05;

/* One measurement. */
typedef struct bench {
    heed_bench_task task;
    heed_model *model;
    /* the caller's backend, with an observer added while operations are counted */
    heed_backend backend;
    heed_profile profile;
    heed_session *session;  /* decoders and encoder-decoders */
    heed_engine *engine;    /* encoders */
    heed_batch batch;       /* what an encoder reads */
    int64_t *sequences;     /* (sequences) sequences of the session */
    heed_step_item *items;  /* (sequences) */
    heed_ids *sources;      /* (sequences) sources of an encoder-decoder */
    int32_t *ids;           /* ids of the longest sequence; the others take the first of them */
    int64_t rows;           /* tokens that all sequences read */
    double *read, *written; /* (rounds) tokens per second */
    size_t rounds, read_capacity, written_capacity;
} bench;

/* ---- one pass ---- */

/* Returns the number of tokens that a sequence reads. */
static int64_t length_of(const heed_bench_task *task, int64_t sequence)
{
    if (!task->shortest || task->sequences < 2) return task->prompt;
    return task->shortest + sequence * (task->prompt - task->shortest) / (task->sequences - 1);
}

/* Feeds `count` tokens from `from` on into every sequence and computes the logits of the last one.
   If count < 0, each sequence gets as many as it has to read. */
static heed_status step(bench *b, int64_t from, int64_t count, heed_error *error)
{
    for (int64_t i = 0; i < b->task.sequences; i++) {
        int64_t own = count < 0 ? length_of(&b->task, i) : count;
        b->items[i] = (heed_step_item){b->sequences[i], b->ids + from, own, own - 1};
    }
    return heed_session_step(b->session, b->items, b->task.sequences, NULL, NULL, error);
}

/* Reads the prompts, or the sources of an encoder-decoder. */
static heed_status read_prompts(bench *b, heed_error *error)
{
    if (heed_session_has_source(b->session))
        return heed_session_encode(b->session, b->sources, b->task.sequences, b->sequences, error);
    return step(b, b->task.depth, -1, error);
}

/* Takes the sequences back to their state before reading. */
static void rewind_sequences(bench *b)
{
    if (heed_session_has_source(b->session)) {
        heed_session_clear(b->session);
        return;
    }
    for (int64_t i = 0; i < b->task.sequences; i++)
        heed_session_truncate(b->session, b->sequences[i], b->task.depth);
}

/* Makes the batch of an encoder's run: the sequences end to end. The head sees all rows. */
static heed_status make_batch(bench *b, heed_error *error)
{
    heed_batch_clear(&b->batch, 0);
    for (int64_t s = 0; s < b->task.sequences; s++) {
        const int64_t length = length_of(&b->task, s);
        heed_batch_rows text;
        HEED_TRY(heed_batch_sequence(&b->batch, HEED_MAIN_STACK, length, &text, error));
        memcpy(text.ids, b->ids, (size_t)length * sizeof *text.ids);
    }
    b->batch.count[HEED_EXTENT_GATHERED] = b->rows;
    return HEED_OK;
}

/* Runs all sequences through an encoder as one ragged batch. */
static heed_status encode(bench *b, heed_error *error)
{
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_FORWARD,
        .rows = b->rows,
        .gathered = b->rows,
        .sequences = b->task.sequences,
        .queries = b->task.prompt,
        .keys = b->task.prompt,
    };
    heed_runtime runtime = {0};
    HEED_TRY(make_batch(b, error));
    HEED_TRY(heed_engine_prepare(b->engine, &spec, error));
    HEED_TRY(heed_engine_feed(b->engine, &b->batch, &runtime, error));
    return heed_engine_run(b->engine, &runtime, error);
}

/* ---- rounds ---- */

/* Repeats passes until reading has taken round_seconds; with `once`, runs a single pass. */
static heed_status run_round(bench *b, bool once, heed_bench_round *rates, heed_error *error)
{
    double read = 0, written = 0;
    int64_t passes = 0;
    do {
        double begin = heed_clock_seconds();
        HEED_TRY(b->engine ? encode(b, error) : read_prompts(b, error));
        double middle = heed_clock_seconds();
        for (int64_t i = 0; i < b->task.count; i++)
            HEED_TRY(step(b, b->task.depth + b->task.prompt + i, 1, error));
        written += heed_clock_seconds() - middle;
        read += middle - begin;
        passes++;
        if (b->session) rewind_sequences(b);
    } while (!once && read < round_seconds);
    rates->prefill = read > 0 ? (double)(b->rows * passes) / read : 0;
    rates->decode = written > 0 ? (double)(b->task.count * b->task.sequences * passes) / written
                                : 0;
    return HEED_OK;
}

/* Adds the profiled operations for each of `tokens` to the rate and clears the profile. */
static void take_operations(bench *b, int64_t tokens, heed_bench_rate *rate)
{
    for (size_t i = 0; i < b->profile.count; i++)
        for (int n = 0; n < HEED_NUMBERS; n++)
            rate->operations[n] += b->profile.lines[i].flops[n] / (double)tokens;
    b->profile.count = 0;
}

/* Counts operations: runs a pass that only reads and one that also writes, with a profile. Writing
   is the difference. These passes also warm up. */
static heed_status count_operations(bench *b, heed_bench_result *result, heed_error *error)
{
    const heed_observer *other = b->backend.observer;
    heed_observer observer = other ? *other : (heed_observer){0};
    heed_bench_round rates;
    const int64_t count = b->task.count;
    observer.profile = &b->profile;
    b->backend.observer = &observer;
    b->task.count = 0;
    heed_status status = run_round(b, true, &rates, error);
    take_operations(b, b->rows, &result->prefill);
    b->task.count = count;
    if (status == HEED_OK && count) {
        heed_bench_rate both = {0};
        status = run_round(b, true, &rates, error);
        take_operations(b, 1, &both);
        for (int n = 0; n < HEED_NUMBERS; n++)
            result->decode.operations[n] = (both.operations[n] -
                                            result->prefill.operations[n] * (double)b->rows) /
                                           (double)(count * b->task.sequences);
    }
    b->backend.observer = other;
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Computes the median of the rounds and their spread. */
static void take_median(double *rates, size_t count, heed_bench_rate *rate)
{
    if (!count) return;
    qsort(rates, count, sizeof *rates, ascending);
    rate->tokens_per_second = rates[count / 2];
    rate->spread = rate->tokens_per_second > 0
                       ? (rates[count - 1] - rates[0]) / rate->tokens_per_second
                       : 0;
}

/* Counts operations, then measures round after round. */
static heed_status run_rounds(bench *b, heed_bench_result *result, heed_error *error)
{
    const heed_bench_task *task = &b->task;
    heed_bench_round rates = {0, 0};
    HEED_TRY(count_operations(b, result, error));
    int64_t number = HEED_BENCH_WARM;
    while ((!task->visitor || task->visitor(task->argument, number, rates)) &&
           (++number < task->rounds || task->rounds < 0)) {
        if (!heed_grow(&b->read, &b->read_capacity, b->rounds + 1, sizeof *b->read) ||
            !heed_grow(&b->written, &b->written_capacity, b->rounds + 1, sizeof *b->written))
            return heed_fail_memory(error, (b->rounds + 1) * sizeof *b->read, "the rounds");
        HEED_TRY(run_round(b, false, &rates, error));
        b->read[b->rounds] = rates.prefill;
        b->written[b->rounds] = rates.decode;
        b->rounds++;
    }
    take_median(b->read, b->rounds, &result->prefill);
    take_median(b->written, b->rounds, &result->decode);
    return HEED_OK;
}

/* ---- a measurement ---- */

/* Returns HEED_E_ARG if the task does not fit the model. */
static heed_status check(const bench *b, heed_error *error)
{
    const heed_config *config = heed_model_config(b->model);
    const heed_bench_task *task = &b->task;
    const bool source = b->session && heed_session_has_source(b->session);
    const int64_t context = b->session ? heed_session_context(b->session) : config->context;
    bool fits = task->prompt >= 1 && task->count >= 0 && task->depth >= 0 &&
                task->prompt <= context && task->depth <= context - task->prompt;
    /* New tokens follow those read, unless these were a source. */
    const int64_t before = source || !fits ? 0 : task->prompt + task->depth;
    if (!fits || task->count > context - before)
        return heed_fail(error, HEED_E_ARG,
                         "%lld tokens in the cache, %lld to read and %lld to write do not fit the "
                         "context of %lld positions",
                         (long long)task->depth, (long long)task->prompt, (long long)task->count,
                         (long long)context);
    if (task->shortest < 0 || task->shortest > task->prompt)
        return heed_fail(error, HEED_E_ARG,
                         "sequences of %lld to %lld tokens: expected the shorter length first",
                         (long long)task->shortest, (long long)task->prompt);
    if (task->depth && (source || b->engine))
        return heed_fail(error, HEED_E_ARG,
                         "only a decoder has tokens in its cache before it reads");
    return HEED_OK;
}

static heed_status open_session(bench *b, heed_error *error)
{
    heed_session_options options = {.sequences = b->task.sequences};
    return heed_session_new(&b->session, b->model, &b->backend, &options, error);
}

/* Allocates the tables and makes up the ids. */
static heed_status make_tokens(bench *b, heed_error *error)
{
    const int64_t count = b->task.depth + b->task.prompt + b->task.count,
                  vocabulary = heed_model_config(b->model)->vocabulary,
                  sequences = b->task.sequences;
    b->ids = heed_allocate((size_t)count, sizeof *b->ids);
    b->sequences = heed_allocate((size_t)sequences, sizeof *b->sequences);
    b->items = heed_allocate((size_t)sequences, sizeof *b->items);
    b->sources = heed_allocate((size_t)sequences, sizeof *b->sources);
    if (!b->ids || !b->sequences || !b->items || !b->sources)
        return heed_fail_memory(error, (size_t)count * sizeof *b->ids, "tokens to measure with");
    for (int64_t i = 0; i < count; i++) b->ids[i] = (int32_t)((i * 7919 + 1) % vocabulary);
    for (int64_t i = 0; i < sequences; i++) {
        b->sources[i] = (heed_ids){b->ids, length_of(&b->task, i)};
        b->rows += length_of(&b->task, i);
    }
    return HEED_OK;
}

/* Adds the sequences of a decoder and feeds the tokens that their caches hold before. */
static heed_status add_sequences(bench *b, heed_error *error)
{
    if (!b->session || heed_session_has_source(b->session)) return HEED_OK;
    for (int64_t i = 0; i < b->task.sequences; i++)
        HEED_TRY(heed_session_add(b->session, &b->sequences[i], error));
    return b->task.depth ? step(b, 0, b->task.depth, error) : HEED_OK;
}

/* Fills in the sizes of memory and the bytes that are read for a token. */
static void take_sizes(const bench *b, heed_bench_result *result)
{
    const heed_bench_task *task = &b->task;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    result->weight_bytes = heed_model_bytes(b->model);
    result->resident_bytes = (size_t)usage.ru_maxrss * 1024;
    /* Reading: each run of a chunk reads the weights once. An encoder takes all rows in one run. */
    const int64_t run = b->engine || b->rows < HEED_SESSION_CHUNK ? b->rows : HEED_SESSION_CHUNK;
    result->prefill.bytes = heed_model_step_bytes(b->model, run) / (double)run;
    if (b->engine) return;
    result->cache_bytes = heed_session_cache_bytes(b->session);
    result->cache_bytes_per_token = heed_session_position_bytes(b->session);
    if (!task->count) return;
    /* Writing: each step reads the weights once for all sequences, and the cache of each sequence
       up to its position. On average half of the new tokens are in the cache. */
    const double positions = (double)task->depth + (double)b->rows / (double)task->sequences +
                             (double)task->count / 2;
    result->decode.bytes = heed_model_step_bytes(b->model, task->sequences) /
                               (double)task->sequences +
                           positions * (double)heed_session_position_bytes(b->session);
}

static void free_tables(bench *b)
{
    free(b->ids);
    free(b->sequences);
    free(b->items);
    free(b->sources);
    free(b->profile.lines);
    free(b->read);
    free(b->written);
}

heed_status heed_bench(heed_model *model, const heed_backend *backend, const heed_bench_task *task,
                       heed_bench_result *result, heed_error *error)
{
    const heed_config *config = heed_model_config(model);
    bench b = {.task = *task, .model = model, .backend = *backend};
    *result = (heed_bench_result){0};
    if (!b.task.sequences) b.task.sequences = 1;
    if (!b.task.rounds) b.task.rounds = HEED_BENCH_ROUNDS;
    if (b.task.sequences < 1 || b.task.sequences > 1 << 16)
        return heed_fail(error, HEED_E_ARG, "%lld sequences at once: expected 1 to %d",
                         (long long)b.task.sequences, 1 << 16);
    if (config->float_inputs || !config->vocabulary)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "model type %s takes vectors, no tokens: nothing can be made up to measure with",
            config->model_type);
    const bool encoder = config->arrangement == HEED_ENCODER_ONLY;
    if (encoder) b.task.count = 0;
    heed_status status = encoder ? heed_engine_new(&b.engine, model, &b.backend, error)
                                 : open_session(&b, error);
    if (status == HEED_OK) status = check(&b, error);
    if (status == HEED_OK) status = make_tokens(&b, error);
    if (status == HEED_OK) status = add_sequences(&b, error);
    if (status == HEED_OK) status = run_rounds(&b, result, error);
    if (status == HEED_OK) take_sizes(&b, result);
    heed_session_free(b.session);
    heed_engine_free(b.engine);
    heed_batch_free(&b.batch);
    free_tables(&b);
    return status;
}
