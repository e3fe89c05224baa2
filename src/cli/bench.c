/* heed bench: how fast a model reads and writes. */
#include "task.h"

typedef struct { task task; int64_t prompt, count; bool machine; } bench_task;

static const option options[] = {
    HEED_OPTION(bench_task, prompt, "prompt-tokens", 'p', OPTION_INTEGER, "N", "Tokens to read (default 512)."),
    HEED_OPTION(bench_task, count, "new-tokens", 'n', OPTION_INTEGER, "N", "Tokens to write (default 128)."),
    HEED_OPTION(bench_task, machine, "machine", 0, OPTION_FLAG, NULL, "Measure what the machine can do: f32 operations and bytes of memory a second."),
    {0}};

static void preset(task *t)
{
    bench_task *values = (bench_task *)t;
    values->prompt = 512, values->count = 128;
}

static int check(task *t)
{
    const bench_task *values = (bench_task *)t;
    if (!t->model && !values->machine) return usage_error(t->verb, "expected -m MODEL or --machine");
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

static void print_peak(const heed_peak *p, bool json)
{
    if (json) printf("{\"threads\": %d, \"flops_per_second\": %.0f, \"memory_bytes_per_second\": %.0f}\n", p->threads, p->flops_per_second, p->bytes_per_second);
    else printf("machine  %d thread%s, %.1f GFLOP/s in f32, %.1f GB/s read from memory\n", p->threads, p->threads == 1 ? "" : "s", 1e-9 * p->flops_per_second,
                1e-9 * p->bytes_per_second);
}

static heed_status run(task *t)
{
    const bench_task *values = (bench_task *)t;
    heed_speed speed = {0};
    if (values->machine) {
        heed_peak peak;
        heed_status measured = heed_context_peak(t->context, &peak, &t->error);
        if (measured != HEED_OK) return measured;
        print_peak(&peak, t->json);
        if (!t->model) return HEED_OK;
    }
    heed_status status = heed_transformer_bench(t->transformer, values->prompt, values->count, &speed, &t->error);
    if (status == HEED_OK) print_speed(&speed, t->json);
    return status;
}

const verb verb_bench = {
    .name = "bench", .arguments = "-m MODEL [-p 512] [-n 128] [-t 2] [--json] | --machine", .summary = "tokens per second of reading and writing",
    .description = "One sequence; medians of five rounds after one to warm up.",
    .examples = "  heed bench -m model -p 512 -n 128 -t 2\n  heed bench -m model -p 64 -n 16 --profile\n  heed bench --machine -t 1\n",
    .options = options, .shares = VERB_MODEL_MAYBE | VERB_COMPUTES | VERB_LOADS | VERB_JSON, .bytes = sizeof(bench_task),
    .preset = preset, .check = check, .run = run};
