/* heed bench: measures how fast a model reads and writes, and what the machine can do. */
#include "task.h"

typedef struct bench_task {
    heed_cli_task task;
    heed_speed_task speed;
    const char *lengths;
    bool machine, on_request;
} bench_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(bench_task, speed.prompt, "prompt-tokens", 'p', HEED_CLI_COUNT, "N",
                    "Tokens to read (default 512)."),
    HEED_CLI_OPTION(bench_task, speed.count, "new-tokens", 'n', HEED_CLI_NATURAL, "N",
                    "Tokens to write (default 128; an encoder writes none)."),
    HEED_CLI_OPTION(bench_task, speed.sequences, "batch", 'b', HEED_CLI_COUNT, "B",
                    "Sequences read and written together (default 1)."),
    HEED_CLI_OPTION(bench_task, lengths, "lengths", 0, HEED_CLI_TEXT, "A-Z",
                    "Tokens to read, spread evenly over the sequences of a batch, in place of -p."),
    HEED_CLI_OPTION(bench_task, speed.depth, "depth", 'd', HEED_CLI_COUNT, "N",
                    "Tokens in the cache before (default 0)."),
    HEED_CLI_OPTION(bench_task, speed.rounds, "rounds", 0, HEED_CLI_COUNT, "N",
                    "Rounds to take the median of (default 5)."),
    HEED_CLI_OPTION(
        bench_task, on_request, "on-request", 0, HEED_CLI_FLAG, NULL,
        "A round for every line on stdin, answered by a line of JSON, until stdin ends: to "
        "take turns with another program."),
    HEED_CLI_OPTION(bench_task, machine, "machine", 0, HEED_CLI_FLAG, NULL,
                    "Measure what the machine can do: operations on f32, bf16 and int8, reading of "
                    "caches and memory, a barrier."),
    {0}};

static const heed_cli_option_rule rules[] = {
    {"prompt-tokens new-tokens batch lengths depth rounds weights compute cache", HEED_CLI_NEEDS,
     "model"},
    {"prompt-tokens", HEED_CLI_IDLE, "lengths"},
    {"rounds json machine", HEED_CLI_IDLE, "on-request"},
    {0}};

static void preset(heed_cli_task *t)
{
    bench_task *values = (bench_task *)t;
    values->speed = (heed_speed_task){
        .prompt = 512, .count = heed_int(128), .sequences = 1, .rounds = 5, .peaks = true};
}

static int check(heed_cli_task *t)
{
    bench_task *values = (bench_task *)t;
    heed_speed_task *speed = &values->speed;
    long long shortest, longest;
    char more;
    if (!t->model && !values->machine)
        return heed_cli_usage_error(t->command, "expected -m MODEL or --machine");
    if (values->on_request && !t->model)
        return heed_cli_usage_error(t->command, "--on-request measures a model: expected -m MODEL");
    if (speed->prompt < 1 || speed->sequences < 1 || speed->rounds < 1)
        return heed_cli_usage_error(t->command, "-p, --batch and --rounds are at least 1");
    if (!values->lengths) return 0;
    if (sscanf(values->lengths, "%lld-%lld%c", &shortest, &longest, &more) != 2 || shortest < 1 ||
        longest < shortest)
        return heed_cli_usage_error(
            t->command, "--lengths: expected the shortest and the longest, as in 8-128");
    speed->shortest = shortest;
    speed->prompt = longest;
    return 0;
}

/* ---- the machine ---- */

/* Prints a row with the rate of one thread and, if there are several, of all. */
static void print_rate(const char *what, heed_rate rate, int threads, double unit, const char *name)
{
    if (!rate.measured) return;
    printf("  %-24s %10.1f", what, unit * rate.one);
    if (threads > 1) printf(" %12.1f", unit * rate.all);
    printf(" %-8s %s\n", name, rate.how ? rate.how : "");
}

