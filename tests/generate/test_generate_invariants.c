/* What generation keeps to with any model: batches, threads and seeds, and that draws follow the
   probabilities of the model. */
#include "generate/generated.h"
#include <math.h>

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

typedef void change(heed_generation_settings *s);
static void greedy(heed_generation_settings *s)
{
    s->beams = 1; /* FSMT's files ask for five */
    s->log_probabilities = 2;
}

static void drawn(heed_generation_settings *s)
{
    s->beams = 1;
    s->sample = true;
    s->returned = 3;
    s->seed = 9;
    s->top_p = 0.9;
    s->log_probabilities = 0;
}

static void beams(heed_generation_settings *s)
{
    s->beams = 3;
    s->returned = 2;
    s->log_probabilities = 0;
}

static void penalized(heed_generation_settings *s)
{
    s->beams = 1;
    s->repetition_penalty = 1.3;
    s->no_repeat_ngram = 2;
    s->min_new_tokens = 5;
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
        make_prompts(prompts, ids, heed_config_source_vocabulary(heed_model_config(f.model)));
        for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
            f.settings.beams = 1; /* FSMT's files ask for 5 */
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
        fixture_close(&f);
        fixture_close(&threaded);
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
    f.settings.sample = true;
    f.settings.returned = 8;
    f.settings.max_new_tokens = 12;
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
    f.settings.max_new_tokens = 1;
    f.settings.log_probabilities = K;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &prompt, 1, NULL, &one,
                            &error));
    double p[K], total = 0, chi = 0;
    for (int k = 0; k < K; k++)
        total += p[k] = exp((double)one.items[0].likely[k].log_probability / 1.5);
    f.settings.sample = true;
    f.settings.temperature = 1.5;
    f.settings.top_k = K;
    f.settings.returned = 50;
    f.settings.log_probabilities = -1;
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(batches_equal_singles),
                                       cmocka_unit_test(seeds_and_numbers_draw_differently),
                                       cmocka_unit_test(draws_follow_the_model)};
    return cmocka_run_group_tests_name("generate", tests, NULL, NULL);
}
