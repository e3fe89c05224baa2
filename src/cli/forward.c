/* heed forward: a model once over tensors in a file. */
#include "options.h"
#include "terminal.h"

#include <heed/heed.h>

typedef struct { const char *in, *out; bool grad, no_passes; int64_t threads; } forward_options;

static const option options[] = {
    HEED_OPTION(forward_options, in, "in", 0, OPTION_TEXT, "FILE", "Safetensors file with tensors named in.<name>; others are not looked at."),
    HEED_OPTION(forward_options, out, "out", 0, OPTION_TEXT, "FILE", "Safetensors file to write."),
    HEED_OPTION(forward_options, grad, "grad", 0, OPTION_FLAG, NULL, "Also grad.<name on disk> of the loss for every parameter."),
    HEED_OPTION(forward_options, no_passes, "no-passes", 0, OPTION_FLAG, NULL, "Run the graph as built, without fusion or buffer reuse."),
    HEED_OPTION(forward_options, threads, "threads", 't', OPTION_INTEGER, "N", "Threads (default: OMP_NUM_THREADS, else all processors)."),
    {0}};

static int run(int argc, char **argv);
const verb verb_forward = {"forward", "MODEL --in X.safetensors --out Y.safetensors [--grad]", "outputs, loss and gradients of a model for given tensors",
    "Reads input_ids, attention_mask, labels ... as transformers' classes take them (in.input_ids, in.attention_mask, in.labels) and writes\n"
    "out.logits, out.hidden_states.N, out.attentions.N ... with zeros at padding, the loss when labels are given, and gradients on request.\n\n"
    "  heed forward model --in batch.safetensors --out result.safetensors --grad\n", options, run};

static int run(int argc, char **argv)
{
    forward_options values = {0};
    option_list words = {0};
    bool helped;
    heed_error error = {0};
    heed_context *context = NULL;
    if (!options_parse(&verb_forward, &values, argc, argv, &words, &helped)) return 2;
    if (helped) return 0;
    if (words.count != 1) return usage_error(&verb_forward, "expected one model, found %zu", words.count);
    if (!values.in || !values.out) return usage_error(&verb_forward, "expected --in FILE and --out FILE");
    heed_forward_task task = {.model = words.items[0], .input = values.in, .output = values.out, .gradients = values.grad, .no_passes = values.no_passes};
    heed_status status = heed_context_new(&context, &(heed_context_options){.threads = (int)values.threads}, &error);
    if (status == HEED_OK) status = heed_forward_files(context, &task, &error);
    heed_context_free(context);
    option_list_free(&words);
    return status == HEED_OK ? 0 : report_error("forward", &error);
}
