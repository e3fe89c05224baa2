/* heed train: trains a new model, fine-tunes one, or resumes a run. */
#include "hub.h"
#include "interrupt.h"
#include "task.h"

#include <math.h>
#include <string.h>

typedef struct {
    heed_cli_task task;
    heed_train_options train;
    heed_cli_option_list data, valid;
    const char *resume, *objective; /* the objective is the one that the trainer chose */
    bool quiet, conversations;
} train_task;

#define ROW(field, name, kind, value, help) \
    HEED_CLI_OPTION(train_task, train.field, name, 0, kind, value, help)
static const heed_cli_option options[] = {
    HEED_CLI_SECTION("Data"),
    HEED_CLI_OPTION(
        train_task, data, "data", 0, HEED_CLI_LIST, "FILE",
        ".txt, .jsonl (\"text\"; \"messages\" or \"prompt\" and \"completion\", of which answers "
        "are learned), .tsv (source, target), .bin token shards, or folders of them."),
    HEED_CLI_OPTION(train_task, valid, "valid", 0, HEED_CLI_LIST, "FILE",
                    "The same, to measure the loss on."),
    ROW(pairs, "pairs", HEED_CLI_FLAG, NULL,
        "--data (and --valid) are two aligned files, source and target."),
    ROW(tokenizer, "tokenizer", HEED_CLI_TEXT, "char|DIR",
        "char, or a folder with tokenizer files (default: that of --init, else char)."),
    ROW(template_file, "template", HEED_CLI_TEXT, "FILE|NAME|none",
        "Lays out conversations: a Jinja file, or one of the model's templates by name (default: "
        "the model's own, with tools its tool_use); "
        "none: prompts and completions as they are."),
    ROW(template_time, "template-time", HEED_CLI_INTEGER, "SECONDS",
        "The present, for templates that ask, in seconds since 1970 (now)."),
    ROW(objective, "objective", HEED_CLI_TEXT, "NAME",
        "clm, mlm or seq2seq (default: as the family asks)."),
    ROW(out, "out", HEED_CLI_TEXT, "RUN",
        "Run folder: log.jsonl, loss.svg, checkpoint-STEP/, last, best; RUN itself loads as a "
        "model."),
    HEED_CLI_OPTION(train_task, resume, "resume", 0, HEED_CLI_TEXT, "RUN",
                    "Go on with an interrupted run, to the same bits. "
                    "May change: --max-steps (with the schedule of a run begun so), --valid, "
                    "--eval-steps, --save-steps, --logging-steps, "
                    "--save-total-limit, --average-last, --stop-at; --data that moved."),
    HEED_CLI_SECTION("Model"),
    ROW(init, "init", HEED_CLI_TEXT, "MODEL",
        "Fine-tune this model: a folder, a GGUF file, or OWNER/MODEL in the Hugging Face cache."),
    ROW(config, "config", HEED_CLI_TEXT, "FILE", "config.json of a new model."),
    ROW(family, "family", HEED_CLI_TEXT, "NAME",
        "heed (RMSNorm, rotary, SwiGLU; the default), gpt2, llama, bert, or transformer (2017)."),
    ROW(layers, "layers", HEED_CLI_POSITIVE, "L", "Layers (4)."),
    ROW(d_model, "d-model", HEED_CLI_POSITIVE, "D", "Width (128)."),
    ROW(heads, "heads", HEED_CLI_POSITIVE, "H", "Attention heads (D / 32)."),
    ROW(kv_heads, "kv-heads", HEED_CLI_POSITIVE, "K", "Key/value heads (as many as heads)."),
    ROW(d_ff, "d-ff", HEED_CLI_POSITIVE, "F",
        "Inner width of the feed-forward layers (the family's rule)."),
    HEED_CLI_OPTION(train_task, train.context, "context", 'c', HEED_CLI_POSITIVE, "T",
                    "Tokens in a row (256)."),
    HEED_CLI_SECTION("Length"),
    ROW(max_steps, "max-steps", HEED_CLI_TEXT, "N|Ne|Nt",
        "Updates, epochs (3e) or tokens (2000000t); default 1e."),
    ROW(batch_size, "batch-size", HEED_CLI_POSITIVE, "B",
        "Rows of T tokens (16), or pairs (32), in one run of the model."),
    ROW(gradient_accumulation_steps, "gradient-accumulation-steps", HEED_CLI_POSITIVE, "N",
        "Runs in one update (1)."),
    ROW(stop_at, "stop-at", HEED_CLI_NATURAL, "STEP",
        "End after this update with a checkpoint, as if interrupted."),
    HEED_CLI_SECTION("Update rule"),
    ROW(optimizer, "optimizer", HEED_CLI_TEXT, "NAME", "adamw (default), adam or sgd."),
    ROW(learning_rate, "learning-rate", HEED_CLI_AMOUNT, "X",
        "Peak learning rate (1e-3; --init 5e-5; sgd 0.1)."),
    ROW(lr_scheduler_type, "lr-scheduler-type", HEED_CLI_TEXT, "NAME",
        "constant, linear, cosine, inverse_sqrt, warmup_stable_decay ... (cosine)."),
    ROW(warmup_steps, "warmup-steps", HEED_CLI_NATURAL, "N", "Updates in which the rate rises."),
    ROW(warmup_ratio, "warmup-ratio", HEED_CLI_AMOUNT, "X",
        "The same as a share of all updates (0.05)."),
    ROW(decay_steps, "decay-steps", HEED_CLI_NATURAL, "N",
        "warmup_stable_decay: updates in which the rate falls (a fifth)."),
    ROW(min_lr_rate, "min-lr-rate", HEED_CLI_AMOUNT, "X",
        "Minimum learning rate as a share of the peak, where the schedule has one."),
    ROW(weight_decay, "weight-decay", HEED_CLI_AMOUNT, "X",
        "0.1 for adamw; biases and norms are left out."),
    ROW(decay_all, "decay-all", HEED_CLI_FLAG, NULL, "Biases and norms decay too."),
    ROW(max_grad_norm, "max-grad-norm", HEED_CLI_AMOUNT, "X",
        "Clip the gradient's norm (1); 0 is off."),
    ROW(adam_beta1, "adam-beta1", HEED_CLI_AMOUNT, "X", "Decay of the mean of gradients (0.9)."),
    ROW(adam_beta2, "adam-beta2", HEED_CLI_AMOUNT, "X",
        "Decay of the mean of squared gradients (0.95 for clm, else 0.999)."),
    ROW(adam_epsilon, "adam-epsilon", HEED_CLI_AMOUNT, "X", "Added to the denominator (1e-8)."),
    ROW(momentum, "momentum", HEED_CLI_AMOUNT, "X", "Momentum of sgd (0)."),
    ROW(nesterov, "nesterov", HEED_CLI_FLAG, NULL, "sgd uses Nesterov momentum."),
    HEED_CLI_SECTION("Regularization, precision, memory"),
    ROW(dropout, "dropout", HEED_CLI_AMOUNT, "X",
        "Share of activations dropped (as the configuration says)."),
    ROW(label_smoothing, "label-smoothing", HEED_CLI_AMOUNT, "X",
        "Share of the target spread over all tokens."),
    ROW(bf16, "bf16", HEED_CLI_FLAG, NULL,
        "Matmuls read bf16 operands; weights and sums stay f32."),
    ROW(gradient_checkpointing, "gradient-checkpointing", HEED_CLI_FLAG, NULL,
        "Keep only the ends of layers and compute the rest again: less memory, more time."),
    ROW(seed, "seed", HEED_CLI_NATURAL, "S", "First weights, order of the data, dropout (1)."),
    HEED_CLI_SECTION("What is written when"),
    ROW(eval_steps, "eval-steps", HEED_CLI_NATURAL, "N",
        "Validate each N updates (ten times in all)."),
    ROW(save_steps, "save-steps", HEED_CLI_NATURAL, "N",
        "Checkpoint each N updates (at each validation)."),
    ROW(logging_steps, "logging-steps", HEED_CLI_POSITIVE, "N",
        "A line in log.jsonl each N updates."),
    ROW(save_total_limit, "save-total-limit", HEED_CLI_NATURAL, "N",
        "Checkpoints kept beside best and last; 0 keeps all."),
    ROW(average_last, "average-last", HEED_CLI_NATURAL, "K",
        "RUN/average becomes the mean of the last K checkpoints."),
    HEED_CLI_OPTION(train_task, quiet, "quiet", 'q', HEED_CLI_FLAG, NULL,
                    "No lines about the progress."),
    {0}};
