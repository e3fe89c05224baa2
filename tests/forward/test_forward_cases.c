/* Masks with holes, left padding, position ids, tokens that see nothing, one token, no sequences:
   what transformers answers. */
#include "cpu/backend.h"
#include "support/fixtures.h"

enum { MAX_INPUTS = 8, CASE_NAME = 96 };

static const char *const fixtures[] = {"gpt2",    "llama",  "mistral", "bert", "bert-multichoice",
                                       "roberta", "marian", "mbart"};

static const heed_stored_tensor *find(const heed_safetensors *file, const char *name,
                                      const char *kind, const char *rest)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s%s", name, kind, rest);
    return heed_safetensors_find(file, full);
}

/* Is this element of the last hidden states a token that is seen? */
static bool is_seen(const heed_stored_tensor *mask, const heed_stored_tensor *want, size_t at)
{
    if (!mask || want->rank != 3 || want->shape[1] != mask->shape[1]) return true;
    int64_t value;
    memcpy(&value, (const char *)mask->data + at / (size_t)want->shape[2] * 8, 8);
    return value != 0;
}

static void check_tensor(const heed_safetensors *file, const char *fixture, const char *name,
                         const heed_stored_tensor *want, const heed_tensor_list *got, double *worst)
{
    const char *own = want->name + strlen(name) + 1;
    const heed_named_tensor *have = named(got, own);
    const heed_stored_tensor *noise = find(file, name, "noise.", own);
    const heed_stored_tensor *mask = find(
        file, name, "in.", strstr(own, "decoder") ? "decoder_attention_mask" : "attention_mask");
    if (!have || !noise) fail_msg("%s, %s: %s was not computed", fixture, name, own);
    float level, a;
    double scale = 0, difference = 0;
    memcpy(&level, noise->data, sizeof level);
    for (size_t at = 0; at < want->bytes / sizeof a; at++) {
        memcpy(&a, (const char *)want->data + at * sizeof a, sizeof a);
        double b = (double)((const float *)have->data)[at];
        if (!is_seen(mask, want, at) || (isnan(a) && isnan(b))) continue;
        scale = fmax(scale, fabs((double)a));
        difference = !(fabs((double)a - b) <= difference) ? fabs((double)a - b) : difference;
    }
    double tolerance = fmax(30 * (double)level, 1e-5 * fmax(scale, 1));
    if (!(difference <= tolerance))
        fail_msg("%s, %s: %s is off by %g; tolerance %g", fixture, name, own, difference,
                 tolerance);
    *worst = fmax(*worst, difference / tolerance);
}

static void check_case(heed_model *model, const heed_backend *backend, const heed_safetensors *file,
                       const char *fixture, const char *name, double *worst)
{
    heed_named_tensor inputs[MAX_INPUTS];
    heed_tensor_list outputs = {0};
    size_t count = 0, length = strlen(name);
    for (size_t i = 0; i < heed_safetensors_count(file); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(file, i);
        if (strncmp(tensor->name, name, length) != 0 ||
            strncmp(tensor->name + length, "/in.", 4) != 0)
            continue;
        assert_true(count < MAX_INPUTS);
        inputs[count] = (heed_named_tensor){
            .name = (char *)tensor->name + length + 1,
            .dtype = tensor->dtype,
            .rank = tensor->rank,
            .data = tensor->data,
        };
        for (int j = 0; j < tensor->rank; j++) inputs[count].shape[j] = tensor->shape[j];
        count++;
    }
    heed_error error = {0};
    heed_forward_options options = {.gradients = true};
    if (heed_forward(model, backend, &(heed_forward_inputs){inputs, count}, &options, &outputs,
                     &error) != HEED_OK)
        fail_msg("%s, %s: %s", fixture, name, error.message);
    for (size_t i = 0; i < heed_safetensors_count(file); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(file, i);
        if (strncmp(tensor->name, name, length) != 0 || tensor->name[length] != '/') continue;
        if (strncmp(tensor->name + length, "/in.", 4) == 0 ||
            strncmp(tensor->name + length, "/noise.", 7) == 0)
            continue;
        check_tensor(file, fixture, name, tensor, &outputs, worst);
    }
    heed_tensor_list_free(&outputs);
}

static void check_fixture(const char *fixture, const heed_backend *backend)
{
    char path[512], part[64], name[CASE_NAME];
    heed_model *model = NULL;
    heed_safetensors *file = NULL;
    size_t cases = 0;
    double worst = 0;
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(&model, path,
                              &(heed_model_options){.backend = backend, .training = true}, &error));
    snprintf(part, sizeof part, "%s.safetensors", fixture);
    fixture_path(path, "forward-cases", part);
    assert_ok(heed_safetensors_open_whole(&file, path, &error));
    for (size_t i = 0; i < heed_safetensors_count(file); i++) { /* each case has its ids once */
        const char *full = heed_safetensors_at(file, i)->name, *end = strstr(full, "/in.input_ids");
        if (!end) continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - full), full);
        check_case(model, backend, file, fixture, name, &worst);
        cases++;
    }
    assert_true(cases >= 7);
    print_message("%-8s %-9s %zu cases, worst %.2f of its tolerance\n", fixture, backend->name,
                  cases, worst);
    heed_safetensors_close(file);
    heed_model_release(model);
}

static void test_reference(void **state)
{
    (void)state;
    heed_backend reference = {.name = "reference"};
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_fixture(fixtures[i], &reference);
}

static void test_cpu(void **state)
{
    (void)state;
    heed_backend *cpu = NULL;
    assert_ok(heed_cpu_backend_new(&cpu, 2, heed_isa_detect(), &error));
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) check_fixture(fixtures[i], cpu);
    heed_cpu_backend_free(cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference),
                                       cmocka_unit_test(test_cpu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
