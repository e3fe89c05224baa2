#include "checkpoint_kill.h"
#include "support/work.h"
#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>

static const char *fresh_run(void)
{
    static char run[512];
    snprintf(run, sizeof run, "%s", scratch_path(&work, "run"));
    assert_ok(heed_directory_remove(run, &error));
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    return run;
}

static heed_status write_step(const char *run, int64_t step, bool best, int keep, heed_error *error)
{
    const heed_checkpoint_options options = {
        .best = best, .keep = keep, .private_files = private_files};
    return heed_checkpoint_write(run, step, fill_step, &step, &options, error);
}

static bool there(const char *run, const char *name)
{
    char path[600];
    struct stat information;
    snprintf(path, sizeof path, "%s/%s", run, name);
    return lstat(path, &information) == 0;
}

static void expect_link(const char *run, const char *name, const char *expected)
{
    char path[600], target[600] = {0};
    snprintf(path, sizeof path, "%s/%s", run, name);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(target, expected);
}

static void expect_newest(const char *run, int64_t expected)
{
    char *path = NULL;
    int64_t step = -1;
    assert_ok(heed_checkpoint_newest(run, &path, &step, &error));
    assert_int_equal(step, expected);
    assert_int_equal(path != NULL, expected >= 0);
    if (path) assert_int_equal(loaded_step(path), expected);
    free(path);
}

static void a_run_loads_as_a_model(void **state)
{
    (void)state;
    const char *run = fresh_run();
    expect_newest(run, -1);
    assert_ok(write_step(run, 1, true, 0, &error));
    expect_newest(run, 1);
    assert_int_equal(loaded_step(run), 1);
    expect_link(run, "last", "checkpoint-1");
    expect_link(run, "best", "checkpoint-1");
    expect_link(run, "config.json", "last/config.json");
    expect_link(run, "tokenizer.json", "last/tokenizer.json");
    assert_false(there(run, "state.safetensors"));
    assert_false(there(run, "checkpoint.json"));
    assert_ok(write_step(run, 10, false, 0, &error));
    expect_newest(run, 10);
    assert_int_equal(loaded_step(run), 10);
    expect_link(run, "best", "checkpoint-1");
    assert_false(there(run, "tokenizer.json")); /* step 10 has none */
    assert_ok(write_step(run, 9, false, 0, &error));
    expect_newest(run, 10); /* by number, as text 9 would win */
    expect_link(run, "last", "checkpoint-9");
    assert_fails(HEED_E_ARG, "step >= 0", write_step(run, -1, false, 0, &error));
}

/* A run that was killed between its first last and the links through it did not load: the links
   come first. */
static void links_stand_before_last(void **state)
{
    (void)state;
    const char *run = fresh_run();
    char path[600];
    snprintf(path, sizeof path, "%s/last/kept", run);
    assert_ok(heed_directory_make(path, &error)); /* a folder that no link can replace */
    assert_fails(HEED_E_IO, "last", write_step(run, 1, true, 0, &error));
    expect_link(run, "config.json", "last/config.json");
    expect_link(run, "model.safetensors", "last/model.safetensors");
    snprintf(path, sizeof path, "%s/last", run);
    assert_ok(heed_directory_remove(path, &error));
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    assert_int_equal(loaded_step(run), 1);
}

static void pruning_keeps_best_and_last(void **state)
{
    (void)state;
    const char *run = fresh_run();
    for (int64_t step = 1; step <= 6; step++)
        assert_ok(write_step(run, step, step == 2, 2, &error));
    const bool kept[] = {false, true, false, false, true, true};
    for (int step = 1; step <= 6; step++) {
        char name[64];
        snprintf(name, sizeof name, "checkpoint-%d", step);
        assert_int_equal(there(run, name), kept[step - 1]);
    }
    assert_int_equal(loaded_step(run), 6);
}

static int temporary_entries(const char *run)
{
    int count = 0;
    DIR *folder = opendir(run);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += heed_temporary_is_name(entry->d_name);
    closedir(folder);
    return count;
}

static void the_same_step_is_replaced_whole(void **state)
{
    (void)state;
    const char *run = fresh_run();
    int64_t other = 77;
    const heed_checkpoint_options options = {.private_files = private_files};
    assert_ok(write_step(run, 5, false, 0, &error));
    assert_ok(heed_checkpoint_write(run, 5, fill_step, &other, &options, &error));
    assert_int_equal(loaded_step(run), 77);
    assert_int_equal(temporary_entries(run), 0);
}

