/* heed translate: a file through a model, line by line. */
#include "interrupt.h"
#include "sampling.h"
#include "terminal.h"

typedef struct { const char *model, *in, *out; int64_t threads, count; sampling_options sampling; } translate_options;

static const option options[] = {
    HEED_OPTION(translate_options, model, "model", 'm', OPTION_TEXT, "MODEL", "Model folder."),
    HEED_OPTION(translate_options, in, "in", 0, OPTION_TEXT, "FILE", "Text to translate, a sentence a line."),
    HEED_OPTION(translate_options, out, "out", 0, OPTION_TEXT, "FILE", "Where the translation goes, line by line."),
    HEED_OPTION(translate_options, count, "n", 'n', OPTION_INTEGER, "N", "New tokens of a line at most (default: generation_config.json)."),
    HEED_OPTION(translate_options, threads, "threads", 't', OPTION_INTEGER, "N", "Threads (default: OMP_NUM_THREADS, else all processors)."),
    HEED_SAMPLING_ROWS(translate_options),
    {0}};

static int run(int argc, char **argv);
const verb verb_translate = {"translate", "-m MODEL --in FILE --out FILE [--beams K]", "translate a file line by line",
    "Lines keep their order; empty lines stay empty.\n\n  heed translate -m translator --in test.en --out test.de\n", options, run};

static void show(void *argument, int64_t done, int64_t total)
{
    (void)argument;
    progress_show(total ? (double)done / (double)total : 0, "%lld of %lld lines", (long long)done, (long long)total);
}

static int run(int argc, char **argv)
{
    translate_options values = {.count = -1};
    option_list positional = {0};
    bool helped;
    heed_error error = {0};
    heed_context *context = NULL;
    heed_transformer *transformer = NULL;
    sampling_words words = {0};
    heed_generation_options how;
    sampling_preset(&values.sampling);
    if (!options_parse(&verb_translate, &values, argc, argv, &positional, &helped)) return 2;
    if (helped) return 0;
    if (!values.model && positional.count == 1) values.model = positional.items[0];
    else if (positional.count) return usage_error(&verb_translate, "unexpected \"%s\"", positional.items[0]);
    if (!values.model || !values.in || !values.out) return usage_error(&verb_translate, "expected -m MODEL, --in FILE and --out FILE");
    interrupt_listen();
    heed_generation_preset(&how);
    how.max_new_tokens = values.count;
    heed_hooks hooks = {.progress = show, .cancelled = interrupted};
    heed_status status = heed_context_new(&context, &(heed_context_options){.threads = (int)values.threads}, &error);
    if (status == HEED_OK) status = heed_transformer_load(&transformer, context, values.model, &error);
    if (status == HEED_OK) status = sampling_apply(&values.sampling, transformer, &how, &words, &error);
    if (status == HEED_OK) status = heed_transformer_translate(transformer, values.in, values.out, &how, &hooks, &error);
    progress_end();
    sampling_free(&words);
    heed_transformer_free(transformer);
    heed_context_free(context);
    option_list_free(&positional);
    return status == HEED_OK ? 0 : report_error("translate", &error);
}
