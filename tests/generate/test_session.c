/* Laws of sessions: however prompts are cut, batched, forked, or spread over threads, the logits
   are the same. */
#include "generate/session.h"
#include "base/rng.h"
#include "generate/support.h"
#include <math.h>

static const char *const decoders[] = {
    "gpt2",         "llama",       "mistral",   "qwen2",          "smollm2", "llama-bf16-sharded",
    "gemma2",       "gemma3",      "phi",       "cohere-qk-norm", "gpt_neo", "gpt_neox",
    "gptj",         "gpt_bigcode", "opt-350m",  "bloom-6-heads",  "mpt",     "falcon-groups",
    "falcon-alibi", "mixtral",     "qwen2_moe", "gpt_oss"};
enum { DECODERS = sizeof decoders / sizeof decoders[0], TOKENS = 40 };

/* Logits of chosen tokens of one step, laid end to end by (item, token). */
typedef struct collected {
    float *rows;
    int64_t vocabulary, tokens;
} collected;

static heed_status collect(void *argument, const heed_logits_row *rows, int64_t count,
                           heed_error *error)
{
    collected *c = argument;
    (void)error;
    for (int64_t i = 0; i < count; i++)
        memcpy(c->rows + (rows[i].item * c->tokens + rows[i].token) * c->vocabulary, rows[i].logits,
               (size_t)c->vocabulary * sizeof(float));
    return HEED_OK;
}

static float *rows_new(int64_t items, int64_t tokens, int64_t vocabulary)
{
    float *rows = calloc((size_t)(items * tokens * vocabulary), sizeof *rows);
    assert_non_null(rows);
    return rows;
}

static void make_ids(int32_t *ids, int64_t count, int64_t vocabulary, uint64_t seed)
{
    heed_rng rng = {.seed = seed};
    for (int64_t i = 0; i < count; i++)
        ids[i] = (int32_t)heed_rng_below(&rng, (uint64_t)vocabulary);
}

/* Feeds ids to a new sequence in pieces of `piece` (0: at once) and returns all logits
   (count,V). */
static float *run(const fixture *f, const heed_session_options *options, const int32_t *ids,
                  int64_t count, int64_t piece)
{
    heed_session *session = fixture_session(f, options);
    int64_t vocabulary = heed_session_vocabulary(session), sequence;
    float *rows = rows_new(1, count, vocabulary);
    assert_ok(heed_session_add(session, &sequence, &error));
    for (int64_t at = 0, size; at < count; at += size) {
        size = piece && piece < count - at ? piece : count - at;
        collected c = {rows + at * vocabulary, vocabulary, size};
        heed_step_item item = {sequence, ids + at, size, 0};
        assert_ok(heed_session_step(session, &item, 1, collect, &c, &error));
    }
    heed_session_free(session);
    return rows;
}

static void assert_close(const char *what, const float *a, const float *b, int64_t count)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(b[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(a[i] - b[i]) <= 3e-6f * largest))
            fail_msg("%s: element %lld is %.9g, expected %.9g", what, (long long)i, (double)a[i],
                     (double)b[i]);
}

static void prefill_equals_single_steps(void **state)
{
    (void)state;
    for (int i = 0; i < DECODERS; i++) {
        fixture f = fixture_open(decoders[i], 1);
        int64_t vocabulary = heed_model_config(f.model)->vocabulary;
        int32_t ids[TOKENS];
        make_ids(ids, TOKENS, vocabulary, (uint64_t)i);
        float *whole = run(&f, NULL, ids, TOKENS, 0), *single = run(&f, NULL, ids, TOKENS, 1),
              *pieces = run(&f, NULL, ids, TOKENS, 7);
        float *chunks = run(&f, &(heed_session_options){.chunk = 7}, ids, TOKENS, 0);
        assert_close(decoders[i], single, whole, TOKENS * vocabulary);
        assert_close(decoders[i], pieces, whole, TOKENS * vocabulary);
        assert_memory_equal(pieces, chunks, (size_t)(TOKENS * vocabulary) * sizeof(float));
        free(whole);
        free(single);
        free(pieces);
        free(chunks);
        fixture_close(&f);
    }
}