static heed_status fill_badly(void *context, const char *folder, heed_error *error)
{
    HEED_TRY(fill_step(context, folder, error));
    return heed_fail(error, HEED_E_CANCELLED, "stopped");
}

static heed_status fill_link(void *context, const char *folder, heed_error *error)
{
    char path[600];
    HEED_TRY(fill_step(context, folder, error));
    snprintf(path, sizeof path, "%s/odd", folder);
    return heed_link_replace("/etc/passwd", path, error);
}

static void a_failed_write_leaves_the_older_one(void **state)
{
    (void)state;
    const char *run = fresh_run();
    int64_t step = 2;
    const heed_checkpoint_options options = {.private_files = private_files};
    assert_ok(write_step(run, 1, false, 0, &error));
    assert_fails(HEED_E_CANCELLED, "stopped",
                 heed_checkpoint_write(run, 2, fill_badly, &step, &options, &error));
    assert_fails(HEED_E_ARG, "files and folders only",
                 heed_checkpoint_write(run, 2, fill_link, &step, &options, &error));
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){.rlim_cur = 10000, .rlim_max = before.rlim_max};
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small); /* stands in for a full disk */
    heed_error error = {0};
    heed_status status = heed_checkpoint_write(run, 2, fill_step, &step, &options, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, old);
    assert_int_equal(status, HEED_E_IO);
    expect_newest(run, 1);
    assert_int_equal(loaded_step(run), 1);
    assert_false(there(run, "checkpoint-2"));
    assert_int_equal(temporary_entries(run), 0);
}

static void damaged_checkpoints_are_passed_over(void **state)
{
    (void)state;
    const char *run = fresh_run();
    char path[600], folder[600];
    int64_t said;
    for (int64_t step = 1; step <= 4; step++) assert_ok(write_step(run, step, false, 0, &error));
    snprintf(path, sizeof path, "%s/checkpoint-4/model.safetensors", run);
    assert_int_equal(truncate(path, 100), 0);
    snprintf(path, sizeof path, "%s/checkpoint-3/config.json", run);
    assert_int_equal(unlink(path), 0);
    expect_newest(run, 2);
    snprintf(folder, sizeof folder, "%s/checkpoint-4", run);
    assert_fails(HEED_E_FORMAT, "model.safetensors is missing or not of the size",
                 heed_checkpoint_check(folder, &said, &error));
    snprintf(path, sizeof path, "%s/checkpoint-2/checkpoint.json", run);
    assert_ok(heed_file_write(path, "{\"step\":2", 9, &error));
    expect_newest(run, 1);
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    expect_link(run, "last", "checkpoint-1");
    assert_int_equal(loaded_step(run), 1);
}

static void manifests_may_say_anything(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{}", "expected \"step\" and \"files\""},
        {"[]", "expected \"step\" and \"files\""},
        {"{\"step\":-1,\"files\":{}}", "expected \"step\" and \"files\""},
        {"{\"step\":\"1\",\"files\":{}}", "expected an integer"},
        {"{\"step\":1,\"files\":[]}", "expected \"step\" and \"files\""},
        {"{\"step\":1,\"files\":{\"config.json\":\"12\"}}", "config.json is missing or not"},
        {"{\"step\":1,\"files\":{\"config.json\":9223372036854775807}}",
         "config.json is missing or not"},
        {"{\"step\":1,\"files\":{\"../checkpoint-1/config.json\":12}}", "is missing or not"},
        {"{\"step\":1,\"files\":{\"x/../config.json\":12}}", "is missing or not"},
        {"{\"step\":1,\"files\":{\"/etc/passwd\":12}}", "is missing or not"},
        {"{\"step\":1,\"files\":{\"\":12}}", "is missing or not"},
        {"{\"step\":1,\"files\":{\".\":4096}}", "is missing or not"},
    };
    const char *run = fresh_run();
    char folder[600], path[700];
    int64_t step;
    assert_ok(write_step(run, 1, false, 0, &error));
    snprintf(folder, sizeof folder, "%s/checkpoint-1", run);
    snprintf(path, sizeof path, "%s/checkpoint.json", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(heed_file_write(path, cases[i].text, strlen(cases[i].text), &error));
        assert_fails(HEED_E_FORMAT, cases[i].part, heed_checkpoint_check(folder, &step, &error));
        expect_newest(run, -1);
    }
    assert_ok(heed_file_write(path, "{\"step\":2,\"files\":{}}", 21, &error));
    expect_newest(run, -1); /* a folder that calls itself by another step */
}

