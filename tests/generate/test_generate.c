/* Generation against transformers: the ids of every set of the fixtures, and their
   log-probabilities and scores. */
#include "generate/support.h"
#include <math.h>

static const char *const names[] = {"gpt2",
                                    "llama",
                                    "mistral",
                                    "qwen2",
                                    "smollm2",
                                    "marian",
                                    "qwen3",
                                    "gemma2",
                                    "gemma3",
                                    "gemma3-nested",
                                    "phi",
                                    "cohere-qk-norm",
                                    "starcoder2",
                                    "gpt_neo",
                                    "gpt_neox",
                                    "gptj-odd",
                                    "opt",
                                    "opt-350m",
                                    "bloom",
                                    "bloom-6-heads",
                                    "mpt",
                                    "falcon-groups",
                                    "falcon-alibi",
                                    "mixtral",
                                    "qwen2_moe",
                                    "qwen3_moe-step",
                                    "gpt_oss-balanced"};
enum { NAMES = sizeof names / sizeof names[0] };

/* The settings of a set: the base of the fixture and the set's own. */
static heed_generation_settings set_settings(const fixture *f, const json_t *set)
{
    heed_generation_settings settings;
    const json_t *generate = json_object_get(f->oracle.json, "generate");
    heed_generation_settings_default(&settings);
    assert_ok(heed_generation_settings_read(&settings, json_object_get(generate, "base"), "base",
                                            &error));
    assert_ok(heed_generation_settings_read(&settings, set, "set", &error));
    return settings;
}

/* Ids as transformers returns them (given first, padded at the end) against an item. */
static void compare_ids(const char *name, const int32_t *wanted, int64_t width, int64_t given,
                        const heed_generated *item, int64_t pad)
{
    for (int64_t i = given; i < width; i++) {
        int64_t at = i - given, found = at < (int64_t)item->count ? item->ids[at] : pad;
        if (found != wanted[i])
            fail_msg("%s, sequence %zu, new id %lld: %lld, expected %d", name, item->number,
                     (long long)at, (long long)found, wanted[i]);
    }
    assert_true((int64_t)item->count <= width - given);
}

static void compare_log_probabilities(const fixture *f, const char *name,
                                      const heed_generated *item, int64_t vocabulary)
{
    char key[96];
    snprintf(key, sizeof key, "%s.logp", name);
    float *wanted = oracle_floats(&f->oracle, key), largest = 0;
    /* 4, or fewer where the end came earlier */
    size_t steps = oracle_elements(oracle_tensor(&f->oracle, key)) / (size_t)vocabulary;
    for (int64_t i = 0; i < (int64_t)steps * vocabulary; i++)
        if (wanted[i] > -1e29f) largest = fmaxf(largest, fabsf(wanted[i]));
    for (size_t step = 0; step < steps && step < item->count; step++) {
        assert_true(fabsf(item->log_probabilities[step] -
                          wanted[(int64_t)step * vocabulary + item->ids[step]]) <= 1e-5f * largest);
        for (int64_t k = 0; k < vocabulary; k++) {
            heed_token_score likely = item->likely[(int64_t)step * vocabulary + k];
            float value = wanted[(int64_t)step * vocabulary + likely.id];
            bool same = value < -1e29f ? isinf(likely.log_probability)
                                       : fabsf(likely.log_probability - value) <= 1e-5f * largest;
            if (!same)
                fail_msg("%s, step %zu, id %d: %g, expected %g", name, step, likely.id,
                         (double)likely.log_probability, (double)value);
        }
    }
    free(wanted);
}