#undef ROW

static const heed_cli_option_rule rules[] = {{"warmup-steps", HEED_CLI_EXCLUDES, "warmup-ratio"},
                                             {0}};

static void show_tokenizing(void *context, size_t done, size_t total)
{
    (void)context;
    heed_cli_progress_show(total ? (double)done / (double)total : 0, "tokenizing");
}

/* What the objectives train, and what to do with it afterwards. */
static const struct objective_use {
    const char *objective, *family, *next; /* family: of a new model, unless --family says */
} uses[] = {
    {"clm", "heed", "heed generate -m %s -p TEXT"},
    {"seq2seq", "transformer", "heed translate -m %s --in FILE --out FILE"},
    {"mlm", "bert", "heed info %s"},
};

/* Returns the row of an objective, or NULL. */
static const struct objective_use *use_of(const char *objective)
{
    for (size_t i = 0; objective && i < sizeof uses / sizeof *uses; i++)
        if (!strcmp(uses[i].objective, objective)) return &uses[i];
    return NULL;
}

/* Returns the family that a new model was asked to have; NULL if the model is not new. */
static const char *new_family(const train_task *values, const char *objective)
{
    const heed_train_options *o = &values->train;
    const struct objective_use *use = use_of(objective);
    if (values->resume || o->init || o->config) return NULL;
    if (o->family) return o->family;
    return use ? use->family : NULL;
}

