/* The planner and the runner: reuse of memory, buckets, threads, batch = singles, refusing. */
#include "sample.h"

static heed_plan *plan_for(const sample *s, const heed_plan_options *options)
{
    heed_error error = {0};
    heed_plan *plan = NULL;
    if (heed_plan_new(s->graph, &sample_backend, options, &plan, &error) != HEED_OK)
        fail_msg("%s", error.message);
    return plan;
}

static void reuse_saves_memory(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 256, .sequences = 4});
    heed_plan *small = plan_for(&s, NULL),
              *large = plan_for(&s, &(heed_plan_options){.keep_all = true});
    assert_true(2 * heed_plan_bytes(small) < heed_plan_bytes(large));
    heed_plan_free(small);
    heed_plan_free(large);
    sample_free(&s);
}

static void bucket_and_batch_do_not_change_bits(void **state)
{
    (void)state;
    static const int all[] = {3, 6, 1}, alone[] = {6};
    heed_error error = {0};
    heed_workspace *wide = heed_workspace_new(), *narrow = heed_workspace_new();
    sample a, b;
    sample_build(&a, &(sample_options){.rows = 64, .sequences = 8, .constant = true});
    sample_build(&b, &(sample_options){.rows = 16, .sequences = 1, .constant = true});
    heed_plan *batch = plan_for(&a, NULL), *single = plan_for(&b, NULL);
    assert_int_equal(sample_run(&a, batch, wide, (sample_batch){all, 3}, NULL, &error), HEED_OK);
    heed_operand x, y;
    assert_int_equal(heed_plan_output(batch, wide, "logits", &x, NULL), HEED_OK);
    assert_int_equal(x.shape.dim[0], 10);
    /* the second sequence by itself, with the ids it had in the batch */
    assert_int_equal(heed_workspace_reserve(narrow, single, &error), HEED_OK);
    heed_runtime runtime = sample_fill(single, narrow, alone, 1);
    int32_t *ids = heed_plan_input(single, narrow, "ids");
    for (int t = 0; t < 6; t++) ids[t] = (7 + t * 5) % SAMPLE_VOCABULARY;
    heed_binding binding = {b.bound, b.n_bound};
    assert_int_equal(heed_plan_run(single, narrow, &binding, &runtime, NULL, &error), HEED_OK);
    assert_int_equal(heed_plan_output(single, narrow, "logits", &y, NULL), HEED_OK);
    assert_memory_equal((float *)x.data + 3 * x.row_stride, y.data,
                        6 * SAMPLE_VOCABULARY * sizeof(float));
    heed_plan_free(batch);
    heed_plan_free(single);
    heed_workspace_free(wide);
    heed_workspace_free(narrow);
    sample_free(&a);
    sample_free(&b);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    heed_error error = {0};
    sample s;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1});
    heed_plan *plan = plan_for(&s, NULL);
    heed_workspace *workspace = heed_workspace_new();
    heed_runtime runtime = {.count = {[HEED_EXTENT_ROWS] = 4, [HEED_EXTENT_SEQUENCES] = 1}};
    heed_binding binding = {s.bound, s.n_bound};
    /* nothing reserved */
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error), HEED_E_ARG);
    assert_null(heed_plan_input(plan, workspace, "ids"));
    assert_int_equal(heed_workspace_reserve(workspace, plan, NULL), HEED_OK);
    error = (heed_error){0};
    runtime.count[HEED_EXTENT_ROWS] = 9;
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error), HEED_E_ARG);
    assert_non_null(strstr(error.message, "9 live rows"));
    error = (heed_error){0};
    runtime.count[HEED_EXTENT_ROWS] = 4;
    s.bound[2] = NULL;
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error), HEED_E_ARG);
    error = (heed_error){0};
    binding.count = 1;
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error), HEED_E_ARG);
    assert_null(heed_plan_input(plan, workspace, "nothing"));
    heed_operand operand;
    assert_int_equal(heed_plan_output(plan, workspace, "nothing", &operand, NULL), HEED_E_ARG);
    heed_workspace_free(workspace);
    heed_plan_free(plan);
    sample_free(&s);
}

/* An input that nobody fills is named, never read: the workspace still holds what the run of
   another plan left there. */