static void batch_equals_singles(void **state)
{
    (void)state;
    enum { SEQUENCES = 5 };
    static const int64_t lengths[SEQUENCES] = {1, 17, 40, 3, 8};
    for (int i = 0; i < DECODERS; i++) {
        fixture f = fixture_open(decoders[i], 1);
        heed_session *session = fixture_session(&f,
                                                &(heed_session_options){.sequences = SEQUENCES});
        int64_t vocabulary = heed_session_vocabulary(session);
        int32_t ids[SEQUENCES][TOKENS];
        heed_step_item items[SEQUENCES];
        float *rows = rows_new(SEQUENCES, TOKENS, vocabulary);
        for (int s = 0; s < SEQUENCES; s++) {
            make_ids(ids[s], TOKENS, vocabulary, (uint64_t)s + 100);
            items[s] = (heed_step_item){.ids = ids[s], .count = lengths[s]};
            assert_ok(heed_session_add(session, &items[s].sequence, &error));
        }
        collected c = {rows, vocabulary, TOKENS};
        assert_ok(heed_session_step(session, items, SEQUENCES, collect, &c, &error));
        for (int s = 0; s < SEQUENCES; s++) {
            float *alone = run(&f, NULL, ids[s], lengths[s], 0);
            assert_memory_equal(rows + s * TOKENS * vocabulary, alone,
                                (size_t)(lengths[s] * vocabulary) * sizeof(float));
            free(alone);
        }
        /* A mixture: one sequence takes single tokens while another reads a prompt. */
        heed_session_drop(session, items[2].sequence);
        assert_ok(heed_session_add(session, &items[2].sequence, &error));
        heed_step_item mixed[] = {
            {items[1].sequence, ids[1] + 17, 1, 0},
            {items[2].sequence, ids[2], 40, 39},
            {items[3].sequence, ids[3] + 3, 1, 0},
        };
        assert_ok(heed_session_step(session, mixed, 3, collect, &c, &error));
        float *alone = run(&f, NULL, ids[2], 40, 0);
        assert_memory_equal(rows + (TOKENS + 39) * vocabulary, alone + 39 * vocabulary,
                            (size_t)vocabulary * sizeof(float));
        free(alone);
        free(rows);
        heed_session_free(session);
        fixture_close(&f);
    }
}

static void forks_equal_their_own_history(void **state)
{
    (void)state;
    for (int i = 0; i < DECODERS; i++) {
        fixture f = fixture_open(decoders[i], 1);
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 4});
        int64_t vocabulary = heed_session_vocabulary(session), root, forks[3];
        int32_t ids[TOKENS];
        make_ids(ids, TOKENS, vocabulary, 5);
        assert_ok(heed_session_add(session, &root, &error));
        heed_step_item item = {root, ids, 9, 9};
        assert_ok(heed_session_step(session, &item, 1, NULL, NULL, &error));
        for (int k = 0; k < 3; k++)
            assert_ok(heed_session_fork(session, root, 9 - k, &forks[k], &error));
        float *rows = rows_new(4, 1, vocabulary);
        for (int step = 0; step < 6; step++) {
            heed_step_item items[4] = {{root, ids + 9 + step, 1, 0}};
            for (int k = 0; k < 3; k++)
                items[k + 1] = (heed_step_item){forks[k], ids + 20 + 3 * k + step, 1, 0};
            collected c = {rows, vocabulary, 1};
            assert_ok(heed_session_step(session, items, 4, collect, &c, &error));
            for (int k = 0; k < 4; k++) {
                int32_t history[TOKENS];
                int64_t shared = k ? 9 - (k - 1) : 9;
                memcpy(history, ids, (size_t)shared * sizeof *ids);
                for (int j = 0; j <= step; j++)
                    history[shared + j] = k ? ids[20 + 3 * (k - 1) + j] : ids[9 + j];
                heed_session *own = fixture_session(&f, NULL);
                float *alone = rows_new(1, 1, vocabulary);
                int64_t sequence;
                assert_ok(heed_session_add(own, &sequence, &error));
                heed_step_item prefix = {sequence, history, 9, 9}, last;
                if (shared < 9) prefix.count = prefix.want = shared;
                assert_ok(heed_session_step(own, &prefix, 1, NULL, NULL, &error));
                collected one = {alone, vocabulary, 1};
                for (int j = 0; j <= step; j++) {
                    last = (heed_step_item){sequence, history + shared + j, 1, 0};
                    assert_ok(heed_session_step(own, &last, 1, collect, &one, &error));
                }
                if (shared == 9)
                    assert_memory_equal(rows + k * vocabulary, alone,
                                        (size_t)vocabulary * sizeof(float));
                /* another cut of the prompt */
                else assert_close(decoders[i], rows + k * vocabulary, alone, vocabulary);
                free(alone);
                heed_session_free(own);
            }
        }
        free(rows);
        heed_session_free(session);
        fixture_close(&f);
    }
}

