/* heed train: a new model, a fine-tuned one, or on with an interrupted run. */
#include "interrupt.h"
#include "task.h"

#include <math.h>
#include <string.h>

typedef struct {
    task task;
    heed_train_options train;
    option_list data, valid;
    const char *resume, *objective; /* the latter as the trainer chose it */
    bool quiet, conversations;
} train_task;

#define ROW(field, name, kind, value, help) \
    HEED_OPTION(train_task, train.field, name, 0, kind, value, help)
static const option options[] = {
    HEED_HEADING("Data"),
    HEED_OPTION(
        train_task, data, "data", 0, OPTION_LIST, "FILE",
        ".txt, .jsonl (\"text\"; \"messages\" or \"prompt\" and \"completion\", of which answers "
        "are learned), .tsv (source, target), .bin token shards, or folders of them."),
    HEED_OPTION(train_task, valid, "valid", 0, OPTION_LIST, "FILE",
                "The same, to measure the loss on."),
    ROW(pairs, "pairs", OPTION_FLAG, NULL,
        "--data (and --valid) are two aligned files, source and target."),
    ROW(tokenizer, "tokenizer", OPTION_TEXT, "char|DIR",
        "char, or a folder with tokenizer files (default: that of --init, else char)."),
    ROW(template_file, "template", OPTION_TEXT, "FILE|NAME|none",
        "Lays out conversations: a Jinja file, or one of the model's templates by name (default: "
        "the model's own, with tools its tool_use); "
        "none: prompts and completions as they are."),
    ROW(template_time, "template-time", OPTION_INTEGER, "SECONDS",
        "The present, for templates that ask, in seconds since 1970 (now)."),
    ROW(objective, "objective", OPTION_TEXT, "NAME",
        "clm, mlm or seq2seq (default: as the family asks)."),
    ROW(out, "out", OPTION_TEXT, "RUN",
        "Run folder: log.jsonl, loss.svg, checkpoint-STEP/, last, best; RUN itself loads as a "
        "model."),
    HEED_OPTION(train_task, resume, "resume", 0, OPTION_TEXT, "RUN",
                "Go on with an interrupted run, to the same bits. "
                "May change: --max-steps (with the schedule of a run begun so), --valid, "
                "--eval-steps, --save-steps, --logging-steps, "
                "--save-total-limit, --average-last, --stop-at; --data that moved."),
    HEED_HEADING("Model"),
    ROW(init, "init", OPTION_TEXT, "MODEL", "Fine-tune this model."),
    ROW(config, "config", OPTION_TEXT, "FILE", "config.json of a new model."),
    ROW(family, "family", OPTION_TEXT, "NAME",
        "heed (RMSNorm, rotary, SwiGLU; the default), gpt2, llama, bert, or transformer (2017)."),
    ROW(layers, "layers", OPTION_COUNT, "L", "Layers (4)."),
    ROW(d_model, "d-model", OPTION_COUNT, "D", "Width (128)."),
    ROW(heads, "heads", OPTION_COUNT, "H", "Attention heads (D / 32)."),
    ROW(kv_heads, "kv-heads", OPTION_COUNT, "K", "Key/value heads (as many as heads)."),
    ROW(d_ff, "d-ff", OPTION_COUNT, "F",
        "Inner width of the feed-forward layers (the family's rule)."),
    ROW(context, "context", OPTION_COUNT, "T", "Tokens in a row (256)."),
    HEED_HEADING("Length"),
    ROW(max_steps, "max-steps", OPTION_TEXT, "N|Ne|Nt",
        "Updates, epochs (3e) or tokens (2000000t); default 1e."),
    ROW(batch_size, "batch-size", OPTION_COUNT, "B",
        "Rows of T tokens (16), or pairs (32), in one run of the model."),
    ROW(gradient_accumulation_steps, "gradient-accumulation-steps", OPTION_COUNT, "N",
        "Runs in one update (1)."),
    ROW(stop_at, "stop-at", OPTION_COUNT, "STEP",
        "End after this update with a checkpoint, as if interrupted."),
    HEED_HEADING("Update rule"),
    ROW(optimizer, "optimizer", OPTION_TEXT, "NAME", "adamw (default), adam or sgd."),
    ROW(learning_rate, "learning-rate", OPTION_AMOUNT, "X",
        "Highest rate (1e-3; --init 5e-5; sgd 0.1)."),
    ROW(lr_scheduler_type, "lr-scheduler-type", OPTION_TEXT, "NAME",
        "constant, linear, cosine, inverse_sqrt, warmup_stable_decay ... (cosine)."),
    ROW(warmup_steps, "warmup-steps", OPTION_COUNT, "N", "Updates in which the rate rises."),
    ROW(warmup_ratio, "warmup-ratio", OPTION_AMOUNT, "X",
        "The same as a share of all updates (0.05)."),
    ROW(decay_steps, "decay-steps", OPTION_COUNT, "N",
        "warmup_stable_decay: updates in which the rate falls (a fifth)."),
    ROW(min_lr_rate, "min-lr-rate", OPTION_AMOUNT, "X",
        "Lowest rate as a share of the highest, where the schedule has one."),
    ROW(weight_decay, "weight-decay", OPTION_AMOUNT, "X",
        "0.1 for adamw; biases and norms are left out."),
    ROW(decay_all, "decay-all", OPTION_FLAG, NULL, "Biases and norms decay too."),
    ROW(max_grad_norm, "max-grad-norm", OPTION_AMOUNT, "X",
        "Clip the gradient's norm (1); 0 is off."),
    ROW(adam_beta1, "adam-beta1", OPTION_AMOUNT, "X", "0.9."),
    ROW(adam_beta2, "adam-beta2", OPTION_AMOUNT, "X", "0.95 for clm, else 0.999."),
    ROW(adam_epsilon, "adam-epsilon", OPTION_AMOUNT, "X", "1e-8."),
    ROW(momentum, "momentum", OPTION_AMOUNT, "X", "Of sgd."),
    ROW(nesterov, "nesterov", OPTION_FLAG, NULL, "Of sgd."),
    HEED_HEADING("Regularization, precision, memory"),
    ROW(dropout, "dropout", OPTION_AMOUNT, "X",
        "Share of activations dropped (as the configuration says)."),
    ROW(label_smoothing, "label-smoothing", OPTION_AMOUNT, "X",
        "Share of the target spread over all tokens."),
    ROW(bf16, "bf16", OPTION_FLAG, NULL,
        "Products read operands rounded to bf16; weights and sums stay f32."),
    ROW(gradient_checkpointing, "gradient-checkpointing", OPTION_FLAG, NULL,
        "Keep only the ends of layers and compute the rest again: less memory, more time."),
    ROW(seed, "seed", OPTION_COUNT, "S", "First weights, order of the data, dropout (1)."),
    HEED_HEADING("What is written when"),
    ROW(eval_steps, "eval-steps", OPTION_COUNT, "N", "Validate each N updates (ten times in all)."),
    ROW(save_steps, "save-steps", OPTION_COUNT, "N",
        "Checkpoint each N updates (at each validation)."),
    ROW(logging_steps, "logging-steps", OPTION_COUNT, "N", "A line in log.jsonl each N updates."),
    ROW(save_total_limit, "save-total-limit", OPTION_COUNT, "N",
        "Checkpoints kept beside best and last; 0 keeps all."),
    ROW(average_last, "average-last", OPTION_COUNT, "K",
        "RUN/average becomes the mean of the last K checkpoints."),
    HEED_OPTION(train_task, quiet, "quiet", 'q', OPTION_FLAG, NULL, "No lines about the progress."),
    {0}};
