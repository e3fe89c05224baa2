/* Options: lengths, checks, and the way through run.json. */
#include "train/options.h"

#include "support/test.h"
#include <math.h>

static const char *const files[] = {"/etc/hostname", "no such file"};

static heed_train_options good(void)
{
    heed_train_options o = heed_train_defaults();
    o.data = files, o.data_count = 2, o.out = "run";
    return o;
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct { const char *text; double value; heed_length_unit unit; } rows[] = {
        {"2000", 2000, HEED_LENGTH_STEPS}, {"3e", 3, HEED_LENGTH_EPOCHS}, {"1.5e", 1.5, HEED_LENGTH_EPOCHS}, {"2000000t", 2e6, HEED_LENGTH_TOKENS},
        {"2e6t", 2e6, HEED_LENGTH_TOKENS}, {"1e3", 1000, HEED_LENGTH_STEPS}, {"1e1e", 10, HEED_LENGTH_EPOCHS}};
    heed_length length;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(heed_length_parse(&length, rows[i].text, &error));
        assert_true(length.value == rows[i].value && length.unit == rows[i].unit);
    }
    static const char *const bad[] = {"", "e", "t", "0", "-3", "2.5", "10x", "10tt", "nan", "inf", "1e300", "0e"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_fails(HEED_E_ARG, "max_steps", heed_length_parse(&length, bad[i], &error));
}

static void test_checks(void **state)
{
    (void)state;
    heed_train_options o = good();
    assert_ok(heed_train_options_check(&o, &error));
    assert_fails(HEED_E_ARG, "no data", (o = good(), o.data_count = 0, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "--out", (o = good(), o.out = NULL, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "label_smoothing", (o = good(), o.label_smoothing = 1, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "learning_rate", (o = good(), o.learning_rate = NAN, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "gradient_accumulation_steps 0", (o = good(), o.gradient_accumulation_steps = 0, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "batch_size 0", (o = good(), o.batch_size = 0, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "one of them", (o = good(), o.init = "a", o.family = "gpt2", heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "belong to a family", (o = good(), o.init = "a", o.layers = 2, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "two files", (o = good(), o.pairs = true, o.data_count = 1, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "average_last", (o = good(), o.average_last = 5, o.save_total_limit = 3, heed_train_options_check(&o, &error)));
    assert_fails(HEED_E_ARG, "max_steps", (o = good(), o.max_steps = "soon", heed_train_options_check(&o, &error)));
}

static void test_through_a_file(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    heed_arena *arena = heed_arena_new();
    heed_train_options o = good(), copy, read;
    o.family = "gp\"t", o.learning_rate = 0.1 + 0.2, o.seed = 123456789012345, o.bf16 = true, o.layers = 3, o.tokenizer = "char";
    assert_ok(heed_train_options_copy(&copy, &o, arena, &error));
    assert_true(copy.data != o.data && strcmp(copy.data[1], "no such file") == 0 && strcmp(copy.family, "gp\"t") == 0 && strcmp(copy.out, "run") == 0);
    assert_ok(heed_train_options_write(&copy, scratch_path(&work, "run.json"), &error));
    assert_ok(heed_train_options_read(&read, work.path, arena, &error));
    assert_int_equal(read.data_count, 2);
    assert_string_equal(read.data[0], "/etc/hostname");
    assert_string_equal(read.family, "gp\"t");
    assert_string_equal(read.tokenizer, "char");
    assert_null(read.init), assert_null(read.out);
    assert_true(read.learning_rate == 0.1 + 0.2 && read.seed == 123456789012345 && read.bf16 && !read.pairs && read.layers == 3 && read.heads == -1);
    scratch_file(&work, "run.json", "{\"data\": 3}", 11);
    assert_fails(HEED_E_FORMAT, "data: expected a list", heed_train_options_read(&read, work.path, arena, &error));
    scratch_file(&work, "run.json", "{\"data\": [3]}", 13);
    assert_fails(HEED_E_FORMAT, "data[0]", heed_train_options_read(&read, work.path, arena, &error));
    scratch_file(&work, "run.json", "{\"data\": []}", 12);
    assert_fails(HEED_E_FORMAT, "valid is missing", heed_train_options_read(&read, work.path, arena, &error));
    scratch_file(&work, "run.json", "[]", 2);
    assert_fails(HEED_E_FORMAT, "expected an object", heed_train_options_read(&read, work.path, arena, &error));
    heed_arena_free(arena);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths), cmocka_unit_test(test_checks), cmocka_unit_test(test_through_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
