/* Options: lengths, checks, and the way through run.json. */
#include "train/options_internal.h"

#include "support/test.h"
#include <math.h>

static const char *const files[] = {"/etc/hostname", "no such file"};

static heed_train_options good(void)
{
    heed_train_options o = {0};
    o.data = files;
    o.data_count = 2;
    o.out = "run";
    return o;
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
        heed_length_unit unit;
    } rows[] = {
        {"2000", 2000, HEED_LENGTH_STEPS}, {"3e", 3, HEED_LENGTH_EPOCHS},
        {"1.5e", 1.5, HEED_LENGTH_EPOCHS}, {"2000000t", 2e6, HEED_LENGTH_TOKENS},
        {"2e6t", 2e6, HEED_LENGTH_TOKENS}, {"1e3", 1000, HEED_LENGTH_STEPS},
        {"1e1e", 10, HEED_LENGTH_EPOCHS},
    };
    heed_length length;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(heed_length_parse(&length, rows[i].text, &error));
        assert_true(length.value == rows[i].value && length.unit == rows[i].unit);
    }
    static const char *const bad[] = {"",    "e",    "t",   "0",   "-3",    "2.5",
                                      "10x", "10tt", "nan", "inf", "1e300", "0e"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(HEED_E_ARG, "max_steps", heed_length_parse(&length, bad[i], &error));
}

/* As a training checks them: as chosen, then as those of a run. */
static heed_status check(heed_train_options o, heed_error *error)
{
    heed_run_options run;
    HEED_TRY(heed_run_options_from(&run, &o, error));
    return heed_run_options_check(&run, error);
}

static void test_checks(void **state)
{
    (void)state;
    heed_train_options o = good();
    assert_ok(check(o, &error));
    o = good();
    o.data_count = 0;
    assert_fails(HEED_E_ARG, "no data", check(o, &error));
    o = good();
    o.out = NULL;
    assert_fails(HEED_E_ARG, "--out", check(o, &error));
    o = good();
    o.label_smoothing = heed_real(1);
    assert_fails(HEED_E_ARG, "label_smoothing", check(o, &error));
    o = good();
    o.learning_rate = heed_real(NAN);
    assert_fails(HEED_E_ARG, "learning_rate", check(o, &error));
    o = good();
    o.eval_steps = heed_int(-1);
    assert_fails(HEED_E_ARG, "eval_steps -1", check(o, &error));
    o = good();
    o.dropout = heed_real(-1);
    assert_fails(HEED_E_ARG, "dropout -1", check(o, &error));
    o = good();
    o.stop_at = heed_int(-1);
    assert_fails(HEED_E_ARG, "stop_at -1", check(o, &error));
    o = good();
    o.gradient_accumulation_steps = -1;
    assert_fails(HEED_E_ARG, "gradient_accumulation_steps -1", check(o, &error));
    o = good();
    o.batch_size = -1;
    assert_fails(HEED_E_ARG, "batch_size -1", check(o, &error));
    o = good();
    o.init = "a";
    o.family = "gpt2";
    assert_fails(HEED_E_ARG, "one of them", check(o, &error));
    o = good();
    o.init = "a";
    o.layers = 2;
    assert_fails(HEED_E_ARG, "belong to a family", check(o, &error));
    o = good();
    o.pairs = true;
    o.data_count = 1;
    assert_fails(HEED_E_ARG, "two files", check(o, &error));
    o = good();
    o.average_last = heed_int(5);
    o.save_total_limit = heed_int(3);
    assert_fails(HEED_E_ARG, "average_last", check(o, &error));
    o = good();
    o.max_steps = "soon";
    assert_fails(HEED_E_ARG, "max_steps", check(o, &error));
}

/* What is not set is the default; what is set to 0 is 0, also where the default is another. */
static void test_zero_is_not_unset(void **state)
{
    (void)state;
    const heed_run_options defaults = heed_run_options_default();
    size_t tried = 0;
    heed_run_options run;
    heed_train_options none = {0};
    assert_ok(heed_run_options_from(&run, &none, &error));
    assert_memory_equal(&run, &defaults, sizeof run);
    for (size_t i = 0; i < heed_train_field_count; i++) {
        const heed_train_field *field = &heed_train_fields[i];
        heed_train_options zero = {0};
        void *given = (char *)&zero + field->given;
        const void *at = (const char *)&run + field->offset;
        if (field->kind != HEED_FIELD_INTEGER && field->kind != HEED_FIELD_REAL) continue;
        assert_false(heed_train_options_chosen(&zero, field));
        if (field->kind == HEED_FIELD_INTEGER) *(heed_optional_int *)given = heed_int(0);
        else *(heed_optional_real *)given = heed_real(0);
        assert_true(heed_train_options_chosen(&zero, field));
        assert_ok(heed_run_options_from(&run, &zero, &error));
        if (field->kind == HEED_FIELD_INTEGER) assert_int_equal(*(const int64_t *)at, 0);
        else assert_true(*(const double *)at == 0);
        tried++;
    }
    assert_true(tried > 15);
}

