/* Every gradient case through the planner: with all passes, views, in-place results and shared
   buffers the same numbers as node by node in memory of its own; hence the flags of the records
   (in-place, view, row-local, random) are true. */
#include "gradient_cases.h"
#include "support/evaluate.h"

#include "base/rng.h"
#include "graph/plan.h"

enum { N_CASES = sizeof gradient_cases / sizeof *gradient_cases, MAX_KEPT = MAX_CASE_INPUTS + 2 };

typedef struct {
    heed_graph *graph;
    /* in: with the cotangent after the case's own */
    heed_value in[MAX_CASE_INPUTS + 1], kept[MAX_KEPT];
    int n_in, n_kept;
} built;

static built build_case(const op_case *c)
{
    built b = {.graph = heed_graph_new(), .n_in = c->n_in + 1};
    heed_value y = build_op(c, b.graph, b.in), wrt[MAX_CASE_INPUTS], dwrt[MAX_CASE_INPUTS];
    b.in[c->n_in] = heed_input(b.graph, "cotangent", HEED_F32, heed_value_shape(b.graph, y));
    heed_value loss = heed_multiply(b.graph, y, b.in[c->n_in]);
    while (heed_value_shape(b.graph, loss).rank)
        loss = heed_reduce(b.graph, HEED_REDUCE_SUM, loss, -1, false);
    int n = 0;
    for (int i = 0; i < c->n_in; i++)
        if (c->in[i].dtype != HEED_I32 && !c->in[i].fixed) wrt[n++] = b.in[i];
    assert_ok(heed_graph_gradient(b.graph, loss, wrt, n, dwrt, &error));
    b.kept[b.n_kept++] = loss;
    for (int i = 0; i < n; i++)
        if (dwrt[i] != HEED_NONE) b.kept[b.n_kept++] = dwrt[i];
    for (int i = 0; i < b.n_kept; i++) {
        char name[16];
        snprintf(name, sizeof name, "out%d", i);
        heed_output(b.graph, name, b.kept[i]);
    }
    return b;
}

static double value_of(const op_case *c, int input, int64_t at)
{
    if (input < c->n_in && c->in[input].integers) return c->in[input].integers[at];
    /* positive, exact in bf16, away from kinks */
    return 0.5 + (double)((37 * at + 11 * input) % 23) / 16 + (double)(at % 7);
}

/* Fills input `input` of the plan: rows one after the other. */
static void fill(const op_case *c, const built *b, const evaluation *e, int input, char *data)
{
    size_t element = evaluate_element(e, e->operands[b->in[input]].dtype);
    for (int64_t at = 0; at < evaluate_count(e, b->in[input]); at++) {
        evaluate_set(e, b->in[input], at, value_of(c, input, at));
        memcpy(data + (size_t)at * element,
               (char *)e->operands[b->in[input]].data +
                   (size_t)evaluate_place(&e->operands[b->in[input]], at) * element,
               element);
    }
}

static double planned_value(const heed_operand *operand, bool wide, int64_t at)
{
    int64_t place = evaluate_place(operand, at);
    return wide ? ((const double *)operand->data)[place] : ((const float *)operand->data)[place];
}

static void run_case(const op_case *c, bool wide, uint32_t passes)
{
    built b = build_case(c);
    heed_backend backend = {.name = "reference"};
    heed_plan_options options = {.passes = passes, .double_precision = wide};
    heed_plan *plan = NULL;
    heed_workspace *workspace = heed_workspace_new();
    heed_runtime runtime = runtime_of(c);
    evaluation e = evaluate_new(b.graph, wide, runtime);
    assert_ok(heed_plan_new(b.graph, &backend, &options, &plan, &error));
    assert_ok(heed_workspace_reserve(workspace, plan, &error));
    for (int i = 0; i < b.n_in; i++) {
        char name[16];
        snprintf(name, sizeof name, i < c->n_in ? "in%d" : "cotangent", i);
        fill(c, &b, &e, i, heed_plan_input(plan, workspace, name));
    }
    evaluate_run(&e, b.graph->n_nodes);
    assert_ok(heed_plan_run(plan, workspace, NULL, &runtime, NULL, &error));
    for (int i = 0; i < b.n_kept; i++) {
        char name[16];
        heed_operand found;
        snprintf(name, sizeof name, "out%d", i);
        assert_ok(heed_plan_output(plan, workspace, name, &found, &error));
        assert_true(heed_shape_equal(found.shape, e.operands[b.kept[i]].shape));
        for (int64_t at = 0; at < evaluate_count(&e, b.kept[i]); at++) {
            double expected = evaluate_get(&e, b.kept[i], at),
                   value = planned_value(&found, wide, at);
            /* only fusion may round differently */
            double tolerance = wide ? 1e-12 : 1e-5;
            if (passes != HEED_PASS_DEFAULT) tolerance = 0;
            if (!(fabs(value - expected) <= tolerance * fmax(1, fabs(expected))))
                fail_msg("%s (%s), %s, passes %x: %s, element %lld: %.15g planned, %.15g alone",
                         heed_ops[c->op]->name, c->name, wide ? "double" : "float", passes, name,
                         (long long)at, value, expected);
        }
    }
    heed_plan_free(plan);
    heed_workspace_free(workspace);
    evaluate_free(&e);
    heed_graph_free(b.graph);
}

static void planned_values_are_those_of_single_nodes(void **state)
{
    (void)state;
    const uint32_t passes[] = {HEED_PASS_NONE, HEED_PASS_DEAD | HEED_PASS_REUSE,
                               HEED_PASS_DEAD | HEED_PASS_COMMON | HEED_PASS_REUSE,
                               HEED_PASS_DEFAULT};
    for (int i = 0; i < N_CASES; i++)
        for (int wide = 0; wide < 2; wide++)
            for (size_t p = 0; p < sizeof passes / sizeof *passes; p++)
                run_case(&gradient_cases[i], wide, passes[p]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(planned_values_are_those_of_single_nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
