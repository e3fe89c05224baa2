/* Heads of models with random weights, against plain loops over the last hidden states: which row
   stands for a sequence, what is between it and the output matrix, the loss. */
#include "cpu/backend.h"
#include "support/fixtures.h"

enum { BATCH = 2, TOKENS = 5, WIDTH = 16, CLASSES = 3, VOCABULARY = 20, END = 3, NARROW = 8 };

/* Sequence 1 has two tokens of padding; both have the end token. */
static const int64_t ids[BATCH * TOKENS] = {4, END, 7, END, 9, 5, 6, END, 0, 0};
static const int64_t mask[BATCH * TOKENS] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0};

typedef struct head_case {
    const char *name;
    uint8_t heads[HEED_MAX_HEADS];
    heed_pooled_row row;
    const heed_transform *pooler; /* NULL: none */
    int64_t places[BATCH];        /* the row that stands for each sequence; -1: the mean */
} head_case;

static const heed_transform tanh_layer = {
    .dense = true, .bias = true, .own_activation = true, .activation = HEED_UNARY_TANH};
static const heed_transform relu_layer = {
    .dense = true, .dropout = true, .own_activation = true, .activation = HEED_UNARY_RELU};
static const heed_transform normed_layer = {.dense = true, .norm = true, .every_row = true};

/* ---- the model ---- */

static heed_config config_of(const uint8_t heads[HEED_MAX_HEADS])
{
    heed_config c;
    assert_ok(heed_config_preset(&c, "heed", &error));
    c.arrangement = HEED_ENCODER_ONLY;
    c.vocabulary = VOCABULARY;
    c.d_model = WIDTH;
    c.context = 16;
    c.causal = c.gated = false;
    c.norm = HEED_NORM_LAYER;
    c.norm_bias = true;
    c.activation = HEED_UNARY_GELU;
    c.encoder = (heed_stack){.layers = 1, .heads = 2};
    c.labels = CLASSES;
    c.pad_id = 0;
    c.eos_id = END;
    memcpy(c.heads, heads, sizeof c.heads);
    return c;
}

/* Makes the model and draws all of its weights, biases too. */
static heed_model *model_of(heed_config *c, const heed_backend *backend)
{
    heed_model *model = NULL;
    uint32_t state = 12345;
    assert_ok(heed_config_complete(c, "test", &error));
    assert_ok(heed_model_new_random(
        &model, c, &(heed_model_options){.backend = backend, .training = true, .seed = 1}, &error));
    for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
        heed_parameter_info p = heed_model_parameter(model, i);
        for (size_t j = 0; j < p.elements; j++) {
            state = state * 1664525 + 1013904223;
            p.rows[j] = (float)(state >> 8) / (float)(1 << 23) - 1;
        }
    }
    return model;
}

/* Returns a parameter; NULL if the model has none of this name. */
static const float *weight(const heed_model *model, const char *name)
{
    for (size_t i = 0; i < heed_model_parameter_count(model); i++)
        if (strcmp(heed_model_parameter(model, i).name, name) == 0)
            return heed_model_parameter(model, i).rows;
    return NULL;
}

static heed_named_tensor integers(char *name, const int64_t *values, int rank)
{
    return (heed_named_tensor){
        .name = name, .dtype = HEED_I64, .rank = rank, .shape = {BATCH, TOKENS}, .data = values};
}

/* Runs the model over the batch with labels for it, or for its second head. */
static heed_tensor_list run(heed_model *model, const heed_backend *backend,
                            const heed_named_tensor *labels, size_t count)
{
    heed_named_tensor inputs[4] = {integers("in.input_ids", ids, 2),
                                   integers("in.attention_mask", mask, 2)};
    heed_tensor_list out = {0};
    for (size_t i = 0; i < count; i++) inputs[2 + i] = labels[i];
    assert_ok(heed_forward(model, backend, &(heed_forward_inputs){inputs, 2 + count},
                           &(heed_forward_options){0}, &out, &error));
    return out;
}

static const float *values(const heed_tensor_list *out, const char *name)
{
    const heed_named_tensor *found = named(out, name);
    if (!found) fail_msg("no output %s", name);
    return found->data;
}

/* ---- plain loops ---- */

static double activate(int64_t kind, double x)
{
    if (kind == HEED_UNARY_TANH) return tanh(x);
    if (kind == HEED_UNARY_RELU) return x > 0 ? x : 0;
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440)); /* gelu */
}