/* Prints the line about the model. A new one is of the family that was asked for; its files may
   have the model_type of another family, which transformers can load. */
static void show_model(const train_task *values, const heed_train_summary *s)
{
    const char *family = new_family(values, s->objective);
    double millions = 1e-6 * (double)s->parameters;
    if (!family || !strcmp(family, s->model_type))
        heed_cli_note("model     %.2f M parameters, model_type %s, objective %s", millions,
                      s->model_type, s->objective);
    else
        heed_cli_note("model     %.2f M parameters, family %s (model_type %s), objective %s",
                      millions, family, s->model_type, s->objective);
}

/* Prints what is trained and keeps what show_end needs. */
static void show_begin(void *context, const heed_train_summary *s)
{
    train_task *values = context;
    char parameters[32], activations[32], left[32], fits[64] = "";
    heed_cli_progress_end();
    values->objective = s->objective;
    values->conversations = s->conversations;
    for (size_t i = 0; i < s->note_count; i++) heed_cli_note("%s", s->notes[i]);
    if (values->quiet) return;
    show_model(values, s);
    if (s->free_bytes.set)
        snprintf(fits, sizeof fits, "; fits into the %s that are free",
                 heed_cli_bytes_text((double)s->free_bytes.value, left));
    heed_cli_note("memory    weights, gradients and optimizer %s, activations %s%s",
                  heed_cli_bytes_text((double)s->parameter_bytes, parameters),
                  heed_cli_bytes_text((double)s->activation_bytes, activations), fits);
    const char *resumed = s->first_step ? " (going on with an earlier run)" : "";
    const char *unvalidated = s->valid_tokens ? "" : "; no validation data";
    heed_cli_note("training  %lld updates%s, %.2f epochs of %lld tokens%s", (long long)s->steps,
                  resumed, s->epochs, (long long)s->tokens_per_epoch, unvalidated);
}

/* Prints the progress of an update, and a line if it was evaluated. */
static void show_step(void *context, const heed_train_progress *p)
{
    const train_task *values = context;
    char left[32];
    double fraction = p->steps ? (double)p->step / (double)p->steps : 0;
    double loss = p->loss.value, valid = p->eval_loss.value;
    bool best = p->eval_loss.set && valid <= p->best_eval_loss.value;
    if (!p->loss.set) { /* the run only made up for an evaluation that was interrupted */
        if (!values->quiet)
            heed_cli_note("step %6lld  valid %.4f", (long long)p->step,
                          heed_real_or(p->eval_loss, NAN));
        return;
    }
    if (p->eval_loss.set && !values->quiet)
        heed_cli_note("step %6lld  loss %.4f  valid %.4f%s", (long long)p->step, loss, valid,
                      best ? "  best so far" : "");
    if (p->step < p->steps)
        heed_cli_progress_show(fraction, "step %lld/%lld  loss %.3f  %.0f tokens/s  %s left",
                               (long long)p->step, (long long)p->steps, loss, p->tokens_per_second,
                               heed_cli_duration_text(p->seconds_left, left));
}

