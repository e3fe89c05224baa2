/* Whole trainings in small: learning, resuming to the same bits, threads, accumulation, every
   objective, and what goes wrong. */
#include "train/trainer.h"

#include "train/checkpoint.h"
#include "train/log.h"
#include "io/safetensors.h"
#include "text/tokenizer.h"
#include "train/run.h"
#include <stdbool.h>

static scratch work;
static int start(void **state)
{
    (void)state;
    scratch_make(&work);
    return 0;
}
static int stop(void **state)
{
    (void)state;
    scratch_remove(&work);
    return 0;
}

static char *in_work(const char *name)
{
    return strdup(scratch_path(&work, name));
}

static heed_train_report train(const heed_train_options *options, int threads)
{
    heed_backend *backend = backend_of(threads);
    heed_train_report report;
    assert_ok(heed_train_new(options, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    return report;
}

static heed_train_report resume(const char *run, int64_t stop_at, int threads)
{
    heed_backend *backend = backend_of(threads);
    heed_train_report report;
    assert_ok(heed_train_resume(run, stop_at, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    return report;
}

static void last_of(const char *run, char path[600])
{
    snprintf(path, 600, "%.500s/last", run);
}

/* ---- learning ---- */

typedef struct objective_case {
    const char *file, *family, *objective;
    int64_t layers;
    double limit;
} objective_case;

static void test_every_objective_learns(void **state)
{
    (void)state;
    static const objective_case cases[] = {
        {"a.txt", NULL, NULL, 2, 1.2},       {"b.jsonl", "gpt2", NULL, 2, 1.2},
        {"c.jsonl", "llama", "clm", 1, 1.4}, {"d.tsv", NULL, NULL, 1, 1.2},
        {"e.jsonl", "bert", "mlm", 2, 2.6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *data = data_file(&work, cases[i].file, 1, 400), *out = in_work("learns");
        heed_train_options o = small_options((const char *const[]){data}, out);
        o.family = cases[i].family, o.objective = cases[i].objective, o.layers = cases[i].layers;
        o.valid = o.data, o.valid_count = 1, o.dropout = 0;
        o.max_steps = "150", o.batch_size = 16, o.learning_rate = 5e-3, o.eval_steps = 50;
        heed_train_report report = train(&o, 2);
        assert_int_equal(report.steps, 150);
        if (!(report.eval_loss < cases[i].limit))
            fail_msg("%s: loss %g after 150 updates", cases[i].file, report.eval_loss);
        assert_true(report.best_eval_loss <= report.eval_loss);
        assert_ok(heed_directory_remove(out, &error));
        free(data), free(out);
    }
}

/* ---- bits ---- */

static void bits_options(heed_train_options *o)
{
    o->gradient_accumulation_steps = 2, o->dropout = 0.1, o->save_steps = 4, o->max_grad_norm = 0.5,
    o->label_smoothing = 0.1;
}

static void test_resumed_is_uninterrupted(void **state)
{
    (void)state;
    static const objective_case cases[] = {
        {"f.txt", NULL, NULL, 2, 0},
        {"g.jsonl", "gpt2", "clm", 2, 0},
        {"h.tsv", NULL, NULL, 1, 0},
        {"i.jsonl", "bert", "mlm", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *data = data_file(&work, cases[i].file, 3, 25), *whole = in_work("whole"),
             *parted = in_work("parted"), a[600], b[600];
        heed_train_options o = small_options((const char *const[]){data}, whole);
        bits_options(&o);
        o.family = cases[i].family, o.objective = cases[i].objective, o.layers = cases[i].layers,
        o.valid = o.data, o.valid_count = 1;
        train(&o, 2);
        o.out = parted, o.stop_at = 1;
        heed_train_report report = train(&o, 1);
        assert_int_equal(report.steps, 1);
        report = resume(parted, 7, 2);
        assert_int_equal(report.steps, 7);
        report = resume(parted, 8, 3);
        report = resume(parted, -1, 1);
        assert_int_equal(report.steps, 12);
        last_of(whole, a), last_of(parted, b);
        assert_same_checkpoint(a, b);
        report = resume(parted, -1, 1); /* nothing left to do */
        assert_int_equal(report.steps, 12);
        assert_same_checkpoint(a, b);
        assert_ok(heed_directory_remove(whole, &error));
        assert_ok(heed_directory_remove(parted, &error));
        free(data), free(whole), free(parted);
    }
}

static void test_threads_give_equal_bits(void **state)
{
    (void)state;
    char *data = data_file(&work, "j.jsonl", 5, 60), *first = in_work("one"), a[600], b[600];
    heed_train_options o = small_options((const char *const[]){data}, first);
    bits_options(&o);
    train(&o, 1);
    last_of(first, a);
    for (int threads = 2; threads <= 4; threads++) {
        char *out = in_work("many");
        o.out = out;
        train(&o, threads);
        last_of(out, b);
        assert_same_checkpoint(a, b);
        assert_ok(heed_directory_remove(out, &error));
        free(out);
    }
    free(data), free(first);
}

/* With products of rounded operands, which read copies of the weights: interrupted, resumed from a
   file, averaged, evaluated in between, with what is kept or recomputed, on any number of
   threads. */
static void test_rounded_copies_survive_interruption(void **state)
{
    (void)state;
    char *data = data_file(&work, "q.jsonl", 3, 25), *whole = in_work("rounded"),
         *parted = in_work("rounded-parted"), *plain = in_work("rounded-plain"), a[600], b[600];
    heed_train_options o = small_options((const char *const[]){data}, whole);
    bits_options(&o);
    o.bf16 = true, o.family = "gpt2", o.valid = o.data, o.valid_count = 1, o.eval_steps = 3,
    o.average_last = 2;
    train(&o, 2);
    o.out = parted, o.stop_at = 5, o.gradient_checkpointing = true;
    train(&o, 1);
    resume(parted, 9, 3);
    resume(parted, -1, 1);
    last_of(whole, a), last_of(parted, b);
    assert_same_checkpoint(a, b);
    snprintf(a, sizeof a, "%.500s/average", whole), snprintf(b, sizeof b, "%.500s/average", parted);
    assert_same_file(a, b, "model.safetensors");
    /* and rounding tells */
    o.out = plain, o.stop_at = -1, o.gradient_checkpointing = false, o.bf16 = false;
    train(&o, 1);
    last_of(whole, a), last_of(plain, b);
    heed_buffer first = {0}, second = {0};
    snprintf(a + strlen(a), sizeof a - strlen(a), "/model.safetensors"),
        snprintf(b + strlen(b), sizeof b - strlen(b), "/model.safetensors");
    assert_ok(heed_file_read(a, 1 << 30, &first, &error));
    assert_ok(heed_file_read(b, 1 << 30, &second, &error));
    assert_true(first.length == second.length &&
                memcmp(first.data, second.data, first.length) != 0);
    heed_buffer_free(&first), heed_buffer_free(&second);
    free(data), free(whole), free(parted), free(plain);
}

/* Twelve rows at once, or three times four: the same update but for the order of sums, dropout
   included. */
static void test_accumulation_is_the_large_batch(void **state)
{
    (void)state;
    char *data = data_file(&work, "k.jsonl", 6, 200), *large = in_work("large"),
         *small = in_work("small"), path[700];
    heed_train_options o = small_options((const char *const[]){data}, large);
    o.batch_size = 12, o.max_steps = "1", o.dropout = 0.2, o.optimizer = "sgd", o.learning_rate = 1,
    o.lr_scheduler_type = "constant";
    heed_train_report one = train(&o, 1);
    o.out = small, o.batch_size = 4, o.gradient_accumulation_steps = 3;
    heed_train_report three = train(&o, 1);
    assert_true(fabs(one.loss - three.loss) < 1e-6 * one.loss);
    heed_safetensors *x = NULL, *y = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", large);
    assert_ok(heed_safetensors_open_whole(&x, path, &error));
    snprintf(path, sizeof path, "%s/model.safetensors", small);
    assert_ok(heed_safetensors_open_whole(&y, path, &error));
    assert_true(heed_safetensors_count(x) > 0);
    for (size_t i = 0; i < heed_safetensors_count(x); i++) {
        const heed_stored_tensor *a = heed_safetensors_at(x, i),
                                 *b = heed_safetensors_find(y, a->name);
        assert_non_null(b);
        for (size_t k = 0; k < a->bytes / 4; k++) {
            float p, q;
            memcpy(&p, (const char *)a->data + 4 * k, 4),
                memcpy(&q, (const char *)b->data + 4 * k, 4);
            if (fabsf(p - q) > 2e-6f) fail_msg("%s[%zu]: %g and %g", a->name, k, p, q);
        }
    }
    heed_safetensors_close(x), heed_safetensors_close(y);
    free(data), free(large), free(small);
}

static void test_checkpointing_gives_the_same_updates(void **state)
{
    (void)state;
    char *data = data_file(&work, "l.txt", 6, 100), *plain = in_work("plain"),
         *again = in_work("again"), a[600], b[600];
    heed_train_options o = small_options((const char *const[]){data}, plain);
    bits_options(&o);
    o.max_steps = "3";
    train(&o, 1);
    o.out = again, o.gradient_checkpointing = true;
    train(&o, 1);
    last_of(plain, a), last_of(again, b);
    assert_same_file(a, b, "model.safetensors");
    free(data), free(plain), free(again);
}

/* ---- stopping ---- */

typedef struct watch_state {
    int64_t stop_after, seen;
    double last_loss;
    bool begun;
    size_t parameters;
} watch_state;
static void on_begun(void *context, const heed_train_summary *summary)
{
    watch_state *w = context;
    w->begun = true, w->parameters = summary->parameters;
    assert_true(summary->activation_bytes > 0 &&
                summary->parameter_bytes >= 16 * summary->parameters && summary->steps == 12);
    assert_string_equal(summary->objective, "clm");
}
static void on_step(void *context, const heed_train_progress *p)
{
    watch_state *w = context;
    assert_int_equal(p->step, w->seen + 1);
    assert_true(p->tokens_per_second > 0 && p->seconds_left >= 0 && isfinite(p->grad_norm));
    w->seen = p->step;
}
static bool asks_to_stop(void *context)
{
    const watch_state *w = context;
    return w->seen >= w->stop_after;
}

static void test_stops_when_asked(void **state)
{
    (void)state;
    char *data = data_file(&work, "m.txt", 6, 100), *whole = in_work("w"),
         *out = in_work("stopped"), a[600], b[600], *newest = NULL;
    heed_train_options o = small_options((const char *const[]){data}, whole);
    bits_options(&o);
    train(&o, 1);
    o.out = out;
    watch_state w = {.stop_after = 5};
    heed_train_watcher watcher = {
        .context = &w, .begun = on_begun, .step = on_step, .should_stop = asks_to_stop};
    heed_backend *backend = backend_of(2);
    heed_train_report report;
    assert_fails(HEED_E_CANCELLED, "after update 5 of 12",
                 heed_train_new(&o, backend, &watcher, &report, &error));
    assert_true(w.begun && report.steps == 5);
    int64_t step = 0;
    assert_ok(heed_checkpoint_newest(out, &newest, &step, &error));
    assert_int_equal(step, 5);
    resume(out, -1, 1);
    last_of(whole, a), last_of(out, b);
    assert_same_checkpoint(a, b);
    heed_cpu_backend_free(backend);
    free(newest), free(data), free(whole), free(out);
}

typedef struct epoch_counts {
    double told, reached;
} epoch_counts;
static void on_told(void *context, const heed_train_summary *summary)
{
    ((epoch_counts *)context)->told = summary->epochs;
}
static void on_reached(void *context, const heed_train_progress *p)
{
    ((epoch_counts *)context)->reached = p->epoch;
}

/* What is told before the first update is what the last one reaches, where a batch is larger than
   an epoch, divides it and does not. */
static void test_epochs_told_are_the_epochs_reached(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, accumulated;
        const char *steps;
        double epochs;
    } cases[] = {{64, 1, "8", 8}, {8, 8, "3", 3}, {3, 1, "3e", 3}, {3, 2, "5", 0}, {1, 1, "2", 0}};
    char *data = data_file(&work, "epochs.txt", 6, 12), *out = in_work("epochs");
    heed_backend *backend = backend_of(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_train_options o = small_options((const char *const[]){data}, out);
        o.batch_size = cases[i].batch, o.gradient_accumulation_steps = cases[i].accumulated,
        o.max_steps = cases[i].steps;
        epoch_counts counts = {0};
        heed_train_watcher watcher = {.context = &counts, .begun = on_told, .step = on_reached};
        heed_train_report report;
        assert_ok(heed_train_new(&o, backend, &watcher, &report, &error));
        if (fabs(counts.told - counts.reached) > 1e-9 ||
            (cases[i].epochs > 0 && counts.told != cases[i].epochs))
            fail_msg("case %zu: %g epochs told, %g reached, expected %g", i, counts.told,
                     counts.reached, cases[i].epochs);
        assert_ok(heed_directory_remove(out, &error));
    }
    heed_cpu_backend_free(backend);
    free(data), free(out);
}

typedef struct intruder {
    heed_train_options options;
    heed_backend *backend;
    heed_error fresh, resumed;
} intruder;

static void intrude(void *context, const heed_train_summary *summary)
{
    (void)summary;
    intruder *i = context;
    heed_train_report report;
    assert_int_equal(heed_train_new(&i->options, i->backend, NULL, &report, &i->fresh), HEED_E_ARG);
    assert_int_equal(heed_train_resume(i->options.out, -1, i->backend, NULL, &report, &i->resumed),
                     HEED_E_ARG);
}

/* A training that cannot begin leaves no folder, unless it was there before. */
static void test_what_did_not_begin_leaves_nothing(void **state)
{
    (void)state;
    char *out = in_work("nothing");
    heed_train_options options = small_options((const char *const[]){"/no/such.txt"}, out);
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    assert_fails(HEED_E_IO, "/no/such.txt",
                 heed_train_new(&options, backend, NULL, &report, &error));
    assert_false(heed_path_exists(out));
    assert_ok(heed_directory_make(out, &error));
    assert_fails(HEED_E_IO, "/no/such.txt",
                 heed_train_new(&options, backend, NULL, &report, &error));
    assert_true(heed_path_is_directory(out));
    heed_cpu_backend_free(backend);
    free(out);
}

/* Two trainings in one folder would take each other's checkpoints away. */
static void test_a_second_training_is_refused(void **state)
{
    (void)state;
    char *data = data_file(&work, "o.txt", 6, 100), *out = in_work("busy");
    intruder i = {.options = small_options((const char *const[]){data}, out),
                  .backend = backend_of(1)};
    heed_train_watcher watcher = {.context = &i, .begun = intrude};
    heed_train_report report;
    assert_ok(heed_train_new(&i.options, i.backend, &watcher, &report, &error));
    assert_int_equal(report.steps, 12);
    assert_non_null(strstr(i.fresh.message, "is being trained in by process "));
    assert_non_null(strstr(i.resumed.message, "is being trained in by process "));
    heed_cpu_backend_free(i.backend);
    free(data), free(out);
}

/* ---- what is left behind ---- */

static void test_run_folder(void **state)
{
    (void)state;
    char *data = data_file(&work, "n.txt", 6, 100), *out = in_work("folder"), path[700];
    heed_train_options o = small_options((const char *const[]){data}, out);
    o.valid = o.data, o.valid_count = 1, o.eval_steps = 4, o.save_steps = 6, o.average_last = 2,
    o.logging_steps = 2;
    heed_train_report report = train(&o, 1);
    static const char *const names[] = {"run.json",
                                        "log.jsonl",
                                        "loss.svg",
                                        "last/model.safetensors",
                                        "best/model.safetensors",
                                        "config.json",
                                        "model.safetensors",
                                        "tokenizer.json",
                                        "checkpoint-6/trainer.json",
                                        "checkpoint-12/optimizer.safetensors",
                                        "average/model.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", out, names[i]);
        if (!heed_path_exists(path)) fail_msg("%s is missing", names[i]);
    }
    snprintf(path, sizeof path, "%s/optimizer.safetensors", out);
    assert_false(heed_path_exists(path));
    heed_log_series loss, eval;
    snprintf(path, sizeof path, "%s/log.jsonl", out);
    assert_ok(heed_log_read(&loss, path, "loss", &error));
    assert_ok(heed_log_read(&eval, path, "eval_loss", &error));
    assert_int_equal(loss.count, 6), assert_int_equal(eval.count, 3);
    assert_true(eval.y[2] == report.eval_loss && loss.x[5] == 12);
    heed_log_series_free(&loss), heed_log_series_free(&eval);
    heed_backend *backend = backend_of(1);
    assert_fails(HEED_E_ARG, "--resume", heed_train_new(&o, backend, NULL, &report, &error));
    char *tuned = in_work("tuned");
    o = small_options((const char *const[]){data}, tuned);
    o.layers = o.d_model = o.heads = o.context = -1, o.init = out; /* RUN itself is a model */
    assert_ok(heed_train_new(&o, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    free(data), free(out), free(tuned);
}

/* Token files hold ids: a model without tokenizer files is trained on them all the same. */
static void test_ids_need_no_tokenizer(void **state)
{
    (void)state;
    uint16_t ids[200];
    for (int i = 0; i < 200; i++) ids[i] = (uint16_t)(3 + i * i % 50);
    char *data = strdup(scratch_file(&work, "ids.bin", ids, sizeof ids)),
         *text = data_file(&work, "p.txt", 6, 20), *first = in_work("ids"),
         *tuned = in_work("ids-tuned"), path[700];
    heed_train_options o = small_options((const char *const[]){data}, first);
    train(&o, 1);
    snprintf(path, sizeof path, "%s/tokenizer.json", first);
    assert_false(heed_path_exists(path));
    o = small_options((const char *const[]){data}, tuned);
    o.layers = o.d_model = o.heads = -1, o.init = first;
    assert_int_equal(train(&o, 1).steps, 12);
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    char *wordy = in_work("wordy");
    assert_fails(HEED_E_IO, "no tokenizer here",
                 (o.data = (const char *const[]){text}, o.out = wordy,
                  heed_train_new(&o, backend, NULL, &report, &error)));
    heed_cpu_backend_free(backend);
    free(data), free(text), free(first), free(tuned), free(wordy);
}

static void test_errors(void **state)
{
    (void)state;
    char *data = data_file(&work, "o.txt", 6, 100), *pairs = data_file(&work, "o.tsv", 6, 100),
         *out = in_work("errors"), *run_json = in_work("errors/run.json");
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    heed_train_options good = small_options((const char *const[]){data}, out), o;
    assert_fails(HEED_E_ARG, "sofa",
                 (o = good, o.family = "sofa", heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(
        HEED_E_ARG, "clm, mlm",
        (o = good, o.objective = "guess", heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(HEED_E_ARG, "objective mlm trains",
                 (o = good, o.family = "gpt2", o.objective = "mlm",
                  heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(HEED_E_ARG, "documents",
                 (o = good, o.data = (const char *const[]){pairs}, o.objective = "clm",
                  heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(HEED_E_ARG, "divisible",
                 (o = good, o.heads = 5, heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(HEED_E_ARG, "cosine",
                 (o = good, o.lr_scheduler_type = "sine",
                  heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(
        HEED_E_ARG, "adamw, adam, sgd",
        (o = good, o.optimizer = "lion", heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(HEED_E_IO, "nothing here",
                 (o = good, o.data = (const char *const[]){"/nothing here.txt"},
                  heed_train_new(&o, backend, NULL, &report, &error)));
    assert_fails(HEED_E_ARG, "run.json",
                 heed_train_resume("/nothing here", -1, backend, NULL, &report, &error));
    /* each update multiplies the weights by -1e12 */
    assert_fails(HEED_E_ARG, "\"model.embed_tokens.weight\" is no longer finite",
                 (o = good, o.optimizer = "sgd", o.learning_rate = 1e6, o.weight_decay = 1e6,
                  o.lr_scheduler_type = "constant", o.max_grad_norm = 0, o.save_steps = 1,
                  heed_train_new(&o, backend, NULL, &report, &error)));
    free(data);
    data = data_file(&work, "o.txt", 7, 100); /* other words under the same name */
    assert_fails(HEED_E_FORMAT, "not what it was",
                 heed_train_resume(out, -1, backend, NULL, &report, &error));
    scratch_file(&work, "errors/run.json", "{", 1);
    assert_fails(HEED_E_FORMAT, "run.json",
                 heed_train_resume(out, -1, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    free(data), free(pairs), free(out), free(run_json);
}

/* ---- conversations ---- */

/* Questions, each with one answer; the template is a file that is gone when the training goes
   on. */
static void test_conversations_are_learned_and_resumed(void **state)
{
    (void)state;
    static const char template[] = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% "
                                   "endfor %}{% if add_generation_prompt %}a:{% endif %}";
    static const char *const questions[] = {"red", "blue", "green", "grey"}, *const answers[] = {
                                                                                 "stop", "swim",
                                                                                 "go", "wait"};
    heed_buffer lines = {0};
    for (int i = 0; i < 40; i++)
        heed_buffer_printf(&lines,
                           i % 2 ? "{\"prompt\": \"%s\", \"completion\": \"%s\"}\n"
                                 : "{\"messages\": [{\"role\": \"user\", \"content\": \"%s\"}, "
                                   "{\"role\": \"assistant\", \"content\": \"%s\"}]}\n",
                           questions[i % 4], answers[i % 4]);
    scratch_file(&work, "talks.jsonl", lines.data, lines.length);
    char *data = strdup(work.path), *whole = in_work("talks"), *parted = in_work("talks-parted"),
         a[600], b[600];
    char *jinja = strdup(scratch_file(&work, "talk.jinja", template, sizeof template - 1)),
         *folder = in_work("letters");
    heed_tokenizer_training training = {0};
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, lines.data, lines.length, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    heed_tokenizer_trainer_free(trainer);
    assert_ok(heed_directory_make(folder, &error));
    assert_ok(heed_tokenizer_save(tokenizer, folder, &error));
    heed_tokenizer_free(tokenizer);
    heed_train_options o = small_options((const char *const[]){data}, whole);
    o.tokenizer = folder, o.template_file = jinja, o.valid = o.data, o.valid_count = 1,
    o.dropout = 0, o.learning_rate = 1e-2, o.batch_size = 8, o.max_steps = "60";
    heed_train_report report = train(&o, 2);
    if (!(report.eval_loss < 0.1))
        fail_msg("loss %g: the answers are certain, the questions would not be", report.eval_loss);
    o.out = parted, o.stop_at = 20;
    train(&o, 1);
    assert_int_equal(unlink(jinja), 0);
    resume(parted, -1, 3);
    last_of(whole, a), last_of(parted, b);
    assert_same_checkpoint(a, b);
    assert_same_file(a, b, "tokenizer_config.json");
    assert_ok(heed_tokenizer_load(&tokenizer, parted, &error));
    size_t length = 0;
    assert_string_equal(heed_tokenizer_chat_template(tokenizer, &length), template);
    heed_tokenizer_free(tokenizer);
    heed_buffer_free(&lines);
    free(data), free(whole), free(parted), free(jinja), free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_objective_learns),
                                       cmocka_unit_test(test_conversations_are_learned_and_resumed),
                                       cmocka_unit_test(test_resumed_is_uninterrupted),
                                       cmocka_unit_test(test_threads_give_equal_bits),
                                       cmocka_unit_test(test_rounded_copies_survive_interruption),
                                       cmocka_unit_test(test_accumulation_is_the_large_batch),
                                       cmocka_unit_test(test_checkpointing_gives_the_same_updates),
                                       cmocka_unit_test(test_stops_when_asked),
                                       cmocka_unit_test(test_epochs_told_are_the_epochs_reached),
                                       cmocka_unit_test(test_what_did_not_begin_leaves_nothing),
                                       cmocka_unit_test(test_a_second_training_is_refused),
                                       cmocka_unit_test(test_run_folder),
                                       cmocka_unit_test(test_ids_need_no_tokenizer),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, start, stop);
}