static bool check_set(fixture *f, heed_session *session, const char *set_name, const json_t *set,
                      int prompt)
{
    char in[64], out[64], score[80];
    snprintf(in, sizeof in, "gen.%d.in.input_ids", prompt);
    snprintf(out, sizeof out, "gen.%d.%s", prompt, set_name);
    snprintf(score, sizeof score, "%s.score", out);
    if (!heed_safetensors_find(f->oracle.tensors, in) ||
        !heed_safetensors_find(f->oracle.tensors, out))
        return false;
    heed_generation_settings settings = set_settings(f, set);
    int64_t vocabulary = heed_session_vocabulary(session), returned = settings.returned;
    bool greedy = strcmp(set_name, "greedy") == 0;
    settings.log_probabilities = greedy ? vocabulary : settings.beams > 1 ? 0 : -1;
    int32_t *ids = oracle_ids(&f->oracle, in), *wanted = oracle_ids(&f->oracle, out);
    heed_ids given = {ids, oracle_tensor(&f->oracle, in)->shape[1]};
    int64_t width = oracle_tensor(&f->oracle, out)->shape[1],
            before = heed_session_has_source(session) ? 1 : given.count;
    heed_generation generation;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &settings}, &given, 1, NULL,
                            &generation, &error));
    assert_int_equal(generation.count, returned);
    /* Beam search there takes a pad id of 0 for none. */
    int64_t pad = settings.beams > 1 && settings.pad == 0 ? settings.eos.ids[0] : settings.pad;
    for (int64_t i = 0; i < returned; i++) {
        char label[160];
        snprintf(label, sizeof label, "%.80s %.60s", f->oracle.folder, out);
        compare_ids(label, wanted + i * width, width, before, &generation.items[i], pad);
    }
    if (greedy) compare_log_probabilities(f, out, &generation.items[0], vocabulary);
    if (settings.beams > 1) {
        float *scores = oracle_floats(&f->oracle, score);
        for (int64_t i = 0; i < returned; i++)
            assert_true(fabs(generation.items[i].score - (double)scores[i]) <=
                        1e-5 * fabs((double)scores[i]) + 1e-5);
        free(scores);
    }
    heed_generation_free(&generation);
    heed_generation_settings_free(&settings);
    free(ids), free(wanted);
    return true;
}

static void all_sets_equal_transformers(void **state)
{
    (void)state;
    int checked = 0;
    for (int i = 0; i < NAMES; i++) {
        fixture f = fixture_open(names[i], 1);
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 4});
        const char *set_name;
        json_t *set;
        json_object_foreach(json_object_get(json_object_get(f.oracle.json, "generate"), "sets"),
                            set_name, set) for (int prompt = 0; prompt < 3; prompt++)
            checked += check_set(&f, session, set_name, set, prompt);
        assert_int_equal(heed_session_held(session), 0);
        heed_session_free(session);
        fixture_close(&f);
    }
    assert_int_equal(checked, 358);
}

/* ---- laws ---- */

enum { PROMPTS = 7 };

/* Prompts of different lengths from fixed ids. */
static void make_prompts(heed_ids prompts[PROMPTS], int32_t ids[PROMPTS][20], int64_t vocabulary)
{
    static const int64_t lengths[PROMPTS] = {3, 20, 1, 9, 9, 14, 2};
    for (int i = 0; i < PROMPTS; i++) {
        for (int k = 0; k < 20; k++)
            ids[i][k] = (int32_t)((i * 31 + k * k * 7 + 11) % (vocabulary - 1));
        prompts[i] = (heed_ids){ids[i], lengths[i]};
    }
}

static void assert_same_items(const char *what, const heed_generated *a, const heed_generated *b,
                              int64_t likely)
{
    if (a->count != b->count || memcmp(a->ids, b->ids, a->count * sizeof *a->ids) != 0 ||
        a->finish != b->finish)
        fail_msg("%s: prompt %zu, sequence %zu: other ids", what, a->prompt, a->number);
    if (a->log_probabilities)
        assert_memory_equal(a->log_probabilities, b->log_probabilities, a->count * sizeof(float));
    if (a->likely)
        assert_memory_equal(a->likely, b->likely, a->count * (size_t)likely * sizeof *a->likely);
    assert_true(a->score == b->score);
}