/* Blocks that another sequence left behind hold its keys and values, here NaN as well: none of them
   may be seen. */
static void old_blocks_are_not_seen(void **state)
{
    (void)state;
    for (int i = 0; i < DECODERS; i++) {
        fixture f = fixture_open(decoders[i], 1);
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
        int64_t vocabulary = heed_session_vocabulary(session), sequence;
        int32_t old[TOKENS], ids[TOKENS];
        make_ids(old, TOKENS, vocabulary, 77);
        make_ids(ids, TOKENS, vocabulary, 78);
        float *rows = rows_new(1, TOKENS, vocabulary), *alone = run(&f, NULL, ids, 12, 1);
        assert_ok(heed_session_add(session, &sequence, &error));
        heed_step_item item = {sequence, old, TOKENS, TOKENS};
        assert_ok(heed_session_step(session, &item, 1, NULL, NULL, &error));
        heed_session_drop(session, sequence);
        assert_ok(heed_session_add(session, &sequence, &error));
        for (int t = 0; t < 12; t++) {
            collected c = {rows + t * vocabulary, vocabulary, 1};
            item = (heed_step_item){sequence, ids + t, 1, 0};
            assert_ok(heed_session_step(session, &item, 1, collect, &c, &error));
        }
        assert_memory_equal(rows, alone, (size_t)(12 * vocabulary) * sizeof(float));
        free(rows);
        free(alone);
        heed_session_free(session);
        fixture_close(&f);
    }
}

/* What beams do: at each step every beam continues one of the old ones, the first heir takes its
   sequence, others fork it. */
