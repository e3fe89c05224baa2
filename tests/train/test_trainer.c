/* Whole trainings in small: every objective learns, conversations, what a run leaves in its folder,
   and what goes wrong. Equal bits have test_trainer_bits.c, the course of a run
   test_trainer_course.c. */
#include "train/log.h"
#include "train/whole_run.h"
#include "text/tokenizer.h"

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
        o.family = cases[i].family;
        o.objective = cases[i].objective;
        o.layers = cases[i].layers;
        o.valid = o.data;
        o.valid_count = 1;
        o.dropout = heed_real(0);
        o.max_steps = "150";
        o.batch_size = 16;
        o.learning_rate = heed_real(5e-3);
        o.eval_steps = heed_int(50);
        heed_train_report report = train(&o, 2);
        assert_int_equal(report.steps, 150);
        if (!(report.eval_loss.value < cases[i].limit))
            fail_msg("%s: loss %g after 150 updates", cases[i].file, report.eval_loss.value);
        assert_true(report.best_eval_loss.value <= report.eval_loss.value);
        assert_ok(heed_directory_remove(out, &error));
        free(data);
        free(out);
    }
}

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
    o.tokenizer = folder;
    o.template_file = jinja;
    o.valid = o.data;
    o.valid_count = 1;
    o.dropout = heed_real(0);
    o.learning_rate = heed_real(1e-2);
    o.batch_size = 8;
    o.max_steps = "60";
    heed_train_report report = train(&o, 2);
    if (!report.eval_loss.set || report.eval_loss.value >= 0.1)
        fail_msg("loss %g: the answers are certain, the questions would not be",
                 report.eval_loss.value);
    o.out = parted;
    o.stop_at = heed_int(20);
    train(&o, 1);
    assert_int_equal(unlink(jinja), 0);
    resume(parted, -1, 3);
    last_of(whole, a);
    last_of(parted, b);
    assert_same_checkpoint(a, b);
    assert_same_file(a, b, "tokenizer_config.json");
    assert_ok(heed_tokenizer_load(&tokenizer, parted, &error));
    size_t length = 0;
    assert_string_equal(heed_tokenizer_chat_template(tokenizer, &length), template);
    heed_tokenizer_free(tokenizer);
    heed_buffer_free(&lines);
    free(data);
    free(whole);
    free(parted);
    free(jinja);
    free(folder);
}

static void test_run_folder(void **state)
{
    (void)state;
    char *data = data_file(&work, "n.txt", 6, 100), *out = in_work("folder"), path[700];
    heed_train_options o = small_options((const char *const[]){data}, out);
    o.valid = o.data;
    o.valid_count = 1;
    o.eval_steps = heed_int(4);
    o.save_steps = heed_int(6);
    o.average_last = heed_int(2);
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
    assert_int_equal(loss.count, 6);
    assert_int_equal(eval.count, 3);
    assert_true(eval.y[2] == report.eval_loss.value && loss.x[5] == 12);
    heed_log_series_free(&loss);
    heed_log_series_free(&eval);
    heed_backend *backend = backend_of(1);
    assert_fails(HEED_E_ARG, "--resume", heed_train_new(&o, backend, NULL, &report, &error));
    char *tuned = in_work("tuned");
    o = small_options((const char *const[]){data}, tuned);
    o.layers = o.d_model = o.heads = o.context = 0;
    o.init = out; /* RUN itself is a model */
    assert_ok(heed_train_new(&o, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    free(data);
    free(out);
    free(tuned);
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
    o.layers = o.d_model = o.heads = 0;
    o.init = first;
    assert_int_equal(train(&o, 1).steps, 12);
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    char *wordy = in_work("wordy");
    o.data = (const char *const[]){text};
    o.out = wordy;
    assert_fails(HEED_E_IO, "no tokenizer here",
                 heed_train_new(&o, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    free(data);
    free(text);
    free(first);
    free(tuned);
    free(wordy);
}

static void test_errors(void **state)
{
    (void)state;
    char *data = data_file(&work, "o.txt", 6, 100), *pairs = data_file(&work, "o.tsv", 6, 100),
         *out = in_work("errors"), *run_json = in_work("errors/run.json");
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    heed_train_options good = small_options((const char *const[]){data}, out), o;
    o = good;
    o.family = "sofa";
    assert_fails(HEED_E_ARG, "sofa", heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.objective = "guess";
    assert_fails(HEED_E_ARG, "clm, mlm", heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.family = "gpt2";
    o.objective = "mlm";
    assert_fails(HEED_E_ARG, "objective mlm trains",
                 heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.data = (const char *const[]){pairs};
    o.objective = "clm";
    assert_fails(HEED_E_ARG, "documents", heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.heads = 5;
    assert_fails(HEED_E_ARG, "divisible", heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.lr_scheduler_type = "sine";
    assert_fails(HEED_E_ARG, "cosine", heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.optimizer = "lion";
    assert_fails(HEED_E_ARG, "adamw, adam, sgd",
                 heed_train_new(&o, backend, NULL, &report, &error));
    o = good;
    o.data = (const char *const[]){"/nothing here.txt"};
    assert_fails(HEED_E_IO, "nothing here", heed_train_new(&o, backend, NULL, &report, &error));
    assert_fails(HEED_E_ARG, "run.json",
                 heed_train_resume("/nothing here", &no_changes, backend, NULL, &report, &error));
    o = good;
    o.optimizer = "sgd";
    o.learning_rate = heed_real(1e6);
    o.weight_decay = heed_real(1e6);
    o.lr_scheduler_type = "constant";
    o.max_grad_norm = heed_real(0);
    o.save_steps = heed_int(1);
    /* each update multiplies the weights by -1e12 */
    assert_fails(HEED_E_ARG, "\"model.embed_tokens.weight\" is no longer finite",
                 heed_train_new(&o, backend, NULL, &report, &error));
    free(data);
    data = data_file(&work, "o.txt", 7, 100); /* other words under the same name */
    assert_fails(HEED_E_FORMAT, "not what it was",
                 heed_train_resume(out, &no_changes, backend, NULL, &report, &error));
    scratch_file(&work, "errors/run.json", "{", 1);
    assert_fails(HEED_E_FORMAT, "run.json",
                 heed_train_resume(out, &no_changes, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    free(data);
    free(pairs);
    free(out);
    free(run_json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_objective_learns),
                                       cmocka_unit_test(test_conversations_are_learned_and_resumed),
                                       cmocka_unit_test(test_run_folder),
                                       cmocka_unit_test(test_ids_need_no_tokenizer),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
