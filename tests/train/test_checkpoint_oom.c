/* Writing, finding and repairing checkpoints with each allocation failing in turn; an older
   checkpoint must stay loadable throughout. */
#include "checkpoint_kill.h"
#include "support/fail_alloc.h"

static scratch work;
static char run[512];

static heed_status write_next(void *step, heed_error *error)
{
    const heed_checkpoint_options options = {
        .best = *(int64_t *)step % 2 == 0, .keep = 1, .private_files = private_files};
    return heed_checkpoint_write(run, *(int64_t *)step, fill_step, step, &options, error);
}

static heed_status write_and_look(void *step, heed_error *error)
{
    heed_status status = write_next(step, error);
    char *path = NULL;
    int64_t found = 0, best = 0;
    fail_alloc_pause();
    assert_ok(heed_checkpoint_newest(run, &path, &found, &error));
    assert_non_null(path);
    assert_int_equal(loaded_step(path), found);
    free(path);
    best = loaded_step(scratch_path(&work, "run/best"));
    assert_true(best == 2 || best == *(int64_t *)step);
    fail_alloc_resume();
    return status;
}

static heed_status find_newest(void *context, heed_error *error)
{
    (void)context;
    char *path = NULL;
    int64_t step;
    heed_status status = heed_checkpoint_newest(run, &path, &step, error);
    free(path);
    return status;
}

static heed_status prepare(void *context, heed_error *error)
{
    (void)context;
    return heed_checkpoint_prepare(run, private_files, error);
}

static void checkpoints_survive_each_failure(void **state)
{
    (void)state;
    int64_t step = 2;
    snprintf(run, sizeof run, "%s", scratch_path(&work, "run"));
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    assert_ok(write_next(&step, &error));
    for (step = 3; step <= 4; step++) assert_true(fail_alloc_each(write_and_look, &step) > 20);
    assert_true(fail_alloc_each(find_newest, NULL) > 5);
    assert_true(fail_alloc_each(prepare, NULL) > 5);
    assert_int_equal(loaded_step(run), 4);
}

int main(void)
{
    fail_alloc_cover_jansson();
    scratch_make(&work);
    const struct CMUnitTest tests[] = {cmocka_unit_test(checkpoints_survive_each_failure)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&work);
    return failed;
}