#undef ROW

static const option_rule rules[] = {{"warmup-steps", OPTION_EXCLUDES, "warmup-ratio"}, {0}};

static void show_tokenizing(void *context, size_t done, size_t total)
{
    (void)context;
    progress_show(total ? (double)done / (double)total : 0, "tokenizing");
}

static void show_begin(void *context, const heed_train_summary *s)
{
    train_task *values = context;
    char parameters[32], activations[32], left[32];
    progress_end();
    values->objective = s->objective;
    values->conversations = s->conversations;
    for (size_t i = 0; i < s->note_count; i++) note("%s", s->notes[i]);
    if (values->quiet) return;
    note("model     %.2f M parameters, written as %s, objective %s", 1e-6 * (double)s->parameters,
         s->model_type, s->objective);
    note("memory    weights, gradients and optimizer %s, activations %s%s%s%s",
         bytes_text((double)s->parameter_bytes, parameters),
         bytes_text((double)s->activation_bytes, activations),
         s->free_bytes ? "; fits into the " : "",
         s->free_bytes ? bytes_text((double)s->free_bytes, left) : "",
         s->free_bytes ? " that are free" : "");
    note("training  %lld updates%s, %.2f epochs of %lld tokens%s", (long long)s->steps,
         s->first_step ? " (going on with an earlier run)" : "", s->epochs,
         (long long)s->tokens_per_epoch, s->valid_tokens ? "" : "; no validation data");
}

