/* Packed rows never see each other: each sequence of a batch has the losses that it has alone, to
   the bit, whatever lies beside it. */
#include "model/engine.h"

#include "base/rng.h"
#include "train/run.h"

enum { SEQUENCES = 5, VOCABULARY = 40 };

typedef struct packed_case {
    const char *family;
    bool masked, pairs;
    int64_t window;
} packed_case;

static heed_model *model_of(const packed_case *c, const heed_backend *backend)
{
    heed_config config;
    heed_model *model = NULL;
    assert_ok(heed_config_preset(&config, c->family, &error));
    config.vocabulary = VOCABULARY;
    config.d_model = 32;
    config.context = 64;
    config.window = c->window;
    heed_stack stack = {.layers = 2, .heads = 4};
    if (config.arrangement != HEED_DECODER_ONLY) config.encoder = stack;
    if (config.arrangement != HEED_ENCODER_ONLY) config.decoder = stack;
    if (c->masked) assert_ok(heed_config_set_head(&config, HEED_HEAD_MASKED_LM, "test", &error));
    assert_ok(heed_config_complete(&config, "test", &error));
    assert_ok(heed_model_new_random(
        &model, &config, &(heed_model_options){.backend = backend, .training = true, .seed = 3},
        &error));
    return model;
}

/* Sequence `s`, the same whenever it is asked for. */
static void add(heed_batch *batch, const packed_case *c, int s)
{
    heed_rng rng = {(uint64_t)s, 8, 0};
    int64_t count = 1 + (int64_t)heed_rng_below(&rng, 17);
    heed_batch_rows text;
    if (c->pairs) {
        int64_t source = 1 + (int64_t)heed_rng_below(&rng, 9);
        assert_ok(heed_batch_sequence(batch, HEED_SOURCE_STACK, source, &text, &error));
        for (int64_t i = 0; i < source; i++)
            text.ids[i] = (int32_t)heed_rng_below(&rng, VOCABULARY);
    }
    assert_ok(heed_batch_sequence(batch, HEED_MAIN_STACK, count, &text, &error));
    for (int64_t i = 0; i < count; i++) text.ids[i] = (int32_t)heed_rng_below(&rng, VOCABULARY);
    for (int64_t i = 0; i < count; i++)
        assert_ok(heed_batch_label(batch, text.first + i, (int32_t)heed_rng_below(&rng, VOCABULARY),
                                   &error));
}

static heed_program_spec spec_of(const heed_batch *batch, heed_purpose purpose)
{
    return (heed_program_spec){.purpose = purpose,
                               .rows = batch->count[HEED_EXTENT_ROWS],
                               .source_rows = batch->count[HEED_EXTENT_SOURCE_ROWS],
                               .sequences = batch->count[HEED_EXTENT_SEQUENCES],
                               .gathered = batch->count[HEED_EXTENT_GATHERED]};
}

/* Loss of each label of the batch; returns how many. */
static size_t losses(heed_engine *engine, heed_batch *batch, float *nll)
{
    heed_program_spec spec = spec_of(batch, HEED_PURPOSE_LOSS);
    heed_runtime runtime = {0};
    heed_operand out;
    batch->term_counts[0] = 1;
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_ok(heed_engine_feed(engine, batch, &runtime, &error));
    assert_ok(heed_engine_run(engine, &runtime, &error));
    assert_ok(heed_engine_output(engine, "nll", &out, &error));
    size_t labels = (size_t)batch->count[HEED_EXTENT_GATHERED];
    for (size_t i = 0; i < labels; i++) nll[i] = ((const float *)out.data)[i];
    return labels;
}

static void packed_rows_never_see_each_other(void **state)
{
    (void)state;
    static const packed_case cases[] = {
        {"gpt2", .pairs = false}, {"llama", .pairs = false}, {"mistral", .window = 3},
        {"bert", .masked = true}, {"marian", .pairs = true},
    };
    heed_backend *backend = backend_of(2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_model *model = model_of(&cases[i], backend);
        heed_engine *engine = NULL;
        heed_batch all = {0}, one = {0};
        float together[SEQUENCES * 20], alone[20];
        size_t at = 0;
        assert_ok(heed_engine_new(&engine, model, backend, &error));
        for (int s = 0; s < SEQUENCES; s++) add(&all, &cases[i], s);
        size_t total = losses(engine, &all, together);
        for (int s = 0; s < SEQUENCES; s++) {
            heed_batch_clear(&one, 0);
            add(&one, &cases[i], s);
            size_t count = losses(engine, &one, alone);
            if (memcmp(alone, together + at, count * sizeof *alone) != 0)
                fail_msg("%s: sequence %d has other losses beside others", cases[i].family, s);
            at += count;
        }
        assert_int_equal(at, total);
        heed_batch_free(&all);
        heed_batch_free(&one);
        heed_engine_free(engine);
        heed_model_release(model);
    }
    heed_cpu_backend_free(backend);
}

/* A token that sees only itself attends to it whatever queries and keys are: their gradients are 0,
   not the rest of a rounding. */
static void a_row_that_sees_one_key_gives_queries_and_keys_no_gradient(void **state)
{
    (void)state;
    static const packed_case families[] = {
        {"llama", .pairs = false}, {"bert", .masked = true}, {"mistral", .window = 1}};
    for (size_t i = 0; i < 3 * ((size_t)heed_isa_detect() + 1); i++) {
        const packed_case *c = &families[i % 3];
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)(i / 3), &error));
        heed_model *model = model_of(c, backend);
        heed_engine *engine = NULL;
        heed_batch batch = {0};
        heed_runtime runtime = {0};
        assert_ok(heed_model_allocate_gradients(model, &error));
        assert_ok(heed_engine_new(&engine, model, backend, &error));
        for (int s = 0; s < SEQUENCES; s++) {
            heed_batch_rows text;
            int64_t count = c->window == 1 ? 9 : 1;
            assert_ok(heed_batch_sequence(&batch, HEED_MAIN_STACK, count, &text, &error));
            for (int64_t t = 0; t < count; t++) text.ids[t] = (int32_t)(5 + 3 * t) + s;
            for (int64_t t = 0; t < count; t++)
                assert_ok(heed_batch_label(&batch, text.first + t, 9 + s, &error));
        }
        heed_program_spec spec = spec_of(&batch, HEED_PURPOSE_TRAIN);
        batch.term_counts[0] = 1;
        assert_ok(heed_engine_prepare(engine, &spec, &error));
        assert_ok(heed_engine_feed(engine, &batch, &runtime, &error));
        assert_ok(heed_engine_run(engine, &runtime, &error));
        size_t found = 0, moved = 0;
        for (size_t p = 0; p < heed_model_parameter_count(model); p++) {
            heed_parameter_info info = heed_model_parameter(model, p);
            bool concerned = strstr(info.name, "q_proj") || strstr(info.name, "k_proj") ||
                             strstr(info.name, "query") || strstr(info.name, "key");
            for (size_t at = 0; at < info.elements; at++) {
                if (concerned && info.gradient[at] != 0)
                    fail_msg("%s, %s: gradient %g", c->family, info.name,
                             (double)info.gradient[at]);
                moved += info.gradient[at] != 0;
            }
            found += concerned;
        }
        assert_true(found >= 4 && moved > 0);
        heed_batch_free(&batch);
        heed_engine_free(engine);
        heed_model_release(model);
        heed_cpu_backend_free(backend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_rows_never_see_each_other),
        cmocka_unit_test(a_row_that_sees_one_key_gives_queries_and_keys_no_gradient)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
