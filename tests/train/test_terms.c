/* Losses of several terms: BERT's pretraining on a batch made by hand, with token types and labels
   of both heads, trains as torch trains it; the trainer logs each term. */
#include "model/engine.h"
#include "support/oracle.h"
#include "train/log.h"
#include "train/optimizer.h"
#include "train/run.h"

/* The inputs of a padded pretraining batch, as the oracle has them. */
typedef struct padded_pairs {
    int32_t *ids, *mask, *types, *labels, *follows;
    int64_t batch, length;
} padded_pairs;

static padded_pairs read_pairs(const oracle *o)
{
    const heed_stored_tensor *ids = oracle_tensor(o, "in.input_ids");
    return (padded_pairs){
        .ids = oracle_ids(o, "in.input_ids"),
        .mask = oracle_ids(o, "in.attention_mask"),
        .types = oracle_ids(o, "in.token_type_ids"),
        .labels = oracle_ids(o, "in.labels"),
        .follows = oracle_ids(o, "in.next_sentence_label"),
        .batch = ids->shape[0],
        .length = ids->shape[1],
    };
}

static void free_pairs(padded_pairs *p)
{
    free(p->ids);
    free(p->mask);
    free(p->types);
    free(p->labels);
    free(p->follows);
}

/* Adds pair `b` to the batch: the tokens that the mask shows. */
static void add_pair(heed_batch *batch, const padded_pairs *p, int64_t b)
{
    int64_t count = 0;
    int32_t *types = NULL, *follows = NULL;
    heed_batch_rows rows;
    while (count < p->length && p->mask[b * p->length + count]) count++;
    assert_ok(heed_batch_sequence(batch, HEED_MAIN_STACK, count, &rows, &error));
    assert_ok(heed_batch_ints(batch, "types", count, 0, &types, &error));
    assert_ok(heed_batch_ints(batch, "class_labels", 1, 0, &follows, &error));
    *follows = p->follows[b];
    for (int64_t t = 0; t < count; t++) {
        int32_t label = p->labels[b * p->length + t];
        rows.ids[t] = p->ids[b * p->length + t];
        types[t] = p->types[b * p->length + t];
        if (label != HEED_IGNORE) assert_ok(heed_batch_label(batch, rows.first + t, label, &error));
    }
}

/* Runs the model over the batch; the gradients are left in it. Returns the loss. */
static double train_on(heed_engine *engine, heed_batch *batch)
{
    heed_loss_terms terms;
    heed_runtime runtime = {0};
    heed_operand loss, sums;
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_TRAIN,
        .rows = batch->count[HEED_EXTENT_ROWS],
        .sequences = batch->count[HEED_EXTENT_SEQUENCES],
        .gathered = batch->count[HEED_EXTENT_GATHERED],
    };
    heed_engine_loss_terms(heed_engine_model(engine), &terms);
    assert_int_equal(terms.count, 2);
    heed_batch_count_labels(batch, &terms, batch->term_counts);
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_ok(heed_engine_feed(engine, batch, &runtime, &error));
    assert_ok(heed_engine_run(engine, &runtime, &error));
    assert_ok(heed_engine_output(engine, "loss", &loss, &error));
    assert_ok(heed_engine_output(engine, "loss_terms", &sums, &error));
    const float *sum = sums.data;
    double found = *(const float *)loss.data;
    double means = sum[0] / (double)batch->term_counts[0] + sum[1] / (double)batch->term_counts[1];
    assert_true(fabs(found - means) <= 1e-5 * fabs(found));
    return found;
}

static heed_optimizer *optimizer_of(const heed_model *model, const heed_backend *backend)
{
    size_t count = heed_model_parameter_count(model);
    heed_optimizer_tensor *tensors = calloc(count, sizeof *tensors);
    heed_optimizer_options rule = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    heed_optimizer *optimizer = NULL;
    rule.weight_decay = 0.01;
    for (size_t i = 0; i < count; i++) {
        heed_parameter_info p = heed_model_parameter(model, i);
        tensors[i] = (heed_optimizer_tensor){p.name,     p.rank, p.shape, p.rows,
                                             p.gradient, true,   NULL,    0};
    }
    assert_ok(heed_optimizer_new(&optimizer, &rule, tensors, count, backend, &error));
    free(tensors);
    return optimizer;
}

static void pretraining_on_a_batch_is_that_of_torch(void **state)
{
    (void)state;
    oracle o = oracle_open("bert");
    padded_pairs pairs = read_pairs(&o);
    float *losses = oracle_floats(&o, "train.loss"), *norms = oracle_floats(&o, "train.grad_norm");
    heed_backend *backend = backend_of(2);
    heed_model *model = NULL;
    heed_engine *engine = NULL;
    heed_batch batch = {0};
    assert_ok(heed_model_load(&model, o.folder,
                              &(heed_model_options){.backend = backend, .training = true}, &error));
    assert_ok(heed_model_allocate_gradients(model, &error));
    assert_ok(heed_engine_new(&engine, model, backend, &error));
    heed_optimizer *optimizer = optimizer_of(model, backend);
    for (int64_t b = 0; b < pairs.batch; b++) add_pair(&batch, &pairs, b);
    for (int step = 0; step < 6; step++) {
        double loss = train_on(engine, &batch);
        if (!(fabs(loss - losses[step]) <= 1e-4 * losses[0]))
            fail_msg("update %d: loss %.7g, expected %.7g", step, loss, losses[step]);
        if (step == 5) break;
        double norm = heed_optimizer_norm(optimizer);
        if (!(fabs(norm - norms[step]) <= 1e-4 * norms[0]))
            fail_msg("update %d: gradient norm %.7g, expected %.7g", step, norm, norms[step]);
        heed_optimizer_step(optimizer, 5e-3, heed_clip_factor(norm, 1));
    }
    heed_optimizer_free(optimizer);
    heed_batch_free(&batch);
    heed_engine_free(engine);
    heed_model_release(model);
    heed_cpu_backend_free(backend);
    free_pairs(&pairs);
    free(losses);
    free(norms);
    oracle_close(&o);
}

