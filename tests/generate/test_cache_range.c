/* Keys and values that a cache cannot hold: an error that names the cache, never an answer. */
#include "cpu/backend.h"
#include "generate/session.h"
#include "support/copy.h"

static heed_status visit(void *argument, const heed_logits_row *rows, int64_t count,
                         heed_error *error)
{
    (void)argument;
    (void)rows;
    (void)count;
    (void)error;
    return HEED_OK;
}

/* Reads six tokens and then one more with a cache of this type. */
static heed_status answer(const char *folder, heed_backend *backend, heed_dtype cache,
                          heed_error *error)
{
    static const int32_t ids[] = {1, 5, 9, 13, 17, 21, 25};
    heed_model *model = NULL;
    heed_session *session = NULL;
    int64_t sequence = 0;
    const heed_model_options how = {.backend = backend, .cache = cache};
    heed_status status = heed_model_load(&model, folder, &how, error);
    if (status == HEED_OK) status = heed_session_new(&session, model, backend, NULL, error);
    if (status == HEED_OK) status = heed_session_add(session, &sequence, error);
    heed_step_item read = {sequence, ids, 6, 5};
    heed_step_item more = {sequence, ids + 6, 1, 0};
    if (status == HEED_OK) status = heed_session_step(session, &read, 1, visit, NULL, error);
    if (status == HEED_OK) status = heed_session_step(session, &more, 1, visit, NULL, error);
    heed_session_free(session);
    heed_model_release(model);
    return status;
}

/* Every channel, and either sign, of the keys and the values of a head. */
static void what_a_cache_of_f16_cannot_hold_is_an_error(void **state)
{
    (void)state;
    static const char *const names[] = {"model.layers.0.self_attn.k_proj.weight",
                                        "model.layers.1.self_attn.k_proj.weight",
                                        "model.layers.1.self_attn.v_proj.weight"};
    static const float factors[] = {1e6f, -1e6f};
    heed_isa isa;
    heed_backend *backend = NULL;
    assert_ok(heed_isa_choose(&isa, &error));
    assert_ok(heed_cpu_backend_new(&backend, 1, isa, &error));
    for (int i = 0; i < 6; i++) {
        copy c = copy_open("llama");
        float *weights = copy_values(&c, names[i / 2]);
        for (int j = 0; j < 32; j++) weights[3 * 32 + j] *= factors[i % 2];
        const char *folder = copy_write(&c);
        assert_ok(answer(folder, backend, HEED_F32, &error));
        assert_ok(answer(folder, backend, HEED_BF16, &error));
        assert_ok(answer(folder, backend, HEED_I8, &error));
        assert_fails(HEED_E_ARG, "too large for a cache of f16, which holds up to 65504",
                     answer(folder, backend, HEED_F16, &error));
        free(weights);
        copy_close(&c);
    }
    heed_cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_cache_of_f16_cannot_hold_is_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