static void show_step(void *context, const heed_train_progress *p)
{
    const train_task *values = context;
    char left[32];
    double fraction = p->steps ? (double)p->step / (double)p->steps : 0;
    if (isnan(p->loss)) { /* an evaluation alone, which an interruption had left out */
        if (!values->quiet) note("step %6lld  valid %.4f", (long long)p->step, p->eval_loss);
        return;
    }
    if (!isnan(p->eval_loss) && !values->quiet)
        note("step %6lld  loss %.4f  valid %.4f%s", (long long)p->step, p->loss, p->eval_loss,
             p->eval_loss <= p->best_eval_loss ? "  best so far" : "");
    if (p->step < p->steps)
        progress_show(fraction, "step %lld/%lld  loss %.3f  %.0f tokens/s  %s left",
                      (long long)p->step, (long long)p->steps, p->loss, p->tokens_per_second,
                      duration_text(p->seconds_left, left));
}

static void show_evaluation(void *context, size_t done, size_t total)
{
    (void)context;
    progress_show(total ? (double)done / (double)total : 0, "validating");
}

static void show_trouble(void *context, const char *text)
{
    (void)context;
    note("heed train: %s", text);
}

/* What was reached, and how to go on from here. */
static void show_end(const train_task *values, const heed_train_report *report)
{
    static const struct {
        const char *objective, *next;
    } uses[] = {
        {"clm", "heed generate -m %s -p TEXT"},
        {"seq2seq", "heed translate -m %s --in FILE --out FILE"},
        {"mlm", "heed info %s"},
    };
    const char *run = values->resume ? values->resume : values->train.out;
    char time[32], next[64] = "";
    if (isnan(report->loss))
        note("all %lld updates were done before; heed train --resume %s --max-steps N trains on",
             (long long)report->steps, run);
    else
        note("%lld updates in %s, %.0f tokens/s; loss %.4f", (long long)report->steps,
             duration_text(report->seconds, time), report->tokens_per_second, report->loss);
    if (!isnan(report->best_eval_loss))
        note("validation %.4f, best %.4f at update %lld", report->eval_loss, report->best_eval_loss,
             (long long)report->best_step);
    for (size_t i = 0; values->objective && i < sizeof uses / sizeof *uses; i++)
        if (!strcmp(uses[i].objective, values->objective))
            snprintf(next, sizeof next, "%s", uses[i].next);
    if (values->conversations) snprintf(next, sizeof next, "heed chat -m %%s");
    if (!*next) return;
    fprintf(stderr, "the curve is %s/loss.svg; next: ", run);
    note(next, run);
}

static void preset(task *t)
{
    ((train_task *)t)->train = heed_train_defaults();
}

static int check(task *t)
{
    train_task *values = (train_task *)t;
    if (!values->resume && (!values->data.count || !values->train.out))
        return usage_error(t->command, "expected --data FILE... and --out RUN, or --resume RUN");
    return 0;
}

static heed_status run(task *t)
{
    train_task *values = (train_task *)t;
    heed_train_report report = {0};
    values->train.data = values->data.items, values->train.data_count = values->data.count;
    values->train.valid = values->valid.items, values->train.valid_count = values->valid.count;
    heed_train_watcher watcher = {
        .context = values,
        .tokenizing = show_tokenizing,
        .begun = show_begin,
        .step = show_step,
        .evaluating = show_evaluation,
        .should_stop = interrupted,
        .trouble = show_trouble,
    };
    values->train.given = t->words.given.items, values->train.given_count = t->words.given.count;
    heed_status status = values->resume
                             ? heed_resume_training_with(t->context, values->resume, &values->train,
                                                         &watcher, &report, &t->error)
                             : heed_train(t->context, &values->train, &watcher, &report, &t->error);
    progress_end();
    if (status == HEED_OK && !values->quiet) show_end(values, &report);
    if (status == HEED_E_CANCELLED && report.steps > 0)
        note("a checkpoint is written; heed train --resume %s goes on from it",
             values->resume ? values->resume : values->train.out);
    return status;
}

const command command_train = {
    .name = "train",
    .arguments = "--data FILE... --out RUN [options] | --resume RUN",
    .summary = "train a model from scratch, or fine-tune one",
    .description = "Ctrl-C stops with a checkpoint; heed train --resume RUN goes on as if nothing "
                   "had happened.",
    .examples = "  heed train --data book.txt --out run --tokenizer char --layers 4 --d-model 128 "
                "--heads 4 --context 128 --max-steps 2000\n"
                "  heed train --init model --data notes.jsonl --out tuned --learning-rate 2e-5 "
                "--max-steps 3e\n"
                "  heed train --init model.gguf --data conversations.jsonl --out tuned --context "
                "512 --batch-size 4 --max-steps 2e\n"
                "  heed train --family transformer --data train.en train.de --pairs --tokenizer "
                "vocabulary --out translator --max-steps 20e\n",
    .options = options,
    .rules = rules,
    .shares = COMMAND_COMPUTES | COMMAND_WATCHED | COMMAND_STOPS,
    .bytes = sizeof(train_task),
    .preset = preset,
    .check = check,
    .run = run};
