/* Task heads and the terms of their losses. */
#include "model/build.h"
#include "tensor/dtype.h"

#include <string.h>

static bool is_scored(const heed_build *b)
{
    return b->spec->purpose == HEED_PURPOSE_LOSS || b->spec->purpose == HEED_PURPOSE_TRAIN;
}

/* Adds a term of the loss, given its unscaled sum (1). Its place among the terms is its place in
   loss_scale. */
static void add_term(heed_build *b, heed_value sum)
{
    int at = b->n_sums;
    b->sums[b->n_sums++] = sum;
    b->terms[b->n_terms++] = heed_multiply(b->graph, sum,
                                           heed_slice(b->graph, b->loss_scale, at, at + 1));
}

static void declare_scale(heed_build *b)
{
    heed_loss_term terms[4];
    int count = heed_engine_loss_terms(b->model, terms);
    if (is_scored(b) && count > 0 && b->loss_scale == HEED_NONE)
        b->loss_scale = heed_input(b->graph, "loss_scale", HEED_F32, heed_shape_1(count));
}

static heed_value gather_rows(heed_build *b, heed_value x)
{
    return heed_gather(b->graph, x,
                       heed_build_input(b, NULL, "rows", HEED_I32, HEED_EXTENT_GATHERED, 0));
}

/* Declares an input with one label per row of x. */
static heed_value labels_of(heed_build *b, heed_value x, const char *name)
{
    heed_shape labels = heed_value_shape(b->graph, x);
    labels.rank = 1;
    return heed_input(b->graph, name, HEED_I32, labels);
}

/* Adds the sum of the losses nll (rows) as a term, and makes nll an output unless `output` is
   NULL. */
static void add_losses(heed_build *b, heed_value nll, const char *output)
{
    if (output) heed_output(b->graph, output, nll);
    add_term(b, heed_nn_sum(b->graph, nll));
}

/* Adds the cross-entropy of logits (rows,C) and the labels in input `name` as a term. */
static void score_labels(heed_build *b, heed_value logits, const char *name, float smoothing,
                         const char *output)
{
    if (is_scored(b))
        add_losses(b, heed_cross_entropy(b->graph, logits, labels_of(b, logits, name), smoothing),
                   output);
}

/* Can the language model's losses be computed without storing its logits? Then the output matrix
   and the loss are one op. */
static bool needs_no_logits(const heed_build *b, const heed_nn_linear *matrix, heed_value bias)
{
    bool plain = b->config->logit_scale == 0 && b->config->logit_soft_cap <= 0 &&
                 (matrix->bias == HEED_NONE || bias == HEED_NONE);
    return b->spec->losses_only && is_scored(b) && !b->cotangents && plain && matrix->weight > 0 &&
           !heed_dtype_is_quantized(heed_value_dtype(b->graph, matrix->weight));
}

bool heed_build_balances(const heed_build *b)
{
    heed_loss_term terms[4];
    int count = heed_engine_loss_terms(b->model, terms);
    return is_scored(b) && count > 1 && strcmp(terms[count - 1].name, "balance") == 0;
}

/* Adds the load balance of the experts as a term: n X sum over x of (load / (L n)) (share / (L n)),
   where n is the number of counted rows. It is smallest if all experts are chosen equally often.
   Source: Fedus et al. 2021, eq. 4 to 6. */
static void balance(heed_build *b)
{
    if (b->load == HEED_NONE) return;
    heed_scope(b->graph, "head.balance");
    double layers = (double)b->routed_layers;
    heed_value sum = heed_nn_sum(b->graph, heed_multiply(b->graph, b->load, b->share));
    add_term(
        b, heed_divide(b->graph,
                       heed_scale(b->graph, sum, (double)b->config->experts / (layers * layers), 0),
                       heed_nn_sum(b->graph, b->counted)));
}

