/* The course of a run: what a watcher is told and may stop, runs that cannot begin, and two runs in
   one folder. */
#include "train/checkpoint.h"
#include "train/whole_run.h"

typedef struct watch_state {
    int64_t stop_after, seen;
    double last_loss;
    bool begun;
    size_t parameters;
} watch_state;

static void on_begun(void *context, const heed_train_summary *summary)
{
    watch_state *w = context;
    w->begun = true;
    w->parameters = summary->parameters;
    assert_true(summary->activation_bytes > 0 &&
                summary->parameter_bytes >= 16 * summary->parameters && summary->steps == 12);
    assert_string_equal(summary->objective, "clm");
}

static void on_step(void *context, const heed_train_progress *p)
{
    watch_state *w = context;
    assert_int_equal(p->step, w->seen + 1);
    assert_true(p->tokens_per_second > 0 && p->seconds_left >= 0 && isfinite(p->grad_norm.value));
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
    last_of(whole, a);
    last_of(out, b);
    assert_same_checkpoint(a, b);
    heed_cpu_backend_free(backend);
    free(newest);
    free(data);
    free(whole);
    free(out);
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
        o.batch_size = cases[i].batch;
        o.gradient_accumulation_steps = cases[i].accumulated;
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
    free(data);
    free(out);
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
    assert_int_equal(
        heed_train_resume(i->options.out, &no_changes, i->backend, NULL, &report, &i->resumed),
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
    free(data);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stops_when_asked),
                                       cmocka_unit_test(test_epochs_told_are_the_epochs_reached),
                                       cmocka_unit_test(test_what_did_not_begin_leaves_nothing),
                                       cmocka_unit_test(test_a_second_training_is_refused)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