typedef void change(heed_generation_settings *s);
static void greedy(heed_generation_settings *s)
{
    s->log_probabilities = 2;
}
static void drawn(heed_generation_settings *s)
{
    s->sample = true, s->returned = 3, s->seed = 9, s->top_p = 0.9, s->log_probabilities = 0;
}
static void beams(heed_generation_settings *s)
{
    s->beams = 3, s->returned = 2, s->log_probabilities = 0;
}
static void penalized(heed_generation_settings *s)
{
    s->repetition_penalty = 1.3, s->no_repeat_ngram = 2, s->min_new_tokens = 5;
}
static const struct {
    const char *name;
    change *change;
} ways[] = {{"greedy", greedy}, {"drawn", drawn}, {"beams", beams}, {"penalized", penalized}};

/* Batches of every size, prompts alone, and other numbers of threads write the same, to the bit. */
static void batches_equal_singles(void **state)
{
    (void)state;
    for (int i = 0; i < NAMES; i++) {
        fixture f = fixture_open(names[i], 1), threaded = fixture_open(names[i], 3);
        int32_t ids[PROMPTS][20];
        heed_ids prompts[PROMPTS];
        make_prompts(prompts, ids, heed_model_config(f.model)->vocabulary);
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
            ways[way].change(&f.settings);
            f.settings.max_new_tokens = 9;
            heed_generation single[PROMPTS], batch;
            heed_session *alone = fixture_session(&f, &(heed_session_options){.sequences = 3});
            for (int p = 0; p < PROMPTS; p++)
                assert_ok(heed_generate(&(heed_generator){alone, NULL, &f.settings}, &prompts[p], 1,
                                        NULL, &single[p], &error));
            heed_session_free(alone);
            static const int64_t capacities[] = {3, 4, 8, 21, 8};
            for (int c = 0; c < 5; c++) {
                heed_session *session = fixture_session(
                    c == 4 ? &threaded : &f, &(heed_session_options){.sequences = capacities[c]});
                assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, prompts,
                                        PROMPTS, NULL, &batch, &error));
                for (size_t k = 0; k < batch.count; k++)
                    assert_same_items(ways[way].name, &batch.items[k],
                                      &single[k / (size_t)f.settings.returned]
                                           .items[k % (size_t)f.settings.returned],
                                      f.settings.log_probabilities);
                heed_generation_free(&batch);
                heed_session_free(session);
            }
            for (int p = 0; p < PROMPTS; p++) heed_generation_free(&single[p]);
            heed_generation_settings_free(&f.settings);
            assert_ok(heed_generation_settings_load(&f.settings, f.oracle.folder,
                                                    heed_model_config(f.model), &error));
        }
        fixture_close(&f), fixture_close(&threaded);
    }
}

static void seeds_and_numbers_draw_differently(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 8});
    int32_t ids[] = {5, 6, 7};
    heed_ids prompt = {ids, 3};
    heed_generation runs[3];
    f.settings.sample = true, f.settings.returned = 8, f.settings.max_new_tokens = 12,
    f.settings.temperature = 2;
    for (int i = 0; i < 3; i++) {
        f.settings.seed = i == 2 ? 2 : 1;
        assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &prompt, 1, NULL,
                                &runs[i], &error));
    }
    int equal = 0;
    for (size_t k = 0; k < 8; k++) {
        assert_same_items("same seed", &runs[0].items[k], &runs[1].items[k], 0);
        equal += runs[0].items[k].ids[0] == runs[2].items[k].ids[0];
        for (size_t j = 0; j < k; j++) equal += runs[0].items[k].ids[0] == runs[0].items[j].ids[0];
    }
    assert_true(equal < 8); /* of 36 pairs, where every token has a chance of some percent */
    for (int i = 0; i < 3; i++) heed_generation_free(&runs[i]);
    heed_session_free(session);
    fixture_close(&f);
}

/* 4,000 first tokens at temperature 1.5 and top-k 6 against the probabilities computed from the
   greedy run's scores; Pearson's statistic with 5 degrees of freedom exceeds 25.7 once in 10,000
   times. */
