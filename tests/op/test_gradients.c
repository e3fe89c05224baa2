/* Every op's gradient against differences in double precision, every element of every input; float
   kernels against double ones. loss = sum(y * cotangent), the cotangent random. The difference
   quotient has four points: its error is of order h^4. */
#include "gradient_cases.h"
#include "support/evaluate.h"
#include "support/unary_domain.h"

#include "base/rng.h"
#include "graph/plan.h"

enum { N_CASES = sizeof gradient_cases / sizeof *gradient_cases };

static double draw(heed_rng *rng, const op_case *c, drawing drawing, int64_t at)
{
    static const double kinks[] = {-3, 0, 3, 6, 10};
    if (drawing == EIGHTHS) return (double)(int64_t)heed_rng_below(rng, 17) / 8 - 1;
    if (drawing == DISTINCT)
        return (float)((double)(at * 7 % 31) / 4 - 3 + heed_rng_uniform(rng) / 10);
    const bool half_line = c->op == HEED_OP_UNARY && unary_needs_positive(c->p[0]);
    if (drawing == POSITIVE || half_line) return (float)(0.5 + 2 * heed_rng_uniform(rng));
    for (;;) {
        double x = (float)(heed_rng_normal(rng) * (drawing == KINKLESS ? 4 : 1));
        bool near = false;
        for (size_t i = 0; i < sizeof kinks / sizeof *kinks; i++)
            near = near || (drawing == KINKLESS && fabs(x - kinks[i]) < 2e-3);
        if (!near) return x;
    }
}

typedef struct {
    heed_graph *graph;
    heed_value in[MAX_CASE_INPUTS], cotangent, loss, wrt[MAX_CASE_INPUTS], dwrt[MAX_CASE_INPUTS];
    int n_wrt;
    size_t n_forward;
} built;

static built build_case(const op_case *c)
{
    built b = {.graph = heed_graph_new()};
    heed_value y = build_op(c, b.graph, b.in);
    for (int i = 0; i < c->n_in; i++)
        if (c->in[i].dtype != HEED_I32 && !c->in[i].fixed) b.wrt[b.n_wrt++] = b.in[i];
    b.cotangent = heed_input(b.graph, "cotangent", HEED_F32, heed_value_shape(b.graph, y));
    b.loss = heed_multiply(b.graph, y, b.cotangent);
    while (heed_value_shape(b.graph, b.loss).rank)
        b.loss = heed_reduce(b.graph, HEED_REDUCE_SUM, b.loss, -1, false);
    b.n_forward = b.graph->n_nodes;
    heed_error error = {0};
    if (heed_graph_gradient(b.graph, b.loss, b.wrt, b.n_wrt, b.dwrt, &error) != HEED_OK)
        fail_msg("%s: %s", c->name, error.message);
    return b;
}

static void fill(const built *b, const op_case *c, const evaluation *e)
{
    heed_rng rng = {.seed = 1};
    for (int i = 0; i < c->n_in; i++)
        for (int64_t at = 0; at < evaluate_count(e, b->in[i]); at++)
            evaluate_set(e, b->in[i], at,
                         c->in[i].integers ? c->in[i].integers[at]
                                           : draw(&rng, c, c->in[i].drawing, at));
    for (int64_t at = 0; at < evaluate_count(e, b->cotangent); at++)
        evaluate_set(e, b->cotangent, at, (float)heed_rng_normal(&rng));
}

static double loss_at(const built *b, const evaluation *e, heed_value input, int64_t at, double x)
{
    evaluate_set(e, input, at, x);
    evaluate_run(e, b->n_forward);
    return evaluate_get(e, b->loss, 0);
}

static void compare_with_differences(const built *b, const op_case *c, const evaluation *e)
{
    double loss = evaluate_get(e, b->loss, 0);
    for (int i = 0; i < b->n_wrt; i++) {
        heed_value x = b->wrt[i], dx = b->dwrt[i];
        /* narrow values: exact steps of a linear op */
        double largest = 0, h = heed_value_dtype(b->graph, x) == HEED_F32 ? 4e-4 : 0.125;
        if (dx != HEED_NONE &&
            !heed_shape_equal(heed_value_shape(b->graph, x), heed_value_shape(b->graph, dx)))
            fail_msg("%s: the gradient of input %d has another shape", c->name, i);
        for (int64_t at = 0; dx != HEED_NONE && at < evaluate_count(e, x); at++)
            largest = fmax(largest, fabs(evaluate_get(e, dx, at)));
        for (int64_t at = 0; at < evaluate_count(e, x); at++) {
            double kept = evaluate_get(e, x, at),
                   found = dx == HEED_NONE ? 0 : evaluate_get(e, dx, at);
            double inner = loss_at(b, e, x, at, kept + h) - loss_at(b, e, x, at, kept - h);
            double outer = loss_at(b, e, x, at, kept + 2 * h) - loss_at(b, e, x, at, kept - 2 * h);
            double expected = (8 * inner - outer) / (12 * h);
            evaluate_set(e, x, at, kept);
            if (!(fabs(found - expected) <= 1e-7 * largest + 1e-10 * fabs(loss)))
                fail_msg("%s (%s): gradient of input %d, element %lld: %.12g, by differences "
                         "%.12g, largest %.6g",
                         heed_ops[c->op]->name, c->name, i, (long long)at, found, expected,
                         largest);
        }
    }
}