static void print_peak(const heed_peak *p)
{
    char l2[64], l3[64], text[32];
    snprintf(l2, sizeof l2, "read from L2, %s",
             heed_cli_bytes_text((double)p->l2_bytes.value, text));
    snprintf(l3, sizeof l3, "read from L3, %s",
             heed_cli_bytes_text((double)p->l3_bytes.value, text));
    printf("machine  %s, %d thread%s\n  %-24s %10s", p->isa, p->threads, p->threads == 1 ? "" : "s",
           "", "one thread");
    if (p->threads > 1) printf(" %4d threads", p->threads);
    printf("\n");
    print_rate("f32 multiply-add", p->f32, p->threads, 1e-9, "GFLOP/s");
    print_rate("bf16 multiply-add", p->bf16, p->threads, 1e-9, "GFLOP/s");
    print_rate("int8 multiply-add", p->int8, p->threads, 1e-9, "GOP/s");
    print_rate(l2, p->l2, p->threads, 1e-9, "GB/s");
    print_rate(l3, p->l3, p->threads, 1e-9, "GB/s");
    print_rate("read from memory", p->memory, p->threads, 1e-9, "GB/s");
    print_rate("read from memory", p->small_pages, p->threads, 1e-9, "GB/s");
    if (p->threads > 1)
        printf("  %-24s %10s %12.2f us\n", "barrier", "", 1e6 * p->barrier_seconds.value);
}

/* Returns an object with the rates of all threads, or of one; null for rates not measured. */
static json_t *rates_json(const heed_peak *p, bool all)
{
    const struct {
        const char *name;
        heed_rate rate;
    } rates[] = {
        {"flops_per_second", p->f32},
        {"bf16_flops_per_second", p->bf16},
        {"int8_ops_per_second", p->int8},
        {"memory_bytes_per_second", p->memory},
        {"small_pages_bytes_per_second", p->small_pages},
        {"l2_bytes_per_second", p->l2},
        {"l3_bytes_per_second", p->l3},
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        double rate = all ? rates[i].rate.all : rates[i].rate.one;
        json_object_set_new(object, rates[i].name,
                            rates[i].rate.measured ? json_integer((json_int_t)rate) : json_null());
    }
    return object;
}

static json_t *peak_json(const heed_peak *p)
{
    json_t *object = rates_json(p, true);
    json_t *rest = json_pack("{s:i, s:s, s:f, s:b, s:I, s:I, s:{s:s, s:s, s:s}, s:o}", "threads",
                             p->threads, "instruction_set", p->isa, "barrier_seconds",
                             p->barrier_seconds.value, "huge_pages", p->huge_pages, "l2_bytes",
                             (json_int_t)p->l2_bytes.value, "l3_bytes",
                             (json_int_t)p->l3_bytes.value, "how", "f32", p->f32.how, "bf16",
                             p->bf16.how, "int8", p->int8.how, "one_thread", rates_json(p, false));
    if (!object || !rest || json_object_update(object, rest) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(rest);
    return object;
}

/* ---- a model ---- */

static json_t *speed_json(const heed_speed *s)
{
    return json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:o}",
        "prefill_tokens_per_second", s->prefill.tokens_per_second, "decode_tokens_per_second",
        s->decode.tokens_per_second, "prefill_spread", s->prefill.spread, "decode_spread",
        s->decode.spread, "bytes_per_token", s->decode.bytes_per_token,
        "prefill_operations_per_token", s->prefill.operations_per_token,
        "decode_operations_per_token", s->decode.operations_per_token, "prefill_compute_share",
        s->prefill.compute_share.value, "decode_compute_share", s->decode.compute_share.value,
        "prefill_bandwidth_share", s->prefill.bandwidth_share.value, "decode_bandwidth_share",
        s->decode.bandwidth_share.value, "weight_bytes", (json_int_t)s->weight_bytes, "cache_bytes",
        (json_int_t)s->cache_bytes, "cache_bytes_per_token", (json_int_t)s->cache_bytes_per_token,
        "resident_bytes", (json_int_t)s->resident_bytes, "machine", peak_json(&s->peak));
}

