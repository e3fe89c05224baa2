/* The engine's laws: decoding is prefilling is the forward pass; buckets and neighbors change no
   bit; gradients add up. */
#include "cpu/backend.h"
#include "model/engine.h"
#include "support/fixtures.h"

enum { TOKENS = 13, BLOCKS = 8, CACHE_ROWS = BLOCKS * HEED_PAGE_POSITIONS };

static heed_backend *cpu;
static heed_batch batch; /* what the next run reads */

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
    heed_batch_free(&batch);
    return 0;
}

static heed_engine *open_engine(const char *fixture, bool training)
{
    char path[512];
    heed_model *model = NULL;
    heed_engine *engine = NULL;
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(&model, path,
                              &(heed_model_options){.backend = cpu, .training = training}, &error));
    assert_ok(heed_engine_new(&engine, model, cpu, &error));
    heed_model_release(model); /* the engine keeps it */
    return engine;
}

static int32_t token(int64_t at)
{
    return (int32_t)(5 + at * 7 % 90);
}

static void put(const char *name, const int32_t *values, int64_t rows, int64_t columns)
{
    int32_t *column;
    assert_ok(heed_batch_ints(&batch, name, rows, columns, &column, &error));
    memcpy(column, values, (size_t)(rows * (columns ? columns : 1)) * sizeof *values);
}

/* Begins a batch without rows that has this many sequences and gathered rows. */
static void begin(int64_t sequences, int64_t gathered)
{
    heed_batch_clear(&batch, 0);
    batch.count[HEED_EXTENT_SEQUENCES] = sequences;
    batch.count[HEED_EXTENT_GATHERED] = gathered;
}

/* One sequence of `count` tokens from position `first` on, as rows 0 .. count-1; keys seen: all up
   to the last. */
static void put_rows(int64_t first, int64_t count, int32_t slot_base)
{
    int32_t ids[64], slots[64], table[HEED_SEQUENCE_FIELDS] = {0}, blocks[BLOCKS];
    begin(1, count);
    batch.count[HEED_EXTENT_ROWS] = count;
    for (int64_t i = 0; i < count; i++) {
        ids[i] = token(first + i);
        slots[i] = slot_base + (int32_t)(first + i);
    }
    for (int i = 0; i < BLOCKS; i++) blocks[i] = slot_base / HEED_PAGE_POSITIONS + i;
    table[HEED_SEQUENCE_QUERY_LENGTH] = (int32_t)count;
    table[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)(first + count);
    table[HEED_SEQUENCE_FIRST_INDEX] = (int32_t)first;
    put("ids", ids, count, 0);
    put("slots", slots, count, 0);
    put("sequences", table, 1, HEED_SEQUENCE_FIELDS);
    put("page_table", blocks, 1, BLOCKS);
}

/* Runs the batch. */
static void run(heed_engine *engine, const heed_program_spec *spec, uint64_t seed)
{
    heed_runtime runtime = {.seed = seed, .step = 1};
    assert_ok(heed_engine_prepare(engine, spec, &error));
    assert_ok(heed_engine_feed(engine, &batch, &runtime, &error));
    assert_ok(heed_engine_run(engine, &runtime, &error));
}

static void take_logits(const heed_engine *engine, int64_t rows, float *out)
{
    heed_operand logits;
    assert_ok(heed_engine_output(engine, "logits", &logits, &error));
    assert_int_equal(logits.shape.dim[0], rows);
    for (int64_t i = 0; i < rows; i++)
        memcpy(out + i * logits.shape.dim[1], (float *)logits.data + i * logits.row_stride,
               (size_t)logits.shape.dim[1] * sizeof *out);
}

static void run_forward(heed_engine *engine, int64_t count, float *logits)
{
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_FORWARD, .rows = count, .sequences = 1, .gathered = count};
    put_rows(0, count, 0);
    run(engine, &spec, 1);
    take_logits(engine, count, logits);
}

