/* Values of every op and every function: against PyTorch and transformers, in both precisions. What
   a rule says better than numbers has test_values_rules.c. */
#include "support/unary_domain.h"
#include "value_cases.h"
#include "value_check.h"

/* The numbers of tools/oracle/op_values.py. */
static double number(int64_t at, int input)
{
    return (double)((37 * at + 11 * input) % 23 - 11) / 8;
}

static void values_are_those_of_torch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int wide = 0; wide < 2; wide++) {
            const op_case *c = &cases[i].c;
            heed_graph *graph = heed_graph_new();
            heed_value in[MAX_CASE_INPUTS];
            build_op(c, graph, in);
            assert_ok(heed_graph_status(graph, &error));
            evaluation e = evaluate_new(graph, wide, runtime_of(c));
            for (int k = 0; k < c->n_in; k++)
                for (int64_t at = 0; at < evaluate_count(&e, in[k]); at++)
                    evaluate_set(&e, in[k], at,
                                 c->in[k].integers ? c->in[k].integers[at] : number(at, k));
            evaluate_run(&e, graph->n_nodes);
            evaluate_check_marks(&e);
            heed_value y = graph->nodes[graph->n_nodes - 1].out[cases[i].out];
            for (size_t n = 0; n < graph->n_nodes; n++) covered[graph->nodes[n].id] = true;
            if ((size_t)evaluate_count(&e, y) != cases[i].count)
                fail_msg("%s: %lld values, expected %zu", c->name, (long long)evaluate_count(&e, y),
                         cases[i].count);
            /* f32 attributes (a cap of 0.7, a rate of 0.1) are not the doubles that torch was
               given */
            for (size_t at = 0; at < cases[i].count; at++)
                check(c->name, wide, (int64_t)at, evaluate_get(&e, y, (int64_t)at),
                      cases[i].expected[at], wide ? 1e-7 : 2e-6);
            evaluate_free(&e);
            heed_graph_free(graph);
        }
}

static const double points[] = {-30, -12, -3, -1.5, -0.25, 0, 0.5, 2, 5.9, 11, 30};
enum { N_POINTS = sizeof points / sizeof *points };

/* What a function tends to far out: relu(x), or something else. */
typedef enum { UNSAID, LIKE_RELU, UNLIKE_RELU } limit;

/* One row per function: its values at `points` as PyTorch computes them, and its limit. */
static const struct {
    const double *torch;
    limit far_out;
} expected[HEED_UNARY_COUNT] = {
    [HEED_UNARY_LINEAR] = {torch_unary_linear, UNLIKE_RELU},
    [HEED_UNARY_RELU] = {torch_unary_relu, LIKE_RELU},
    [HEED_UNARY_RELU2] = {torch_unary_relu2, UNLIKE_RELU},
    [HEED_UNARY_RELU6] = {torch_unary_relu6, UNLIKE_RELU},
    [HEED_UNARY_LEAKY_RELU] = {torch_unary_leaky_relu, UNLIKE_RELU},
    [HEED_UNARY_GELU] = {torch_unary_gelu, LIKE_RELU},
    [HEED_UNARY_GELU_TANH] = {torch_unary_gelu_new, LIKE_RELU},
    [HEED_UNARY_GELU_FAST] = {torch_unary_gelu_fast, LIKE_RELU},
    [HEED_UNARY_GELU_10] = {torch_unary_gelu_10, UNLIKE_RELU},
    [HEED_UNARY_QUICK_GELU] = {torch_unary_quick_gelu, LIKE_RELU},
    [HEED_UNARY_SILU] = {torch_unary_silu, LIKE_RELU},
    [HEED_UNARY_MISH] = {torch_unary_mish, LIKE_RELU},
    [HEED_UNARY_LAPLACE] = {torch_unary_laplace, UNLIKE_RELU},
    [HEED_UNARY_HARDSWISH] = {torch_unary_hardswish, LIKE_RELU},
    [HEED_UNARY_TANH] = {torch_unary_tanh, UNLIKE_RELU},
    [HEED_UNARY_SIGMOID] = {torch_unary_sigmoid, UNLIKE_RELU},
    [HEED_UNARY_EXP] = {torch_unary_exp, UNLIKE_RELU},
    [HEED_UNARY_LOG] = {torch_unary_log, UNLIKE_RELU},
    [HEED_UNARY_SQRT] = {torch_unary_sqrt, UNLIKE_RELU},
    [HEED_UNARY_RSQRT] = {torch_unary_rsqrt, UNLIKE_RELU},
    [HEED_UNARY_SQUARE] = {torch_unary_square, UNLIKE_RELU},
    [HEED_UNARY_ABS] = {torch_unary_abs, UNLIKE_RELU},
    [HEED_UNARY_NEGATE] = {torch_unary_negate, UNLIKE_RELU},
    [HEED_UNARY_SOFTPLUS] = {torch_unary_softplus, LIKE_RELU},
    [HEED_UNARY_SQRT_SOFTPLUS] = {torch_unary_sqrtsoftplus, UNLIKE_RELU},
};

