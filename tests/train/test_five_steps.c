/* Five AdamW updates on the batch of each fixture: losses and gradient norms as torch computes them
   (train.loss, train.grad_norm). And updates with bf16 operands: working copies of the weights
   change no bit. */
#include "train/optimizer.h"

#include "base/json.h"
#include "cpu/backend.h"
#include "forward/forward.h"
#include "model/weights_internal.h"
#include "support/test.h"
#include <math.h>

static const char *const fixtures[] = {"gpt2",
                                       "gpt2-seqcls",
                                       "llama",
                                       "llama-mha-bias",
                                       "llama-seqcls",
                                       "mistral",
                                       "qwen2",
                                       "smollm2",
                                       "bert",
                                       "bert-base",
                                       "bert-seqcls",
                                       "roberta",
                                       "roberta-seqcls",
                                       "distilbert",
                                       "distilbert-seqcls",
                                       "electra",
                                       "electra-generator",
                                       "albert",
                                       "albert-groups",
                                       "marian",
                                       "bart",
                                       "bart-causal",
                                       "bart-seqcls",
                                       "mbart",
                                       "fsmt",
                                       "torch-transformer",
                                       "qwen3",
                                       "olmo2",
                                       "gemma",
                                       "gemma2",
                                       "gemma3",
                                       "phi",
                                       "phi3",
                                       "cohere",
                                       "cohere-qk-norm",
                                       "starcoder2",
                                       "stablelm",
                                       "granite",
                                       "gpt_neo",
                                       "gpt_neox",
                                       "gpt_neox-serial",
                                       "gptj",
                                       "gptj-odd",
                                       "gpt_bigcode",
                                       "gpt_bigcode-mha",
                                       "opt",
                                       "opt-350m",
                                       "bloom",
                                       "bloom-6-heads",
                                       "mpt",
                                       "falcon",
                                       "falcon-groups",
                                       "falcon-alibi",
                                       "mixtral",
                                       "qwen2_moe",
                                       "qwen3_moe",
                                       "gpt_oss",
                                       "gpt_oss-balanced"};

typedef struct case_data {
    heed_safetensors *oracle;
    heed_named_tensor inputs[16];
    size_t input_count;
    json_t *json;
} case_data;

static void open_case(case_data *c, const char *folder)
{
    char path[600];
    *c = (case_data){0};
    snprintf(path, sizeof path, "%.500s/oracle.safetensors", folder);
    assert_ok(heed_safetensors_open_whole(&c->oracle, path, &error));
    for (size_t i = 0; i < heed_safetensors_count(c->oracle); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(c->oracle, i);
        if (strncmp(tensor->name, "in.", 3) != 0) continue;
        assert_true(c->input_count < 16);
        heed_named_tensor *input = &c->inputs[c->input_count++];
        *input = (heed_named_tensor){
            .name = (char *)tensor->name,
            .dtype = tensor->dtype,
            .rank = tensor->rank,
            .data = tensor->data,
        };
        memcpy(input->shape, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape);
    }
    snprintf(path, sizeof path, "%.500s/oracle.json", folder);
    assert_ok(heed_json_read(&c->json, path, &error));
}

static bool is_reached(const case_data *c, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(c->json, "no_grad"), i,
                       entry) if (strcmp(json_string_value(entry), name) == 0) return false;
    return true;
}

static const heed_named_tensor *find(const heed_tensor_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
    fail_msg("no output %s", name);
    return NULL;
}

/* The loss; gradients are left in the model, where the optimizer reads them. */
static double loss_and_gradients(heed_model *model, const heed_backend *backend, const case_data *c)
{
    heed_tensor_list out = {0};
    heed_forward_options options = {.gradients = true};
    assert_ok(heed_forward(model, backend, &(heed_forward_inputs){c->inputs, c->input_count},
                           &options, &out, &error));
    double loss = *(const float *)find(&out, "loss")->data;
    heed_tensor_list_free(&out);
    return loss;
}

static void compare(const char *fixture, const char *what, int step, double found, double expected,
                    double largest)
{
    if (!(fabs(found - expected) <= 1e-4 * largest))
        fail_msg("%s, %s before update %d: expected %.7g, found %.7g", fixture, what, step + 1,
                 expected, found);
}

static double largest_of(const heed_safetensors *file, const char *name, float *values,
                         size_t count)
{
    const heed_stored_tensor *tensor = heed_safetensors_find(file, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->bytes, count * sizeof(float));
    memcpy(values, tensor->data, tensor->bytes);
    double largest = 0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabsf(values[i]));
    return largest;
}