static void reordered_beams_equal_their_own_history(void **state)
{
    (void)state;
    enum { BEAMS = 4, PROMPT = 5, STEPS = 14 };
    for (int i = 0; i < DECODERS; i++) {
        fixture f = fixture_open(decoders[i], 1);
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = BEAMS});
        int64_t vocabulary = heed_session_vocabulary(session), sequences[BEAMS];
        int32_t history[BEAMS][PROMPT + STEPS], next[BEAMS][PROMPT + STEPS];
        heed_rng rng = {.seed = (uint64_t)i};
        float *rows = rows_new(BEAMS, 1, vocabulary);
        make_ids(history[0], PROMPT, vocabulary, 9);
        assert_ok(heed_session_add(session, &sequences[0], &error));
        heed_step_item prompt = {sequences[0], history[0], PROMPT, PROMPT};
        assert_ok(heed_session_step(session, &prompt, 1, NULL, NULL, &error));
        for (int b = 1; b < BEAMS; b++) {
            memcpy(history[b], history[0], sizeof history[b]);
            assert_ok(heed_session_fork(session, sequences[0], PROMPT, &sequences[b], &error));
        }
        for (int step = 0; step < STEPS; step++) {
            int parents[BEAMS];
            bool heirs[BEAMS] = {false}, taken[BEAMS] = {false};
            int64_t moved[BEAMS];
            heed_step_item items[BEAMS];
            for (int b = 0; b < BEAMS; b++)
                heirs[parents[b] = (int)heed_rng_below(&rng, BEAMS)] = true;
            for (int b = 0; b < BEAMS; b++)
                if (!heirs[b]) heed_session_drop(session, sequences[b]);
            for (int b = 0; b < BEAMS; b++) {
                if (!taken[parents[b]]) moved[b] = sequences[parents[b]];
                else
                    assert_ok(heed_session_fork(session, sequences[parents[b]], PROMPT + step,
                                                &moved[b], &error));
                taken[parents[b]] = true;
                memcpy(next[b], history[parents[b]], sizeof next[b]);
                next[b][PROMPT + step] = (int32_t)heed_rng_below(&rng, (uint64_t)vocabulary);
                items[b] = (heed_step_item){moved[b], &next[b][PROMPT + step], 1, 0};
            }
            memcpy(history, next, sizeof history);
            memcpy(sequences, moved, sizeof sequences);
            collected c = {rows, vocabulary, 1};
            assert_ok(heed_session_step(session, items, BEAMS, collect, &c, &error));
            for (int b = 0; b < BEAMS; b++) {
                float *alone = run(&f, NULL, history[b], PROMPT + step + 1, 0);
                assert_close(decoders[i], rows + b * vocabulary,
                             alone + (PROMPT + step) * vocabulary, vocabulary);
                free(alone);
            }
        }
        free(rows);
        heed_session_free(session);
        fixture_close(&f);
    }
}

/* LongRoPE turns by other frequencies beyond its original length, here 12: a text that grows across
   it, or is cut back, has the logits that it has when it is read at once; so has a fork, whose
   blocks are shared with a text on the other side. */
static void texts_that_cross_the_original_length_are_read_anew(void **state)
{
    (void)state;
    enum { BELOW = 10, ABOVE = 20 };
    fixture f = fixture_open("phi3-longrope", 1);
    int64_t vocabulary = heed_model_config(f.model)->vocabulary, sequence, fork;
    int32_t ids[ABOVE];
    make_ids(ids, ABOVE, vocabulary, 9);
    float *below = run(&f, NULL, ids, BELOW, 0), *above = run(&f, NULL, ids, ABOVE, 0);
    float *row = rows_new(1, ABOVE, vocabulary);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    assert_ok(heed_session_add(session, &sequence, &error));
    for (int64_t at = 0; at < ABOVE; at++) {
        collected c = {row + at * vocabulary, vocabulary, 1};
        assert_ok(heed_session_step(session, &(heed_step_item){sequence, ids + at, 1, 0}, 1,
                                    collect, &c, &error));
        assert_int_equal(heed_session_length(session, sequence), at + 1);
        if (at == BELOW - 1)
            assert_ok(heed_session_fork(session, sequence, BELOW - 1, &fork, &error));
    }
    assert_close("before the border", row, below, BELOW * vocabulary);
    assert_close("the last of a text beyond it", row + (ABOVE - 1) * vocabulary,
                 above + (ABOVE - 1) * vocabulary, vocabulary);
    collected c = {row, vocabulary, 1};
    assert_ok(heed_session_step(session, &(heed_step_item){fork, ids + BELOW - 1, 1, 0}, 1, collect,
                                &c, &error));
    assert_close("a fork that stayed below", row, below + (BELOW - 1) * vocabulary, vocabulary);
    heed_session_truncate(session, sequence, 6);
    c = (collected){row, vocabulary, BELOW - 6};
    assert_ok(heed_session_step(session, &(heed_step_item){sequence, ids + 6, BELOW - 6, 0}, 1,
                                collect, &c, &error));
    assert_close("a text that was cut back", row, below + 6 * vocabulary, (BELOW - 6) * vocabulary);
    heed_session_free(session);
    free(below);
    free(above);
    free(row);
    fixture_close(&f);
}

