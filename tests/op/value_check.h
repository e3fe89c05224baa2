/* value_check.h: comparison of an op's values, which ops had theirs checked, and graphs of one
   node. */
#ifndef HEED_TESTS_OP_VALUE_CHECK_H
#define HEED_TESTS_OP_VALUE_CHECK_H

#include "op_case.h"
#include "support/evaluate.h"

/* Ops whose values this program has checked. */
static bool covered[HEED_OP_COUNT];

/* Ops whose values test_values_rules.c checks; its last test fails unless it did. */
static const heed_op_id ops_with_rules[] = {HEED_OP_CAST,
                                            HEED_OP_CACHE_WRITE,
                                            HEED_OP_ACCUMULATE,
                                            HEED_OP_EXPERT_PERMUTATION,
                                            HEED_OP_EXPERT_DISPATCH,
                                            HEED_OP_BROADCAST,
                                            HEED_OP_RESHAPE};

static inline void check(const char *name, bool wide, int64_t at, double found, double expected,
                         double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%s, %s: element %lld is %.15g, expected %.15g", name, wide ? "double" : "float",
                 (long long)at, found, expected);
}

typedef struct {
    heed_op_id op;
    const void *attributes;
    int n;
    const heed_shape *shapes;
    const double *const *numbers;
} one_node;

/* One node over f32 inputs of fixed shapes, in the given precision; out[0] into `result`. */
static inline void run_one(bool wide, one_node node, double *result)
{
    const heed_op_id op = node.op;
    const void *attributes = node.attributes;
    const heed_shape *shapes = node.shapes;
    const double *const *numbers = node.numbers;
    const int n = node.n;
    heed_graph *graph = heed_graph_new();
    heed_value in[MAX_CASE_INPUTS];
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        in[i] = heed_input(graph, name, HEED_F32, shapes[i]);
    }
    heed_value y = heed_emit(graph, op, in, n, attributes, NULL);
    assert_ok(heed_graph_status(graph, &error));
    evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
    for (int i = 0; i < n; i++) evaluate_fill(&e, in[i], numbers[i]);
    evaluate_run(&e, graph->n_nodes);
    evaluate_check_marks(&e);
    for (int64_t at = 0; at < evaluate_count(&e, y); at++) result[at] = evaluate_get(&e, y, at);
    covered[op] = true;
    evaluate_free(&e);
    heed_graph_free(graph);
}

#endif