static void test_through_a_file(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    heed_arena *arena = heed_arena_new();
    heed_train_options o = good();
    heed_run_options run, copy, read;
    o.family = "gp\"t";
    o.learning_rate = heed_real(0.1 + 0.2);
    o.seed = heed_int(123456789012345);
    o.bf16 = true;
    o.layers = 3;
    o.tokenizer = "char";
    assert_ok(heed_run_options_from(&run, &o, &error));
    assert_ok(heed_run_options_copy(&copy, &run, arena, &error));
    assert_true(copy.data != o.data && strcmp(copy.data[1], "no such file") == 0 &&
                strcmp(copy.family, "gp\"t") == 0 && strcmp(copy.out, "run") == 0);
    assert_ok(heed_run_options_write(&copy, scratch_path(&work, "run.json"), &error));
    assert_ok(heed_run_options_read(&read, work.path, arena, &error));
    assert_int_equal(read.data_count, 2);
    assert_string_equal(read.data[0], "/etc/hostname");
    assert_string_equal(read.family, "gp\"t");
    assert_string_equal(read.tokenizer, "char");
    assert_null(read.init);
    assert_null(read.out);
    assert_true(read.learning_rate == 0.1 + 0.2 && read.seed == 123456789012345 && read.bf16 &&
                !read.pairs && read.layers == 3 && read.heads == -1);
    scratch_file(&work, "run.json", "{\"data\": 3}", 11);
    assert_fails(HEED_E_FORMAT, "data: expected a list",
                 heed_run_options_read(&read, work.path, arena, &error));
    scratch_file(&work, "run.json", "{\"data\": [3]}", 13);
    assert_fails(HEED_E_FORMAT, "data[0]", heed_run_options_read(&read, work.path, arena, &error));
    scratch_file(&work, "run.json", "{\"data\": []}", 12);
    assert_fails(HEED_E_FORMAT, "valid is missing",
                 heed_run_options_read(&read, work.path, arena, &error));
    scratch_file(&work, "run.json", "[]", 2);
    assert_fails(HEED_E_FORMAT, "expected an object",
                 heed_run_options_read(&read, work.path, arena, &error));
    heed_arena_free(arena);
    scratch_remove(&work);
}

/* ---- going on ---- */

/* What a run was started with. */
static heed_train_options started(void)
{
    heed_train_options o = good();
    o.out = "/tmp/run";
    o.max_steps = "20";
    o.learning_rate = heed_real(1e-3);
    o.seed = heed_int(5);
    o.lr_scheduler_type = "cosine";
    o.tokenizer = "char";
    o.eval_steps = heed_int(2);
    return o;
}

static heed_status extend(heed_train_options changes, heed_run_options *run,
                          heed_train_extension *extension, heed_error *error)
{
    const heed_train_options options = started();
    HEED_TRY(heed_run_options_from(run, &options, error));
    return heed_run_options_extend(run, &changes, extension, error);
}

static heed_train_options nothing(void)
{
    return (heed_train_options){0};
}

static void test_the_same_values_go_on(void **state)
{
    (void)state;
    heed_train_options o = nothing();
    heed_run_options run;
    heed_train_extension extension;
    assert_ok(extend(o, &run, &extension, &error));
    assert_false(extension.any);
    o = started();
    o.out = "/tmp/../tmp/run/";
    assert_ok(extend(o, &run, &extension, &error));
    assert_false(extension.any || extension.data || extension.valid || extension.length);
    /* a default that is chosen counts as chosen */
    o = nothing();
    o.optimizer = "adamw";
    assert_ok(extend(o, &run, &extension, &error));
    o = nothing();
    o.seed = heed_int(1);
    assert_fails(HEED_E_ARG, "--seed 1: the run was started with 5",
                 extend(o, &run, &extension, &error));
}