static void **bind_caches(heed_engine *engine, heed_keep_side side)
{
    size_t count;
    const heed_kept *kept = heed_model_keeps(heed_engine_model(engine), side, &count);
    void **memory = calloc(count + 1, sizeof *memory);
    assert_non_null(memory);
    for (size_t i = 0; i < count; i++) {
        memory[i] = calloc((size_t)(CACHE_ROWS * kept[i].columns), sizeof(float));
        assert_non_null(memory[i]);
        heed_engine_bind_kept(engine, side, i, memory[i]);
    }
    return memory;
}

static void free_caches(void **memory)
{
    for (int i = 0; memory[i]; i++) free(memory[i]);
    free(memory);
}

static void run_decode(heed_engine *engine, int64_t first, int64_t count, int32_t slot_base,
                       float *logits)
{
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_DECODE,
        .rows = count,
        .sequences = 1,
        .gathered = count,
        .cache_pages = BLOCKS,
        .table_rows = 1,
        .table_columns = BLOCKS,
    };
    put_rows(first, count, slot_base);
    run(engine, &spec, 1);
    take_logits(engine, count, logits);
}

static void assert_close(const char *what, const float *a, const float *b, size_t count,
                         double factor)
{
    double scale = 0, difference = 0;
    for (size_t i = 0; i < count; i++) {
        scale = fmax(scale, fabs((double)a[i]));
        difference = fmax(difference, fabs((double)a[i] - (double)b[i]));
    }
    if (!(difference <= factor * scale) || scale == 0)
        fail_msg("%s: off by %g where the largest is %g", what, difference, scale);
}

/* prefill(n) = n decodes = the forward pass, within 3e-6 of the largest logit. */
static void decoding_is_the_forward_pass(void **state)
{
    (void)state;
    static const char *const fixtures[] = {
        "gpt2",           "llama",    "mistral",       "qwen2",       "llama-bf16-sharded",
        "llama-mha-bias", "gemma2",   "gemma3",        "phi",         "cohere-qk-norm",
        "gpt_neo",        "gpt_neox", "gptj",          "gpt_bigcode", "opt-350m",
        "bloom-6-heads",  "mpt",      "falcon-groups", "falcon-alibi"};
    for (size_t f = 0; f < sizeof fixtures / sizeof *fixtures; f++) {
        heed_engine *engine = open_engine(fixtures[f], false);
        size_t vocabulary = (size_t)heed_model_config(heed_engine_model(engine))->vocabulary;
        float *whole = calloc(TOKENS * vocabulary, sizeof *whole),
              *steps = calloc(TOKENS * vocabulary, sizeof *steps);
        run_forward(engine, TOKENS, whole);
        void **caches = bind_caches(engine, HEED_KEEP_SELF);
        run_decode(engine, 0, TOKENS, 0, steps);
        assert_close(fixtures[f], whole, steps, TOKENS * vocabulary, 3e-6);
        for (int64_t at = 0; at < TOKENS; at++)
            run_decode(engine, at, 1, 64, steps + (size_t)at * vocabulary);
        assert_close(fixtures[f], whole, steps, TOKENS * vocabulary, 3e-6);
        run_decode(engine, 0, 5, 128, steps);
        run_decode(engine, 5, TOKENS - 5, 128, steps + 5 * vocabulary);
        assert_close(fixtures[f], whole, steps, TOKENS * vocabulary, 3e-6);
        heed_engine_free(engine);
        free_caches(caches);
        free(whole);
        free(steps);
    }
}

