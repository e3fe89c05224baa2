/* heed translate: translates a file line by line. */
#include "task.h"

typedef struct {
    heed_cli_task task;
    const char *in, *out;
    heed_optional_int count;
} translate_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(translate_task, in, "in", 0, HEED_CLI_TEXT, "FILE",
                    "Text to translate, a sentence a line."),
    HEED_CLI_OPTION(translate_task, out, "out", 0, HEED_CLI_TEXT, "FILE",
                    "Where the translation goes, line by line."),
    HEED_CLI_OPTION(translate_task, count, "n", 'n', HEED_CLI_NATURAL, "N",
                    "New tokens of a line at most (default: generation_config.json)."),
    {0}};

static int check(heed_cli_task *t)
{
    const translate_task *values = (translate_task *)t;
    if (t->model && values->in && values->out) return 0;
    return heed_cli_usage_error(t->command, "expected -m MODEL, --in FILE and --out FILE");
}

static heed_status run(heed_cli_task *t)
{
    const translate_task *values = (translate_task *)t;
    heed_generation_options how;
    heed_hooks hooks = heed_cli_task_hooks("lines");
    heed_status status = heed_cli_task_generation(t, values->count, &how);
    if (status == HEED_OK) status = heed_cli_task_note_idle(t, &how);
    if (status != HEED_OK) return status;
    return heed_transformer_translate(t->transformer, values->in, values->out, &how, &hooks,
                                      &t->error);
}

const heed_cli_command heed_cli_command_translate = {
    .name = "translate",
    .arguments = "-m MODEL --in FILE --out FILE [--beams K]",
    .summary = "translate a file line by line",
    .description = "Lines keep their order; empty lines stay empty.",
    .examples = "  heed translate -m translator --in test.en --out test.de\n  heed translate -m "
                "translator --in test.en --out test.de --beams 4\n",
    .options = options,
    .shares = HEED_CLI_MODEL | HEED_CLI_COMPUTES | HEED_CLI_LOADS | HEED_CLI_SAMPLES |
              HEED_CLI_STOPS,
    .bytes = sizeof(translate_task),
    .check = check,
    .run = run};
