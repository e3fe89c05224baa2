/* heed convert: writes a model in another format or element type. */
#include "task.h"

typedef struct {
    heed_cli_task task;
    const char *out, *dtype, *random;
    int64_t seed;
} convert_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(
        convert_task, out, "out", 'o', HEED_CLI_TEXT, "FILE.gguf|DIR",
        "Where the model goes: a GGUF file, or a folder with safetensors: new, empty, or "
        "of an earlier conversion, which is replaced."),
    HEED_CLI_OPTION(
        convert_task, dtype, "dtype", 0, HEED_CLI_TEXT, "TYPE",
        "Type of the matrices: f32, f16, bf16; in GGUF also q4_0 q4_1 q5_0 q5_1 q8_0 q2_k "
        "q3_k q4_k q5_k q6_k iq4_nl "
        "(default: as they are; quantized matrices become f32 in a folder)."),
    HEED_CLI_OPTION(
        convert_task, random, "random", 0, HEED_CLI_TEXT, "CONFIG.json",
        "Instead of a model: weights drawn as the family of this configuration draws them."),
    HEED_CLI_OPTION(convert_task, seed, "seed", 0, HEED_CLI_COUNT, "S",
                    "Seed of --random (default 0)."),
    {0}};

static const heed_cli_option_rule rules[] = {{"seed", HEED_CLI_NEEDS, "random"}, {0}};

static int check(heed_cli_task *t)
{
    const convert_task *values = (convert_task *)t;
    if (!values->out || !t->model == !values->random)
        return heed_cli_usage_error(t->command,
                                    "expected MODEL (or --random CONFIG.json) and --out");
    return 0;
}

static heed_status run(heed_cli_task *t)
{
    const convert_task *values = (convert_task *)t;
    heed_conversion how = {
        .model = t->model,
        .random = values->random,
        .seed = (uint64_t)values->seed,
        .out = values->out,
        .dtype = values->dtype,
        .hooks = t->load.hooks,
    };
    char *notes = NULL;
    heed_status status = heed_convert_model(&how, &notes, &t->error);
    if (notes && *notes) fprintf(stderr, "%s", notes);
    heed_free(notes);
    return status;
}

const heed_cli_command heed_cli_command_convert = {
    .name = "convert",
    .arguments = "MODEL --out FILE.gguf|DIR [--dtype TYPE]",
    .summary = "write a model in another format or element type",
    .description = "Reads a model folder or a GGUF file and writes either. Quantized matrices are "
                   "copied bit by bit where the type stays, and rounded to the nearest "
                   "where another is asked for; norms and biases stay f32 in GGUF files. The "
                   "tokenizer goes along.",
    .examples = "  heed convert path/to/model --out model.gguf --dtype q8_0\n  heed convert "
                "model.gguf --out folder --dtype bf16\n"
                "  heed convert --random config.json --out random.gguf --dtype q4_0 --seed 1\n",
    .options = options,
    .rules = rules,
    .shares = HEED_CLI_MODEL_MAYBE | HEED_CLI_STOPS,
    .bytes = sizeof(convert_task),
    .check = check,
    .run = run};
