/* Observers: traces, profiles, values that are not finite, graphs as built; through a run and
   through the backend. */
#include "sample.h"

static const int lengths[] = {4};

typedef struct {
    int steps, graphs;
    size_t nodes;
    heed_buffer text;
} seen;

static void on_step(void *argument, const heed_graph *graph, const heed_node *node,
                    const heed_kernel_args *args)
{
    seen *s = argument;
    s->steps++;
    assert_string_equal(node->op->name, args->op->name);
    heed_trace_text(graph, node, args, &s->text);
}

static void on_plan(void *argument, const heed_plan *plan)
{
    seen *s = argument;
    s->graphs++;
    s->nodes = heed_plan_graph(plan)->n_nodes;
}

static heed_plan *plan_for(const sample *s, const heed_backend *backend)
{
    heed_error error = {0};
    heed_plan *plan = NULL;
    if (heed_plan_new(s->graph, backend, NULL, &plan, &error) != HEED_OK)
        fail_msg("%s", error.message);
    return plan;
}

static void a_run_can_be_observed(void **state)
{
    (void)state;
    heed_error error = {0};
    sample s;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1});
    heed_plan *plan = plan_for(&s, &sample_backend);
    heed_workspace *workspace = heed_workspace_new();
    seen w = {0};
    heed_profile profile = {0};
    heed_observer observer = {
        .check_finite = true, .trace = on_step, .argument = &w, .profile = &profile};
    assert_int_equal(sample_run(&s, plan, workspace, (sample_batch){lengths, 1}, &observer, &error),
                     HEED_OK);
    assert_int_equal(w.steps, heed_plan_graph(plan)->n_nodes);
    assert_true(profile.count > 5 && profile.lines[0].runs >= 1 && profile.lines[0].bytes > 0);
    s.data[3][0] = NAN; /* a weight of the first layer */
    assert_int_equal(sample_run(&s, plan, workspace, (sample_batch){lengths, 1}, &observer, &error),
                     HEED_E_ARG);
    assert_non_null(strstr(error.message, "layer.0.attention"));
    assert_non_null(strstr(error.message, "its input ")); /* and whose fault it is */
    free(profile.lines);
    heed_buffer_free(&w.text);
    heed_workspace_free(workspace);
    heed_plan_free(plan);
    sample_free(&s);
}

/* An observer on the backend sees plans made and run, keeps every value for what is traced, and
   does not change the bits. */
static void a_backend_can_be_observed(void **state)
{
    (void)state;
    heed_error error = {0};
    sample s;
    seen w = {0};
    pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    heed_profile profile = {0};
    heed_observer observer = {
        .compiled = on_plan, .trace = on_step, .argument = &w, .profile = &profile, .turn = &turn};
    heed_backend watched = sample_backend;
    watched.observer = &observer;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1});
    heed_plan *plain = plan_for(&s, &sample_backend), *seen_plan = plan_for(&s, &watched);
    assert_int_equal(w.graphs, 1);
    assert_int_equal(w.nodes, heed_plan_graph(plain)->n_nodes);
    assert_true(heed_plan_bytes(seen_plan) > heed_plan_bytes(plain));
    heed_workspace *a = heed_workspace_new(), *b = heed_workspace_new();
    assert_int_equal(sample_run(&s, plain, a, (sample_batch){lengths, 1}, NULL, &error), HEED_OK);
    assert_int_equal(w.steps, 0);
    assert_int_equal(sample_run(&s, seen_plan, b, (sample_batch){lengths, 1}, NULL, &error),
                     HEED_OK);
    assert_int_equal(w.steps, heed_plan_graph(seen_plan)->n_nodes);
    assert_true(sample_difference(plain, a, seen_plan, b, "logits") == 0);
    static const char *const wanted[] = {"@layer.1.attention", "fused_matmul (N:4,", "mean ",
                                         "max ", "...]"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(w.text.data, wanted[i]))
            fail_msg("the trace lacks \"%s\":\n%s", wanted[i], w.text.data);
    int64_t runs = 0;
    for (size_t i = 0; i < profile.count; i++)
        runs += profile.lines[i].runs * (1 + profile.lines[i].more);
    assert_int_equal(runs, w.steps); /* every step stands in one line */
    heed_observer_add(&observer, &(heed_profile_line){
                                     .op = "outside", .kernel = "work", .seconds = 1, .runs = 1});
    assert_string_equal(profile.lines[profile.count - 1].op, "outside");
    assert_true(heed_matmul_number(HEED_Q4_K, true) == HEED_NUMBER_INT8 &&
                heed_matmul_number(HEED_Q2_K, false) == HEED_NUMBER_F32);
    assert_true(heed_matmul_number(HEED_F32, true) == HEED_NUMBER_BF16 &&
                heed_matmul_number(HEED_BF16, false) == HEED_NUMBER_F32);
    heed_plan_free(plain);
    heed_plan_free(seen_plan);
    heed_workspace_free(a);
    heed_workspace_free(b);
    heed_buffer_free(&w.text);
    free(profile.lines);
    sample_free(&s);
}

static void graphs_can_be_run_as_built(void **state)
{
    (void)state;
    heed_error error = {0};
    sample s;
    heed_observer observer = {.no_passes = true};
    heed_backend watched = sample_backend;
    watched.observer = &observer;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1});
    heed_plan *usual = plan_for(&s, &sample_backend), *built = plan_for(&s, &watched);
    heed_workspace *a = heed_workspace_new(), *b = heed_workspace_new();
    assert_int_equal(heed_plan_graph(built)->n_nodes, s.graph->n_nodes);
    assert_true(heed_plan_graph(usual)->n_nodes < s.graph->n_nodes);
    assert_int_equal(sample_run(&s, usual, a, (sample_batch){lengths, 1}, NULL, &error), HEED_OK);
    assert_int_equal(sample_run(&s, built, b, (sample_batch){lengths, 1}, NULL, &error), HEED_OK);
    assert_true(sample_difference(usual, a, built, b, "logits") <= 3e-6);
    heed_plan_free(usual);
    heed_plan_free(built);
    heed_workspace_free(a);
    heed_workspace_free(b);
    sample_free(&s);
}

/* Infinity where every input is finite is found too, and told apart. */
static void the_guard_finds_overflow(void **state)
{
    (void)state;
    heed_error error = {0};
    sample s;
    heed_observer observer = {.check_finite = true};
    heed_backend watched = sample_backend;
    watched.observer = &observer;
    sample_build(&s, &(sample_options){.rows = 8, .sequences = 1});
    heed_plan *plan = plan_for(&s, &watched);
    heed_workspace *workspace = heed_workspace_new();
    assert_int_equal(sample_run(&s, plan, workspace, (sample_batch){lengths, 1}, NULL, &error),
                     HEED_OK);
    for (size_t i = 0; i < s.n_bound; i++) s.data[i][0] = 3e38f;
    assert_int_equal(sample_run(&s, plan, workspace, (sample_batch){lengths, 1}, NULL, &error),
                     HEED_E_ARG);
    assert_non_null(strstr(error.message, "inf"));
    assert_non_null(strstr(error.message, "its inputs are finite"));
    heed_plan_free(plan);
    heed_workspace_free(workspace);
    sample_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_can_be_observed), cmocka_unit_test(a_backend_can_be_observed),
        cmocka_unit_test(graphs_can_be_run_as_built), cmocka_unit_test(the_guard_finds_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
