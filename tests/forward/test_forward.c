/* Every model among the fixtures: outputs, loss and gradients against the oracle. */
#include "support/fixtures.h"
#include "cpu/backend.h"
#include "model/family.h"

static fixture_list fixtures;

static int read_fixtures(void **state)
{
    (void)state;
    fixture_list_read(&fixtures);
    return fixtures.count > 30 ? 0 : -1;
}

static void check_fixture(const char *fixture, const heed_backend *backend, bool training,
                          bool no_passes)
{
    oracle o = oracle_open(fixture);
    char path[512];
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    comparison sum = {0};
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(
        &model, path, &(heed_model_options){.backend = backend, .training = training}, &error));
    heed_forward_options options = {
        .gradients = training, .attentions = true, .no_passes = no_passes};
    assert_ok(heed_forward(model, backend, &(heed_forward_inputs){o.inputs, o.n_inputs}, &options,
                           &outputs, &error));
    compare_all(&o, fixture, "out.", &outputs, 0, &sum);
    compare_all(&o, fixture, "loss", &outputs, 0, &sum);
    if (training) compare_all(&o, fixture, "grad.", &outputs, largest_gradient(&o), &sum);
    static const char *const parts[] = {"outputs", "with gradients"}, *const passes[] = {
                                                                          "", ", no passes"};
    print_message("%-20s %-9s %s%s: %zu of %zu tensors within max(4 x noise, 3e-6 x max|value|); "
                  "worst %.2f of its tolerance (%s)\n",
                  fixture, backend->name, parts[training], passes[no_passes], sum.close,
                  sum.tensors, sum.worst, sum.worst_name);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    oracle_close(&o);
}

static const heed_backend reference = {.name = "reference", .isa = HEED_ISA_GENERIC};

static void test_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < fixtures.count; i++)
        check_fixture(fixtures.names[i], &reference, true, false);
}

static void test_reference_inference(void **state)
{
    (void)state;
    for (size_t i = 0; i < fixtures.count; i++)
        check_fixture(fixtures.names[i], &reference, false, false);
}

static void test_reference_without_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < fixtures.count; i++)
        check_fixture(fixtures.names[i], &reference, true, true);
}

static void check_cpu(heed_isa isa, int threads)
{
    heed_backend *cpu = NULL;
    assert_ok(heed_cpu_backend_new(&cpu, threads, isa, &error));
    print_message("%s, %d threads\n", heed_isa_name(isa), threads);
    for (size_t i = 0; i < fixtures.count; i++) {
        check_fixture(fixtures.names[i], cpu, false, false);
        check_fixture(fixtures.names[i], cpu, true, false);
    }
    heed_cpu_backend_free(cpu);
}

/* Every instruction set that this machine has. */
static void test_cpu(void **state)
{
    (void)state;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        check_cpu((heed_isa)isa, isa == HEED_ISA_GENERIC ? 1 : 2);
}

/* Returns the outputs of a fixture's oracle inputs with gradients. */
static heed_tensor_list with_gradients(const char *fixture, const char *const *frozen)
{
    char path[512];
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    oracle o = oracle_open(fixture);
    heed_forward_options options = {.gradients = true};
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(
        &model, path,
        &(heed_model_options){.backend = &reference, .training = true, .frozen = frozen}, &error));
    assert_ok(heed_forward(model, &reference, &(heed_forward_inputs){o.inputs, o.n_inputs},
                           &options, &outputs, &error));
    heed_model_release(model);
    oracle_close(&o);
    return outputs;
}

/* Frozen tensors have no gradient, and all other outputs are as if nothing was frozen. */
static void test_frozen_tensors_have_no_gradient(void **state)
{
    (void)state;
    static const char *const frozen[] = {"*attention*", NULL};
    heed_tensor_list all = with_gradients("bert", NULL), some = with_gradients("bert", frozen);
    size_t at = 0;
    for (size_t i = 0; i < all.count; i++) {
        const heed_named_tensor *one = &all.items[i];
        if (strncmp(one->name, "grad.", 5) == 0 && strstr(one->name, "attention")) continue;
        assert_true(at < some.count);
        const heed_named_tensor *other = &some.items[at++];
        size_t elements = 1;
        for (int d = 0; d < one->rank; d++) elements *= (size_t)one->shape[d];
        assert_string_equal(one->name, other->name);
        assert_memory_equal(one->data, other->data, elements * sizeof(float));
    }
    assert_true(at == some.count && at < all.count);
    heed_tensor_list_free(&all);
    heed_tensor_list_free(&some);
}

/* No family without a fixture. */
static void test_every_family_has_a_fixture(void **state)
{
    (void)state;
    for (size_t f = 0; f < heed_family_count(); f++) {
        bool found = false;
        for (size_t i = 0; !found && i < fixtures.count; i++) {
            char path[512];
            heed_config config;
            fixture_path(path, fixtures.names[i], "");
            assert_ok(heed_config_load(&config, path, &error));
            found = config.family == heed_family_at(f);
        }
        if (!found) fail_msg("family %s has no fixture", heed_family_at(f)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_family_has_a_fixture),
                                       cmocka_unit_test(test_frozen_tensors_have_no_gradient),
                                       cmocka_unit_test(test_reference_inference),
                                       cmocka_unit_test(test_reference),
                                       cmocka_unit_test(test_reference_without_passes),
                                       cmocka_unit_test(test_cpu)};
    return cmocka_run_group_tests(tests, read_fixtures, NULL);
}