/* The logits of `count` tokens of type 0 in one forward run, without caches. */
static float *forward_logits(const fixture *f, const int32_t *ids, int64_t count)
{
    int64_t vocabulary = heed_model_config(f->model)->vocabulary;
    heed_engine *engine;
    assert_ok(heed_engine_new(&engine, f->model, f->backend, &error));
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_FORWARD, .rows = count, .sequences = 1, .gathered = count};
    heed_batch batch = {0};
    heed_batch_rows text;
    heed_runtime runtime = {0};
    int32_t *types;
    assert_ok(heed_batch_sequence(&batch, HEED_MAIN_STACK, count, &text, &error));
    assert_ok(heed_batch_ints(&batch, "types", count, 0, &types, &error));
    memcpy(text.ids, ids, (size_t)count * sizeof *ids);
    batch.count[HEED_EXTENT_GATHERED] = count;
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_ok(heed_engine_feed(engine, &batch, &runtime, &error));
    assert_ok(heed_engine_run(engine, &runtime, &error));
    heed_batch_free(&batch);
    heed_operand logits;
    assert_ok(heed_engine_output(engine, "logits", &logits, &error));
    float *copy = rows_new(1, count, vocabulary);
    memcpy(copy, logits.data, (size_t)(count * vocabulary) * sizeof *copy);
    heed_engine_free(engine);
    return copy;
}

/* A decoder with token types generates with type 0, not with what an earlier run left in the
   workspace. */
static void token_types_of_a_session_are_zero(void **state)
{
    (void)state;
    static const char *const models[] = {"heed-9", "heed-10"};
    enum { COUNT = 9 };
    for (int i = 0; i < 2; i++) {
        fixture f = fixture_open(models[i], 1);
        int64_t vocabulary = heed_model_config(f.model)->vocabulary;
        int32_t ids[COUNT];
        make_ids(ids, COUNT, vocabulary, 11);
        float *expected = forward_logits(&f, ids, COUNT);
        for (int64_t piece = 0; piece < 5; piece += 2) {
            float *logits = run(&f, NULL, ids, COUNT, piece);
            assert_close(models[i], logits, expected, COUNT * vocabulary);
            free(logits);
        }
        free(expected);
        fixture_close(&f);
    }
}

/* The source has a vocabulary of its own, larger or smaller than the target's. */
static void sources_are_checked_by_their_own_vocabulary(void **state)
{
    (void)state;
    fixture f = fixture_open("fsmt", 1); /* 110 source tokens, 126 target tokens */
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    int32_t last[] = {5, 109}, beyond[] = {5, 110};
    int64_t sequence;
    assert_ok(heed_session_encode(session, &(heed_ids){last, 2}, 1, &sequence, &error));
    assert_fails(HEED_E_ARG,
                 "source: id 110 at place 1, but the model's vocabulary has the ids 0 to 109",
                 heed_session_encode(session, &(heed_ids){beyond, 2}, 1, &sequence, &error));
    heed_session_free(session);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefill_equals_single_steps),
        cmocka_unit_test(token_types_of_a_session_are_zero),
        cmocka_unit_test(sources_are_checked_by_their_own_vocabulary),
        cmocka_unit_test(batch_equals_singles),
        cmocka_unit_test(forks_equal_their_own_history),
        cmocka_unit_test(old_blocks_are_not_seen),
        cmocka_unit_test(reordered_beams_equal_their_own_history),
        cmocka_unit_test(texts_that_cross_the_original_length_are_read_anew)};
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
