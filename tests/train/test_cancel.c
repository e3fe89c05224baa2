/* Cancelling a training anywhere: while it is set up, within an update, within an evaluation. */
#include "train/trainer.h"

#include "train/checkpoint.h"
#include "support/counter.h"
#include "train/run.h"
#include "support/work.h"

typedef struct watched {
    counter counter;
    long before_begin;
} watched;

static bool should_stop(void *context)
{
    return counter_asked(&((watched *)context)->counter);
}

static void begun(void *context, const heed_train_summary *summary)
{
    watched *w = context;
    (void)summary;
    w->before_begin = w->counter.asked;
}

static heed_status train(const heed_train_options *options, watched *w, heed_error *error)
{
    heed_backend *backend = backend_of(2);
    heed_train_watcher watcher = {.context = w, .begun = begun, .should_stop = should_stop};
    heed_train_report report;
    heed_status status = heed_train_new(options, backend, &watcher, &report, error);
    heed_cpu_backend_free(backend);
    return status;
}

static void go_on(const char *run)
{
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    assert_ok(heed_train_resume(run, &no_changes, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
}

/* Cancels at one question. What is left of the run is nothing, or goes on to the bits of
   `whole`. */
static void cancel_at(heed_train_options *options, long at, const char *whole)
{
    char a[600], b[600], lock[600];
    watched w = {.counter.yes_from = at};
    heed_error error = {0};
    heed_status status = train(options, &w, &error);
    if (w.counter.asked < at)
        assert_int_equal(status, HEED_OK); /* see was_cancelled in tests/generate/test_cancel.c */
    else if (status != HEED_E_CANCELLED)
        fail_msg("question %ld: %s: %s", at, heed_status_name(status), error.message);
    snprintf(lock, sizeof lock, "%.500s/run.json", options->out);
    if (!w.before_begin && !heed_path_exists(lock)) {
        assert_false(
            heed_path_exists(options->out)); /* a training that did not begin leaves nothing */
        return;
    }
    go_on(options->out);
    snprintf(a, sizeof a, "%.500s/last", whole);
    snprintf(b, sizeof b, "%.500s/last", options->out);
    assert_same_checkpoint(a, b);
    assert_ok(heed_directory_remove(options->out, &error));
}

static void a_training_is_cancelled_anywhere(void **state)
{
    (void)state;
    static const char *const files[] = {"a.txt", "b.tsv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *data = data_file(&work, files[i], 3, 25),
             *whole = strdup(scratch_path(&work, "whole")),
             *out = strdup(scratch_path(&work, "parted"));
        heed_train_options o = small_options((const char *const[]){data}, whole);
        o.gradient_accumulation_steps = 2;
        o.dropout = heed_real(0.1);
        o.max_steps = "4";
        o.save_steps = heed_int(100);
        o.eval_steps = heed_int(2);
        o.valid = o.data;
        o.valid_count = 1;
        o.layers = 1;
        watched all = {0};
        assert_ok(train(&o, &all, &error));
        assert_true(all.before_begin >= 6); /* data, model, tokenizing, plans */
        assert_true(all.counter.asked - all.before_begin >=
                    4 * 2 * 10); /* updates, runs, groups of one run */
        o.out = out;
        for (long at = 1; at <= all.counter.asked; at = counter_next(at, all.counter.asked))
            cancel_at(&o, at, whole);
        assert_ok(heed_directory_remove(whole, &error));
        free(data);
        free(whole);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_training_is_cancelled_anywhere)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
