/* heed eval: measures how well a model predicts text, answers questions or translates. */
#include "task.h"

typedef struct {
    heed_cli_task task;
    heed_cli_option_list text, pairs;
    const char *choices, *delimiter;
    int64_t max_tokens, context;
    heed_optional_int count;
    bool special, each;
} eval_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(eval_task, text, "text", 0, HEED_CLI_LIST, "FILE",
                    "Text files, scored as one text: loss (mean nll per token), perplexity."),
    HEED_CLI_OPTION(eval_task, max_tokens, "max-tokens", 0, HEED_CLI_COUNT, "N",
                    "Score only the first N tokens."),
    HEED_CLI_OPTION(eval_task, context, "context", 'c', HEED_CLI_COUNT, "N",
                    "Tokens in a window (default: the model's context)."),
    HEED_CLI_OPTION(
        eval_task, pairs, "pairs", 0, HEED_CLI_PAIR, "SRC REF",
        "Translate SRC line by line and compare with REF: BLEU as sacrebleu (13a, cased)."),
    HEED_CLI_OPTION(
        eval_task, choices, "choices", 0, HEED_CLI_TEXT, "FILE",
        "Multiple choice (.jsonl of context, choices, answer): accuracy, plain and normalized."),
    HEED_CLI_OPTION(eval_task, delimiter, "delimiter", 0, HEED_CLI_ANY_TEXT, "TEXT",
                    "With --choices: the text between context and choice (default: one blank)."),
    HEED_CLI_OPTION(eval_task, special, "special", 0, HEED_CLI_FLAG, NULL,
                    "With --choices: begin contexts with the tokenizer's special tokens."),
    HEED_CLI_OPTION(eval_task, each, "each", 0, HEED_CLI_FLAG, NULL,
                    "With --choices: one JSON object a question first, with the log-likelihoods."),
    HEED_CLI_OPTION(eval_task, count, "n", 'n', HEED_CLI_NATURAL, "N",
                    "With --pairs: new tokens of a line at most."),
    {0}};

static const heed_cli_option_rule rules[] = {
    {"max-tokens context", HEED_CLI_NEEDS, "text"},
    {"delimiter special each", HEED_CLI_NEEDS, "choices"},
    {"n temp top-k top-p min-p typical-p epsilon-cutoff eta-cutoff presence-penalty "
     "frequency-penalty logit-bias repeat-penalty no-repeat-ngram min-new-tokens bad-words beams "
     "length-penalty early-stopping seed truncate",
     HEED_CLI_NEEDS, "pairs"},
    {0}};

static int check(heed_cli_task *t)
{
    const eval_task *values = (eval_task *)t;
    if (!!values->text.count + !!values->pairs.count + !!values->choices != 1)
        return heed_cli_usage_error(
            t->command, "expected one of --text FILE..., --pairs SRC REF and --choices FILE");
    if (values->pairs.count > 2) return heed_cli_usage_error(t->command, "--pairs takes two files");
    return 0;
}

static heed_status print_evaluation(heed_cli_task *t, const heed_evaluation *e, bool pairs)
{
    if (t->json) {
        json_t *object = json_pack("{s:I, s:o, s:o}", "tokens", (json_int_t)e->tokens, "nll",
                                   heed_cli_real_or_null(e->nll), "perplexity",
                                   heed_cli_real_or_null(e->perplexity));
        if (pairs) json_object_set_new(object, "bleu", heed_cli_real_or_null(e->bleu));
        json_object_set_new(object, "seconds", heed_cli_number_or_null(e->seconds));
        return heed_cli_print_json(object, 0, &t->error);
    }
    if (e->bleu.set) printf("BLEU        %.2f\n", e->bleu.value);
    if (e->tokens)
        printf("tokens      %lld\nloss        %.4f (mean nll per token)\nperplexity  %.4f\n",
               (long long)e->tokens, e->nll.value, e->perplexity.value);
    printf("time        %.2f s\n", e->seconds);
    return HEED_OK;
}

static void print_question(void *argument, size_t number, const double *log_likelihoods,
                           size_t count, size_t answer)
{
    (void)argument;
    heed_cli_progress_end();
    printf("{\"question\": %zu, \"answer\": %zu, \"log_likelihoods\": [", number, answer);
    for (size_t i = 0; i < count; i++) printf("%s%.9g", i ? ", " : "", log_likelihoods[i]);
    puts("]}");
}