static void draws_follow_the_model(void **state)
{
    (void)state;
    enum { DRAWS = 4000, K = 6 };
    fixture f = fixture_open("gpt2", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 50});
    int32_t ids[] = {3, 1, 4};
    heed_ids prompt = {ids, 3};
    heed_generation one, many;
    f.settings.max_new_tokens = 1, f.settings.log_probabilities = K;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &prompt, 1, NULL, &one,
                            &error));
    double p[K], total = 0, chi = 0;
    for (int k = 0; k < K; k++)
        total += p[k] = exp((double)one.items[0].likely[k].log_probability / 1.5);
    f.settings.sample = true, f.settings.temperature = 1.5, f.settings.top_k = K,
    f.settings.returned = 50, f.settings.log_probabilities = -1;
    int counts[K] = {0};
    for (int i = 0; i < DRAWS / 50; i++) {
        f.settings.seed = (uint64_t)i;
        assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &prompt, 1, NULL,
                                &many, &error));
        for (size_t n = 0; n < many.count; n++) {
            int place = -1;
            for (int k = 0; k < K; k++)
                if (one.items[0].likely[k].id == many.items[n].ids[0]) place = k;
            assert_true(place >= 0);
            counts[place]++;
        }
        heed_generation_free(&many);
    }
    for (int k = 0; k < K; k++) {
        double wanted = DRAWS * p[k] / total;
        chi += (counts[k] - wanted) * (counts[k] - wanted) / wanted;
    }
    if (chi > 25.7) fail_msg("chi-square %.2f", chi);
    heed_generation_free(&one);
    heed_session_free(session);
    fixture_close(&f);
}

/* ---- text ---- */

typedef struct heard {
    heed_buffer text;
    int finished;
} heard;

static void hear(void *argument, size_t prompt, size_t number, const char *text, size_t length)
{
    (void)prompt, (void)number;
    heed_buffer_append(&((heard *)argument)->text, text, length);
}

static void hear_end(void *argument, const heed_generated *item)
{
    (void)item;
    ((heard *)argument)->finished++;
}

static void text_is_streamed_and_stopped(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1);
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_load(&tokenizer, f.oracle.folder, &error));
    for (int64_t beams_used = 1; beams_used <= 2; beams_used++) {
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
        int32_t ids[] = {16, 144, 181, 145, 182, 163, 221, 214, 271};
        heed_ids prompt = {ids, 9};
        heard whole = {0}, cut = {0};
        heed_generation_events events = {.text = hear, .finished = hear_end, .argument = &whole};
        heed_generation full, stopped;
        f.settings.max_new_tokens = f.settings.min_new_tokens = 14, f.settings.beams = beams_used;
        assert_ok(heed_generate(&(heed_generator){session, tokenizer, &f.settings}, &prompt, 1,
                                &events, &full, &error));
        assert_string_equal(whole.text.data, full.items[0].text);
        assert_true(full.items[0].text_length > 6 && whole.finished == 1);
        /* Two bytes of ASCII from the middle, on whatever borders of tokens they lie. */
        size_t at = 2;
        while (full.items[0].text[at] & 0x80 || full.items[0].text[at + 1] & 0x80) at++;
        char stop[3] = {full.items[0].text[at], full.items[0].text[at + 1], 0};
        size_t first = (size_t)(strstr(full.items[0].text, stop) - full.items[0].text);
        assert_ok(heed_generation_settings_add_stop(&f.settings, stop, &error));
        events.argument = &cut;
        assert_ok(heed_generate(&(heed_generator){session, tokenizer, &f.settings}, &prompt, 1,
                                &events, &stopped, &error));
        if (beams_used == 1) {
            assert_int_equal(stopped.items[0].finish, HEED_FINISH_STOP);
            assert_int_equal(stopped.items[0].text_length, first);
            assert_memory_equal(stopped.items[0].text, full.items[0].text, first);
            assert_true(stopped.items[0].count < full.items[0].count);
        } else {
            assert_null(strstr(stopped.items[0].text, stop));
        }
        assert_int_equal(cut.text.length, stopped.items[0].text_length);
        heed_generation_free(&stopped);
        assert_fails(HEED_E_ARG, "stop strings need a tokenizer",
                     heed_generate(&(heed_generator){session, NULL, &f.settings}, &prompt, 1, NULL,
                                   &stopped, &error));
        heed_buffer_free(&whole.text), heed_buffer_free(&cut.text);
        heed_generation_free(&full);
        heed_generation_settings_free(&f.settings);
        assert_ok(heed_generation_settings_load(&f.settings, f.oracle.folder,
                                                heed_model_config(f.model), &error));
        heed_session_free(session);
    }
    heed_tokenizer_free(tokenizer);
    fixture_close(&f);
}

