/* What a training reads when it goes on: trainer.json, run.json and the optimizer's state, missing,
   cut, lying and with single bits turned. Each is an error that names the file, or an older
   checkpoint is taken; nothing crashes. */
#include "train/checkpoint.h"
#include "io/safetensors.h"
#include "train/run.h"

static scratch work;
static char *data, *out;
static heed_backend *backend;

/* A run with checkpoints of updates 1 and 2. */
static int start(void **state)
{
    (void)state;
    scratch_make(&work);
    data = data_file(&work, "a.txt", 1, 20);
    out = strdup(scratch_path(&work, "run"));
    backend = backend_of(1);
    heed_train_options o = small_options((const char *const[]){data}, out);
    heed_train_report report;
    o.layers = 1;
    o.d_model = 8;
    o.heads = 1;
    o.context = 16;
    o.max_steps = "3";
    o.save_steps = heed_int(1);
    o.stop_at = heed_int(2);
    assert_ok(heed_train_new(&o, backend, NULL, &report, &error));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    heed_cpu_backend_free(backend);
    scratch_remove(&work);
    free(data);
    free(out);
    return 0;
}

static const char *in_run(const char *name)
{
    static char path[700];
    snprintf(path, sizeof path, "%s/%s", out, name);
    return path;
}

/* Without further updates: only what is read matters. */
static heed_status go_on(heed_error *error)
{
    heed_train_report report;
    return heed_train_resume(out, &(heed_train_options){.stop_at = heed_int(2)}, backend, NULL,
                             &report, error);
}

static heed_buffer read_file(const char *name)
{
    heed_buffer bytes = {0};
    assert_ok(heed_file_read(in_run(name), 1 << 20, &bytes, &error));
    return bytes;
}

static void write_file(const char *name, const char *bytes, size_t count)
{
    assert_ok(heed_file_write(in_run(name), bytes, count, &error));
}

/* The manifest of checkpoint 2 vouches for no file: what is in them is looked at. */
static heed_buffer trust_nothing(void)
{
    heed_buffer manifest = read_file("checkpoint-2/checkpoint.json");
    write_file("checkpoint-2/checkpoint.json", "{\"step\":2,\"files\":{}}", 21);
    return manifest;
}

static void restore(const char *name, heed_buffer *bytes)
{
    write_file(name, bytes->data, bytes->length);
    heed_buffer_free(bytes);
}

/* `text` with the first `from` replaced; to be freed. */
static char *replaced(const heed_buffer *text, const char *from, const char *to)
{
    const char *at = strstr(text->data, from);
    if (!at) fail_msg("no %s in %s", from, text->data);
    heed_buffer result = {0};
    heed_buffer_append(&result, text->data, (size_t)(at - text->data));
    heed_buffer_text(&result, to);
    heed_buffer_text(&result, at + strlen(from));
    return result.data;
}

typedef struct edit {
    const char *file, *from, *to, *part;
    heed_status status;
} edit;

static void lies_are_named(void **state)
{
    (void)state;
    static const edit edits[] = {
        {"checkpoint-2/trainer.json", "\"step\": 2", "\"step\": 7",
         "trainer.json: step is 7, expected the checkpoint's, 2", HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"step\": 2", "\"step\": -2",
         "trainer.json: step: expected an integer of at least 0", HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"step\": 2", "\"step\": \"2\"",
         "trainer.json: \"step\" is a string", HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"step\": 2", "\"steps\": 2", "trainer.json: step: expected",
         HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"unit\": ", "\"unit\": 99", "trainer.json: unit is 99",
         HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"unit\": ", "\"unit\": 9223372036854775807, \"x\": ",
         "trainer.json: unit is 9223372036854775807", HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"data_fingerprint\": \"", "\"data_fingerprint\": \"f",
         "data is not what it was", HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "\"data_fingerprint\"", "\"x\"", "data is not what it was",
         HEED_E_FORMAT},
        {"checkpoint-2/trainer.json", "{", "[{", "trainer.json", HEED_E_FORMAT},
        {"run.json", "\"max_steps\": \"3\"", "\"max_steps\": null", "max_steps is not given",
         HEED_E_ARG},
        {"run.json", "\"max_steps\": \"3\"", "\"max_steps\": 3",
         "run.json: \"max_steps\" is an integer", HEED_E_FORMAT},
        {"run.json", "\"optimizer\": \"adamw\"", "\"optimizer\": null", "optimizer is not given",
         HEED_E_ARG},
        {"run.json", "\"logging_steps\": 1", "\"logging_steps\": 0", "logging_steps 0", HEED_E_ARG},
        {"run.json", "\"gradient_accumulation_steps\": 1", "\"gradient_accumulation_steps\": 0",
         "gradient_accumulation_steps 0", HEED_E_ARG},
        {"run.json", "\"batch_size\": 3", "\"batch_size\": 0", "batch_size 0", HEED_E_ARG},
        {"run.json", "\"data\": [", "\"data\": [\"/no/such.txt\", ", "/no/such.txt", HEED_E_IO},
        {"run.json", "\"seed\": 7,", "", "run.json: seed is missing", HEED_E_FORMAT},
    };
    heed_buffer manifest = trust_nothing();
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        heed_buffer whole = read_file(edits[i].file);
        char *text = replaced(&whole, edits[i].from, edits[i].to);
        write_file(edits[i].file, text, strlen(text));
        assert_fails(edits[i].status, edits[i].part, go_on(&error));
        free(text);
        restore(edits[i].file, &whole);
    }
    restore("checkpoint-2/checkpoint.json", &manifest);
    assert_ok(go_on(&error));
}