static heed_status print_choices_json(heed_cli_task *t, const heed_choice_score *score)
{
    const struct {
        const char *name;
        json_t *value;
    } members[] = {
        {"questions", json_integer(score->questions)},
        {"acc", heed_cli_number_or_null(score->accuracy)},
        {"acc_norm", heed_cli_number_or_null(score->accuracy_characters)},
        {"acc_bytes", heed_cli_number_or_null(score->accuracy_bytes)},
        {"cut", json_integer(score->cut)},
        {"joined", json_integer(score->joined)},
        {"seconds", heed_cli_number_or_null(score->seconds)},
    };
    json_t *object = json_object();
    bool ok = object != NULL;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        ok &= json_object_set_new(object, members[i].name, members[i].value) == 0;
    if (ok) return heed_cli_print_json(object, 0, &t->error);
    json_decref(object);
    return heed_cli_print_json(NULL, 0, &t->error);
}

static heed_status run_choices(heed_cli_task *t, const eval_task *values)
{
    heed_choice_task asked = {
        .file = values->choices,
        .delimiter = values->delimiter,
        .special = values->special,
        .question = values->each ? print_question : NULL,
    };
    heed_hooks hooks = heed_cli_task_hooks("bytes");
    heed_choice_score score = {0};
    char text[32];
    heed_status status = heed_transformer_choose(t->transformer, &asked, &hooks, &score, &t->error);
    heed_cli_progress_end();
    if (status != HEED_OK) return status;
    if (score.cut)
        heed_cli_note(
            "heed eval: context and choice exceed the model's context in %lld cases: the start "
            "of the context was left out",
            (long long)score.cut);
    if (score.joined)
        heed_cli_note(
            "heed eval: context and choice share a token in %lld cases: that part of the choice "
            "is not scored",
            (long long)score.joined);
    if (t->json) return print_choices_json(t, &score);
    printf("questions   %lld\nacc         %.4f\nacc_norm    %.4f (by characters)\nacc_bytes   "
           "%.4f\ntime        %s\n",
           (long long)score.questions, score.accuracy, score.accuracy_characters,
           score.accuracy_bytes, heed_cli_duration_text(score.seconds, text));
    return HEED_OK;
}

static heed_status score_text(heed_cli_task *t, const eval_task *values)
{
    heed_score_task asked = {
        .files = values->text.items,
        .file_count = values->text.count,
        .max_tokens = values->max_tokens,
        .context = values->context,
    };
    heed_hooks hooks = heed_cli_task_hooks("tokens");
    heed_evaluation evaluation = {0};
    heed_status status = heed_transformer_score(t->transformer, &asked, &hooks, &evaluation,
                                                &t->error);
    heed_cli_progress_end();
    return status == HEED_OK ? print_evaluation(t, &evaluation, false) : status;
}

static heed_status translate_pairs(heed_cli_task *t, const eval_task *values)
{
    heed_hooks hooks = heed_cli_task_hooks("lines");
    heed_evaluation evaluation = {0};
    heed_generation_options how;
    heed_bleu_task asked = {
        .source = values->pairs.items[0], .reference = values->pairs.items[1], .generation = &how};
    heed_status status = heed_cli_task_generation(t, values->count, &how);
    if (status == HEED_OK) status = heed_cli_task_note_idle(t, &how);
    if (status == HEED_OK)
        status = heed_transformer_bleu(t->transformer, &asked, &hooks, &evaluation, &t->error);
    heed_cli_progress_end();
    return status == HEED_OK ? print_evaluation(t, &evaluation, true) : status;
}

static heed_status run(heed_cli_task *t)
{
    const eval_task *values = (eval_task *)t;
    if (values->choices) return run_choices(t, values);
    return values->pairs.count ? translate_pairs(t, values) : score_text(t, values);
}

const heed_cli_command heed_cli_command_eval = {
    .name = "eval",
    .arguments = "-m MODEL --text FILE... | --choices FILE | --pairs SRC REF",
    .summary = "perplexity of text, multiple choice, BLEU of translations",
    .description = "Windows are disjoint and as long as the context; the first token of a window "
                   "is not scored.\n"
                   "Choices are scored as lm-evaluation-harness does: acc by log-likelihood, "
                   "acc_norm divided by the characters of the choice, acc_bytes by its bytes; an "
                   "empty context is the beginning (or end) of text. A choice without tokens of "
                   "its own is an error, as is one longer than the model's context; a question "
                   "that is too long loses its beginning, which is said.\n"
                   "With --pairs the translations are chosen as the options below say.",
    .examples = "  heed eval -m run --text valid.txt test.txt --json\n  heed eval -m translator "
                "--pairs test.en test.de\n",
    .options = options,
    .rules = rules,
    .shares = HEED_CLI_MODEL | HEED_CLI_COMPUTES | HEED_CLI_LOADS | HEED_CLI_SAMPLES |
              HEED_CLI_JSON | HEED_CLI_STOPS,
    .bytes = sizeof(eval_task),
    .check = check,
    .run = run};
