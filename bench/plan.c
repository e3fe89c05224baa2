/* How long planning takes: a training graph of many values is built, and compiled on one thread.

     bench_plan [values ...]       10000 values unless others are given

   Prints the values of the graph, and seconds to build it with its gradient, to compile it, and to
   compile it with gradient checkpointing; medians of five. */
#include "base/clock.h"
#include "cpu/backend.h"
#include "graph/ir.h"
#include "graph/plan.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 5, ROWS = 64, WIDTH = 64, INNER = 192, MOST_WEIGHTS = 4096 };

/* x + down(gelu(up(norm(x)))), with weights of its own. */
static heed_value add_layer(heed_graph *graph, heed_value x, int layer, heed_value *weights)
{
    char name[32];
    snprintf(name, sizeof name, "%d.gain", layer);
    weights[0] = heed_parameter(graph, name, HEED_F32, heed_shape_1(WIDTH));
    snprintf(name, sizeof name, "%d.up", layer);
    weights[1] = heed_parameter(graph, name, HEED_F32, heed_shape_2(INNER, WIDTH));
    snprintf(name, sizeof name, "%d.down", layer);
    weights[2] = heed_parameter(graph, name, HEED_F32, heed_shape_2(WIDTH, INNER));
    heed_value h = heed_rms_norm(graph, x, weights[0], 1e-5f, 0);
    h = heed_unary(graph, HEED_UNARY_GELU, heed_linear(graph, h, weights[1], HEED_NONE));
    x = heed_add(graph, x, heed_linear(graph, h, weights[2], HEED_NONE));
    heed_checkpoint(graph, x);
    return x;
}

/* A graph of about so many values, its gradient accumulated into states. */
static heed_graph *build(int values, heed_error *error)
{
    static heed_value weights[MOST_WEIGHTS], gradients[MOST_WEIGHTS];
    const int layers = values / 23;
    int count = 0;
    heed_graph *graph = heed_graph_new();
    if (!graph) return NULL;
    heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, ROWS, WIDTH));
    for (int layer = 0; layer < layers && count + 3 <= MOST_WEIGHTS; layer++, count += 3)
        x = add_layer(graph, x, layer, weights + count);
    heed_value loss = heed_reduce(graph, HEED_REDUCE_SUM, heed_multiply(graph, x, x), -1, false);
    loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, 0, false);
    if (heed_graph_gradient(graph, loss, weights, count, gradients, error) == HEED_OK)
        for (int i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof name, "gradient.%d", i);
            heed_value state = heed_state(graph, name, HEED_F32,
                                          heed_value_shape(graph, weights[i]));
            heed_accumulate(graph, state, gradients[i]);
        }
    if (heed_graph_status(graph, error) == HEED_OK) return graph;
    heed_graph_free(graph);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double seconds[ROUNDS])
{
    qsort(seconds, ROUNDS, sizeof *seconds, by_value);
    return seconds[ROUNDS / 2];
}

/* Seconds to compile the graph with these passes; negative if that fails. */
static double compile(const heed_graph *graph, const heed_backend *backend, uint32_t passes,
                      heed_error *error)
{
    heed_plan *plan = NULL;
    const double start = heed_clock_seconds();
    if (heed_plan_new(graph, backend, &(heed_plan_options){.passes = passes}, &plan, error))
        return -1;
    const double seconds = heed_clock_seconds() - start;
    heed_plan_free(plan);
    return seconds;
}

static heed_status measure(int values, const heed_backend *backend, heed_error *error)
{
    double built[ROUNDS], plain[ROUNDS], checkpointed[ROUNDS];
    size_t count = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const double start = heed_clock_seconds();
        heed_graph *graph = build(values, error);
        built[i] = heed_clock_seconds() - start;
        if (!graph) return error->status;
        count = graph->n_values;
        plain[i] = compile(graph, backend, HEED_PASS_DEFAULT, error);
        checkpointed[i] = compile(graph, backend, HEED_PASS_DEFAULT | HEED_PASS_RECOMPUTE, error);
        heed_graph_free(graph);
        if (plain[i] < 0 || checkpointed[i] < 0) return error->status;
    }
    printf("%6zu values: %.4f s to build, %.4f s to compile, %.4f s with checkpointing\n", count,
           median(built), median(plain), median(checkpointed));
    return HEED_OK;
}

int main(int count, char **arguments)
{
    heed_error error = {0};
    heed_backend *backend = NULL;
    heed_isa isa;
    heed_status status = heed_isa_choose(&isa, &error);
    if (status == HEED_OK) status = heed_cpu_backend_new(&backend, 1, isa, &error);
    if (status == HEED_OK && count < 2) status = measure(10000, backend, &error);
    for (int i = 1; status == HEED_OK && i < count; i++)
        status = measure(atoi(arguments[i]), backend, &error);
    heed_cpu_backend_free(backend);
    if (status != HEED_OK) fprintf(stderr, "bench_plan: %s\n", error.message);
    return status != HEED_OK;
}