/* A value that is not finite would only show updates later. */
static void the_state_of_the_optimiser_is_looked_at(void **state)
{
    (void)state;
    static const char name[] = "checkpoint-2/optimizer.safetensors";
    heed_buffer manifest = trust_nothing(), whole = read_file(name);
    const float bad = NAN;
    size_t header = 8 + *(const unsigned char *)whole.data +
                    256 * *(const unsigned char *)(whole.data + 1);
    heed_buffer changed = {0};
    heed_buffer_append(&changed, whole.data, whole.length);
    memcpy(changed.data + header + 8, &bad, sizeof bad);
    write_file(name, changed.data, changed.length);
    assert_fails(HEED_E_FORMAT, "holds NaN or infinity at element 2", go_on(&error));
    assert_fails(HEED_E_FORMAT, "optimizer.safetensors", go_on(&error));
    for (size_t cut = 0; cut < whole.length; cut += cut < header ? 37 : 501) {
        write_file(name, whole.data, cut);
        assert_fails(HEED_E_FORMAT, "optimizer.safetensors", go_on(&error));
    }
    heed_buffer_free(&changed);
    restore(name, &whole);
    restore("checkpoint-2/checkpoint.json", &manifest);
}

/* One bit after another of the small files: an error with a message, or a number that may as well
   be true. */
static void single_bits_do_no_harm(void **state)
{
    (void)state;
    static const char *const names[] = {"checkpoint-2/trainer.json", "checkpoint-2/config.json",
                                        "checkpoint-2/checkpoint.json", "run.json"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        heed_buffer whole = read_file(names[n]);
        for (size_t at = 0; at < whole.length; at++) {
            heed_error error = {0};
            whole.data[at] ^= (char)(1 << at % 7);
            write_file(names[n], whole.data, whole.length);
            heed_status status = go_on(&error);
            if (status != error.status || (status != HEED_OK && !error.message[0]))
                fail_msg("%s, byte %zu: no message", names[n], at);
            whole.data[at] ^= (char)(1 << at % 7);
        }
        restore(names[n], &whole);
        assert_ok(go_on(&error));
    }
}

/* A file of the newest checkpoint is cut: the training goes on from the one before, to the bits it
   would have reached. */
static void an_older_checkpoint_takes_over(void **state)
{
    (void)state;
    static const char *const names[] = {"checkpoint-2/optimizer.safetensors",
                                        "checkpoint-2/model.safetensors",
                                        "checkpoint-2/trainer.json"};
    heed_train_report report;
    heed_buffer expected, found;
    assert_ok(heed_train_resume(out, &no_changes, backend, NULL, &report, &error));
    expected = read_file("checkpoint-3/model.safetensors");
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        assert_ok(heed_directory_remove(in_run("checkpoint-3"), &error));
        heed_buffer whole = read_file(names[n]);
        write_file(names[n], whole.data, whole.length / 2);
        assert_ok(heed_train_resume(out, &no_changes, backend, NULL, &report, &error));
        found = read_file("checkpoint-3/model.safetensors");
        assert_int_equal(found.length, expected.length);
        assert_memory_equal(found.data, expected.data, expected.length);
        heed_buffer_free(&found);
        heed_buffer_free(&whole);
    }
    heed_buffer_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_are_named), cmocka_unit_test(the_state_of_the_optimiser_is_looked_at),
        cmocka_unit_test(single_bits_do_no_harm), cmocka_unit_test(an_older_checkpoint_takes_over)};
    return cmocka_run_group_tests_name("trainer_save", tests, start, stop);
}
