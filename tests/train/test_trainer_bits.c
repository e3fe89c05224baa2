/* The same training to the bit: resumed, on other numbers of threads, with bf16 operands, with
   accumulated gradients, with recomputed activations. */
#include "io/safetensors.h"
#include "train/whole_run.h"

static void test_resumed_is_uninterrupted(void **state)
{
    (void)state;
    static const objective_case cases[] = {
        {"f.txt", NULL, NULL, 2, 0},
        {"g.jsonl", "gpt2", "clm", 2, 0},
        {"h.tsv", NULL, NULL, 1, 0},
        {"i.jsonl", "bert", "mlm", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *data = data_file(&work, cases[i].file, 3, 25), *whole = in_work("whole"),
             *parted = in_work("parted"), a[600], b[600];
        heed_train_options o = small_options((const char *const[]){data}, whole);
        bits_options(&o);
        o.family = cases[i].family;
        o.objective = cases[i].objective;
        o.layers = cases[i].layers;
        o.valid = o.data;
        o.valid_count = 1;
        train(&o, 2);
        o.out = parted;
        o.stop_at = heed_int(1);
        heed_train_report report = train(&o, 1);
        assert_int_equal(report.steps, 1);
        report = resume(parted, 7, 2);
        assert_int_equal(report.steps, 7);
        report = resume(parted, 8, 3);
        report = resume(parted, -1, 1);
        assert_int_equal(report.steps, 12);
        last_of(whole, a);
        last_of(parted, b);
        assert_same_checkpoint(a, b);
        report = resume(parted, -1, 1); /* nothing left to do */
        assert_int_equal(report.steps, 12);
        assert_same_checkpoint(a, b);
        assert_ok(heed_directory_remove(whole, &error));
        assert_ok(heed_directory_remove(parted, &error));
        free(data);
        free(whole);
        free(parted);
    }
}

static void test_threads_give_equal_bits(void **state)
{
    (void)state;
    char *data = data_file(&work, "j.jsonl", 5, 60), *first = in_work("one"), a[600], b[600];
    heed_train_options o = small_options((const char *const[]){data}, first);
    bits_options(&o);
    train(&o, 1);
    last_of(first, a);
    for (int threads = 2; threads <= 4; threads++) {
        char *out = in_work("many");
        o.out = out;
        train(&o, threads);
        last_of(out, b);
        assert_same_checkpoint(a, b);
        assert_ok(heed_directory_remove(out, &error));
        free(out);
    }
    free(data);
    free(first);
}

/* With bf16 operands, which read working copies of the weights: interrupted, resumed from a
   file, averaged, evaluated in between, with what is kept or recomputed, on any number of
   threads. */
static void test_bf16_copies_survive_interruption(void **state)
{
    (void)state;
    char *data = data_file(&work, "q.jsonl", 3, 25), *whole = in_work("rounded"),
         *parted = in_work("rounded-parted"), *plain = in_work("rounded-plain"), a[600], b[600];
    heed_train_options o = small_options((const char *const[]){data}, whole);
    bits_options(&o);
    o.bf16 = true;
    o.family = "gpt2";
    o.valid = o.data;
    o.valid_count = 1;
    o.eval_steps = heed_int(3);
    o.average_last = heed_int(2);
    train(&o, 2);
    o.out = parted;
    o.stop_at = heed_int(5);
    o.gradient_checkpointing = true;
    train(&o, 1);
    resume(parted, 9, 3);
    resume(parted, -1, 1);
    last_of(whole, a);
    last_of(parted, b);
    assert_same_checkpoint(a, b);
    snprintf(a, sizeof a, "%.500s/average", whole);
    snprintf(b, sizeof b, "%.500s/average", parted);
    assert_same_file(a, b, "model.safetensors");
    /* and rounding tells */
    o.out = plain;
    o.stop_at = (heed_optional_int){0};
    o.gradient_checkpointing = false;
    o.bf16 = false;
    train(&o, 1);
    last_of(whole, a);
    last_of(plain, b);
    heed_buffer first = {0}, second = {0};
    snprintf(a + strlen(a), sizeof a - strlen(a), "/model.safetensors");
    snprintf(b + strlen(b), sizeof b - strlen(b), "/model.safetensors");
    assert_ok(heed_file_read(a, 1 << 30, &first, &error));
    assert_ok(heed_file_read(b, 1 << 30, &second, &error));
    assert_true(first.length == second.length &&
                memcmp(first.data, second.data, first.length) != 0);
    heed_buffer_free(&first);
    heed_buffer_free(&second);
    free(data);
    free(whole);
    free(parted);
    free(plain);
}

/* Twelve rows at once, or three times four: the same update but for the order of sums, dropout
   included. */
static void test_accumulation_is_the_large_batch(void **state)
{
    (void)state;
    char *data = data_file(&work, "k.jsonl", 6, 200), *large = in_work("large"),
         *small = in_work("small"), path[700];
    heed_train_options o = small_options((const char *const[]){data}, large);
    o.batch_size = 12;
    o.max_steps = "1";
    o.dropout = heed_real(0.2);
    o.optimizer = "sgd";
    o.learning_rate = heed_real(1);
    o.lr_scheduler_type = "constant";
    heed_train_report one = train(&o, 1);
    o.out = small;
    o.batch_size = 4;
    o.gradient_accumulation_steps = 3;
    heed_train_report three = train(&o, 1);
    assert_true(fabs(one.loss.value - three.loss.value) < 1e-6 * one.loss.value);
    heed_safetensors *x = NULL, *y = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", large);
    assert_ok(heed_safetensors_open_whole(&x, path, &error));
    snprintf(path, sizeof path, "%s/model.safetensors", small);
    assert_ok(heed_safetensors_open_whole(&y, path, &error));
    assert_true(heed_safetensors_count(x) > 0);
    for (size_t i = 0; i < heed_safetensors_count(x); i++) {
        const heed_stored_tensor *a = heed_safetensors_at(x, i),
                                 *b = heed_safetensors_find(y, a->name);
        assert_non_null(b);
        for (size_t k = 0; k < a->bytes / 4; k++) {
            float p, q;
            memcpy(&p, (const char *)a->data + 4 * k, 4);
            memcpy(&q, (const char *)b->data + 4 * k, 4);
            if (fabsf(p - q) > 2e-6f) fail_msg("%s[%zu]: %g and %g", a->name, k, p, q);
        }
    }
    heed_safetensors_close(x);
    heed_safetensors_close(y);
    free(data);
    free(large);
    free(small);
}

static void test_checkpointing_gives_the_same_updates(void **state)
{
    (void)state;
    char *data = data_file(&work, "l.txt", 6, 100), *plain = in_work("plain"),
         *again = in_work("again"), a[600], b[600];
    heed_train_options o = small_options((const char *const[]){data}, plain);
    bits_options(&o);
    o.max_steps = "3";
    train(&o, 1);
    o.out = again;
    o.gradient_checkpointing = true;
    train(&o, 1);
    last_of(plain, a);
    last_of(again, b);
    assert_same_file(a, b, "model.safetensors");
    free(data);
    free(plain);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_resumed_is_uninterrupted),
                                       cmocka_unit_test(test_threads_give_equal_bits),
                                       cmocka_unit_test(test_bf16_copies_survive_interruption),
                                       cmocka_unit_test(test_accumulation_is_the_large_batch),
                                       cmocka_unit_test(test_checkpointing_gives_the_same_updates)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