/* ---- lengths ---- */

static void the_context_ends_a_sequence(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1); /* 48 positions */
    heed_session *session = fixture_session(&f, NULL);
    int32_t ids[60];
    for (int i = 0; i < 60; i++) ids[i] = (i * 37 + 5) % 320;
    heed_generation generation;
    f.settings.max_new_tokens = 20, f.settings.min_new_tokens = 20;

    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 40}, 1,
                            NULL, &generation, &error));
    assert_int_equal(generation.items[0].count, 8);
    assert_int_equal(generation.items[0].finish, HEED_FINISH_CONTEXT);
    heed_generation_free(&generation);

    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 28}, 1,
                            NULL, &generation, &error));
    assert_int_equal(generation.items[0].count, 20);
    assert_int_equal(generation.items[0].finish, HEED_FINISH_LENGTH);
    heed_generation_free(&generation);

    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 48}, 1,
                            NULL, &generation, &error));
    assert_int_equal(generation.items[0].count, 0);
    assert_int_equal(generation.items[0].finish, HEED_FINISH_CONTEXT);
    heed_generation_free(&generation);

    assert_fails(HEED_E_ARG, "prompt 1 has 49 tokens, but the context has 48 positions",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 49},
                               1, NULL, &generation, &error));
    heed_generation_free(&generation);

    f.settings.truncate = true;
    heed_generation cut;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 60}, 1,
                            NULL, &cut, &error));
    assert_int_equal(cut.prompts[0].cut, 60 - 28);
    assert_int_equal(cut.prompts[0].count, 28);
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings},
                            &(heed_ids){ids + 32, 28}, 1, NULL, &generation, &error));
    assert_same_items("truncated", &cut.items[0], &generation.items[0], 0);
    heed_generation_free(&cut), heed_generation_free(&generation);
    heed_session_free(session);
    fixture_close(&f);
}