static void an_unfilled_input_is_refused(void **state)
{
    (void)state;
    static const int lengths[] = {3, 1};
    heed_error error = {0};
    sample s;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 2, .gradients = true});
    heed_plan *plan = plan_for(&s, NULL), *other = plan_for(&s, NULL);
    heed_workspace *workspace = heed_workspace_new();
    heed_binding binding = {s.bound, s.n_bound};
    assert_int_equal(heed_workspace_reserve(workspace, plan, &error), HEED_OK);
    heed_runtime runtime = sample_fill(plan, workspace, lengths, 2);
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error), HEED_OK);
    /* what was filled stays for another run of the same plan */
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error), HEED_OK);
    /* but not for another plan, nor after the next reserve */
    assert_int_equal(heed_plan_run(other, workspace, &binding, &runtime, NULL, &error), HEED_E_ARG);
    assert_non_null(strstr(error.message, "was not filled"));
    size_t count, read = 0;
    const heed_plan_input_info *inputs = heed_plan_inputs(plan, &count);
    for (size_t i = 0; i < count; i++) {
        assert_true(heed_plan_has_input(plan, inputs[i].name));
        if (!inputs[i].is_read) continue;
        read++;
        assert_int_equal(heed_workspace_reserve(workspace, plan, &error), HEED_OK);
        for (size_t j = 0; j < count; j++)
            if (j != i) heed_plan_input(plan, workspace, inputs[j].name);
        error = (heed_error){0};
        assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error),
                         HEED_E_ARG);
        assert_non_null(strstr(error.message, inputs[i].name));
    }
    assert_true(read >= 3);
    assert_false(heed_plan_has_input(plan, "nothing"));
    heed_workspace_free(workspace);
    heed_plan_free(plan);
    heed_plan_free(other);
    sample_free(&s);
}

static void zero_rows_run(void **state)
{
    (void)state;
    heed_error error = {0};
    sample s;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 2, .gradients = true});
    heed_plan *plan = plan_for(&s, NULL);
    heed_workspace *workspace = heed_workspace_new();
    assert_int_equal(sample_run(&s, plan, workspace, (sample_batch){NULL, 0}, NULL, &error),
                     HEED_OK);
    heed_operand loss;
    assert_int_equal(heed_plan_output(plan, workspace, "loss", &loss, NULL), HEED_OK);
    assert_true(*(float *)loss.data == 0);
    heed_workspace_free(workspace);
    heed_plan_free(plan);
    sample_free(&s);
}

static void cache_forgets_the_least_recently_used(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1});
    heed_plan_cache *cache = heed_plan_cache_new(2);
    heed_plan *plans[3];
    for (int i = 0; i < 3; i++) plans[i] = plan_for(&s, NULL);
    int keys[] = {1, 2, 3};
    assert_int_equal(heed_plan_cache_add(cache, &keys[0], sizeof(int), plans[0], NULL), HEED_OK);
    assert_int_equal(heed_plan_cache_add(cache, &keys[1], sizeof(int), plans[1], NULL), HEED_OK);
    assert_ptr_equal(heed_plan_cache_find(cache, &keys[0], sizeof(int)), plans[0]);
    assert_int_equal(heed_plan_cache_add(cache, &keys[2], sizeof(int), plans[2], NULL), HEED_OK);
    assert_null(heed_plan_cache_find(cache, &keys[1], sizeof(int)));
    assert_ptr_equal(heed_plan_cache_find(cache, &keys[0], sizeof(int)), plans[0]);
    assert_ptr_equal(heed_plan_cache_find(cache, &keys[2], sizeof(int)), plans[2]);
    heed_plan_cache_free(cache);
    sample_free(&s);
    assert_int_equal(heed_bucket(0), 1);
    assert_int_equal(heed_bucket(1), 1);
    assert_int_equal(heed_bucket(5), 8);
    assert_int_equal(heed_bucket(64), 64);
}

static void dumps_name_what_is_there(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1, .gradients = true});
    heed_plan *plan = plan_for(&s, NULL);
    heed_buffer text = {0};
    heed_graph_dump_text(heed_plan_graph(plan), &text);
    heed_graph_dump_dot(heed_plan_graph(plan), &text);
    heed_plan_dump(plan, &text);
    assert_false(text.failed);
    static const char *const wanted[] = {
        "parameter 0.q f32(12,12)", "fused_matmul", "not fused: ",
        "@layer.1.attention",       "gradient",     "digraph heed",
        "attention heads=3/3",      "regions",      "tooltip=\"not fused: "};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text.data, wanted[i]))
            fail_msg("the dump lacks \"%s\":\n%s", wanted[i], text.data);
    heed_buffer_free(&text);
    heed_plan_free(plan);
    sample_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reuse_saves_memory),
                                       cmocka_unit_test(bucket_and_batch_do_not_change_bits),
                                       cmocka_unit_test(what_does_not_fit_is_refused),
                                       cmocka_unit_test(an_unfilled_input_is_refused),
                                       cmocka_unit_test(zero_rows_run),
                                       cmocka_unit_test(cache_forgets_the_least_recently_used),
                                       cmocka_unit_test(dumps_name_what_is_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