static void test_what_may_change(void **state)
{
    (void)state;
    static const char *const valid[] = {"other.txt"};
    heed_train_options o = nothing();
    heed_run_options run;
    heed_train_extension extension;
    o.max_steps = "99";
    o.valid = valid;
    o.valid_count = 1;
    o.save_steps = heed_int(3);
    o.logging_steps = 4;
    o.average_last = heed_int(2);
    o.save_total_limit = heed_int(7);
    o.stop_at = heed_int(30);
    o.data = valid;
    o.data_count = 1;
    assert_ok(extend(o, &run, &extension, &error));
    assert_true(extension.any && extension.data && extension.valid && extension.length);
    assert_string_equal(extension.max_steps, "20");
    assert_string_equal(run.max_steps, "99");
    assert_string_equal(run.valid[0], "other.txt");
    assert_string_equal(run.data[0], "other.txt");
    assert_int_equal(run.data_count, 1);
    assert_int_equal(run.save_steps, 3);
    assert_int_equal(run.eval_steps, 2); /* was not chosen again */
    assert_int_equal(run.logging_steps, 4);
    assert_int_equal(run.average_last, 2);
    assert_int_equal(run.save_total_limit, 7);
    assert_int_equal(run.stop_at, 30);
    assert_true(run.learning_rate == 1e-3);
}

/* Every other option is refused by its name. */
static void test_what_may_not_change(void **state)
{
    (void)state;
    static const char *const may[] = {
        "data",         "valid",         "max_steps",        "eval_steps",
        "save_steps",   "logging_steps", "save_total_limit", "average_last",
        "template_file"};
    size_t tried = 0;
    for (size_t i = 0; i < heed_train_field_count; i++) {
        const heed_train_field *field = &heed_train_fields[i];
        heed_train_options o = nothing();
        heed_run_options run;
        heed_train_extension extension;
        char flag[64];
        bool allowed = false;
        for (size_t k = 0; k < sizeof may / sizeof *may; k++)
            allowed |= !strcmp(field->name, may[k]);
        if (allowed) continue;
        char *at = (char *)&o + field->given;
        if (field->kind == HEED_FIELD_FLAG) *(bool *)at = true;
        else if (field->kind == HEED_FIELD_COUNT) *(int64_t *)at = 77;
        else if (field->kind == HEED_FIELD_INTEGER) *(heed_optional_int *)at = heed_int(77);
        else if (field->kind == HEED_FIELD_REAL) *(heed_optional_real *)at = heed_real(0.625);
        else *(const char **)at = "another";
        heed_train_option_spell(field->name, flag, sizeof flag);
        assert_fails(HEED_E_ARG, flag, extend(o, &run, &extension, &error));
        assert_fails(HEED_E_ARG, "the run was started with", extend(o, &run, &extension, &error));
        tried++;
    }
    assert_true(tried > 30);
    heed_train_options o = nothing();
    heed_run_options run;
    heed_train_extension extension;
    o.out = "elsewhere";
    assert_fails(HEED_E_ARG, "cp -a /tmp/run elsewhere", extend(o, &run, &extension, &error));
}

/* ---- without effect ---- */

static void test_options_without_effect(void **state)
{
    (void)state;
    heed_train_facts facts = {
        .words = {[HEED_BY_OPTIMIZER] = "adam",
                  [HEED_BY_SCHEDULE] = "cosine",
                  [HEED_BY_FAMILY] = "gpt2",
                  [HEED_BY_DECAY] = "none",
                  [HEED_BY_DATA] = "none",
                  [HEED_BY_VALID] = "valid"},
    };
    heed_train_options o = nothing();
    char text[256];
    size_t next = 0;
    assert_false(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    o.momentum = heed_real(0.9);
    o.adam_beta1 = heed_real(0.8);
    o.decay_steps = heed_int(3);
    o.eval_steps = heed_int(4);
    o.decay_all = true;
    next = 0;
    assert_true(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    assert_string_equal(text, "note: --momentum has no effect with --optimizer adam");
    assert_true(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    assert_string_equal(text, "note: --decay-steps has no effect with --lr-scheduler-type cosine");
    assert_true(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    assert_string_equal(text, "note: --decay-all has no effect without --weight-decay");
    assert_false(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    o = nothing();
    o.kv_heads = 2;
    next = 0;
    assert_true(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    assert_string_equal(text, "note: --kv-heads has no effect with --family gpt2");
    assert_false(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
    /* "cosine" is no part of another schedule's name */
    facts.words[HEED_BY_SCHEDULE] = "cosine_with_min_lr";
    o = nothing();
    o.min_lr_rate = heed_real(0.1);
    next = 0;
    assert_false(heed_train_options_idle(&o, &facts, &next, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths),
                                       cmocka_unit_test(test_checks),
                                       cmocka_unit_test(test_zero_is_not_unset),
                                       cmocka_unit_test(test_through_a_file),
                                       cmocka_unit_test(test_the_same_values_go_on),
                                       cmocka_unit_test(test_what_may_change),
                                       cmocka_unit_test(test_what_may_not_change),
                                       cmocka_unit_test(test_options_without_effect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