/* A label that is no class of its head is refused by name. */
static void labels_out_of_range_are_refused(void **state)
{
    (void)state;
    heed_backend *backend = backend_of(1);
    heed_model *model = NULL;
    heed_engine *engine = NULL;
    heed_batch batch = {0};
    heed_runtime runtime = {0};
    heed_batch_rows rows;
    int32_t *follows = NULL;
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_LOSS, .rows = 3, .sequences = 1, .gathered = 1};
    assert_ok(heed_model_load(&model, HEED_FIXTURES "/bert",
                              &(heed_model_options){.backend = backend}, &error));
    assert_ok(heed_engine_new(&engine, model, backend, &error));
    assert_ok(heed_batch_sequence(&batch, HEED_MAIN_STACK, 3, &rows, &error));
    assert_ok(heed_batch_label(&batch, 1, 7, &error));
    assert_ok(heed_batch_ints(&batch, "class_labels", 1, 0, &follows, &error));
    *follows = 2;
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_fails(HEED_E_ARG,
                 "column \"class_labels\" of the batch has the label 2 in row 0; the head "
                 "\"next-sentence classifier\" has 0 to 1",
                 heed_engine_feed(engine, &batch, &runtime, &error));
    *follows = HEED_IGNORE;
    assert_ok(heed_engine_feed(engine, &batch, &runtime, &error));
    heed_batch_free(&batch);
    heed_engine_free(engine);
    heed_model_release(model);
    heed_cpu_backend_free(backend);
}

static void labels_are_counted_by_term(void **state)
{
    (void)state;
    heed_config config;
    heed_loss_terms terms;
    heed_batch batch = {0};
    heed_batch_rows rows;
    int32_t *classes = NULL;
    int64_t counts[HEED_MAX_LOSS_TERMS];
    assert_ok(heed_config_preset(&config, "bert", &error));
    heed_loss_terms_list(&config, HEED_PROBLEM_UNKNOWN, &terms);
    assert_int_equal(terms.count, 2);
    assert_string_equal(terms.items[0].name, "tokens");
    assert_string_equal(terms.items[1].name, "sentences");
    assert_int_equal(heed_batch_count_labels(&batch, &terms, counts), 0);
    assert_ok(heed_batch_sequence(&batch, HEED_MAIN_STACK, 4, &rows, &error));
    assert_ok(heed_batch_label(&batch, 1, 7, &error));
    assert_ok(heed_batch_label(&batch, 2, 8, &error));
    assert_ok(heed_batch_ints(&batch, "class_labels", 3, 0, &classes, &error));
    classes[1] = HEED_IGNORE;
    assert_int_equal(heed_batch_count_labels(&batch, &terms, counts), 4);
    assert_true(counts[0] == 2 && counts[1] == 2);
    heed_batch_free(&batch);
}

/* Returns the only value of a field of the log in `folder`; NaN if no line has it. */
static double logged(const char *folder, const char *field)
{
    char path[600];
    heed_log_series series;
    snprintf(path, sizeof path, "%.500s/log.jsonl", folder);
    assert_ok(heed_log_read(&series, path, field, &error));
    double value = series.count > 0 ? series.y[series.count - 1] : NAN;
    heed_log_series_free(&series);
    return value;
}

/* Experts whose load is balanced have two terms; "loss" is the first one. */
static void the_log_has_every_term(void **state)
{
    (void)state;
    static const char *const terms[] = {"loss_tokens", "loss_balance", "eval_loss_tokens",
                                        "eval_loss_balance"};
    scratch work;
    uint16_t ids[400];
    heed_train_report report = {0};
    heed_backend *backend = backend_of(2);
    heed_rng rng = {3, 1, 0};
    for (size_t i = 0; i < 400; i++) ids[i] = (uint16_t)(5 + heed_rng_below(&rng, 30));
    scratch_make(&work);
    char *data = strdup(scratch_file(&work, "ids.bin", ids, sizeof ids));
    char *out = strdup(scratch_path(&work, "run"));
    heed_train_options o = {0};
    o.init = HEED_FIXTURES "/gpt_oss-balanced";
    o.data = (const char *const[]){data};
    o.data_count = 1;
    o.valid = (const char *const[]){data};
    o.valid_count = 1;
    o.out = out;
    o.context = 12;
    o.batch_size = 2;
    o.max_steps = "3";
    o.seed = heed_int(7);
    o.logging_steps = 1;
    assert_ok(heed_train_new(&o, backend, NULL, &report, &error));
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        if (!(logged(out, terms[i]) > 0)) fail_msg("no %s in the log", terms[i]);
    assert_true(logged(out, "loss") == logged(out, "loss_tokens"));
    assert_true(logged(out, "eval_loss") == logged(out, "eval_loss_tokens"));
    free(data);
    free(out);
    scratch_remove(&work);
    heed_cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pretraining_on_a_batch_is_that_of_torch),
                                       cmocka_unit_test(labels_out_of_range_are_refused),
                                       cmocka_unit_test(labels_are_counted_by_term),
                                       cmocka_unit_test(the_log_has_every_term)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