/* y (rows) = W (rows,columns) x + b, if there is a b. */
static void multiply(const heed_model *model, const char *stem, const double *x, int rows,
                     int columns, double *y)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", stem);
    const float *w = weight(model, name);
    snprintf(name, sizeof name, "%s.bias", stem);
    const float *b = weight(model, name);
    assert_non_null(w);
    for (int i = 0; i < rows; i++) {
        y[i] = b ? (double)b[i] : 0;
        for (int j = 0; j < columns; j++) y[i] += (double)w[i * columns + j] * x[j];
    }
}

static void normalize(const heed_model *model, const char *stem, double *x, int width)
{
    char name[64];
    double mean = 0, square = 0;
    snprintf(name, sizeof name, "%s.weight", stem);
    const float *gain = weight(model, name);
    snprintf(name, sizeof name, "%s.bias", stem);
    const float *bias = weight(model, name);
    for (int i = 0; i < width; i++) mean += x[i] / width;
    for (int i = 0; i < width; i++) square += (x[i] - mean) * (x[i] - mean) / width;
    for (int i = 0; i < width; i++)
        x[i] = (x[i] - mean) / sqrt(square + 1e-5) * (double)gain[i] + (double)bias[i];
}

static void pool(const heed_model *model, const heed_transform *t, double *x)
{
    double y[WIDTH];
    if (!t->dense) return;
    multiply(model, "pooler", x, WIDTH, WIDTH, y);
    for (int i = 0; i < WIDTH; i++)
        x[i] = activate(t->own_activation ? t->activation : HEED_UNARY_GELU, y[i]);
    if (t->norm) normalize(model, "pooler_norm", x, WIDTH);
}

/* The row at a place, or the mean of the rows that are seen. */
static void row_of(const float *hidden, int64_t b, int64_t place, double *x)
{
    double count = 0;
    memset(x, 0, WIDTH * sizeof *x);
    for (int64_t t = 0; t < TOKENS; t++) {
        if (place < 0 ? !mask[b * TOKENS + t] : t != place) continue;
        for (int i = 0; i < WIDTH; i++) x[i] += (double)hidden[(b * TOKENS + t) * WIDTH + i];
        count++;
    }
    for (int i = 0; i < WIDTH; i++) x[i] /= count;
}

static double cross_entropy(const double *logits, int classes, int64_t label)
{
    double sum = 0;
    for (int i = 0; i < classes; i++) sum += exp(logits[i]);
    return log(sum) - logits[label];
}

static void compare(const char *what, double expected, double found)
{
    if (!(fabs(expected - found) <= 2e-5 * (1 + fabs(expected))))
        fail_msg("%s: expected %.7g, found %.7g", what, expected, found);
}

/* ---- tests ---- */

static const head_case cases[] = {
    {"first", {HEED_HEAD_SEQUENCE_CLASS}, HEED_POOLED_USUAL, NULL, {0, 0}},
    {"first, tanh", {HEED_HEAD_SEQUENCE_CLASS}, HEED_POOLED_FIRST, &tanh_layer, {0, 0}},
    {"last, relu", {HEED_HEAD_SEQUENCE_CLASS}, HEED_POOLED_LAST, &relu_layer, {4, 2}},
    {"end, tanh", {HEED_HEAD_SEQUENCE_CLASS}, HEED_POOLED_END, &tanh_layer, {3, 2}},
    {"mean, norm", {HEED_HEAD_SEQUENCE_CLASS}, HEED_POOLED_MEAN, &normed_layer, {-1, -1}},
    {"sentence order", {HEED_HEAD_SENTENCE_ORDER}, HEED_POOLED_USUAL, &tanh_layer, {0, 0}},
    {"next sentence", {HEED_HEAD_NEXT_SENTENCE}, HEED_POOLED_USUAL, &tanh_layer, {0, 0}},
};

