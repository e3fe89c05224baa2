/* Inputs of programs: a batch fills each of them, what it leaves out follows from its sequences,
   and an input that nobody fills is an error with its name. */
#include "cpu/backend.h"
#include "model/engine.h"
#include "support/fixtures.h"

enum { SEQUENCES = 2, ROWS = 12, MOST_LOGITS = ROWS * 400 };

static const int64_t lengths[SEQUENCES] = {5, 7};
static heed_backend *cpu;

static int make_backend(void **state)
{
    (void)state;
    heed_error error = {0};
    return heed_cpu_backend_new(&cpu, 2, heed_isa_detect(), &error) != HEED_OK;
}

static int free_backend(void **state)
{
    (void)state;
    heed_cpu_backend_free(cpu);
    return 0;
}

static heed_engine *open_engine(const char *fixture)
{
    char path[512];
    heed_model *model = NULL;
    heed_engine *engine = NULL;
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(&model, path, &(heed_model_options){.backend = cpu}, &error));
    assert_ok(heed_engine_new(&engine, model, cpu, &error));
    heed_model_release(model); /* the engine keeps it */
    return engine;
}

/* Ids alone, for both stacks if the model has two. The head sees every row. */
static heed_batch ids_alone(const heed_engine *engine)
{
    const heed_config *config = heed_model_config(heed_engine_model(engine));
    int stacks = config->arrangement == HEED_ENCODER_DECODER ? 2 : 1;
    heed_batch batch = {0};
    for (int stack = 0; stack < stacks; stack++)
        for (int s = 0; s < SEQUENCES; s++) {
            heed_batch_rows text;
            assert_ok(
                heed_batch_sequence(&batch, (heed_input_stack)stack, lengths[s], &text, &error));
            for (int64_t i = 0; i < lengths[s]; i++)
                text.ids[i] = (int32_t)(5 + (3 * text.first + 7 * i + stack) % 40);
        }
    batch.count[HEED_EXTENT_GATHERED] = ROWS;
    return batch;
}

static int32_t *add_ints(heed_batch *batch, const char *name, int64_t rows, int64_t columns)
{
    int32_t *values;
    assert_ok(heed_batch_ints(batch, name, rows, columns, &values, &error));
    return values;
}

/* Gives the columns that would follow from the sequences. */
static void give_all(const heed_engine *engine, heed_batch *batch)
{
    const heed_model *model = heed_engine_model(engine);
    const int64_t pairs = heed_model_rotary_pairs(model, false);
    int32_t *positions = add_ints(batch, "positions", ROWS, 0),
            *sources = add_ints(batch, "source_positions", ROWS, 0),
            *rows = add_ints(batch, "rows", ROWS, 0);
    int32_t *cross = add_ints(batch, "cross_sequences", SEQUENCES, HEED_SEQUENCE_FIELDS);
    float *frequencies = NULL;
    add_ints(batch, "types", ROWS, 0);
    assert_ok(heed_batch_floats(batch, "frequencies", ROWS, pairs, &frequencies, &error));
    for (int64_t s = 0, row = 0; s < SEQUENCES; s++, cross += HEED_SEQUENCE_FIELDS) {
        cross[HEED_SEQUENCE_QUERY_START] = cross[HEED_SEQUENCE_KEY_START] = (int32_t)row;
        cross[HEED_SEQUENCE_QUERY_LENGTH] = cross[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)lengths[s];
        if (frequencies)
            heed_model_rotary_fill(model, false, lengths[s], lengths[s], frequencies + row * pairs);
        for (int64_t i = 0; i < lengths[s]; i++, row++) {
            positions[row] = sources[row] = (int32_t)i;
            rows[row] = (int32_t)row;
        }
    }
}

/* Returns the ids of a batch, which a test may change. */
static int32_t *batch_ids(const heed_batch *batch)
{
    return heed_batch_column(batch, "ids")->data;
}

static heed_program_spec spec_of(const heed_batch *batch, heed_purpose purpose)
{
    return (heed_program_spec){.purpose = purpose,
                               .rows = batch->count[HEED_EXTENT_ROWS],
                               .source_rows = batch->count[HEED_EXTENT_SOURCE_ROWS],
                               .sequences = batch->count[HEED_EXTENT_SEQUENCES],
                               .gathered = batch->count[HEED_EXTENT_GATHERED]};
}