static void show_evaluation(void *context, size_t done, size_t total)
{
    (void)context;
    heed_cli_progress_show(total ? (double)done / (double)total : 0, "validating");
}

static void show_trouble(void *context, const char *text)
{
    (void)context;
    heed_cli_note("heed train: %s", text);
}

/* Prints the losses that were reached and a command to go on with. */
static void show_end(const train_task *values, const heed_train_report *report)
{
    const char *run = values->resume ? values->resume : values->train.out;
    char time[32], next[64] = "";
    if (!report->loss.set)
        heed_cli_note(
            "all %lld updates were done before; heed train --resume %s --max-steps N trains on",
            (long long)report->steps, run);
    else
        heed_cli_note("%lld updates in %s, %.0f tokens/s; loss %.4f", (long long)report->steps,
                      heed_cli_duration_text(report->seconds, time), report->tokens_per_second,
                      report->loss.value);
    if (report->best_eval_loss.set)
        heed_cli_note("validation loss %.4f, best %.4f at update %lld",
                      heed_real_or(report->eval_loss, NAN), report->best_eval_loss.value,
                      (long long)report->best_step.value);
    const struct objective_use *use = use_of(values->objective);
    if (use) snprintf(next, sizeof next, "%s", use->next);
    if (values->conversations) snprintf(next, sizeof next, "heed chat -m %%s");
    if (!*next) return;
    fprintf(stderr, "the curve is %s/loss.svg; next: ", run);
    heed_cli_note(next, run);
}

static int check(heed_cli_task *t)
{
    train_task *values = (train_task *)t;
    if (!values->resume && (!values->data.count || !values->train.out))
        return heed_cli_usage_error(t->command,
                                    "expected --data FILE... and --out RUN, or --resume RUN");
    return 0;
}

/* Looks the models of --init and --tokenizer up in the Hugging Face cache if they are not here. */
static heed_status find_models(train_task *values)
{
    heed_cli_task *t = &values->task;
    heed_train_options *o = &values->train;
    heed_status status = heed_cli_hub_find(&o->init, &t->words.made, &t->error);
    if (status != HEED_OK || !o->tokenizer || !strcmp(o->tokenizer, "char")) return status;
    return heed_cli_hub_find(&o->tokenizer, &t->words.made, &t->error);
}

static heed_status run(heed_cli_task *t)
{
    train_task *values = (train_task *)t;
    heed_train_report report = {0};
    values->train.data = values->data.items;
    values->train.data_count = values->data.count;
    values->train.valid = values->valid.items;
    values->train.valid_count = values->valid.count;
    heed_train_watcher watcher = {
        .context = values,
        .tokenizing = show_tokenizing,
        .begun = show_begin,
        .step = show_step,
        .evaluating = show_evaluation,
        .should_stop = heed_cli_interrupted,
        .trouble = show_trouble,
    };
    heed_status status = find_models(values);
    if (status != HEED_OK) return status;
    if (values->resume)
        status = heed_resume_training(t->context, values->resume, &values->train, &watcher, &report,
                                      &t->error);
    else status = heed_train(t->context, &values->train, &watcher, &report, &t->error);
    heed_cli_progress_end();
    if (status == HEED_OK && !values->quiet) show_end(values, &report);
    if (status == HEED_E_CANCELLED && report.steps > 0)
        heed_cli_note("a checkpoint is written; heed train --resume %s goes on from it",
                      values->resume ? values->resume : values->train.out);
    return status;
}

const heed_cli_command heed_cli_command_train = {
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
    .shares = HEED_CLI_COMPUTES | HEED_CLI_OBSERVED | HEED_CLI_STOPS,
    .bytes = sizeof(train_task),
    .check = check,
    .run = run};
