/* heed eval: how well a model predicts text, or translates. */
#include "interrupt.h"
#include "sampling.h"
#include "terminal.h"

#include <jansson.h>
#include <math.h>

typedef struct {
    const char *model;
    option_list text, pairs;
    int64_t max_tokens, context, threads, count;
    bool json, profile;
    sampling_options sampling;
} eval_options;

static const option options[] = {
    HEED_OPTION(eval_options, model, "model", 'm', OPTION_TEXT, "MODEL", "Model folder."),
    HEED_OPTION(eval_options, text, "text", 0, OPTION_LIST, "FILE", "Text files, scored as one text: mean nats a token, perplexity."),
    HEED_OPTION(eval_options, max_tokens, "max-tokens", 0, OPTION_INTEGER, "N", "Score only the first N tokens."),
    HEED_OPTION(eval_options, context, "context", 0, OPTION_INTEGER, "N", "Tokens in a window (default: the model's context)."),
    HEED_OPTION(eval_options, pairs, "pairs", 0, OPTION_PAIR, "SRC REF", "Translate SRC line by line and compare with REF: BLEU as sacrebleu (13a, cased)."),
    HEED_OPTION(eval_options, count, "n", 'n', OPTION_INTEGER, "N", "With --pairs: new tokens of a line at most."),
    HEED_OPTION(eval_options, json, "json", 0, OPTION_FLAG, NULL, "Print one JSON object."),
    HEED_OPTION(eval_options, threads, "threads", 't', OPTION_INTEGER, "N", "Threads (default: OMP_NUM_THREADS, else all processors)."),
    HEED_OPTION(eval_options, profile, "profile", 0, OPTION_FLAG, NULL, "Print time, operations and bytes per kernel to stderr."),
    HEED_HEADING("With --pairs: how tokens are chosen"),
    HEED_SAMPLING_ROWS(eval_options),
    {0}};

static int run(int argc, char **argv);
const verb verb_eval = {"eval", "-m MODEL --text FILE... | --pairs SRC REF", "perplexity of text, BLEU of translations",
    "Windows are disjoint and as long as the context; the first token of a window is not scored.\n\n"
    "  heed eval -m run --text valid.txt test.txt --json\n"
    "  heed eval -m translator --pairs test.en test.de\n", options, run};

static void show(void *argument, int64_t done, int64_t total)
{
    progress_show(total ? (double)done / (double)total : 0, "%lld of %lld %s", (long long)done, (long long)total, (const char *)argument);
}

static json_t *number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static void print_evaluation(const heed_evaluation *e, bool pairs, bool json)
{
    char text[32];
    if (json) {
        json_t *object = json_pack("{s:I, s:o, s:o}", "tokens", (json_int_t)e->tokens, "nll", number_or_null(e->nll), "perplexity", number_or_null(e->perplexity));
        if (pairs) json_object_set_new(object, "bleu", number_or_null(e->bleu));
        json_object_set_new(object, "seconds", number_or_null(e->seconds));
        json_dumpf(object, stdout, 0);
        json_decref(object);
        putchar('\n');
        return;
    }
    if (pairs) printf("BLEU        %.2f\n", e->bleu);
    if (e->tokens) printf("tokens      %lld\nnll         %.4f nats a token\nperplexity  %.4f\n", (long long)e->tokens, e->nll, e->perplexity);
    printf("time        %s\n", duration_text(e->seconds, text));
}

static int run(int argc, char **argv)
{
    eval_options values = {.count = -1};
    option_list positional = {0};
    bool helped;
    heed_error error = {0};
    heed_context *context = NULL;
    heed_transformer *transformer = NULL;
    heed_evaluation evaluation = {0};
    sampling_words words = {0};
    sampling_preset(&values.sampling);
    if (!options_parse(&verb_eval, &values, argc, argv, &positional, &helped)) return 2;
    if (helped) return 0;
    if (!values.model && positional.count == 1) values.model = positional.items[0];
    else if (positional.count) return usage_error(&verb_eval, "unexpected \"%s\"", positional.items[0]);
    if (!values.model) return usage_error(&verb_eval, "expected -m MODEL");
    if (!values.text.count == !values.pairs.count) return usage_error(&verb_eval, "expected --text FILE... or --pairs SRC REF");
    if (values.pairs.count > 2) return usage_error(&verb_eval, "--pairs takes two files");
    if (values.max_tokens < 0 || values.context < 0) return usage_error(&verb_eval, "--max-tokens and --context cannot be negative");
    interrupt_listen();
    heed_status status = heed_context_new(&context, &(heed_context_options){.threads = (int)values.threads}, &error);
    if (status == HEED_OK) status = heed_transformer_load(&transformer, context, values.model, &error);
    if (status == HEED_OK && values.profile) status = heed_transformer_profile(transformer, true, &error);
    heed_hooks hooks = {.progress = show, .cancelled = interrupted, .argument = values.pairs.count ? "lines" : "tokens"};
    if (status == HEED_OK && values.text.count)
        status = heed_transformer_score(transformer, values.text.items, values.text.count, values.max_tokens, values.context, &hooks, &evaluation, &error);
    else if (status == HEED_OK) {
        heed_generation_options how;
        heed_generation_preset(&how);
        how.max_new_tokens = values.count;
        status = sampling_apply(&values.sampling, transformer, &how, &words, &error);
        if (status == HEED_OK) status = heed_transformer_bleu(transformer, values.pairs.items[0], values.pairs.items[1], &how, &hooks, &evaluation, &error);
    }
    progress_end();
    if (status == HEED_OK) print_evaluation(&evaluation, values.pairs.count > 0, values.json);
    char *profile = NULL;
    if (status == HEED_OK && values.profile && heed_transformer_profile_text(transformer, &profile, &error) == HEED_OK) fputs(profile, stderr);
    heed_free(profile);
    sampling_free(&words);
    heed_transformer_free(transformer);
    heed_context_free(context);
    option_list_free(&values.text);
    option_list_free(&values.pairs);
    option_list_free(&positional);
    return status == HEED_OK ? 0 : report_error("eval", &error);
}
