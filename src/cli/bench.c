/* heed bench: how fast a model reads and writes. */
#include "task.h"

typedef struct { task task; int64_t prompt, count; } bench_task;

static const option options[] = {
    HEED_OPTION(bench_task, prompt, "prompt-tokens", 'p', OPTION_INTEGER, "N", "Tokens to read (default 512)."),
    HEED_OPTION(bench_task, count, "new-tokens", 'n', OPTION_INTEGER, "N", "Tokens to write (default 128)."),
    {0}};

static void preset(task *t)
{
    bench_task *values = (bench_task *)t;
    values->prompt = 512, values->count = 128;
}

static int check(task *t)
{
    const bench_task *values = (bench_task *)t;
    return values->prompt < 1 || values->count < 1 ? usage_error(t->verb, "-p and -n count tokens, at least 1") : 0;
}

static void print_speed(const heed_speed *s, bool json)
{
    char weights[32], cache[32], resident[32], read[32];
    if (json)
        printf("{\"prefill_tokens_per_second\": %.2f, \"decode_tokens_per_second\": %.2f, \"bytes_per_token\": %.0f, \"weight_bytes\": %zu, "
               "\"cache_bytes\": %zu, \"resident_bytes\": %zu}\n", s->prefill_tokens_per_second, s->decode_tokens_per_second, s->bytes_per_token,
               s->weight_bytes, s->cache_bytes, s->resident_bytes);
    else
        printf("reading  %10.1f tokens/s\nwriting  %10.1f tokens/s, %s read for each\nmemory   weights %s, cache %s, process %s\n",
               s->prefill_tokens_per_second, s->decode_tokens_per_second, bytes_text(s->bytes_per_token, read), bytes_text((double)s->weight_bytes, weights),
               bytes_text((double)s->cache_bytes, cache), bytes_text((double)s->resident_bytes, resident));
}

static heed_status run(task *t)
{
    const bench_task *values = (bench_task *)t;
    heed_speed speed = {0};
    heed_status status = heed_transformer_bench(t->transformer, values->prompt, values->count, &speed, &t->error);
    if (status == HEED_OK) print_speed(&speed, t->json);
    return status;
}

const verb verb_bench = {
    .name = "bench", .arguments = "-m MODEL [-p 512] [-n 128] [-t 2] [--json]", .summary = "tokens per second of reading and writing",
    .description = "One sequence; medians of five rounds after one to warm up.",
    .examples = "  heed bench -m model -p 512 -n 128 -t 2\n  heed bench -m model -p 64 -n 16 --profile\n",
    .options = options, .shares = VERB_MODEL | VERB_COMPUTES | VERB_LOADS | VERB_JSON, .bytes = sizeof(bench_task),
    .preset = preset, .check = check, .run = run};