static heed_status run(heed_engine *engine, const heed_batch *batch, heed_purpose purpose,
                       heed_operand *logits, heed_error *error)
{
    heed_program_spec spec = spec_of(batch, purpose);
    heed_runtime runtime = {0};
    HEED_TRY(heed_engine_prepare(engine, &spec, error));
    HEED_TRY(heed_engine_feed(engine, batch, &runtime, error));
    HEED_TRY(heed_engine_run(engine, &runtime, error));
    return logits ? heed_engine_output(engine, "logits", logits, error) : HEED_OK;
}

static void what_is_left_out_follows_from_the_sequences(void **state)
{
    (void)state;
    static const char *const fixtures[] = {"gpt2",   "llama-rope-dynamic", "bert-tokcls", "heed-8",
                                           "marian", "bloom-6-heads",      "mpt"};
    for (size_t f = 0; f < sizeof fixtures / sizeof *fixtures; f++) {
        heed_engine *engine = open_engine(fixtures[f]);
        heed_batch batch = ids_alone(engine);
        heed_operand logits;
        float derived[MOST_LOGITS];
        assert_ok(run(engine, &batch, HEED_PURPOSE_FORWARD, &logits, &error));
        size_t count = (size_t)heed_shape_elements(logits.shape);
        assert_true(count > 0 && count <= MOST_LOGITS);
        memcpy(derived, logits.data, count * sizeof *derived);
        give_all(engine, &batch);
        assert_ok(run(engine, &batch, HEED_PURPOSE_FORWARD, &logits, &error));
        if (memcmp(derived, logits.data, count * sizeof *derived) != 0)
            fail_msg("%s: given columns change the logits", fixtures[f]);
        heed_batch_free(&batch);
        heed_engine_free(engine);
    }
}

/* Positions of RoBERTa: the row of padding, and the rows after it in order for other tokens. */
static void positions_count_the_tokens_that_are_not_padding(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("roberta");
    const int32_t pad = (int32_t)heed_model_config(heed_engine_model(engine))->pad_id;
    heed_batch batch = ids_alone(engine);
    heed_operand logits;
    int32_t *ids = batch_ids(&batch);
    ids[1] = ids[5] = ids[6] = ids[11] = pad;
    assert_ok(run(engine, &batch, HEED_PURPOSE_FORWARD, &logits, &error));
    size_t count = (size_t)heed_shape_elements(logits.shape);
    float *derived = malloc(count * sizeof *derived);
    assert_non_null(derived);
    memcpy(derived, logits.data, count * sizeof *derived);
    int32_t *positions = add_ints(&batch, "positions", ROWS, 0);
    for (int64_t s = 0, row = 0; s < SEQUENCES; s++)
        for (int32_t i = 0, next = pad + 1; i < lengths[s]; i++, row++)
            positions[row] = ids[row] == pad ? pad : next++;
    assert_ok(run(engine, &batch, HEED_PURPOSE_FORWARD, &logits, &error));
    assert_memory_equal(derived, logits.data, count * sizeof *derived);
    positions[2]++;
    assert_ok(run(engine, &batch, HEED_PURPOSE_FORWARD, &logits, &error));
    assert_memory_not_equal(derived, logits.data, count * sizeof *derived);
    free(derived);
    heed_batch_free(&batch);
    heed_engine_free(engine);
}

/* The batch is refused with an error that names `name`. */
static void assert_refused(heed_engine *engine, const heed_batch *batch, heed_purpose purpose,
                           const char *name)
{
    heed_error error = {0};
    assert_int_equal(run(engine, batch, purpose, NULL, &error), HEED_E_ARG);
    if (!strstr(error.message, name)) fail_msg("\"%s\" does not name %s", error.message, name);
}

