/* A model's file that another process cuts short and writes again while heed loads it: each loading
   gives the model or an error that names the file, and the process lives. */
#include "model/model.h"
#include "support/copy.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { LOADS = 150 };

/* Cuts the file and restores it until it is killed. */
static pid_t start_cutting(const char *path, const char *bytes, size_t size)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int file = open(path, O_RDWR);
    for (size_t cut = 0;; cut = (cut + size / 7 + 13) % size) {
        if (ftruncate(file, (off_t)cut) != 0) _exit(1);
        if (pwrite(file, bytes + cut, size - cut, (off_t)cut) < 0) _exit(1);
        usleep(200);
    }
}

/* `path` names the file, `model` what is loaded: the file or its folder. */
static void load_while_it_is_cut(const char *path, const char *model)
{
    char *bytes = NULL;
    size_t size = 0;
    int good = 0;
    assert_ok(heed_file_read_whole(path, &bytes, &size, &error));
    pid_t child = start_cutting(path, bytes, size);
    for (int i = 0; i < LOADS; i++) {
        heed_model *loaded = NULL;
        heed_error error = {0};
        heed_status status = heed_model_load(&loaded, model, &(heed_model_options){0}, &error);
        if (status == HEED_OK) good++;
        else if (!strstr(error.message, path) && !strstr(error.message, model))
            fail_msg("the file is not named: %s", error.message);
        heed_model_release(loaded);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    print_message("%d of %d loadings gave the model\n", good, LOADS);
    free(bytes);
}

static void safetensors_may_be_cut(void **state)
{
    (void)state;
    copy c = copy_open("llama");
    char path[512];
    snprintf(path, sizeof path, "%s/model.safetensors", copy_write(&c));
    load_while_it_is_cut(path, c.scratch.folder);
    copy_close(&c);
}

static void gguf_may_be_cut(void **state)
{
    (void)state;
    char path[512], *bytes = NULL;
    size_t size = 0;
    scratch work;
    fixture_path(path, "gguf-llama-q8_0", "model.gguf");
    assert_ok(heed_file_read_whole(path, &bytes, &size, &error));
    scratch_make(&work);
    snprintf(path, sizeof path, "%s", scratch_file(&work, "model.gguf", bytes, size));
    load_while_it_is_cut(path, path);
    free(bytes);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(safetensors_may_be_cut),
                                       cmocka_unit_test(gguf_may_be_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
