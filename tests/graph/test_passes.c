/* The invariant of every pass: on = off. Dead code and common subexpressions to the bit, fusion and
   recompute too (the reference kernels keep one order), and each pass must have done something. */
#include "graph/attributes.h"
#include "sample.h"
#include "graph/rewrite.h"

static const int lengths[] = {5, 1, 0, 7};

typedef struct {
    heed_plan *plan;
    heed_workspace *workspace;
} run;

static run run_with(const sample *s, uint32_t passes, bool keep_all)
{
    heed_error error = {0};
    run r = {.workspace = heed_workspace_new()};
    heed_plan_options options = {.passes = passes, .keep_all = keep_all};
    if (heed_plan_new(s->graph, &sample_backend, &options, &r.plan, &error) != HEED_OK)
        fail_msg("%s", error.message);
    if (sample_run(s, r.plan, r.workspace, (sample_batch){lengths, 4}, NULL, &error) != HEED_OK)
        fail_msg("%s", error.message);
    return r;
}

static void run_free(run r)
{
    heed_plan_free(r.plan);
    heed_workspace_free(r.workspace);
}

static size_t count_nodes(const heed_plan *plan, heed_op_id id)
{
    const heed_graph *graph = heed_plan_graph(plan);
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        count += id == HEED_OP_COUNT || graph->nodes[i].id == id;
    return count;
}

static void compare(const sample *s, run a, run b, double tolerance)
{
    assert_true(sample_difference(a.plan, a.workspace, b.plan, b.workspace, "logits") <= tolerance);
    assert_true(sample_difference(a.plan, a.workspace, b.plan, b.workspace, "loss") <= tolerance);
    for (int i = 0; i < s->n_weights; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient.%d", i);
        assert_true(sample_difference(a.plan, a.workspace, b.plan, b.workspace, name) <= tolerance);
    }
}

static void each_pass_keeps_the_numbers(void **state)
{
    (void)state;
    static const uint32_t sets[] = {HEED_PASS_DEAD,      HEED_PASS_COMMON,
                                    HEED_PASS_REUSE,     HEED_PASS_FUSE,
                                    HEED_PASS_RECOMPUTE, HEED_PASS_DEAD | HEED_PASS_REUSE,
                                    HEED_PASS_DEFAULT,   HEED_PASS_DEFAULT | HEED_PASS_RECOMPUTE};
    sample s;
    sample_build(
        &s,
        &(sample_options){
            .rows = 16, .sequences = 4, .gradients = true, .checkpoints = true, .dropout = 0.2f});
    run oracle = run_with(&s, HEED_PASS_NONE, false);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        run r = run_with(&s, sets[i], false);
        compare(&s, oracle, r, (sets[i] & HEED_PASS_FUSE) ? 3e-6 : 0);
        run_free(r);
    }
    run_free(oracle);
    sample_free(&s);
}

static void dead_code_goes(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 16, .sequences = 4});
    heed_unary(s.graph, HEED_UNARY_TANH,
               heed_input(s.graph, "unused", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, 16, 4)));
    run with = run_with(&s, HEED_PASS_DEAD, false), without = run_with(&s, HEED_PASS_NONE, false);
    assert_int_equal(count_nodes(without.plan, HEED_OP_COUNT),
                     count_nodes(with.plan, HEED_OP_COUNT) + 1);
    run_free(with);
    run_free(without);
    sample_free(&s);
}

static void equal_nodes_merge_and_random_ones_do_not(void **state)
{
    (void)state;
    heed_graph *g = heed_graph_new();
    heed_value x = heed_input(g, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, 4, 3));
    heed_value rows = heed_input(g, "rows", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, 4, 2));
    heed_value a = heed_unary(g, HEED_UNARY_TANH, x), b = heed_unary(g, HEED_UNARY_TANH, x);
    heed_output(g, "sum", heed_add(g, heed_scale(g, a, 2, 0), heed_scale(g, b, 2, 0)));
    heed_output(g, "drop",
                heed_add(g, heed_dropout(g, x, rows, 0.5f), heed_dropout(g, x, rows, 0.5f)));
    heed_plan *plan = NULL;
    heed_plan_options options = {.passes = HEED_PASS_COMMON};
    assert_int_equal(heed_plan_new(g, &sample_backend, &options, &plan, NULL), HEED_OK);
    assert_int_equal(count_nodes(plan, HEED_OP_UNARY), 1);
    assert_int_equal(count_nodes(plan, HEED_OP_SCALE), 1);
    assert_int_equal(count_nodes(plan, HEED_OP_DROPOUT), 2);
    heed_plan_free(plan);
    heed_graph_free(g);
}

