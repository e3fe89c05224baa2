/* heed bench: how fast a model reads and writes. */
#include "options.h"
#include "terminal.h"

#include <heed/heed.h>
#include <jansson.h>

typedef struct { const char *model; int64_t prompt, count, threads; bool json, profile; } bench_options;

static const option options[] = {
    HEED_OPTION(bench_options, model, "model", 'm', OPTION_TEXT, "MODEL", "Model folder."),
    HEED_OPTION(bench_options, prompt, "prompt-tokens", 'p', OPTION_INTEGER, "N", "Tokens to read (default 512)."),
    HEED_OPTION(bench_options, count, "new-tokens", 'n', OPTION_INTEGER, "N", "Tokens to write (default 128)."),
    HEED_OPTION(bench_options, threads, "threads", 't', OPTION_INTEGER, "N", "Threads (default: OMP_NUM_THREADS, else all processors)."),
    HEED_OPTION(bench_options, json, "json", 0, OPTION_FLAG, NULL, "Print one JSON object."),
    HEED_OPTION(bench_options, profile, "profile", 0, OPTION_FLAG, NULL, "Print time, operations and bytes per kernel to stderr."),
    {0}};

static int run(int argc, char **argv);
const verb verb_bench = {"bench", "-m MODEL [-p 512] [-n 128] [-t 2] [--json]", "tokens per second of reading and writing",
    "One sequence; medians of five rounds after one to warm up.\n\n  heed bench -m model -p 512 -n 128 -t 2\n", options, run};

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

static int run(int argc, char **argv)
{
    bench_options values = {.prompt = 512, .count = 128};
    option_list positional = {0};
    bool helped;
    heed_error error = {0};
    heed_context *context = NULL;
    heed_transformer *transformer = NULL;
    heed_speed speed = {0};
    if (!options_parse(&verb_bench, &values, argc, argv, &positional, &helped)) return 2;
    if (helped) return 0;
    if (!values.model && positional.count == 1) values.model = positional.items[0];
    else if (positional.count) return usage_error(&verb_bench, "unexpected \"%s\"", positional.items[0]);
    if (!values.model) return usage_error(&verb_bench, "expected -m MODEL");
    if (values.prompt < 1 || values.count < 1) return usage_error(&verb_bench, "-p and -n count tokens, at least 1");
    heed_status status = heed_context_new(&context, &(heed_context_options){.threads = (int)values.threads}, &error);
    if (status == HEED_OK) status = heed_transformer_load(&transformer, context, values.model, &error);
    if (status == HEED_OK && values.profile) status = heed_transformer_profile(transformer, true, &error);
    if (status == HEED_OK) status = heed_transformer_bench(transformer, values.prompt, values.count, &speed, &error);
    if (status == HEED_OK) print_speed(&speed, values.json);
    char *profile = NULL;
    if (status == HEED_OK && values.profile && heed_transformer_profile_text(transformer, &profile, &error) == HEED_OK) fputs(profile, stderr);
    heed_free(profile);
    heed_transformer_free(transformer);
    heed_context_free(context);
    option_list_free(&positional);
    return status == HEED_OK ? 0 : report_error("bench", &error);
}