static void print_phase(const char *name, const heed_speed_of *s)
{
    char read[32];
    printf("%-8s %10.1f tokens/s ±%.0f %%, each %.3g operations and %s read: %.0f %% of the "
           "compute peak, %.0f %% of the read bandwidth\n",
           name, s->tokens_per_second, 50 * s->spread, s->operations_per_token,
           heed_cli_bytes_text(s->bytes_per_token, read), 100 * s->compute_share.value,
           100 * s->bandwidth_share.value);
}

static void print_speed(const heed_speed *s)
{
    char weights[32], cache[32], each[32], resident[32];
    print_phase("prefill", &s->prefill);
    if (s->decode.measured) print_phase("decode", &s->decode);
    printf("memory   weights %s, cache %s (%s a token), process %s\n",
           heed_cli_bytes_text((double)s->weight_bytes, weights),
           heed_cli_bytes_text((double)s->cache_bytes, cache),
           heed_cli_bytes_text((double)s->cache_bytes_per_token, each),
           heed_cli_bytes_text((double)s->resident_bytes, resident));
}

/* Prints the round as JSON and waits for a line on stdin. Returns false at the end of stdin. */
static bool on_round(void *argument, const heed_speed_round *round)
{
    (void)argument;
    printf("{\"round\": %lld, \"prefill_tokens_per_second\": %.3f, \"decode_tokens_per_second\": "
           "%.3f}\n",
           (long long)heed_int_or(round->number, -1), round->prefill_tokens_per_second,
           round->decode_tokens_per_second);
    fflush(stdout);
    for (int c; (c = getchar()) != EOF;)
        if (c == '\n') return true;
    return false;
}

static heed_status run(heed_cli_task *t)
{
    bench_task *values = (bench_task *)t;
    heed_speed speed = {0};
    if (!t->model) {
        heed_peak peak;
        heed_status status = heed_context_peak(t->context, &peak, &t->error);
        if (status != HEED_OK) return status;
        if (t->json) return heed_cli_print_json(peak_json(&peak), JSON_INDENT(2), &t->error);
        print_peak(&peak);
        return HEED_OK;
    }
    if (values->on_request) {
        values->speed.round = on_round;
        values->speed.endless = true;
        values->speed.peaks = false;
    }
    heed_status status = heed_transformer_bench(t->transformer, &values->speed, &speed, &t->error);
    if (status != HEED_OK || values->on_request) return status;
    if (t->json) return heed_cli_print_json(speed_json(&speed), JSON_INDENT(2), &t->error);
    if (values->machine) print_peak(&speed.peak);
    print_speed(&speed);
    return HEED_OK;
}

const heed_cli_command heed_cli_command_bench = {
    .name = "bench",
    .arguments = "-m MODEL [-p 512] [-n 128] [-t 2] [--json] | --machine",
    .summary = "tokens per second of reading and writing",
    .description = "Medians of five rounds after one to warm up, and their share of what the "
                   "machine can do, measured right after: operations at the peak "
                   "of the numbers they are made in, bytes of weights and cache at the bandwidth "
                   "of memory. Encoders read only.",
    .examples = "  heed bench -m model -p 512 -n 128 -t 2\n  heed bench -m model -p 512 -n 0 "
                "--depth 8192\n  heed bench -m encoder --batch 32 --lengths 8-128\n"
                "  heed bench -m model -p 64 -n 16 --profile\n  heed bench --machine -t 1\n",
    .options = options,
    .rules = rules,
    .shares = HEED_CLI_MODEL_MAYBE | HEED_CLI_COMPUTES | HEED_CLI_LOADS | HEED_CLI_JSON,
    .bytes = sizeof(bench_task),
    .preset = preset,
    .check = check,
    .run = run};