static void five_steps(const char *fixture, const heed_backend *backend)
{
    char folder[512];
    case_data c;
    float losses[6], norms[5];
    snprintf(folder, sizeof folder, "%s/%s", HEED_FIXTURES, fixture);
    open_case(&c, folder);
    double largest_loss = largest_of(c.oracle, "train.loss", losses, 6),
           largest_norm = largest_of(c.oracle, "train.grad_norm", norms, 5);
    heed_model *model = NULL;
    assert_ok(heed_model_load(&model, folder,
                              &(heed_model_options){.backend = backend, .training = true}, &error));
    assert_ok(heed_model_allocate_gradients(model, &error));
    size_t count = heed_model_parameter_count(model), trained = 0;
    heed_optimizer_tensor *tensors = calloc(count, sizeof *tensors);
    for (size_t i = 0; i < count; i++) {
        heed_parameter_info p = heed_model_parameter(model, i);
        if (is_reached(&c, p.name))
            tensors[trained++] = (heed_optimizer_tensor){p.name,     p.rank, p.shape, p.rows,
                                                         p.gradient, true,   NULL,    0};
    }
    heed_optimizer_options rule = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    rule.weight_decay = 0.01;
    heed_optimizer *opt = NULL;
    assert_ok(heed_optimizer_new(&opt, &rule, tensors, trained, backend, &error));
    for (int step = 0; step < 6; step++) {
        compare(fixture, "loss", step, loss_and_gradients(model, backend, &c), losses[step],
                largest_loss);
        if (step == 5) break;
        double norm = heed_optimizer_norm(opt);
        compare(fixture, "gradient norm", step, norm, norms[step], largest_norm);
        heed_optimizer_step(opt, 5e-3, heed_clip_factor(norm, 1));
    }
    heed_optimizer_free(opt);
    heed_model_release(model);
    free(tensors);
    json_decref(c.json);
    heed_safetensors_close(c.oracle);
}

static void test_five_steps(void **state)
{
    (void)state;
    heed_backend *backend = NULL;
    heed_isa isa = HEED_ISA_GENERIC;
    assert_ok(heed_isa_choose(&isa, &error));
    assert_ok(heed_cpu_backend_new(&backend, 1, isa, &error));
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        five_steps(fixtures[i], backend);
    heed_cpu_backend_free(backend);
}

/* ---- bf16 working copies ---- */

enum { COPY_STEPS = 3, MOST_COPIES = 256 };

/* A model whose matmuls have bf16 operands, and its optimizer. Without working copies the matmuls
   read its rows. */
typedef struct rounding {
    heed_model *model;
    heed_optimizer *optimizer;
    heed_optimizer_tensor *tensors;
    heed_parameter_copy copies[MOST_COPIES];
    size_t copied;
} rounding;

static void open_rounding(rounding *r, const char *folder, const heed_backend *backend, bool copies)
{
    size_t at = 0;
    assert_ok(heed_model_load(
        &r->model, folder,
        &(heed_model_options){.backend = backend, .training = true, .bf16 = true}, &error));
    assert_ok(heed_model_allocate_gradients(r->model, &error));
    for (size_t i = 0; i < r->model->n_weights && !copies; i++) r->model->weights[i].copy = NULL;
    size_t count = heed_model_parameter_count(r->model);
    r->tensors = calloc(count, sizeof *r->tensors);
    for (size_t i = 0; i < count; i++) {
        heed_parameter_info p = heed_model_parameter(r->model, i);
        r->tensors[i] = (heed_optimizer_tensor){
            p.name,     p.rank, p.shape,        p.rows,
            p.gradient, true,   r->copies + at, heed_model_copy_count(r->model, i)};
        for (size_t k = 0; k < r->tensors[i].copy_count; k++) {
            assert_true(at < MOST_COPIES);
            const heed_parameter_copy copy = heed_model_copy(r->model, i, k);
            r->copied += (size_t)(copy.packed.rows * copy.packed.columns);
            r->copies[at++] = copy;
        }
    }
    heed_optimizer_options rule = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    assert_ok(heed_optimizer_new(&r->optimizer, &rule, r->tensors, count, backend, &error));
}

static void close_rounding(rounding *r)
{
    heed_optimizer_free(r->optimizer);
    heed_model_release(r->model);
    free(r->tensors);
}

static void copies_change_no_bit(const char *fixture, const heed_backend *backend)
{
    char folder[512];
    case_data c;
    static rounding with, without;
    with = without = (rounding){0};
    snprintf(folder, sizeof folder, "%s/%s", HEED_FIXTURES, fixture);
    open_case(&c, folder);
    open_rounding(&with, folder, backend, true);
    open_rounding(&without, folder, backend, false);
    assert_int_equal(without.copied, 0);
    if (with.copied == 0) fail_msg("%s: no weight has a rounded copy", fixture);
    for (int step = 0; step < COPY_STEPS; step++) {
        const double loss = loss_and_gradients(with.model, backend, &c),
                     expected = loss_and_gradients(without.model, backend, &c);
        if (loss != expected)
            fail_msg("%s, update %d: the loss is %.9g with copies, %.9g without", fixture, step + 1,
                     loss, expected);
        for (size_t i = 0; i < heed_model_parameter_count(with.model); i++) {
            heed_parameter_info a = heed_model_parameter(with.model, i),
                                b = heed_model_parameter(without.model, i);
            if (memcmp(a.gradient, b.gradient, a.elements * sizeof(float)) != 0)
                fail_msg("%s, update %d: copies change the gradient of %s", fixture, step + 1,
                         a.name);
        }
        heed_optimizer_step(with.optimizer, 5e-3, 1);
        heed_optimizer_step(without.optimizer, 5e-3, 1);
    }
    close_rounding(&with);
    close_rounding(&without);
    json_decref(c.json);
    heed_safetensors_close(c.oracle);
}

static void test_copies_change_no_bit(void **state)
{
    (void)state;
    for (heed_isa isa = HEED_ISA_GENERIC; isa <= heed_isa_detect(); isa++) {
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1 + (int)isa, isa, &error));
        for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
            copies_change_no_bit(fixtures[i], backend);
        heed_cpu_backend_free(backend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_five_steps),
                                       cmocka_unit_test(test_copies_change_no_bit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
