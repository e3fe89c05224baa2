/* sample.h: a small two-layer causal language model with loss and gradients, for the invariants of
   the passes and the planner. */
#ifndef HEED_TESTS_GRAPH_SAMPLE_H
#define HEED_TESTS_GRAPH_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "graph/plan.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE_VOCABULARY = 23,
    SAMPLE_WIDTH = 12,
    SAMPLE_HEADS = 3,
    SAMPLE_INNER = 20,
    SAMPLE_LAYERS = 2,
    SAMPLE_MAX_WEIGHTS = 32
};

typedef struct sample {
    heed_graph *graph;
    heed_value weights[SAMPLE_MAX_WEIGHTS], gradients[SAMPLE_MAX_WEIGHTS];
    int n_weights;
    float *data[SAMPLE_MAX_WEIGHTS], *states[SAMPLE_MAX_WEIGHTS];
    void *bound[2 * SAMPLE_MAX_WEIGHTS];
    size_t n_bound;
} sample;

typedef struct sample_options {
    int64_t rows, sequences;
    bool gradients, accumulate, checkpoints, bf16;
    float dropout;
    bool constant, losses_only;
} sample_options;

static heed_value sample_weight(sample *s, int layer, const char *part, heed_shape shape,
                                const sample_options *options)
{
    char name[32];
    snprintf(name, sizeof name, "%d.%s", layer, part);
    heed_value value = options->constant ? heed_constant(s->graph, name, HEED_F32, shape)
                                         : heed_parameter(s->graph, name, HEED_F32, shape);
    size_t count = (size_t)heed_shape_elements(shape);
    heed_rng rng = {.seed = 5, .stream = (uint64_t)s->n_weights};
    s->data[s->n_weights] = calloc(count, sizeof(float));
    s->states[s->n_weights] = calloc(count, sizeof(float));
    for (size_t i = 0; i < count; i++)
        s->data[s->n_weights][i] = (float)(0.3 * heed_rng_normal(&rng)) +
                                   (shape.rank == 1 ? 1.0f : 0.0f);
    s->bound[s->n_bound++] = s->data[s->n_weights];
    s->weights[s->n_weights++] = value;
    return value;
}

static heed_value sample_layer(sample *s, heed_value x, heed_value sequences, heed_value samples,
                               int layer, const sample_options *options)
{
    heed_graph *g = s->graph;
#define WEIGHT(part, shape) sample_weight(s, layer, part, shape, options)
    heed_scope(g, "layer.%d.attention", layer);
    heed_shape square = heed_shape_2(SAMPLE_WIDTH, SAMPLE_WIDTH), line = heed_shape_1(SAMPLE_WIDTH);
    heed_value h = heed_rms_norm(g, x, WEIGHT("norm1", line), 1e-5f, 0);
    heed_value q = heed_linear(g, h, WEIGHT("q", square), WEIGHT("qb", line)),
               k = heed_linear(g, h, WEIGHT("k", square), WEIGHT("kb", line)),
               v = heed_linear(g, h, WEIGHT("v", square), WEIGHT("vb", line));
    heed_attention_options how = {
        .heads = SAMPLE_HEADS,
        .kv_heads = SAMPLE_HEADS,
        .head_width = SAMPLE_WIDTH / SAMPLE_HEADS,
        .scale = heed_real(0.5),
        .causal = true,
    };
    heed_attention_inputs in = {q,         k,         v,         sequences, HEED_NONE,
                                HEED_NONE, HEED_NONE, HEED_NONE, HEED_NONE};
    heed_value a = heed_linear(g, heed_attention(g, &in, &how, NULL), WEIGHT("o", square),
                               HEED_NONE);
    x = heed_add(g, x, heed_dropout(g, a, samples, options->dropout));
    heed_scope(g, "layer.%d.feed_forward", layer);
    h = heed_rms_norm(g, x, WEIGHT("norm2", line), 1e-5f, 0);
    heed_shape wide = heed_shape_2(SAMPLE_INNER, SAMPLE_WIDTH),
               back = heed_shape_2(SAMPLE_WIDTH, SAMPLE_INNER);
    heed_value up = heed_linear(g, h, WEIGHT("up", wide), HEED_NONE);
    heed_value gate = heed_unary(g, HEED_UNARY_SILU,
                                 heed_linear(g, h, WEIGHT("gate", wide), HEED_NONE));
    x = heed_add(g, x, heed_linear(g, heed_multiply(g, gate, up), WEIGHT("down", back), HEED_NONE));
#undef WEIGHT
    if (options->checkpoints) heed_checkpoint(g, x);
    return x;
}