static void recompute_lowers_memory(void **state)
{
    (void)state;
    sample s;
    sample_build(
        &s, &(sample_options){.rows = 512, .sequences = 4, .gradients = true, .checkpoints = true});
    heed_plan *plain = NULL, *checkpointed = NULL;
    heed_plan_options all = {.passes = HEED_PASS_DEFAULT},
                      less = {.passes = HEED_PASS_DEFAULT | HEED_PASS_RECOMPUTE};
    assert_int_equal(heed_plan_new(s.graph, &sample_backend, &all, &plain, NULL), HEED_OK);
    assert_int_equal(heed_plan_new(s.graph, &sample_backend, &less, &checkpointed, NULL), HEED_OK);
    assert_true((double)heed_plan_bytes(checkpointed) < 0.8 * (double)heed_plan_bytes(plain));
    size_t clones = 0;
    for (size_t i = 0; i < heed_plan_graph(checkpointed)->n_nodes; i++)
        clones += heed_plan_graph(checkpointed)->nodes[i].clone != 0;
    assert_true(clones > 5);
    heed_plan_free(plain);
    heed_plan_free(checkpointed);
    sample_free(&s);
}

static void chains_and_joins_fuse(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 16, .sequences = 4, .constant = true});
    run r = run_with(&s, HEED_PASS_DEFAULT, false), oracle = run_with(&s, HEED_PASS_NONE, false);
    assert_true(sample_difference(oracle.plan, oracle.workspace, r.plan, r.workspace, "logits") <=
                3e-6);
    /* per layer: q, k, v joined; o + residual; gate with silu; up with the gate; down + residual;
       the head stays plain */
    assert_int_equal(count_nodes(r.plan, HEED_OP_FUSED_MATMUL), 5 * SAMPLE_LAYERS);
    assert_int_equal(count_nodes(r.plan, HEED_OP_MATMUL), 1);
    assert_int_equal(count_nodes(r.plan, HEED_OP_UNARY), 0);
    assert_int_equal(count_nodes(r.plan, HEED_OP_BINARY), 0);
    run_free(r);
    run_free(oracle);
    sample_free(&s);
}

static void few_rows_take_the_norm_along(void **state)
{
    (void)state;
    static const int one[] = {1};
    sample s;
    sample_build(&s, &(sample_options){.rows = 1, .sequences = 1, .constant = true});
    heed_error error = {0};
    heed_plan *plan = NULL, *plain = NULL;
    heed_plan_options none = {.passes = HEED_PASS_NONE};
    assert_int_equal(heed_plan_new(s.graph, &sample_backend, NULL, &plan, &error), HEED_OK);
    assert_int_equal(heed_plan_new(s.graph, &sample_backend, &none, &plain, &error), HEED_OK);
    assert_int_equal(count_nodes(plan, HEED_OP_RMS_NORM), 0);
    /* gate and up are one */
    assert_int_equal(count_nodes(plan, HEED_OP_FUSED_MATMUL), 4 * SAMPLE_LAYERS);
    heed_workspace *a = heed_workspace_new(), *b = heed_workspace_new();
    assert_int_equal(sample_run(&s, plan, a, (sample_batch){one, 1}, NULL, &error), HEED_OK);
    assert_int_equal(sample_run(&s, plain, b, (sample_batch){one, 1}, NULL, &error), HEED_OK);
    assert_true(sample_difference(plain, b, plan, a, "logits") <= 3e-6);
    heed_workspace_free(a);
    heed_workspace_free(b);
    heed_plan_free(plan);
    heed_plan_free(plain);
    sample_free(&s);
}

static bool never(const heed_matmul_descriptor *matmul)
{
    (void)matmul;
    return false;
}