static const char *const unary_names[] = {
#define HEED_UNARY(symbol, name, formula, derivative) name,
#include <heed/unaries.def>
#undef HEED_UNARY
};

/* Fails if a function of unaries.def has no row above. */
static void check_has_row(int kind)
{
    if (!expected[kind].torch || expected[kind].far_out == UNSAID)
        fail_msg("no expected values for \"%s\": add its name to UNARIES in "
                 "tools/oracle/op_values.py, write tests/op/torch_values.h with it, and add a row "
                 "to the table `expected` of tests/op/test_values.c",
                 unary_names[kind]);
}

static void functions_are_those_of_transformers(void **state)
{
    (void)state;
    for (int kind = 0; kind < HEED_UNARY_COUNT; kind++)
        for (int wide = 0; wide < 2; wide++) {
            double x[N_POINTS], y[N_POINTS];
            check_has_row(kind);
            for (int i = 0; i < N_POINTS; i++)
                x[i] = unary_needs_positive(kind) ? fabs(points[i]) + 0.25 : points[i];
            run_one(wide,
                    (one_node){HEED_OP_UNARY, &(heed_unary_attributes){kind}, 1,
                               (heed_shape[]){heed_shape_1(N_POINTS)}, (const double *[]){x}},
                    y);
            for (int i = 0; i < N_POINTS; i++)
                check(unary_names[kind], wide, i, y[i], expected[kind].torch[i],
                      wide ? 1e-14 : 2e-6);
        }
}

/* Far out every function and its slope are what they tend to: no inf * 0, no inf / inf. */
static void functions_are_finite_far_out(void **state)
{
    (void)state;
    const double far[] = {-3e38, -1e20, -1e6, -200, 200, 1e6, 1e20, 3e38},
                 one[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const heed_shape shape = heed_shape_1(8);
    for (int kind = 0; kind < HEED_UNARY_COUNT; kind++)
        for (int wide = 0; wide < 2; wide++) {
            double y[8], slope[8], x[8];
            check_has_row(kind);
            for (int i = 0; i < 8; i++) x[i] = unary_needs_positive(kind) ? fabs(far[i]) : far[i];
            run_one(wide,
                    (one_node){HEED_OP_UNARY, &(heed_unary_attributes){kind}, 1, &shape,
                               (const double *[]){x}},
                    y);
            run_one(wide,
                    (one_node){HEED_OP_UNARY_BACKWARD, &(heed_unary_attributes){kind}, 2,
                               (heed_shape[]){shape, shape}, (const double *[]){one, x}},
                    slope);
            for (int i = 0; i < 8; i++) {
                if (isnan(y[i]) || isnan(slope[i]))
                    fail_msg("%s at %g: value %g, slope %g", unary_names[kind], x[i], y[i],
                             slope[i]);
                if (expected[kind].far_out == UNLIKE_RELU) continue;
                check(unary_names[kind], wide, i, y[i], x[i] > 0 ? x[i] : 0, 1e-6);
                check(unary_names[kind], wide, i, slope[i], x[i] > 0, 1e-6);
            }
        }
}

/* Runs last: what is not a gradient must have had its values checked above, in
   test_values_rules.c or in test_dropout.c. */
static void every_op_was_checked(void **state)
{
    (void)state;
    covered[HEED_OP_DROPOUT] = true;
    for (size_t i = 0; i < sizeof ops_with_rules / sizeof *ops_with_rules; i++)
        covered[ops_with_rules[i]] = true;
    for (int op = 0; op < HEED_OP_COUNT; op++) {
        const char *backward = strstr(heed_ops[op]->name, "_backward");
        if (!covered[op] && !backward)
            fail_msg("%s: no value of it was checked", heed_ops[op]->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_those_of_torch),
                                       cmocka_unit_test(functions_are_those_of_transformers),
                                       cmocka_unit_test(functions_are_finite_far_out),
                                       cmocka_unit_test(every_op_was_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
