/* The options that commands share, as rows of a task. */
#include "task.h"

static const option model_options[] = {
    HEED_OPTION(task, model, "model", 'm', OPTION_TEXT, "MODEL",
                "Model folder (or as the first word)."),
    {0},
};
static const option sampling_rows[] = {
    HEED_HEADING("How tokens are chosen (what is not given comes from generation_config.json)"),
    HEED_SAMPLING_ROWS(task),
    {0}};
static const option running_heading[] = {HEED_HEADING("Running"), {0}};
static const option json_options[] = {
    HEED_OPTION(task, json, "json", 0, OPTION_FLAG, NULL, "Print JSON instead of words."), {0}};
static const option context_options[] = {
    HEED_OPTION(task, threads, "threads", 't', OPTION_COUNT, "N",
                "Threads (default: OMP_NUM_THREADS, else all processors within the container's "
                "quota, which is the most that work)."),
    {0}};
static const option load_options[] = {
    HEED_OPTION(task, load.weights, "weights", 0, OPTION_TEXT, "TYPE",
                "Round matrices to f16, bf16, q8_0, q4_k ... when loading, where they are wider "
                "(default: as stored)."),
    HEED_OPTION(task, load.compute, "compute", 0, OPTION_TEXT, "TYPE",
                "Round operands of products and attention: f32 (default, exact) or bf16 (faster); "
                "sums stay f32."),
    {0}};
static const option cache_options[] = {
    HEED_OPTION(task, load.cache, "cache", 0, OPTION_TEXT, "TYPE",
                "Keep keys and values as f32 (default, exact), f16 (up to 65504), bf16, or i8 with "
                "a scale per head and position."),
    {0}};
static const option watch_options[] = {
    HEED_OPTION(task, profile, "profile", 0, OPTION_FLAG, NULL,
                "Print time, operations, bytes and their share of the machine's peak per kernel to "
                "stderr."),
    HEED_OPTION(task, nan_guard, "nan-guard", 0, OPTION_FLAG, NULL,
                "Stop at the first value that is NaN or infinite, naming op, place and inputs."),
    HEED_OPTION(task, trace, "trace", 0, OPTION_TEXT, "FILE",
                "Write a line for every step computed: shape, place, mean, least, largest, first "
                "values; - is stderr."),
    HEED_OPTION(task, dump, "dump", 0, OPTION_TEXT, "text|dot",
                "Print each graph after its passes to stderr, and why products were not fused."),
    HEED_OPTION(task, no_passes, "no-passes", 0, OPTION_FLAG, NULL,
                "Run graphs as built, without fusion or reuse of memory."),
    HEED_OPTION(
        task, reference, "reference", 0, OPTION_FLAG, NULL,
        "Run the plain reference kernels, one loop an op: slow, what all others are held against."),
    {0}};

/* In the order of --help; NULL stands for the command's own table. */
static const struct {
    unsigned shares;
    const option *options;
} groups[] = {
    {COMMAND_MODEL | COMMAND_MODEL_MAYBE, model_options},
    {~0u, NULL},
    {COMMAND_SAMPLES, sampling_rows},
    {COMMAND_COMPUTES | COMMAND_JSON, running_heading},
    {COMMAND_JSON, json_options},
    {COMMAND_COMPUTES, context_options},
    {COMMAND_LOADS | COMMAND_ROUNDS, load_options},
    {COMMAND_LOADS, cache_options},
    {COMMAND_WATCHED | COMMAND_LOADS, watch_options},
};

const option *option_next(option_walk *walk)
{
    while (!walk->next || !walk->next->name) {
        if (walk->group == sizeof groups / sizeof *groups) return NULL;
        const option *table = groups[walk->group].options ? groups[walk->group].options
                                                          : walk->command->options;
        bool own = table == walk->command->options;
        walk->next = own || (groups[walk->group].shares & walk->command->shares) ? table : NULL;
        walk->group++;
    }
    return walk->next++;
}
