/* Attention, forward and forward + backward, in GFLOP/s: lengths 512 to 8192, head widths 64 and 128, with and without the causal
   mask (which counts half the work). bench_attention [-t threads] [-s seconds a line]   (HEED_ISA chooses the instruction set) */
#include "base/clock.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "graph/attributes.h"
#include "graph/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 2, MAX_ROUNDS = 200 };

typedef struct { int64_t length; int width; bool causal, backward; } line;

/* Seconds: of the processor when there is one thread, so that other programs count less; of the clock otherwise. */
static double seconds_now(int threads)
{
    if (threads > 1) return heed_clock_seconds();
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static heed_graph *graph_of(const line *l)
{
    heed_graph *graph = heed_graph_new();
    heed_shape shape = heed_shape_live(HEED_EXTENT_ROWS, l->length, HEADS * l->width);
    heed_value in[HEED_ATTENTION_BACKWARD_INPUTS], out[HEED_MAX_OUTPUTS], gradient[HEED_MAX_OUTPUTS];
    for (int i = 0; i < HEED_ATTENTION_BACKWARD_INPUTS; i++) in[i] = HEED_NONE;
    in[HEED_ATTENTION_Q] = heed_input(graph, "q", HEED_F32, shape);
    in[HEED_ATTENTION_K] = heed_input(graph, "k", HEED_F32, shape);
    in[HEED_ATTENTION_V] = heed_input(graph, "v", HEED_F32, shape);
    in[HEED_ATTENTION_SEQUENCES] = heed_input(graph, "sequences", HEED_I32, heed_shape_live(HEED_EXTENT_SEQUENCES, 1, HEED_SEQUENCE_FIELDS));
    heed_attention_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.heads = attributes.kv_heads = HEADS, attributes.head_width = l->width, attributes.causal = l->causal, attributes.scale = 0.125f;
    heed_emit(graph, HEED_OP_ATTENTION, in, HEED_ATTENTION_INPUTS, &attributes, out);
    heed_output(graph, "y", out[0]);
    if (!l->backward) return graph;
    in[HEED_ATTENTION_Y] = out[0], in[HEED_ATTENTION_LSE] = out[1], in[HEED_ATTENTION_DY] = heed_input(graph, "dy", HEED_F32, shape);
    heed_emit(graph, HEED_OP_ATTENTION_BACKWARD, in, HEED_ATTENTION_BACKWARD_INPUTS, &attributes, gradient);
    heed_output(graph, "dq", gradient[0]);
    heed_output(graph, "dk", gradient[1]);
    heed_output(graph, "dv", gradient[2]);
    return graph;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds of a run; negative after an error, which is printed. */
static double time_line(const line *l, const heed_backend *backend, int threads, double seconds)
{
    static const char *const inputs[] = {"q", "k", "v", "dy"};
    heed_error error = {0};
    heed_graph *graph = graph_of(l);
    heed_plan *plan = NULL;
    heed_workspace *workspace = heed_workspace_new();
    double times[MAX_ROUNDS], result = -1;
    int rounds = 0;
    if (heed_plan_new(graph, backend, NULL, &plan, &error) != HEED_OK || heed_workspace_reserve(workspace, plan, &error) != HEED_OK) goto done;
    heed_rng rng = {.seed = 1};
    for (int i = 0; i < (l->backward ? 4 : 3); i++) {
        float *data = heed_plan_input(plan, workspace, inputs[i]);
        for (int64_t j = 0; j < l->length * HEADS * l->width; j++) data[j] = (float)heed_rng_normal(&rng);
    }
    int32_t *sequence = heed_plan_input(plan, workspace, "sequences");
    sequence[HEED_SEQUENCE_QUERY_LENGTH] = sequence[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)l->length;
    heed_runtime runtime = {.count = {[HEED_EXTENT_ROWS] = l->length, [HEED_EXTENT_SEQUENCES] = 1}};
    for (double spent = 0; rounds < MAX_ROUNDS && (spent < seconds || rounds < 3); rounds++) {
        double start = seconds_now(threads);
        if (heed_plan_run(plan, workspace, &(heed_binding){0}, &runtime, NULL, &error) != HEED_OK) goto done;
        spent += times[rounds] = seconds_now(threads) - start;
    }
    qsort(times, (size_t)rounds, sizeof *times, by_value);
    result = times[rounds / 2];
done:
    if (result < 0) fprintf(stderr, "%s\n", error.message);
    heed_workspace_free(workspace);
    heed_plan_free(plan);
    heed_graph_free(graph);
    return result;
}

int main(int argc, char **argv)
{
    int threads = 0;
    double seconds = 0.5;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "-t")) threads = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "-s")) seconds = atof(argv[i + 1]);
    }
    heed_error error = {0};
    heed_isa isa;
    heed_backend *backend = NULL;
    if (heed_isa_choose(&isa, &error) != HEED_OK || heed_cpu_backend_new(&backend, threads, isa, &error) != HEED_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    threads = backend->pool ? heed_pool_threads(backend->pool) : 1;
    char name[128];
    heed_cpu_name(name, sizeof name);
    printf("%s, %s, %d threads, %d heads; GFLOP/s, medians\n%8s %6s %7s %9s %9s\n", name, heed_isa_name(isa), threads, (int)HEADS, "length",
           "width", "mask", "forward", "both");
    for (int width = 64; width <= 128; width *= 2)
        for (int causal = 1; causal >= 0; causal--)
            for (int64_t length = 512; length <= 8192; length *= 2) {
                double work = 4.0 * (double)length * (double)length * width * HEADS / (causal ? 2 : 1);
                double forward = time_line(&(line){length, width, causal, false}, backend, threads, seconds);
                double both = time_line(&(line){length, width, causal, true}, backend, threads, seconds);
                printf("%8lld %6d %7s %9.1f %9.1f\n", (long long)length, width, causal ? "causal" : "none", work / forward / 1e9, 3.5 * work / both / 1e9);
                fflush(stdout);
            }
    heed_cpu_backend_free(backend);
    return 0;
}