/* The same few rows, on a backend on which neither pays. */
static void the_backend_says_what_pays(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 1, .sequences = 1, .constant = true});
    const heed_backend_rules rules = {
        .fuses_norm = never, .fuses_gate = never, .rows_per_part = 16};
    heed_backend backend = sample_backend;
    backend.rules = &rules;
    heed_plan *usual = NULL, *plan = NULL;
    assert_int_equal(heed_plan_new(s.graph, &sample_backend, NULL, &usual, NULL), HEED_OK);
    assert_int_equal(heed_plan_new(s.graph, &backend, NULL, &plan, NULL), HEED_OK);
    assert_true(count_nodes(plan, HEED_OP_RMS_NORM) >= 2 * SAMPLE_LAYERS);
    assert_true(count_nodes(plan, HEED_OP_FUSED_MATMUL) > count_nodes(usual, HEED_OP_FUSED_MATMUL));
    heed_plan_free(usual);
    heed_plan_free(plan);
    sample_free(&s);
}

static void gradients_accumulate_into_states(void **state)
{
    (void)state;
    sample once, twice;
    sample_options options = {.rows = 16, .sequences = 4, .gradients = true};
    sample_build(&once, &options);
    options.accumulate = true;
    sample_build(&twice, &options);
    run reference = run_with(&once, HEED_PASS_NONE, false),
        r = run_with(&twice, HEED_PASS_DEFAULT, false);
    heed_error error = {0};
    /* a second micro-batch */
    assert_int_equal(
        sample_run(&twice, r.plan, r.workspace, (sample_batch){lengths, 4}, NULL, &error), HEED_OK);
    for (int i = 0; i < once.n_weights; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient.%d", i);
        heed_operand g;
        assert_int_equal(heed_plan_output(reference.plan, reference.workspace, name, &g, NULL),
                         HEED_OK);
        for (int64_t k = 0; k < heed_shape_elements(g.shape); k++) {
            double expected = 2 * (double)((float *)g.data)[k];
            assert_true(fabs(expected - (double)twice.states[i][k]) <= 2e-5 * (1 + fabs(expected)));
        }
    }
    /* matmuls took theirs into the chain */
    assert_true(count_nodes(r.plan, HEED_OP_ACCUMULATE) < (size_t)once.n_weights);
    run_free(reference);
    run_free(r);
    sample_free(&once);
    sample_free(&twice);
}

/* One op is left of the losses and their gradients, the table's gradients go into its state, and
   all numbers are those of the graph as built. */
static void losses_come_with_their_gradients(void **state)
{
    (void)state;
    sample once, twice;
    sample_options options = {
        .rows = 16, .sequences = 4, .gradients = true, .checkpoints = true, .losses_only = true};
    sample_build(&once, &options);
    options.accumulate = true;
    sample_build(&twice, &options);
    for (int checkpointing = 0; checkpointing < 2; checkpointing++) {
        uint32_t passes = HEED_PASS_DEFAULT | (checkpointing ? HEED_PASS_RECOMPUTE : 0);
        run reference = run_with(&once, HEED_PASS_NONE, false), r = run_with(&twice, passes, false);
        assert_int_equal(count_nodes(reference.plan, HEED_OP_LINEAR_CROSS_ENTROPY), 1);
        assert_int_equal(count_nodes(r.plan, HEED_OP_LINEAR_CROSS_ENTROPY), 0);
        assert_int_equal(count_nodes(r.plan, HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD), 1);
        assert_true(sample_difference(reference.plan, reference.workspace, r.plan, r.workspace,
                                      "loss") <= 3e-6);
        for (int i = 0; i < once.n_weights; i++) {
            char name[32];
            snprintf(name, sizeof name, "gradient.%d", i);
            heed_operand g;
            assert_int_equal(heed_plan_output(reference.plan, reference.workspace, name, &g, NULL),
                             HEED_OK);
            for (int64_t k = 0; k < heed_shape_elements(g.shape); k++) {
                /* the states keep what the first plan put there */
                double expected = (1 + checkpointing) * (double)((float *)g.data)[k];
                assert_true(fabs(expected - (double)twice.states[i][k]) <=
                            2e-5 * (1 + fabs(expected)));
            }
        }
        const heed_graph *graph = heed_plan_graph(r.plan);
        for (size_t i = 0; i < graph->n_nodes; i++) { /* both uses of the table */
            const heed_node *node = &graph->nodes[i];
            if (node->id == HEED_OP_SCATTER_ADD ||
                node->id == HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD)
                assert_true(heed_node_state(node) != HEED_NONE);
        }
        run_free(reference);
        run_free(r);
    }
    sample_free(&once);
    sample_free(&twice);
}

