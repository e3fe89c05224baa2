/* shared.c: the tables of options that several commands share. Their fields are in heed_cli_task.
   */
#include "task.h"

static const heed_cli_option model_options[] = {
    HEED_CLI_OPTION(
        heed_cli_task, model, "model", 'm', HEED_CLI_TEXT, "MODEL",
        "Model folder, GGUF file, or OWNER/MODEL in the Hugging Face cache; as the first word "
        "it needs no -m."),
    {0},
};
static const heed_cli_option sampling_rows[] = {
    HEED_CLI_SECTION("How tokens are chosen (what is not given comes from generation_config.json)"),
    HEED_CLI_SAMPLING_ROWS(heed_cli_task),
    {0}};
static const heed_cli_option running_section[] = {HEED_CLI_SECTION("Running"), {0}};
static const heed_cli_option json_options[] = {HEED_CLI_OPTION(heed_cli_task, json, "json", 0,
                                                               HEED_CLI_FLAG, NULL,
                                                               "Print JSON instead of words."),
                                               {0}};
static const heed_cli_option context_options[] = {
    HEED_CLI_OPTION(heed_cli_task, threads, "threads", 't', HEED_CLI_COUNT, "N",
                    "Threads (default: OMP_NUM_THREADS, else all processors within the container's "
                    "quota, which is the most that work)."),
    {0}};
static const heed_cli_option load_options[] = {
    HEED_CLI_OPTION(
        heed_cli_task, load.weights, "weights", 0, HEED_CLI_TEXT, "TYPE",
        "Round matrices to f16, bf16, q8_0, q4_k ... when loading, where they are wider "
        "(default: as stored)."),
    HEED_CLI_OPTION(
        heed_cli_task, load.compute, "compute", 0, HEED_CLI_TEXT, "TYPE",
        "Round operands of matmuls and attention: f32 (default, exact) or bf16 (faster); "
        "sums stay f32."),
    {0}};
static const heed_cli_option cache_options[] = {
    HEED_CLI_OPTION(
        heed_cli_task, load.cache, "cache", 0, HEED_CLI_TEXT, "TYPE",
        "Keep keys and values as f32 (default, exact), f16 (up to 65504), bf16, or i8 with "
        "a scale per head and position."),
    {0}};
static const heed_cli_option observe_options[] = {
    HEED_CLI_OPTION(
        heed_cli_task, profile, "profile", 0, HEED_CLI_FLAG, NULL,
        "Print time, operations, bytes and their share of the machine's peak per kernel to "
        "stderr."),
    HEED_CLI_OPTION(
        heed_cli_task, nan_guard, "nan-guard", 0, HEED_CLI_FLAG, NULL,
        "Stop at the first value that is NaN or infinite, naming op, place and inputs."),
    HEED_CLI_OPTION(heed_cli_task, trace, "trace", 0, HEED_CLI_TEXT, "FILE",
                    "Write a line for every step computed: shape, place, mean, min, max, first "
                    "values; - is stderr."),
    HEED_CLI_OPTION(heed_cli_task, dump, "dump", 0, HEED_CLI_TEXT, "text|dot",
                    "Print each graph after its passes to stderr, and why matmuls were not fused."),
    HEED_CLI_OPTION(heed_cli_task, no_passes, "no-passes", 0, HEED_CLI_FLAG, NULL,
                    "Run graphs as built, without fusion or reuse of memory."),
    HEED_CLI_OPTION(
        heed_cli_task, reference, "reference", 0, HEED_CLI_FLAG, NULL,
        "Run the plain reference kernels, one loop an op: slow, the reference of all others."),
    {0}};

/* The tables in the order of --help, and the commands that have them. NULL stands for the command's
   own table. */
static const struct {
    unsigned shares;
    const heed_cli_option *options;
} groups[] = {
    {HEED_CLI_MODEL | HEED_CLI_MODEL_MAYBE, model_options},
    {~0u, NULL},
    {HEED_CLI_SAMPLES, sampling_rows},
    {HEED_CLI_COMPUTES | HEED_CLI_JSON, running_section},
    {HEED_CLI_JSON, json_options},
    {HEED_CLI_COMPUTES, context_options},
    {HEED_CLI_LOADS | HEED_CLI_TYPES, load_options},
    {HEED_CLI_LOADS, cache_options},
    {HEED_CLI_OBSERVED | HEED_CLI_LOADS, observe_options},
};

const heed_cli_option *heed_cli_option_next(heed_cli_option_walk *walk)
{
    while (!walk->next || !walk->next->name) {
        if (walk->group == sizeof groups / sizeof *groups) return NULL;
        const heed_cli_option *table = groups[walk->group].options ? groups[walk->group].options
                                                                   : walk->command->options;
        bool own = table == walk->command->options;
        walk->next = own || (groups[walk->group].shares & walk->command->shares) ? table : NULL;
        walk->group++;
    }
    return walk->next++;
}