static void leftovers_are_cleaned_and_files_of_others_kept(void **state)
{
    (void)state;
    const char *run = fresh_run();
    char path[600], other[600];
    assert_ok(write_step(run, 1, false, 0, &error));
    assert_ok(write_step(run, 2, false, 0, &error));
    snprintf(path, sizeof path, "%s/.heed-0123456789abcdef.tmp/inner", run); /* half-written */
    assert_ok(heed_directory_make(path, &error));
    snprintf(path, sizeof path, "%s/.heed-0123456789abcde0.tmp", run); /* a link on its way */
    assert_int_equal(symlink("checkpoint-1", path), 0);
    snprintf(path, sizeof path, "%s/.heed-0123456789abcde1.tmp", run); /* a file on its way */
    assert_ok(heed_file_write(path, "x", 1, &error));
    snprintf(path, sizeof path, "%s/checkpoint-1", run);
    snprintf(other, sizeof other, "%s/.heed-0123456789abcde2.tmp", run);
    assert_int_equal(rename(path, other), 0); /* killed between the two moves of a replacement */
    static const char *const names[] = {"notes.tmp",     "log.jsonl.tmp", "checkpoint-x.tmp",
                                        "checkpoint-07", "last.tmp",      "loss.svg.tmp"};
    enum { NAMES = sizeof names / sizeof *names };
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof path, "%s/%s", run, names[i]);
        assert_ok(heed_file_write(path, "x", 1, &error));
    }
    /* folders of users, and a link of theirs */
    snprintf(path, sizeof path, "%s/checkpoint-3.tmp", run);
    assert_ok(heed_directory_make(path, &error));
    snprintf(path, sizeof path, "%s/config.json.tmp", run);
    assert_int_equal(symlink("checkpoint-2/config.json", path), 0);
    snprintf(path, sizeof path, "%s/config.json", run);
    assert_int_equal(unlink(path), 0);
    assert_ok(heed_file_write(path, "mine", 4, &error));
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    assert_ok(write_step(run, 3, false, 0, &error));
    assert_true(there(run, "checkpoint-1") && there(run, "checkpoint-3.tmp"));
    assert_true(there(run, "config.json.tmp"));
    for (int i = 0; i < NAMES; i++) assert_true(there(run, names[i]));
    assert_int_equal(temporary_entries(run), 0);
    heed_buffer text = {0};
    assert_ok(heed_file_read(path, 100, &text, &error));
    assert_string_equal(text.data, "mine");
    heed_buffer_free(&text);
    expect_newest(run, 3);
}

static void other_models_of_a_run_are_written_whole(void **state)
{
    (void)state;
    const char *run = fresh_run();
    char path[600], half[600];
    int64_t step = 3, other = 4;
    snprintf(path, sizeof path, "%s/average", run);
    assert_ok(heed_checkpoint_write_model(run, "average", fill_step, &step, &error));
    assert_int_equal(loaded_step(path), 3);
    assert_false(there(run, "average/checkpoint.json"));
    assert_fails(HEED_E_CANCELLED, "stopped",
                 heed_checkpoint_write_model(run, "average", fill_badly, &other, &error));
    assert_int_equal(loaded_step(path), 3);
    assert_ok(heed_checkpoint_write_model(run, "average", fill_step, &other, &error));
    assert_int_equal(loaded_step(path), 4);
    assert_int_equal(temporary_entries(run), 0);
    snprintf(half, sizeof half, "%s/.heed-0123456789abcdef.tmp", run); /* left by a killed writer */
    assert_ok(heed_directory_make(half, &error));
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    assert_int_equal(loaded_step(path), 4);
    assert_int_equal(temporary_entries(run), 0);
}

static void killed_writers_leave_a_loadable_checkpoint(void **state)
{
    (void)state;
    kill_many(scratch_path(&work, "killed"), 60, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_loads_as_a_model),
        cmocka_unit_test(links_stand_before_last),
        cmocka_unit_test(pruning_keeps_best_and_last),
        cmocka_unit_test(the_same_step_is_replaced_whole),
        cmocka_unit_test(a_failed_write_leaves_the_older_one),
        cmocka_unit_test(damaged_checkpoints_are_passed_over),
        cmocka_unit_test(manifests_may_say_anything),
        cmocka_unit_test(leftovers_are_cleaned_and_files_of_others_kept),
        cmocka_unit_test(other_models_of_a_run_are_written_whole),
        cmocka_unit_test(killed_writers_leave_a_loadable_checkpoint)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