/* Without a factor between them the slopes of the losses come from the losses themselves: both ops
   stay. */
static void losses_that_their_gradients_wait_for_stay(void **state)
{
    (void)state;
    heed_graph *g = heed_graph_new();
    heed_value x = heed_input(g, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, 4, 3)),
               w = heed_input(g, "w", HEED_F32, heed_shape_2(5, 3)), dx;
    heed_value y = heed_linear_cross_entropy(
        g, x, w, HEED_NONE,
        heed_input(g, "labels", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, 4, 0)), 0);
    heed_error error = {0};
    assert_int_equal(
        heed_graph_gradient(g, heed_reduce(g, HEED_REDUCE_SUM, heed_multiply(g, y, y), 0, false),
                            &x, 1, &dx, &error),
        HEED_OK);
    heed_output(g, "dx", dx);
    heed_output(g, "y", y);
    heed_plan *plan = NULL;
    assert_int_equal(heed_plan_new(g, &sample_backend, NULL, &plan, &error), HEED_OK);
    assert_int_equal(count_nodes(plan, HEED_OP_LINEAR_CROSS_ENTROPY), 1);
    assert_int_equal(count_nodes(plan, HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD), 1);
    heed_plan_free(plan);
    heed_graph_free(g);
}

/* Forward and backward, chains and joins: every matmul rounds, and nothing is cast. */
static void precision_rounds_the_operands_of_matmuls(void **state)
{
    (void)state;
    for (int gradients = 0; gradients < 2; gradients++) {
        sample s, exact;
        sample_build(&exact, &(sample_options){.rows = 16, .sequences = 4, .gradients = gradients});
        sample_build(&s, &(sample_options){
                             .rows = 16, .sequences = 4, .gradients = gradients, .bf16 = true});
        run as_built = run_with(&exact, HEED_PASS_NONE, false),
            oracle = run_with(&s, HEED_PASS_NONE, false),
            rounded = run_with(&s, HEED_PASS_DEFAULT, false);
        double difference = sample_difference(as_built.plan, as_built.workspace, rounded.plan,
                                              rounded.workspace, "logits");
        assert_true(difference > 1e-5 && difference < 3e-2);
        /* a last bit decides a rounding */
        assert_true(sample_difference(oracle.plan, oracle.workspace, rounded.plan,
                                      rounded.workspace, "logits") <= 2e-3);
        for (int i = 0; gradients && i < s.n_weights; i++) {
            char name[32];
            snprintf(name, sizeof name, "gradient.%d", i);
            assert_true(sample_difference(oracle.plan, oracle.workspace, rounded.plan,
                                          rounded.workspace, name) <= 2e-3);
        }
        const heed_graph *graph = heed_plan_graph(rounded.plan);
        for (size_t i = 0; i < graph->n_nodes; i++) {
            const heed_node *node = &graph->nodes[i];
            if (node->id == HEED_OP_MATMUL)
                assert_true(((const heed_matmul_attributes *)node->attributes)->bf16_operands);
            if (node->id == HEED_OP_FUSED_MATMUL)
                assert_true(
                    ((const heed_fused_matmul_attributes *)node->attributes)->bf16_operands);
            assert_int_not_equal(node->id, HEED_OP_CAST);
        }
        run_free(as_built);
        run_free(oracle);
        run_free(rounded);
        sample_free(&s);
        sample_free(&exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_pass_keeps_the_numbers),
                                       cmocka_unit_test(dead_code_goes),
                                       cmocka_unit_test(equal_nodes_merge_and_random_ones_do_not),
                                       cmocka_unit_test(recompute_lowers_memory),
                                       cmocka_unit_test(chains_and_joins_fuse),
                                       cmocka_unit_test(few_rows_take_the_norm_along),
                                       cmocka_unit_test(the_backend_says_what_pays),
                                       cmocka_unit_test(gradients_accumulate_into_states),
                                       cmocka_unit_test(losses_come_with_their_gradients),
                                       cmocka_unit_test(losses_that_their_gradients_wait_for_stay),
                                       cmocka_unit_test(precision_rounds_the_operands_of_matmuls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
