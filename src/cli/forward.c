/* heed forward: runs a model once on the tensors of a file. */
#include "task.h"

typedef struct {
    heed_cli_task task;
    const char *in, *out;
    bool grad;
} forward_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(forward_task, in, "in", 0, HEED_CLI_TEXT, "FILE",
                    "Safetensors file with tensors named in.<name>; others are ignored."),
    HEED_CLI_OPTION(forward_task, out, "out", 0, HEED_CLI_TEXT, "FILE",
                    "Safetensors file to write."),
    HEED_CLI_OPTION(forward_task, grad, "grad", 0, HEED_CLI_FLAG, NULL,
                    "Also grad.<name on disk> of the loss for every parameter."),
    {0}};

static int check(heed_cli_task *t)
{
    const forward_task *values = (forward_task *)t;
    if (values->in && values->out) return 0;
    return heed_cli_usage_error(t->command, "expected --in FILE and --out FILE");
}

static heed_status run(heed_cli_task *t)
{
    const forward_task *values = (forward_task *)t;
    heed_forward_task files = {
        .model = t->model,
        .input = values->in,
        .output = values->out,
        .gradients = values->grad,
        .load = t->load,
    };
    return heed_forward_files(t->context, &files, &t->error);
}

const heed_cli_command heed_cli_command_forward = {
    .name = "forward",
    .arguments = "MODEL --in X.safetensors --out Y.safetensors [--grad]",
    .summary = "outputs, loss and gradients of a model for given tensors",
    .description = "Reads input_ids, attention_mask, labels ... as transformers' classes take them "
                   "(in.input_ids, in.attention_mask, in.labels) and writes "
                   "out.logits, out.hidden_states.N, out.attentions.N ... with zeros at padding, "
                   "the loss when labels are given, and gradients on request.",
    .examples = "  heed forward model --in batch.safetensors --out result.safetensors --grad\n",
    .options = options,
    .shares = HEED_CLI_MODEL | HEED_CLI_COMPUTES | HEED_CLI_OBSERVED | HEED_CLI_TYPES,
    .bytes = sizeof(forward_task),
    .check = check,
    .run = run};