static void wrong_requests_are_explained(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1), marian = fixture_open("marian", 1),
            bert = fixture_open("bert", 1), classes = fixture_open("gpt2-seqcls", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2}),
                 *pair = fixture_session(&marian, NULL), *none;
    int32_t ids[] = {1, 2, 400};
    heed_generation generation;
    heed_ids empty = {ids, 0}, good = {ids, 2}, unknown = {ids, 3};
    f.settings.bos = -1;
    assert_fails(HEED_E_ARG, "prompt 1 is empty",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &empty, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_fails(HEED_E_ARG, "prompt 1 is empty",
                 heed_generate(&(heed_generator){pair, NULL, &marian.settings}, &empty, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_fails(HEED_E_ARG, "id 400 at place 2",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &unknown, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_fails(HEED_E_ARG, "source: id 400 at place 2",
                 heed_generate(&(heed_generator){pair, NULL, &marian.settings}, &unknown, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    f.settings.max_length = 2;
    assert_fails(HEED_E_ARG, "max_length allows 2",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    f.settings.max_length = 0, f.settings.beams = 3;
    assert_fails(HEED_E_ARG, "3 sequences at once are needed",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    f.settings.beams = 2, f.settings.sample = true;
    assert_fails(HEED_E_UNSUPPORTED, "beam search",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    f.settings.sample = false, f.settings.log_probabilities = 1;
    assert_fails(HEED_E_UNSUPPORTED, "not reported for beams",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    f.settings.beams = 1, f.settings.log_probabilities = -1,
    f.settings.suppress = (heed_id_list){malloc(400 * sizeof(int32_t)), 321};
    for (int i = 0; i < 321; i++) f.settings.suppress.ids[i] = i;
    assert_fails(HEED_E_ARG, "no token can be chosen",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_int_equal(heed_session_held(session), 0);
    assert_fails(HEED_E_UNSUPPORTED, "is an encoder",
                 heed_session_new(&none, bert.model, bert.backend, NULL, &error));
    assert_fails(HEED_E_UNSUPPORTED, "no language-modelling head",
                 heed_session_new(&none, classes.model, classes.backend, NULL, &error));
    assert_fails(HEED_E_ARG, "the model's table has 48",
                 heed_session_new(&none, f.model, f.backend, &(heed_session_options){.context = 49},
                                  &error));
    heed_session_free(session), heed_session_free(pair);
    fixture_close(&f), fixture_close(&marian), fixture_close(&bert), fixture_close(&classes);
}

static bool after_three(void *argument)
{
    return ++*(int *)argument > 3;
}

static void the_caller_may_stop(void **state)
{
    (void)state;
    fixture f = fixture_open("marian", 1);
    heed_session *session = fixture_session(&f, NULL);
    int asked = 0;
    int32_t ids[] = {5, 6, 0};
    heed_generation generation;
    heed_generation_events events = {.cancelled = after_three, .argument = &asked};
    assert_fails(HEED_E_CANCELLED, "stopped",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 3},
                               1, &events, &generation, &error));
    assert_int_equal(asked, 4);
    assert_int_equal(heed_session_held(session), 0);
    heed_generation_free(&generation);
    heed_session_free(session);
    fixture_close(&f);
}

/* Log-probabilities of a prompt are those of the same ids when they are written. */
static void prompts_are_reported(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 1);
    heed_session *session = fixture_session(&f, NULL);
    int32_t ids[40] = {7, 8, 9};
    heed_generation written, read;
    f.settings.max_new_tokens = 12, f.settings.log_probabilities = 3;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 3}, 1,
                            NULL, &written, &error));
    const heed_generated *item = &written.items[0];
    memcpy(ids + 3, item->ids, item->count * sizeof *ids);
    f.settings.max_new_tokens = 1;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings},
                            &(heed_ids){ids, 3 + (int64_t)item->count}, 1, NULL, &read, &error));
    assert_true(isnan(read.prompts[0].log_probabilities[0]) && read.prompts[0].likely[0].id == -1);
    for (size_t i = 0; i < item->count; i++) {
        assert_true(fabsf(read.prompts[0].log_probabilities[3 + i] - item->log_probabilities[i]) <
                    1e-4f);
        for (int k = 0; k < 3; k++)
            assert_int_equal(read.prompts[0].likely[(3 + i) * 3 + (size_t)k].id,
                             item->likely[i * 3 + (size_t)k].id);
    }
    heed_generation_free(&written), heed_generation_free(&read);
    heed_session_free(session);
    fixture_close(&f);
}

static void nothing_asked_gives_nothing(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1);
    heed_session *session = fixture_session(&f, NULL);
    heed_generation generation;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, NULL, 0, NULL,
                            &generation, &error));
    assert_int_equal(generation.count, 0);
    heed_generation_free(&generation);
    int32_t bos = (int32_t)f.settings.bos;
    heed_generation from_bos;
    /* begins with bos */
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){NULL, 0}, 1,
                            NULL, &generation, &error));
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){&bos, 1}, 1,
                            NULL, &from_bos, &error));
    assert_same_items("empty prompt", &generation.items[0], &from_bos.items[0], 0);
    heed_generation_free(&generation), heed_generation_free(&from_bos);
    heed_session_free(session);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_sets_equal_transformers),
                                       cmocka_unit_test(batches_equal_singles),
                                       cmocka_unit_test(seeds_and_numbers_draw_differently),
                                       cmocka_unit_test(draws_follow_the_model),
                                       cmocka_unit_test(text_is_streamed_and_stopped),
                                       cmocka_unit_test(the_context_ends_a_sequence),
                                       cmocka_unit_test(wrong_requests_are_explained),
                                       cmocka_unit_test(the_caller_may_stop),
                                       cmocka_unit_test(prompts_are_reported),
                                       cmocka_unit_test(nothing_asked_gives_nothing)};
    return cmocka_run_group_tests_name("generate", tests, NULL, NULL);
}