/* Two sequences in one batch give the bits of each by itself, in whatever bucket. */
static void neighbors_and_buckets_change_no_bit(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("llama", false);
    size_t vocabulary = (size_t)heed_model_config(heed_engine_model(engine))->vocabulary;
    float *alone = calloc(TOKENS * vocabulary, sizeof *alone),
          *both = calloc(2 * TOKENS * vocabulary, sizeof *both);
    run_forward(engine, TOKENS, alone);
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_FORWARD, .rows = 300, .sequences = 9, .gathered = 300};
    const int64_t lengths[] = {4, TOKENS, TOKENS - 4};
    begin(0, 2 * TOKENS);
    for (int s = 0; s < 3; s++) {
        heed_batch_rows text;
        assert_ok(heed_batch_sequence(&batch, HEED_MAIN_STACK, lengths[s], &text, &error));
        for (int64_t i = 0; i < lengths[s]; i++) text.ids[i] = s == 1 ? token(i) : 7 + s;
    }
    run(engine, &spec, 1);
    take_logits(engine, 2 * TOKENS, both);
    assert_memory_equal(both + 4 * vocabulary, alone, TOKENS * vocabulary * sizeof *alone);
    heed_engine_free(engine);
    free(alone);
    free(both);
}

/* ---- encoder-decoder: one source, encoded once, decoded step by step ---- */

static void put_source(int64_t count, const char *slots)
{
    int32_t ids[32], places[32], table[HEED_SEQUENCE_FIELDS] = {0};
    batch.count[HEED_EXTENT_SOURCE_ROWS] = count;
    for (int64_t i = 0; i < count; i++) {
        ids[i] = (int32_t)(3 + i * 5);
        places[i] = (int32_t)i + 64;
    }
    table[HEED_SEQUENCE_QUERY_LENGTH] = table[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)count;
    put("source_ids", ids, count, 0);
    put("source_sequences", table, 1, HEED_SEQUENCE_FIELDS);
    if (slots) put(slots, places, count, 0);
}

static void put_cross(int64_t queries, int64_t keys)
{
    int32_t table[HEED_SEQUENCE_FIELDS] = {0}, blocks[BLOCKS] = {1};
    table[HEED_SEQUENCE_QUERY_LENGTH] = (int32_t)queries;
    table[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)keys;
    put("cross_sequences", table, 1, HEED_SEQUENCE_FIELDS);
    put("cross_page_table", blocks, 1, BLOCKS);
}

static void encoding_once_and_decoding_is_the_forward_pass(void **state)
{
    (void)state;
    enum { SOURCE = 11 };
    heed_engine *engine = open_engine("marian", false);
    size_t vocabulary = (size_t)heed_model_config(heed_engine_model(engine))->vocabulary;
    float *whole = calloc(TOKENS * vocabulary, sizeof *whole),
          *steps = calloc(TOKENS * vocabulary, sizeof *steps);
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_FORWARD,
        .rows = TOKENS,
        .source_rows = SOURCE,
        .sequences = 1,
        .gathered = TOKENS,
    };
    put_rows(0, TOKENS, 0);
    put_source(SOURCE, NULL);
    run(engine, &spec, 1);
    take_logits(engine, TOKENS, whole);

    void **own = bind_caches(engine, HEED_KEEP_SELF),
         **cross = bind_caches(engine, HEED_KEEP_SOURCE);
    spec = (heed_program_spec){
        .purpose = HEED_PURPOSE_ENCODE,
        .source_rows = SOURCE,
        .sequences = 1,
        .cross_pages = BLOCKS,
    };
    begin(1, 0);
    put_source(SOURCE, "cross_slots");
    run(engine, &spec, 1);
    for (int64_t at = 0; at < TOKENS; at++) {
        spec = (heed_program_spec){
            .purpose = HEED_PURPOSE_DECODE,
            .rows = 1,
            .sequences = 1,
            .gathered = 1,
            .cache_pages = BLOCKS,
            .cross_pages = BLOCKS,
            .table_rows = 1,
            .table_columns = BLOCKS,
        };
        put_rows(at, 1, 0);
        put_cross(1, SOURCE);
        run(engine, &spec, 1);
        take_logits(engine, 1, steps + (size_t)at * vocabulary);
    }
    assert_close("marian", whole, steps, TOKENS * vocabulary, 3e-6);
    heed_engine_free(engine);
    free_caches(own);
    free_caches(cross);
    free(whole);
    free(steps);
}