static inline void sample_build(sample *s, const sample_options *options)
{
    memset(s, 0, sizeof *s);
    heed_graph *g = s->graph = heed_graph_new();
    assert_non_null(g);
    int64_t n = options->rows;
    heed_value ids = heed_input(g, "ids", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, n, 0));
    heed_value labels = heed_input(g, "labels", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, n, 0));
    heed_value samples = heed_input(g, "samples", HEED_I32,
                                    heed_shape_live(HEED_EXTENT_ROWS, n, 2));
    heed_value sequences = heed_input(
        g, "sequences", HEED_I32,
        heed_shape_live(HEED_EXTENT_SEQUENCES, options->sequences, HEED_SEQUENCE_FIELDS));
    heed_value table = sample_weight(s, 0, "embedding",
                                     heed_shape_2(SAMPLE_VOCABULARY, SAMPLE_WIDTH), options);
    heed_value x = heed_gather(g, table, ids);
    if (options->checkpoints) heed_checkpoint(g, x);
    for (int layer = 0; layer < SAMPLE_LAYERS; layer++)
        x = sample_layer(s, x, sequences, samples, layer, options);
    heed_scope(g, "head");
    heed_value losses;
    if (options->losses_only)
        losses = heed_linear_cross_entropy(g, x, table, HEED_NONE, labels, 0.1f);
    else {
        heed_value logits = heed_matmul(g, x, table, false, true);
        heed_output(g, "logits", logits);
        losses = heed_cross_entropy(g, logits, labels, 0.1f);
    }
    heed_value loss = heed_reduce(g, HEED_REDUCE_SUM, losses, 0, false);
    if (options->losses_only)
        loss = heed_multiply(g, loss,
                             heed_input(g, "loss_scale", HEED_F32, heed_shape_of(0, NULL)));
    heed_output(g, "loss", loss);
    heed_error error = {0};
    if (options->bf16) assert_int_equal(heed_pass_precision(g, &error), HEED_OK);
    if (options->gradients) {
        assert_int_equal(
            heed_graph_gradient(g, loss, s->weights, s->n_weights, s->gradients, &error), HEED_OK);
        for (int i = 0; i < s->n_weights; i++) {
            char name[32];
            assert_true(s->gradients[i] > 0);
            snprintf(name, sizeof name, "gradient.%d", i);
            heed_value out = s->gradients[i];
            if (options->accumulate) {
                heed_value state = heed_state(g, name, HEED_F32,
                                              heed_value_shape(g, s->weights[i]));
                s->bound[s->n_bound++] = s->states[i];
                heed_accumulate(g, state, out);
            } else heed_output(g, name, out);
        }
    }
    assert_int_equal(heed_graph_status(g, &error), HEED_OK);
}

static inline void sample_free(sample *s)
{
    heed_graph_free(s->graph);
    for (int i = 0; i < s->n_weights; i++) {
        free(s->data[i]);
        free(s->states[i]);
    }
}

/* Fills the inputs for sequences of these lengths, laid end to end; returns the runtime. */
static inline heed_runtime sample_fill(const heed_plan *plan, heed_workspace *workspace,
                                       const int *lengths, int count)
{
    int32_t *ids = heed_plan_input(plan, workspace, "ids"),
            *labels = heed_plan_input(plan, workspace, "labels");
    int32_t *samples = heed_plan_input(plan, workspace, "samples"),
            *sequences = heed_plan_input(plan, workspace, "sequences");
    heed_runtime runtime = {.seed = 3, .step = 1};
    int row = 0;
    for (int b = 0; b < count; b++) {
        int32_t fields[HEED_SEQUENCE_FIELDS] = {row, lengths[b], row, lengths[b], 0, b, b, 0};
        memcpy(sequences + b * HEED_SEQUENCE_FIELDS, fields, sizeof fields);
        for (int t = 0; t < lengths[b]; t++, row++) {
            ids[row] = (b * 7 + t * 5) % SAMPLE_VOCABULARY;
            labels[row] = (b * 3 + t * 11) % SAMPLE_VOCABULARY;
            samples[2 * row] = b;
            samples[2 * row + 1] = t;
        }
    }
    heed_plan_input(plan, workspace, "unused"); /* test_passes.c: no result depends on it */
    float *scale = heed_plan_input(plan, workspace, "loss_scale");
    if (scale) *scale = 0.25f;
    runtime.count[HEED_EXTENT_ROWS] = row;
    runtime.count[HEED_EXTENT_SEQUENCES] = count;
    return runtime;
}

/* Sequences of these lengths. */
typedef struct {
    const int *lengths;
    int count;
} sample_batch;

static inline heed_status sample_run(const sample *s, const heed_plan *plan,
                                     heed_workspace *workspace, sample_batch batch,
                                     const heed_observer *observer, heed_error *error)
{
    assert_int_equal(heed_workspace_reserve(workspace, plan, error), HEED_OK);
    heed_runtime runtime = sample_fill(plan, workspace, batch.lengths, batch.count);
    heed_binding binding = {s->bound, s->n_bound};
    return heed_plan_run(plan, workspace, &binding, &runtime, observer, error);
}

/* Largest difference between an output of two plans, relative to its largest element. */
static inline double sample_difference(const heed_plan *a, const heed_workspace *wa,
                                       const heed_plan *b, const heed_workspace *wb,
                                       const char *name)
{
    heed_operand x, y;
    assert_int_equal(heed_plan_output(a, wa, name, &x, NULL), HEED_OK);
    assert_int_equal(heed_plan_output(b, wb, name, &y, NULL), HEED_OK);
    assert_true(heed_shape_equal(x.shape, y.shape) || x.shape.dim[0] == y.shape.dim[0]);
    double difference = 0, largest = 1e-30;
    for (int64_t i = 0; i < heed_shape_rows(x.shape); i++)
        for (int64_t j = 0; j < heed_shape_columns(x.shape); j++) {
            double p = ((float *)x.data)[i * x.row_stride + j],
                   q = ((float *)y.data)[i * y.row_stride + j];
            difference = fmax(difference, fabs(p - q));
            largest = fmax(largest, fabs(p));
        }
    return difference / largest;
}

static const heed_backend sample_backend = {.name = "reference", .isa = HEED_ISA_GENERIC};

#endif