static void an_input_that_nobody_fills_is_named(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("bert");
    heed_batch batch = ids_alone(engine), empty = {.count = {0}};
    assert_refused(engine, &batch, HEED_PURPOSE_LOSS, "\"labels\"");
    memcpy(empty.count, batch.count, sizeof empty.count);
    assert_refused(engine, &empty, HEED_PURPOSE_FORWARD, "\"sequences\"");
    add_ints(&empty, "sequences", SEQUENCES, HEED_SEQUENCE_FIELDS);
    assert_refused(engine, &empty, HEED_PURPOSE_FORWARD, "\"ids\"");
    batch.count[HEED_EXTENT_GATHERED] = 3; /* which rows? */
    assert_refused(engine, &batch, HEED_PURPOSE_FORWARD, "\"rows\"");
    heed_batch_free(&batch);
    heed_batch_free(&empty);
    heed_engine_free(engine);
}

static void a_column_that_does_not_fit_is_named(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("bert");
    heed_batch batch = ids_alone(engine);
    heed_error error = {0};
    float *floats;
    add_ints(&batch, "positions", ROWS - 1, 0);
    assert_refused(engine, &batch, HEED_PURPOSE_FORWARD, "\"positions\"");
    add_ints(&batch, "positions", 1, 0);
    add_ints(&batch, "nobody_reads_this", 3, 5);
    assert_ok(run(engine, &batch, HEED_PURPOSE_FORWARD, NULL, &error));
    assert_ok(heed_batch_floats(&batch, "types", ROWS, 0, &floats, &error));
    assert_refused(engine, &batch, HEED_PURPOSE_FORWARD, "\"types\"");
    assert_int_equal(heed_batch_floats(&batch, "positions", 1, 0, &floats, &error), HEED_E_ARG);
    heed_batch_free(&batch);
    heed_engine_free(engine);
}

static void a_sequence_beyond_the_rows_is_refused(void **state)
{
    (void)state;
    static const int32_t wrong[][2] = {{-1, 3}, {10, 3}, {0, -1}, {INT32_MAX, INT32_MAX}};
    heed_engine *engine = open_engine("gpt2");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        heed_batch batch = ids_alone(engine);
        int32_t *table = (int32_t *)heed_batch_column(&batch, "sequences")->data;
        table[HEED_SEQUENCE_QUERY_START] = wrong[i][0];
        table[HEED_SEQUENCE_QUERY_LENGTH] = wrong[i][1];
        assert_refused(engine, &batch, HEED_PURPOSE_FORWARD, "sequence 0");
        heed_batch_free(&batch);
    }
    heed_engine_free(engine);
}

/* More rows than the plan was made for never reach its memory. */
static void more_rows_than_the_plan_has_are_refused(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("gpt2");
    heed_batch batch = ids_alone(engine);
    heed_program_spec spec = spec_of(&batch, HEED_PURPOSE_FORWARD);
    heed_runtime runtime;
    heed_error error = {0};
    spec.rows = ROWS / 2;
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_int_equal(heed_engine_feed(engine, &batch, &runtime, &error), HEED_E_ARG);
    heed_batch_free(&batch);
    heed_engine_free(engine);
}

static void names_and_kinds_of_inputs_are_unique(void **state)
{
    (void)state;
    heed_input_id id;
    heed_input_stack stack;
    for (int i = 0; i < HEED_INPUTS; i++)
        for (int s = 0; s < HEED_INPUT_STACKS; s++) {
            const char *name = heed_input_name((heed_input_id)i, (heed_input_stack)s);
            if (!name) continue;
            assert_true(heed_input_find(name, &id, &stack));
            assert_int_equal(id, i);
            assert_int_equal(stack, s);
        }
    assert_true(heed_input_find("cotangent.logits", &id, &stack));
    assert_int_equal(id, HEED_INPUT_COTANGENT);
    assert_false(heed_input_find("source_labels", &id, &stack));
    assert_false(heed_input_find("id", &id, &stack));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_follows_from_the_sequences),
        cmocka_unit_test(positions_count_the_tokens_that_are_not_padding),
        cmocka_unit_test(an_input_that_nobody_fills_is_named),
        cmocka_unit_test(a_column_that_does_not_fit_is_named),
        cmocka_unit_test(a_sequence_beyond_the_rows_is_refused),
        cmocka_unit_test(more_rows_than_the_plan_has_are_refused),
        cmocka_unit_test(names_and_kinds_of_inputs_are_unique),
    };
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
