/* Trainings whose data another program changes, and trainings whose numbers fail: what is whole is
   saved and goes on to the same bits, what is not is not saved. */
#include "train/checkpoint.h"
#include "train/run.h"

static scratch work;
static heed_backend *backend;

static int start(void **state)
{
    (void)state;
    scratch_make(&work);
    backend = backend_of(1);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    heed_cpu_backend_free(backend);
    scratch_remove(&work);
    return 0;
}

enum { IDS = 1200, VOCABULARY = 40, AT = 5 };

/* What another program does to `path` after update AT. */
typedef struct change {
    const char *path;
    bool cut; /* else overwritten with ids beyond the vocabulary */
} change;

static char *id_file(const char *name, uint64_t seed)
{
    uint16_t ids[IDS];
    heed_rng rng = {seed, 1, 0};
    for (size_t i = 0; i < IDS; i++) ids[i] = (uint16_t)heed_rng_below(&rng, VOCABULARY);
    return strdup(scratch_file(&work, name, ids, sizeof ids));
}

static void overwrite(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, count > 0 ? "r+b" : "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void step(void *context, const heed_train_progress *progress)
{
    const change *c = context;
    uint16_t ids[IDS];
    if (progress->step != AT || c->path == NULL) return;
    memset(ids, 0x7f, sizeof ids);
    overwrite(c->path, ids, c->cut ? 0 : sizeof ids);
}

static char *config_file(void)
{
    static const char text[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 40, \"hidden_size\": 16, "
        "\"intermediate_size\": 32, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
        "\"max_position_embeddings\": 24, \"tie_word_embeddings\": false}";
    return strdup(scratch_file(&work, "config.json", text, sizeof text - 1));
}

static heed_status train(const heed_train_options *options, const change *c, heed_error *error)
{
    heed_train_report report;
    heed_train_watcher watcher = {.context = (void *)c, .step = step};
    return heed_train_new(options, backend, &watcher, &report, error);
}

/* The training fails after update AT, and goes on to the bits of `whole` once the file is
   restored. */
static void lose(heed_train_options options, const change *c, const char *whole)
{
    char a[700], b[700], *newest = NULL;
    int64_t saved = -1;
    heed_buffer kept = {0};
    heed_error failure = {0};
    heed_train_report report;
    assert_ok(heed_file_read(c->path, 1 << 20, &kept, &error));
    assert_true(train(&options, c, &failure) != HEED_OK);
    const char *name = strrchr(c->path, '/') + 1;
    if (!strstr(failure.message, name) || !strstr(failure.message, "goes on from update"))
        fail_msg("%s", failure.message);
    assert_ok(heed_checkpoint_newest(options.out, &newest, &saved, &error));
    assert_non_null(newest);
    assert_in_range(saved, AT, AT + 2);
    overwrite(c->path, kept.data, kept.length);
    assert_ok(heed_train_resume(options.out, &no_changes, backend, NULL, &report, &error));
    snprintf(a, sizeof a, "%.600s/last", whole);
    snprintf(b, sizeof b, "%.600s/last", options.out);
    assert_same_checkpoint(a, b);
    assert_ok(heed_directory_remove(options.out, &error));
    heed_buffer_free(&kept);
    free(newest);
}

static void data_that_changes_loses_no_update(void **state)
{
    (void)state;
    char *data = id_file("train.bin", 1), *valid = id_file("valid.bin", 2), *config = config_file();
    char *whole = strdup(scratch_path(&work, "whole")), *out = strdup(scratch_path(&work, "out"));
    heed_train_options o = small_options((const char *const[]){data}, whole);
    o.layers = o.d_model = o.heads = 0;
    o.config = config;
    o.valid = (const char *const[]){valid};
    o.valid_count = 1;
    o.eval_steps = heed_int(6);
    o.save_steps = heed_int(100);
    o.dropout = heed_real(0.1);
    assert_ok(train(&o, &(change){0}, &error));
    o.out = out;
    for (int i = 0; i < 4; i++) {
        change c = {i < 2 ? data : valid, i % 2 == 0};
        lose(o, &c, whole);
    }
    free(data);
    free(valid);
    free(config);
    free(whole);
    free(out);
}

/* The weights after the last update before are finite, but the loss of the next one is not. */
static void numbers_that_fail_are_not_saved(void **state)
{
    (void)state;
    char *data = data_file(&work, "a.txt", 1, 20), *out = strdup(scratch_path(&work, "bad"));
    char *newest = NULL;
    int64_t saved = -1;
    heed_train_options o = small_options((const char *const[]){data}, out);
    o.save_steps = heed_int(100);
    o.max_steps = "40";
    o.optimizer = "sgd";
    o.learning_rate = heed_real(1e6);
    o.weight_decay = heed_real(1e6);
    o.max_grad_norm = heed_real(0);
    o.lr_scheduler_type = "constant";
    assert_fails(HEED_E_ARG, "the loss is no longer finite", train(&o, &(change){0}, &error));
    assert_ok(heed_checkpoint_newest(out, &newest, &saved, &error));
    assert_null(newest);
    free(data);
    free(out);
}

static void begun(void *context, const heed_train_summary *summary)
{
    for (size_t i = 0; i < summary->note_count; i++)
        *(bool *)context |= strstr(summary->notes[i], "--adam-epsilon") != NULL;
}

static void a_tiny_epsilon_is_named(void **state)
{
    (void)state;
    static const double values[] = {0, 1e-320, 1e-46};
    char *config = config_file(), *out = strdup(scratch_path(&work, "tiny"));
    uint16_t ids[IDS];
    for (size_t i = 0; i < IDS; i++) ids[i] = (uint16_t)(i % 7);
    char *data = strdup(scratch_file(&work, "few.bin", ids, sizeof ids));
    heed_train_options o = small_options((const char *const[]){data}, out);
    o.layers = o.d_model = o.heads = 0;
    o.config = config;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        bool noted = false;
        heed_train_report report;
        heed_train_watcher watcher = {.context = &noted, .begun = begun};
        o.adam_epsilon = heed_real(values[i]);
        assert_fails(HEED_E_ARG, "adam_epsilon",
                     heed_train_new(&o, backend, &watcher, &report, &error));
        assert_true(noted);
        assert_ok(heed_directory_remove(out, &error));
    }
    free(config);
    free(out);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(data_that_changes_loses_no_update),
                                       cmocka_unit_test(numbers_that_fail_are_not_saved),
                                       cmocka_unit_test(a_tiny_epsilon_is_named)};
    return cmocka_run_group_tests(tests, start, stop);
}