/* ---- training ---- */

static float run_training(heed_engine *engine, const heed_program_spec *options, uint64_t seed)
{
    heed_program_spec spec = *options;
    spec.rows = spec.gathered = TOKENS;
    spec.sequences = 1;
    put_rows(0, TOKENS, 0);
    int32_t labels[TOKENS], samples[2 * TOKENS];
    for (int i = 0; i < TOKENS; i++) {
        labels[i] = i + 1 < TOKENS ? token(i + 1) : HEED_IGNORE;
        samples[2 * i] = 3;
        samples[2 * i + 1] = i;
    }
    put("labels", labels, TOKENS, 0);
    put("samples", samples, TOKENS, 2);
    batch.term_counts[0] = TOKENS - 1;
    run(engine, &spec, seed);
    heed_operand loss;
    assert_ok(heed_engine_output(engine, "loss", &loss, &error));
    return *(float *)loss.data;
}

static float *copy_gradients(heed_engine *engine, size_t *count)
{
    const heed_model *model = heed_engine_model(engine);
    float *all = calloc(heed_model_element_count(model), sizeof *all);
    *count = 0;
    for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
        heed_model_parameter_read(model, i, true, all + *count);
        *count += heed_model_parameter(model, i).elements;
    }
    assert_int_equal(*count, heed_model_element_count(model));
    return all;
}

static void gradients_add_up_and_recomputing_changes_little(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("gpt2", true);
    heed_model *model = (heed_model *)heed_engine_model(engine);
    assert_ok(heed_model_allocate_gradients(model, &error));
    size_t count = 0, kept_bytes = 0, recomputed_bytes = 0;
    heed_program_spec plain = {.purpose = HEED_PURPOSE_TRAIN},
                      recompute = {.purpose = HEED_PURPOSE_TRAIN, .checkpointing = true};
    float loss = run_training(engine, &plain, 1);
    float *once = copy_gradients(engine, &count);
    assert_float_equal(run_training(engine, &(heed_program_spec){.purpose = HEED_PURPOSE_LOSS}, 1),
                       loss, 1e-6f * loss);
    run_training(engine, &plain, 1);
    float *twice = copy_gradients(engine, &count);
    for (size_t i = 0; i < count; i++) once[i] *= 2;
    assert_close("two micro-batches", once, twice, count, 1e-6);
    heed_model_clear_gradients(model);
    run_training(engine, &recompute, 1);
    run_training(engine, &recompute, 1);
    float *again = copy_gradients(engine, &count);
    assert_close("recomputed", twice, again, count, 3e-6);
    plain.rows = plain.gathered = recompute.rows = recompute.gathered = 512;
    plain.sequences = recompute.sequences = 8;
    assert_ok(heed_engine_bytes(engine, &plain, &kept_bytes, &error));
    assert_ok(heed_engine_bytes(engine, &recompute, &recomputed_bytes, &error));
    assert_true(recomputed_bytes < kept_bytes);
    free(once);
    free(twice);
    free(again);
    heed_engine_free(engine);
}

/* Accumulations once stood at the end of the graph and kept what every layer had computed again
   alive until then. */
static void recomputing_keeps_one_layer_at_a_time(void **state)
{
    (void)state;
    heed_config config;
    heed_model *model = NULL;
    heed_engine *engine = NULL;
    size_t kept = 0, recomputed = 0;
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_TRAIN, .rows = 512, .sequences = 2, .gathered = 512};
    assert_ok(heed_config_preset(&config, "gpt2", &error));
    config.vocabulary = 40;
    config.d_model = 64;
    config.context = 256;
    config.decoder = (heed_stack){.layers = 12, .heads = 2};
    assert_ok(heed_config_complete(&config, "test", &error));
    assert_ok(heed_model_new_random(
        &model, &config, &(heed_model_options){.backend = cpu, .training = true}, &error));
    assert_ok(heed_engine_new(&engine, model, cpu, &error));
    assert_ok(heed_engine_bytes(engine, &spec, &kept, &error));
    spec.checkpointing = true;
    assert_ok(heed_engine_bytes(engine, &spec, &recomputed, &error));
    print_message("12 layers: %.1f MB, with recomputing %.1f MB\n", (double)kept / 1e6,
                  (double)recomputed / 1e6);
    assert_true(recomputed < kept / 3);
    heed_engine_free(engine);
    heed_model_release(model);
}