/* The head of a causal or masked language model: [dense layer, activation, norm,] output matrix. */
static void words(heed_build *b, heed_value x, const char *output)
{
    const heed_config *config = b->config;
    heed_scope(b->graph, "head.words");
    x = gather_rows(b, x);
    heed_nn_linear transform = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_TRANSFORM_WEIGHT,
                                                 HEED_ROLE_TRANSFORM_BIAS, 0);
    heed_nn_norm norm = heed_build_norm(b, HEED_STACK_MODEL, HEED_ROLE_TRANSFORM_NORM_GAIN, 0);
    if (transform.weight != HEED_NONE)
        x = heed_nn_transform(b->graph, x, &transform, (heed_unary_kind)config->activation, &norm);
    heed_nn_linear matrix = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_LM_WEIGHT,
                                              HEED_ROLE_LM_BIAS, 0);
    if (config->tied) matrix.weight = heed_build_token_table(b, b->main.stack_id);
    heed_value bias = heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_LOGITS_BIAS, 0);
    if (needs_no_logits(b, &matrix, bias)) {
        heed_value labels = labels_of(b, x, "labels"), own = bias != HEED_NONE ? bias : matrix.bias;
        add_losses(b,
                   heed_linear_cross_entropy(b->graph, x, matrix.weight, own, labels,
                                             b->spec->label_smoothing),
                   "nll");
        balance(b);
        return;
    }
    heed_value logits = heed_nn_apply(b->graph, x, &matrix);
    if (bias != HEED_NONE) logits = heed_add(b->graph, logits, bias);
    if (config->logit_scale != 0) logits = heed_scale(b->graph, logits, config->logit_scale, 0);
    logits = heed_nn_soft_cap(b->graph, logits, config->logit_soft_cap);
    heed_build_publish(b, logits, "%s", output);
    score_labels(b, logits, "labels", b->spec->label_smoothing, "nll");
    balance(b);
}

/* The row that represents each sequence, after the pooler if there is one. */
static heed_value pooled_row(heed_build *b, heed_value x)
{
    heed_scope(b->graph, "head.pooler");
    heed_value row = heed_gather(
        b->graph, x, heed_build_input(b, NULL, "pooled_rows", HEED_I32, HEED_EXTENT_SEQUENCES, 0));
    heed_nn_linear pooler = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_POOLER_WEIGHT,
                                              HEED_ROLE_POOLER_BIAS, 0);
    return pooler.weight == HEED_NONE ? row : heed_nn_pooler(b->graph, row, &pooler);
}

static heed_value classify(heed_build *b, heed_value x, heed_role weight, heed_value samples)
{
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, weight, (heed_role)(weight + 1),
                                              0);
    double rate = heed_build_rate(b, b->config->classifier_dropout, true);
    return heed_nn_apply(b->graph, heed_nn_dropout(b->graph, x, samples, rate), &linear);
}

static heed_value pooled_samples(heed_build *b)
{
    if (heed_build_rate(b, b->config->classifier_dropout, true) <= 0) return HEED_NONE;
    return heed_build_input(b, NULL, "pooled_samples", HEED_I32, HEED_EXTENT_SEQUENCES, 2);
}

static void relation(heed_build *b, heed_value x, const char *output)
{
    heed_value pooled = pooled_row(b, x);
    heed_scope(b->graph, "head.relation");
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_RELATION_WEIGHT,
                                              HEED_ROLE_RELATION_BIAS, 0);
    heed_value logits = heed_nn_apply(b->graph, pooled, &linear);
    heed_build_publish(b, logits, "%s", output);
    score_labels(b, logits, "class_labels", 0, NULL);
}

static void sequence_class(heed_build *b, heed_value x)
{
    heed_value pooled = pooled_row(b, x);
    heed_scope(b->graph, "head.class");
    heed_value logits = classify(b, pooled, HEED_ROLE_CLASS_WEIGHT, pooled_samples(b));
    heed_build_publish(b, logits, "logits");
    heed_problem problem = heed_build_problem(b->config, b->spec);
    if (problem == HEED_PROBLEM_SINGLE)
        score_labels(b, logits, "class_labels", b->spec->label_smoothing, NULL);
    else if (is_scored(b)) {
        heed_value targets = heed_input(b->graph, "targets", HEED_F32,
                                        heed_value_shape(b->graph, logits));
        if (problem == HEED_PROBLEM_MULTI)
            add_term(b, heed_nn_binary_cross_entropy(b->graph, logits, targets));
        else add_term(b, heed_nn_squared_error(b->graph, logits, targets));
    }
}

static void token_class(heed_build *b, heed_value x)
{
    heed_scope(b->graph, "head.class");
    /* Dropout comes before the gather because there the rows still have their sample ids. It acts
       on each row by itself. */
    double rate = heed_build_rate(b, b->config->classifier_dropout, true);
    x = gather_rows(b, heed_nn_dropout(b->graph, x, b->main.samples, rate));
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_CLASS_WEIGHT,
                                              HEED_ROLE_CLASS_BIAS, 0);
    heed_value logits = heed_nn_apply(b->graph, x, &linear);
    heed_build_publish(b, logits, "logits");
    score_labels(b, logits, "labels", b->spec->label_smoothing, "nll");
}

