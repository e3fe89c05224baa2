/* Every allocation of a training in turn fails: set-up, one update, evaluation, checkpoint,
   resuming, mean of checkpoints. Nothing crashes, nothing leaks, the message says that memory ran
   out, and what was saved stays loadable. */
#include "support/fail_alloc.h"
#include "train/run.h"

typedef struct oom_case {
    heed_train_options options;
    heed_backend *backend;
    bool resumes;
} oom_case;

static heed_status scenario(void *context, heed_error *error)
{
    oom_case *c = context;
    heed_train_report report;
    if (c->resumes)
        return heed_train_resume(c->options.out, &no_changes, c->backend, NULL, &report, error);
    HEED_TRY(heed_directory_remove(c->options.out, error));
    return heed_train_new(&c->options, c->backend, NULL, &report, error);
}

static void test_each_allocation(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    char *data = data_file(&work, "a.jsonl", 1, 6), *out = strdup(scratch_path(&work, "run"));
    oom_case c = {.options = small_options((const char *const[]){data}, out),
                  .backend = backend_of(1)};
    c.options.layers = 1;
    c.options.d_model = 8;
    c.options.heads = 1;
    c.options.context = 16;
    c.options.batch_size = 2;
    c.options.max_steps = "2";
    c.options.valid = c.options.data;
    c.options.valid_count = 1;
    c.options.gradient_accumulation_steps = 2;
    c.options.average_last = heed_int(2);
    c.options.save_steps = heed_int(1);
    assert_true(fail_alloc_each(scenario, &c) > 100);
    c.options.stop_at = heed_int(1);
    heed_error error = {0};
    if (scenario(&c, &error) != HEED_OK) fail_msg("%s", error.message);
    c.resumes = true;
    assert_true(fail_alloc_each(scenario, &c) > 100);
    heed_cpu_backend_free(c.backend);
    scratch_remove(&work);
    free(data);
    free(out);
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