static void check_pooled(const head_case *c, const heed_backend *backend)
{
    static const int64_t labels[BATCH] = {1, 0};
    heed_config config = config_of(c->heads);
    bool classes = c->heads[0] == HEED_HEAD_SEQUENCE_CLASS;
    int count = classes ? CLASSES : 2;
    double loss = 0;
    config.pooled_row = c->row;
    if (c->pooler) config.pooler = *c->pooler;
    heed_model *model = model_of(&config, backend);
    heed_named_tensor given = {
        .name = "in.labels", .dtype = HEED_I64, .rank = 1, .shape = {BATCH}, .data = labels};
    heed_tensor_list out = run(model, backend, &given, 1);
    const float *hidden = values(&out, "out.last_hidden_state");
    for (int64_t b = 0; b < BATCH; b++) {
        double x[WIDTH], logits[CLASSES];
        row_of(hidden, b, c->places[b], x);
        pool(model, &config.pooler, x);
        multiply(model, classes ? "classifier" : "relation", x, count, WIDTH, logits);
        for (int i = 0; i < count; i++)
            compare(c->name, logits[i], (double)values(&out, "out.logits")[b * count + i]);
        loss += cross_entropy(logits, count, labels[b]) / BATCH;
    }
    compare(c->name, loss, (double)*values(&out, "loss"));
    heed_tensor_list_free(&out);
    heed_model_release(model);
}

static heed_backend *backend_of_tests(void)
{
    heed_backend *backend = NULL;
    heed_isa isa = HEED_ISA_GENERIC;
    assert_ok(heed_isa_choose(&isa, &error));
    assert_ok(heed_cpu_backend_new(&backend, 2, isa, &error));
    return backend;
}

/* The score of the first of two choices whose first token the mask hides. */
static double score_of_hidden(heed_model *model, const heed_backend *backend, int64_t first)
{
    static const int64_t hidden[BATCH * TOKENS] = {0, 1, 1, 1, 1, 1, 1, 1, 0, 0};
    int64_t changed[BATCH * TOKENS];
    heed_tensor_list out = {0};
    memcpy(changed, ids, sizeof ids);
    changed[0] = first;
    heed_named_tensor inputs[2] = {integers("in.input_ids", changed, 3),
                                   integers("in.attention_mask", hidden, 3)};
    for (int i = 0; i < 2; i++)
        memcpy(inputs[i].shape, (int64_t[]){1, BATCH, TOKENS}, 3 * sizeof(int64_t));
    assert_ok(heed_forward(model, backend, &(heed_forward_inputs){inputs, 2},
                           &(heed_forward_options){0}, &out, &error));
    const double score = values(&out, "out.logits")[0];
    heed_tensor_list_free(&out);
    return score;
}

/* The first row stands for a choice even if the mask hides it, so that its token counts, unless the
   configuration wants the first row that is seen. */
static void choices_with_a_hidden_token(void **state)
{
    (void)state;
    static const uint8_t heads[HEED_MAX_HEADS] = {HEED_HEAD_CHOICE};
    heed_backend *backend = backend_of_tests();
    for (int seen = 0; seen < 2; seen++) {
        heed_config config = config_of(heads);
        config.pooled_row = seen ? HEED_POOLED_FIRST : HEED_POOLED_USUAL;
        heed_model *model = model_of(&config, backend);
        const double a = score_of_hidden(model, backend, 4), b = score_of_hidden(model, backend, 8);
        assert_true(isfinite(a) && isfinite(b));
        assert_int_equal(a == b, seen);
        heed_model_release(model);
    }
    heed_cpu_backend_free(backend);
}

static void pooled_heads(void **state)
{
    (void)state;
    heed_backend *backend = backend_of_tests();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_pooled(&cases[i], backend);
    heed_cpu_backend_free(backend);
}

/* A pooler for every row stands before the class of each token. */
static void token_classes_after_a_layer(void **state)
{
    (void)state;
    heed_backend *backend = backend_of_tests();
    heed_config config = config_of((const uint8_t[HEED_MAX_HEADS]){HEED_HEAD_TOKEN_CLASS});
    config.pooler = normed_layer;
    heed_model *model = model_of(&config, backend);
    heed_tensor_list out = run(model, backend, NULL, 0);
    for (int64_t at = 0; at < BATCH * TOKENS; at++) {
        double x[WIDTH], logits[CLASSES];
        if (!mask[at]) continue;
        row_of(values(&out, "out.last_hidden_state"), at / TOKENS, at % TOKENS, x);
        pool(model, &config.pooler, x);
        multiply(model, "classifier", x, CLASSES, WIDTH, logits);
        for (int i = 0; i < CLASSES; i++)
            compare("tags", logits[i], (double)values(&out, "out.logits")[at * CLASSES + i]);
    }
    heed_tensor_list_free(&out);
    heed_model_release(model);
    heed_cpu_backend_free(backend);
}