/* Writes scores (rows,1) into a grid (B,T), so that each line of it has one softmax over its
   columns. */
static heed_value grid_of(heed_build *b, heed_value scores, heed_value places, heed_value bias)
{
    int64_t lines = b->spec->sequences, columns = b->spec->queries;
    heed_value column = heed_scatter_add(b->graph, scores, places,
                                         heed_shape_2(lines * columns, 1));
    return heed_add(b->graph, heed_reshape(b->graph, column, heed_shape_2(lines, columns)), bias);
}

static void question(heed_build *b, heed_value x)
{
    heed_scope(b->graph, "head.span");
    heed_nn_linear linear = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_SPAN_WEIGHT,
                                              HEED_ROLE_SPAN_BIAS, 0);
    heed_value logits = heed_nn_apply(b->graph, x, &linear);
    heed_value start = heed_slice(b->graph, logits, 0, 1), end = heed_slice(b->graph, logits, 1, 2);
    heed_build_publish(b, start, "start_logits");
    heed_build_publish(b, end, "end_logits");
    if (!is_scored(b)) return;
    heed_value places = heed_build_input(b, NULL, "places", HEED_I32, HEED_EXTENT_ROWS, 0);
    heed_value bias = heed_input(b->graph, "grid_bias", HEED_F32,
                                 heed_shape_2(b->spec->sequences, b->spec->queries));
    score_labels(b, grid_of(b, start, places, bias), "start_labels", 0, NULL);
    score_labels(b, grid_of(b, end, places, bias), "end_labels", 0, NULL);
}

static void choice(heed_build *b, heed_value x)
{
    heed_value pooled = pooled_row(b, x);
    heed_scope(b->graph, "head.choice");
    heed_value scores = classify(b, pooled, HEED_ROLE_CLASS_WEIGHT, pooled_samples(b));
    heed_build_publish(b, scores, "logits");
    if (!is_scored(b)) return;
    heed_value places = heed_build_input(b, NULL, "places", HEED_I32, HEED_EXTENT_SEQUENCES, 0);
    heed_value bias = heed_input(b->graph, "grid_bias", HEED_F32,
                                 heed_shape_2(b->spec->sequences, b->spec->queries));
    score_labels(b, grid_of(b, scores, places, bias), "grid_labels", 0, NULL);
}

/* A bare encoder has as outputs the pooled first row, and the mean of all rows scaled to length
   1. */
static void bare(heed_build *b, heed_value x)
{
    if (b->config->arrangement != HEED_ENCODER_ONLY) return;
    if (heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_POOLER_WEIGHT, 0) != HEED_NONE)
        heed_build_publish(b, pooled_row(b, x), "pooler_output");
    heed_scope(b->graph, "head.mean");
    heed_value table = heed_build_input(b, NULL, "pool_sequences", HEED_I32, HEED_EXTENT_SEQUENCES,
                                        HEED_SEQUENCE_FIELDS);
    heed_value mean = heed_sequence_mean(b->graph, x, table);
    heed_build_publish(b, mean, "mean_pooled");
    heed_build_publish(b, heed_nn_unit_rows(b->graph, mean), "sentence_embedding");
}

void heed_build_head(heed_build *b, heed_value x)
{
    declare_scale(b);
    switch ((heed_head)b->config->head) {
    case HEED_HEAD_CAUSAL_LM:
    case HEED_HEAD_MASKED_LM: words(b, x, "logits"); break;
    case HEED_HEAD_PRETRAINING:
        words(b, x, "prediction_logits");
        relation(b, x, "seq_relationship_logits");
        break;
    case HEED_HEAD_NEXT_SENTENCE: relation(b, x, "logits"); break;
    case HEED_HEAD_SEQUENCE_CLASS: sequence_class(b, x); break;
    case HEED_HEAD_TOKEN_CLASS: token_class(b, x); break;
    case HEED_HEAD_QUESTION: question(b, x); break;
    case HEED_HEAD_CHOICE: choice(b, x); break;
    case HEED_HEAD_NONE: bare(b, x); break;
    case HEED_HEAD_COUNT: break;
    }
}