/* Every value of the graph, forward and backward. */
static void compare_float_with_double(const built *b, const op_case *c, const evaluation *wide,
                                      const evaluation *narrow)
{
    for (size_t v = 1; v < b->graph->n_values; v++) {
        double largest = 1;
        for (int64_t at = 0; at < evaluate_count(wide, (heed_value)v); at++)
            largest = fmax(largest, fabs(evaluate_get(wide, (heed_value)v, at)));
        for (int64_t at = 0; at < evaluate_count(wide, (heed_value)v); at++) {
            double expected = evaluate_get(wide, (heed_value)v, at),
                   found = evaluate_get(narrow, (heed_value)v, at);
            if (!(fabs(found - expected) <= 1e-5 * largest))
                fail_msg("%s (%s): value %zu, element %lld: float %.9g, double %.9g",
                         heed_ops[c->op]->name, c->name, v, (long long)at, found, expected);
        }
    }
}

static void every_gradient_agrees_with_differences(void **state)
{
    (void)state;
    bool covered[HEED_OP_COUNT] = {false};
    for (int i = 0; i < N_CASES; i++) {
        const op_case *c = &gradient_cases[i];
        built b = build_case(c);
        bool has_op = false;
        for (size_t n = 0; n < b.n_forward; n++) has_op = has_op || b.graph->nodes[n].id == c->op;
        if (!has_op) fail_msg("%s: the graph has no %s", c->name, heed_ops[c->op]->name);
        covered[c->op] = true;
        evaluation wide = evaluate_new(b.graph, true, runtime_of(c)),
                   narrow = evaluate_new(b.graph, false, runtime_of(c));
        fill(&b, c, &wide);
        fill(&b, c, &narrow);
        evaluate_run(&wide, b.graph->n_nodes);
        evaluate_run(&narrow, b.graph->n_nodes);
        compare_float_with_double(&b, c, &wide, &narrow);
        compare_with_differences(&b, c, &wide);
        evaluate_check_marks(&wide);
        evaluate_check_marks(&narrow);
        evaluate_free(&wide);
        evaluate_free(&narrow);
        heed_graph_free(b.graph);
    }
    for (int op = 0; op < HEED_OP_COUNT; op++)
        if (heed_ops[op]->gradient && !covered[op])
            fail_msg("%s has a gradient and no case", heed_ops[op]->name);
}

static void every_op_without_gradient_says_why(void **state)
{
    (void)state;
    for (int op = 0; op < HEED_OP_COUNT; op++) {
        const heed_op *record = heed_ops[op];
        if (!record->gradient != (record->no_gradient && strlen(record->no_gradient) > 10))
            fail_msg("%s: gradient or reason", record->name);
    }
    heed_graph *graph = heed_graph_new();
    heed_value frequencies = heed_parameter(graph, "frequencies", HEED_F32, heed_shape_1(2)), d;
    heed_value table = heed_rotary_table(
        graph, heed_input(graph, "positions", HEED_I32, heed_shape_1(1)), frequencies, 1);
    heed_value loss = heed_reduce(graph, HEED_REDUCE_SUM,
                                  heed_reduce(graph, HEED_REDUCE_SUM, table, 0, false), 0, false);
    assert_fails(HEED_E_UNSUPPORTED, "rotary_table has no gradient",
                 heed_graph_gradient(graph, loss, &frequencies, 1, &d, &error));
    heed_graph_free(graph);
}

/* Rounding counts as the identity: the slope of f32 -> bf16 -> f32 is 1 everywhere, in either
   precision. */
static void rounding_passes_gradients_straight_through(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_2(1, 3)),
                   w = heed_input(graph, "w", HEED_F32, heed_shape_2(1, 3)), dx;
        heed_value y = heed_multiply(graph,
                                     heed_cast(graph, heed_cast(graph, x, HEED_BF16), HEED_F32), w);
        heed_value loss = heed_reduce(graph, HEED_REDUCE_SUM,
                                      heed_reduce(graph, HEED_REDUCE_SUM, y, 1, false), 0, false);
        assert_ok(heed_graph_gradient(graph, loss, &x, 1, &dx, &error));
        assert_int_equal(heed_value_dtype(graph, dx), HEED_F32);
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, x, (double[]){1.001, -3.14159, 0.1});
        evaluate_fill(&e, w, (double[]){2, 3, 5});
        evaluate_run(&e, graph->n_nodes);
        for (int i = 0; i < 3; i++) assert_true(evaluate_get(&e, dx, i) == evaluate_get(&e, w, i));
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Matmuls of operands rounded to bf16: so are those of their gradients, dy included, while the
   rounding itself counts as the identity. One expert, which has all rows, makes an expert matmul
   the same thing. */