/* One score for each token; labels of masked tokens do not count. */
static void replaced_tokens(void **state)
{
    (void)state;
    static const int64_t labels[BATCH * TOKENS] = {0, 1, 0, 0, 1, 1, 0, 0, 1, 1};
    heed_backend *backend = backend_of_tests();
    heed_config config = config_of((const uint8_t[HEED_MAX_HEADS]){HEED_HEAD_REPLACED_TOKEN});
    heed_model *model = model_of(&config, backend);
    heed_named_tensor given = integers("in.labels", labels, 2);
    heed_tensor_list out = run(model, backend, &given, 1);
    const heed_named_tensor *scores = named(&out, "out.logits");
    double loss = 0, count = 0;
    assert_true(scores && scores->rank == 2 && scores->shape[1] == TOKENS);
    for (int64_t at = 0; at < BATCH * TOKENS; at++) {
        double x[WIDTH], y[WIDTH], score;
        if (!mask[at]) continue;
        row_of(values(&out, "out.last_hidden_state"), at / TOKENS, at % TOKENS, x);
        multiply(model, "lm_transform.dense", x, WIDTH, WIDTH, y);
        for (int i = 0; i < WIDTH; i++) y[i] = activate(HEED_UNARY_GELU, y[i]);
        multiply(model, "classifier", y, 1, WIDTH, &score);
        compare("scores", score, (double)((const float *)scores->data)[at]);
        loss += log(1 + exp(score)) - (double)labels[at] * score;
        count++;
    }
    compare("loss", loss / count, (double)*values(&out, "loss"));
    heed_tensor_list_free(&out);
    heed_model_release(model);
    heed_cpu_backend_free(backend);
}

/* Two heads: their logits and labels have names of their own, and the loss is the sum. The language
   model's layer leads to the width of a narrower embedding. */
static void two_heads(void **state)
{
    (void)state;
    static const int64_t labels[BATCH * TOKENS] = {-100, 5, -100, -100, 2,
                                                   -100, 6, -100, -100, -100},
                                        order[BATCH] = {1, 0};
    heed_backend *backend = backend_of_tests();
    heed_config config = config_of(
        (const uint8_t[HEED_MAX_HEADS]){HEED_HEAD_MASKED_LM, HEED_HEAD_SENTENCE_ORDER});
    config.pooler = tanh_layer;
    config.embedding_width = NARROW;
    config.embedding_order = HEED_EMBEDDING_PROJECTED_LAST;
    config.lm_bias = true;
    config.lm_transform = (heed_transform){.dense = true, .bias = true, .norm = true};
    heed_model *model = model_of(&config, backend);
    heed_named_tensor given[] = {integers("in.labels", labels, 2),
                                 integers("in.sentence_order_label", order, 1)};
    heed_tensor_list out = run(model, backend, given, 2);
    const float *hidden = values(&out, "out.last_hidden_state");
    double words = 0, pairs = 0;
    for (int64_t at = 0; at < BATCH * TOKENS; at++) {
        double x[WIDTH], y[NARROW], logits[VOCABULARY];
        if (!mask[at]) continue;
        row_of(hidden, at / TOKENS, at % TOKENS, x);
        multiply(model, "lm_transform.dense", x, NARROW, WIDTH, y);
        for (int i = 0; i < NARROW; i++) y[i] = activate(HEED_UNARY_GELU, y[i]);
        normalize(model, "lm_transform.norm", y, NARROW);
        multiply(model, "lm_head", y, VOCABULARY, NARROW, logits);
        for (int i = 0; i < VOCABULARY; i++)
            compare("words", logits[i],
                    (double)values(&out, "out.prediction_logits")[at * VOCABULARY + i]);
        if (labels[at] >= 0) words += cross_entropy(logits, VOCABULARY, labels[at]) / 3;
    }
    for (int64_t b = 0; b < BATCH; b++) {
        double x[WIDTH], logits[2];
        row_of(hidden, b, 0, x);
        pool(model, &tanh_layer, x);
        multiply(model, "relation", x, 2, WIDTH, logits);
        compare("order", logits[1], (double)values(&out, "out.sop_logits")[2 * b + 1]);
        pairs += cross_entropy(logits, 2, order[b]) / BATCH;
    }
    compare("loss", words + pairs, (double)*values(&out, "loss"));
    heed_tensor_list_free(&out);
    heed_model_release(model);
    heed_cpu_backend_free(backend);
}

