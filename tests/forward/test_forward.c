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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_family_has_a_fixture),
        cmocka_unit_test(test_reference_inference), cmocka_unit_test(test_reference),
        cmocka_unit_test(test_reference_without_passes), cmocka_unit_test(test_cpu)};
    return cmocka_run_group_tests(tests, read_fixtures, NULL);
}