static void gradients_of_bf16_matmuls_round_their_operands(void **state)
{
    (void)state;
    enum { M = 3, N = 2, K = 5 };
    for (int expert = 0; expert < 2; expert++)
        for (int wide = 0; wide < 2; wide++) {
            heed_graph *graph = heed_graph_new();
            heed_shape x_shape = expert ? heed_shape_of(3, (int64_t[]){M, 1, K})
                                        : heed_shape_2(M, K),
                       y_shape = x_shape;
            y_shape.dim[y_shape.rank - 1] = N;
            heed_value x = heed_input(graph, "x", HEED_F32, x_shape),
                       dy = heed_input(graph, "dy", HEED_F32, y_shape), d[2];
            heed_value w = heed_parameter(graph, "w", HEED_F32,
                                          expert ? heed_shape_of(3, (int64_t[]){1, N, K})
                                                 : heed_shape_2(N, K));
            heed_value offsets = heed_input(graph, "offsets", HEED_I32, heed_shape_1(2));
            heed_expert_matmul_attributes attributes = {.transpose_b = 1,
                                                        .activation = HEED_UNARY_LINEAR};
            heed_value y = expert ? heed_emit(graph, HEED_OP_EXPERT_MATMUL,
                                              (heed_value[]){x, w, offsets}, 3, &attributes, NULL)
                                  : heed_matmul(graph, x, w, false, true);
            heed_value loss = heed_multiply(graph, y, dy);
            while (heed_value_shape(graph, loss).rank)
                loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, -1, false);
            assert_ok(heed_pass_precision(graph, &error));
            assert_ok(heed_graph_gradient(graph, loss, (heed_value[]){x, w}, 2, d, &error));
            evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
            /* of more bits than bf16 has */
            for (int i = 0; i < M * K; i++) evaluate_set(&e, x, i, (i % 7 - 3) * 0.3371);
            for (int i = 0; i < N * K; i++) evaluate_set(&e, w, i, (i % 5 - 1) * 1.0173);
            for (int i = 0; i < M * N; i++) evaluate_set(&e, dy, i, (i % 4 - 1.5) * 0.7791);
            evaluate_fill(&e, offsets, (double[]){0, M});
            evaluate_run(&e, graph->n_nodes);
#define ROUNDED(value, at) (double)heed_round_operand((float)evaluate_get(&e, value, at))
            for (int i = 0; i < M * N; i++) {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += ROUNDED(x, i / N * K + k) * ROUNDED(w, i % N * K + k);
                assert_true(fabs(evaluate_get(&e, y, i) - sum) < 1e-6);
            }
            for (int i = 0; i < M * K; i++) {
                double sum = 0;
                for (int n = 0; n < N; n++)
                    sum += ROUNDED(dy, i / K * N + n) * ROUNDED(w, n * K + i % K);
                assert_true(fabs(evaluate_get(&e, d[0], i) - sum) < 1e-6);
            }
            for (int i = 0; i < N * K; i++) {
                double sum = 0;
                for (int m = 0; m < M; m++)
                    sum += ROUNDED(dy, m * N + i / K) * ROUNDED(x, m * K + i % K);
                assert_true(fabs(evaluate_get(&e, d[1], i) - sum) < 1e-6);
            }
#undef ROUNDED
            evaluate_free(&e);
            heed_graph_free(graph);
        }
}

/* An embedding whose row 2 is frozen: its values as ever, no gradient to that row, the same
   gradient to all others. */
static void a_frozen_row_gets_no_gradient(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value table = heed_parameter(graph, "table", HEED_F32, heed_shape_2(4, 2)),
                   index = heed_input(graph, "index", HEED_I32, heed_shape_1(5));
        heed_value y = heed_embedding(graph, table, index, 2), d,
                   w = heed_input(graph, "w", HEED_F32, heed_shape_2(5, 2));
        heed_value loss = heed_reduce(
            graph, HEED_REDUCE_SUM,
            heed_reduce(graph, HEED_REDUCE_SUM, heed_multiply(graph, y, w), 1, false), 0, false);
        assert_ok(heed_graph_gradient(graph, loss, &table, 1, &d, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, table, (double[]){1, 2, 3, 4, 5, 6, 7, 8});
        evaluate_fill(&e, index, (double[]){2, 0, 3, 2, 3});
        evaluate_fill(&e, w, (double[]){1, 1, 2, 3, 5, 7, 1, 1, 11, 13});
        evaluate_run(&e, graph->n_nodes);
        const double rows[10] = {5, 6, 1, 2, 7, 8, 5, 6, 7, 8},
                     expected[8] = {2, 3, 0, 0, 0, 0, 16, 20};
        for (int i = 0; i < 10; i++) assert_true(evaluate_get(&e, y, i) == rows[i]);
        for (int i = 0; i < 8; i++) assert_true(evaluate_get(&e, d, i) == expected[i]);
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gradient_agrees_with_differences),
        cmocka_unit_test(every_op_without_gradient_says_why),
        cmocka_unit_test(rounding_passes_gradients_straight_through),
        cmocka_unit_test(gradients_of_bf16_matmuls_round_their_operands),
        cmocka_unit_test(a_frozen_row_gets_no_gradient)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