/* The logits of a classifier with an encoder and a decoder; `given`: what the decoder reads, or
   NULL. */
static heed_tensor_list classify_pairs(heed_model *model, const heed_backend *backend,
                                       const int64_t *given)
{
    heed_named_tensor read = integers("in.decoder_input_ids", given, 2);
    return run(model, backend, &read, given ? 1 : 0);
}

/* A classifier with two stacks reads its source once more, shifted right, and pools the place of
   the last end token of the source. */
static void the_end_of_the_source_is_pooled(void **state)
{
    (void)state;
    static const int64_t shifted[2][BATCH * TOKENS] = {{2, 4, END, 7, END, 2, 5, 6, END, 0},
                                                       {9, 4, END, 7, END, END, 5, 6, END, 0}};
    static const int64_t ends[BATCH] = {3, 2};
    heed_backend *backend = backend_of_tests();
    for (int with_end = 0; with_end < 2; with_end++) {
        heed_config config = config_of((const uint8_t[HEED_MAX_HEADS]){HEED_HEAD_SEQUENCE_CLASS});
        config.arrangement = HEED_ENCODER_DECODER;
        config.decoder = config.encoder;
        config.causal = true;
        config.decoder_start_id = 2;
        config.starts_with_end = with_end == 1;
        config.pooled_row = HEED_POOLED_END;
        config.pooler = tanh_layer;
        heed_model *model = model_of(&config, backend);
        heed_tensor_list made = classify_pairs(model, backend, NULL);
        heed_tensor_list told = classify_pairs(model, backend, shifted[with_end]);
        for (int64_t b = 0; b < BATCH; b++) {
            double x[WIDTH], logits[CLASSES];
            row_of(values(&made, "out.last_hidden_state"), b, ends[b], x);
            pool(model, &tanh_layer, x);
            multiply(model, "classifier", x, CLASSES, WIDTH, logits);
            for (int i = 0; i < CLASSES; i++) {
                compare("end", logits[i], (double)values(&made, "out.logits")[b * CLASSES + i]);
                compare("shifted", logits[i], (double)values(&told, "out.logits")[b * CLASSES + i]);
            }
        }
        heed_tensor_list_free(&made);
        heed_tensor_list_free(&told);
        heed_model_release(model);
    }
    heed_cpu_backend_free(backend);
}

/* Two heads with one column of labels have no loss. */
static void heads_that_share_labels(void **state)
{
    (void)state;
    static const int64_t labels[BATCH] = {1, 0};
    heed_backend *backend = backend_of_tests();
    heed_config config = config_of(
        (const uint8_t[HEED_MAX_HEADS]){HEED_HEAD_NEXT_SENTENCE, HEED_HEAD_SENTENCE_ORDER});
    heed_model *model = model_of(&config, backend);
    heed_named_tensor inputs[] = {integers("in.input_ids", ids, 2),
                                  integers("in.next_sentence_label", labels, 1),
                                  integers("in.sentence_order_label", labels, 1)};
    heed_tensor_list out = {0};
    assert_fails(HEED_E_UNSUPPORTED,
                 "two heads of this model (next-sentence classifier, sentence-order classifier) "
                 "read their labels from \"class_labels\"",
                 heed_forward(model, backend, &(heed_forward_inputs){inputs, 3},
                              &(heed_forward_options){0}, &out, &error));
    heed_model_release(model);
    heed_cpu_backend_free(backend);
}

/* A family has only the heads of its classes. */
static void heads_that_a_family_lacks(void **state)
{
    (void)state;
    heed_config c;
    assert_ok(heed_config_preset(&c, "marian", &error));
    assert_fails(HEED_E_UNSUPPORTED, "models of type marian have no head \"sequence classifier\"",
                 heed_config_set_head(&c, HEED_HEAD_SEQUENCE_CLASS, "config.json", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pooled_heads),
                                       cmocka_unit_test(choices_with_a_hidden_token),
                                       cmocka_unit_test(token_classes_after_a_layer),
                                       cmocka_unit_test(replaced_tokens),
                                       cmocka_unit_test(two_heads),
                                       cmocka_unit_test(the_end_of_the_source_is_pooled),
                                       cmocka_unit_test(heads_that_share_labels),
                                       cmocka_unit_test(heads_that_a_family_lacks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