static void dropout_follows_the_seed(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("gpt2", true);
    assert_ok(heed_model_allocate_gradients((heed_model *)heed_engine_model(engine), &error));
    heed_program_spec dropping = {.purpose = HEED_PURPOSE_TRAIN, .dropout = 0.2f},
                      plain = {.purpose = HEED_PURPOSE_TRAIN};
    float a = run_training(engine, &dropping, 1), b = run_training(engine, &dropping, 1),
          c = run_training(engine, &dropping, 2);
    assert_true(a == b && a != c && a != run_training(engine, &plain, 1));
    heed_engine_free(engine);
}

static void label_smoothing_raises_the_loss(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("gpt2", true);
    heed_program_spec spec = {.purpose = HEED_PURPOSE_LOSS};
    float plain = run_training(engine, &spec, 1);
    spec.label_smoothing = 0.5f;
    assert_true(run_training(engine, &spec, 1) != plain);
    heed_engine_free(engine);
}

static void impossible_runs_are_refused(void **state)
{
    (void)state;
    heed_engine *engine = open_engine("llama", false), *encoder = open_engine("bert", false);
    heed_runtime runtime = {0};
    assert_fails(HEED_E_ARG, "nothing was prepared",
                 heed_engine_feed(engine, &batch, &runtime, &error));
    assert_fails(HEED_E_ARG, "nothing was prepared", heed_engine_run(engine, &runtime, &error));
    assert_fails(HEED_E_ARG, "not opened for training",
                 heed_engine_prepare(engine,
                                     &(heed_program_spec){.purpose = HEED_PURPOSE_TRAIN, .rows = 1},
                                     &error));
    assert_fails(
        HEED_E_ARG, "encoder-decoders",
        heed_engine_prepare(engine, &(heed_program_spec){.purpose = HEED_PURPOSE_ENCODE}, &error));
    assert_fails(
        HEED_E_UNSUPPORTED, "does not generate",
        heed_engine_prepare(encoder, &(heed_program_spec){.purpose = HEED_PURPOSE_DECODE}, &error));
    assert_fails(HEED_E_ARG, "dropout",
                 heed_engine_prepare(engine, &(heed_program_spec){.dropout = 1}, &error));
    assert_fails(HEED_E_ARG, "rows or pages",
                 heed_engine_prepare(engine, &(heed_program_spec){.rows = -1}, &error));
    assert_ok(heed_engine_prepare(
        engine, &(heed_program_spec){.rows = 1, .gathered = 1, .sequences = 1}, &error));
    heed_operand output;
    assert_fails(HEED_E_ARG, "no output",
                 heed_engine_output(engine, "hidden_states.0", &output, &error));
    assert_true(heed_engine_has_output(engine, "logits"));
    heed_engine_free(engine);
    heed_engine_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_is_the_forward_pass),
        cmocka_unit_test(neighbors_and_buckets_change_no_bit),
        cmocka_unit_test(encoding_once_and_decoding_is_the_forward_pass),
        cmocka_unit_test(gradients_add_up_and_recomputing_changes_little),
        cmocka_unit_test(recomputing_keeps_one_layer_at_a_time),
        cmocka_unit_test(dropout_follows_the_seed),
        cmocka_unit_test(label_smoothing_raises_the_loss),
        cmocka_unit_test(impossible_runs_are_refused)};
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
