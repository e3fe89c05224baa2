/* A training killed at 200 random moments: the newest checkpoint always loads, resuming works, and
   the end has the bits of a training that nobody killed. */
#include "train/checkpoint.h"
#include "model/model.h"
#include "train/run.h"
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { KILLS = 200 };

static void child(const heed_train_options *o, bool exists)
{
    heed_train_report report;
    heed_error error = {0};
    heed_backend *backend = backend_of(1);
    heed_status status = exists ? heed_train_resume(o->out, &no_changes, backend, NULL, &report,
                                                    &error)
                                : heed_train_new(o, backend, NULL, &report, &error);
    if (status != HEED_OK) fprintf(stderr, "%s\n", error.message);
    _exit(status == HEED_OK ? 0 : 1);
}

/* Every link and the newest checkpoint of the run load as models. */
static void check_loads(const char *run, int64_t *step)
{
    char *newest = NULL, path[700];
    heed_backend *backend = backend_of(1);
    *step = -1;
    assert_ok(heed_checkpoint_newest(run, &newest, step, &error));
    const char *const links[] = {"last", "best", "."};
    for (int i = 0; i < 4; i++) {
        heed_model *model = NULL;
        if (i < 3) snprintf(path, sizeof path, "%s/%s", run, links[i]);
        if (newest == NULL || (i < 3 && strcmp(links[i], "best") == 0 && !heed_path_exists(path)))
            continue;
        assert_ok(heed_model_load(&model, i < 3 ? path : newest,
                                  &(heed_model_options){.backend = backend}, &error));
        heed_model_release(model);
    }
    heed_cpu_backend_free(backend);
    free(newest);
}

static void test_kills(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    char *data = data_file(&work, "k.txt", 3, 60), *whole = strdup(scratch_path(&work, "whole")),
         *killed = strdup(scratch_path(&work, "killed")), a[700], b[700], run_json[700];
    heed_train_options o = small_options((const char *const[]){data}, whole);
    o.max_steps = "400";
    o.save_steps = heed_int(1);
    o.save_total_limit = heed_int(3);
    o.valid = o.data;
    o.valid_count = 1;
    o.eval_steps = heed_int(7);
    o.dropout = heed_real(0.1);
    heed_backend *backend = backend_of(1);
    heed_train_report report;
    assert_ok(heed_train_new(&o, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    o.out = killed;
    snprintf(run_json, sizeof run_json, "%s/run.json", killed);
    heed_rng rng = {(uint64_t)time(NULL), 1, 0};
    int64_t reached = -1;
    int kills = 0;
    bool finished = false;
    while (kills < KILLS) {
        if (finished) { /* begin again, until there were as many kills as wanted */
            assert_ok(heed_directory_remove(killed, &error));
            reached = -1;
            finished = false;
        }
        bool exists = heed_path_exists(run_json);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) child(&o, exists);
        struct timespec wait = {0, (long)heed_rng_below(&rng, 150000000) + 1000000};
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            finished = true;
        } else kills++;
        int64_t step;
        check_loads(killed, &step);
        assert_true(step >= reached); /* nothing that a checkpoint had is lost */
        reached = step;
    }
    backend = backend_of(1);
    if (heed_path_exists(run_json))
        assert_ok(heed_train_resume(killed, &no_changes, backend, NULL, &report, &error));
    else assert_ok(heed_train_new(&o, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    snprintf(a, sizeof a, "%s/last", whole);
    snprintf(b, sizeof b, "%s/last", killed);
    assert_same_checkpoint(a, b);
    scratch_remove(&work);
    free(data);
    free(whole);
    free(killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
