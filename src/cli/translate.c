/* heed translate: a file through a model, line by line. */
#include "task.h"

typedef struct {
    task task;
    const char *in, *out;
    int64_t count;
} translate_task;

static const option options[] = {
    HEED_OPTION(translate_task, in, "in", 0, OPTION_TEXT, "FILE",
                "Text to translate, a sentence a line."),
    HEED_OPTION(translate_task, out, "out", 0, OPTION_TEXT, "FILE",
                "Where the translation goes, line by line."),
    HEED_OPTION(translate_task, count, "n", 'n', OPTION_COUNT, "N",
                "New tokens of a line at most (default: generation_config.json)."),
    {0}};

static void preset(task *t)
{
    ((translate_task *)t)->count = -1;
}

static int check(task *t)
{
    const translate_task *values = (translate_task *)t;
    return t->model && values->in && values->out
               ? 0
               : usage_error(t->command, "expected -m MODEL, --in FILE and --out FILE");
}

static heed_status run(task *t)
{
    const translate_task *values = (translate_task *)t;
    heed_generation_options how;
    heed_hooks hooks = task_hooks("lines");
    heed_status status = task_generation(t, values->count, &how);
    if (status == HEED_OK) status = task_note_idle(t, &how);
    return status == HEED_OK ? heed_transformer_translate(t->transformer, values->in, values->out,
                                                          &how, &hooks, &t->error)
                             : status;
}

const command command_translate = {
    .name = "translate",
    .arguments = "-m MODEL --in FILE --out FILE [--beams K]",
    .summary = "translate a file line by line",
    .description = "Lines keep their order; empty lines stay empty.",
    .examples = "  heed translate -m translator --in test.en --out test.de\n  heed translate -m "
                "translator --in test.en --out test.de --beams 4\n",
    .options = options,
    .shares = COMMAND_MODEL | COMMAND_COMPUTES | COMMAND_LOADS | COMMAND_SAMPLES | COMMAND_STOPS,
    .bytes = sizeof(translate_task),
    .preset = preset,
    .check = check,
    .run = run};
