/* Kept sequences: turns, prompts that begin alike, prompt caches on disk. What is written is what a
   fresh session writes. */
#include "generate/support.h"
#include "model/engine.h"
#include <math.h>

static heed_generation_settings greedy(int64_t tokens)
{
    heed_generation_settings settings;
    heed_generation_settings_default(&settings);
    settings.max_new_tokens = tokens;
    settings.log_probabilities = -1;
    return settings;
}

static void fill(int32_t *ids, int64_t count, int64_t vocabulary, int seed)
{
    for (int64_t i = 0; i < count; i++) ids[i] = (int32_t)((i * 7 + seed * 13 + 3) % vocabulary);
}

/* Ids that a fresh session writes after a prompt. */
static void write_fresh(const fixture *f, const heed_generation_settings *settings,
                        const int32_t *ids, int64_t count, heed_generation *generation)
{
    heed_session *session = fixture_session(f, NULL);
    assert_ok(heed_generate(&(heed_generator){session, NULL, settings}, &(heed_ids){ids, count}, 1,
                            NULL, generation, &error));
    heed_session_free(session);
}

static void assert_same(const heed_generated *a, const heed_generated *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->ids, b->ids, a->count * sizeof *a->ids);
}

static void a_turn_reads_only_what_is_new(void **state)
{
    fixture f = fixture_open("llama", 2);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    heed_generation_settings settings = greedy(6);
    heed_prefix prefix;
    int32_t ids[80];
    int64_t vocabulary = heed_session_vocabulary(session), context = heed_session_context(session),
            count = 5;
    (void)state;
    heed_prefix_begin(&prefix, session);
    fill(ids, count, vocabulary, 1);
    for (int turn = 0; turn < 3 && count + 6 <= context; turn++) {
        heed_generation kept, fresh;
        size_t before = turn ? (size_t)prefix.count : 0;
        assert_ok(heed_generate_from(&(heed_generator){session, NULL, &settings}, &prefix,
                                     &(heed_ids){ids, count}, NULL, &kept, &error));
        write_fresh(&f, &settings, ids, count, &fresh);
        assert_same(&kept.items[0], &fresh.items[0]);
        assert_int_equal(kept.prompts[0].kept, before);
        assert_int_equal(heed_session_held(session), 1);
        assert_int_equal(prefix.count, heed_session_length(session, prefix.sequence));
        assert_true(prefix.count >= count); /* the last id written was not read */
        for (size_t i = 0; i < kept.items[0].count; i++) ids[count++] = kept.items[0].ids[i];
        ids[count++] = (int32_t)(turn + 4);
        heed_generation_free(&kept);
        heed_generation_free(&fresh);
    }
    heed_prefix_free(&prefix);
    assert_int_equal(heed_session_held(session), 0);
    heed_session_free(session);
    fixture_close(&f);
}

static void another_beginning_is_read_anew(void **state)
{
    fixture f = fixture_open("gpt2", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    heed_generation_settings settings = greedy(4);
    heed_prefix prefix;
    int32_t first[8], other[8];
    heed_generation kept, fresh;
    (void)state;
    heed_prefix_begin(&prefix, session);
    fill(first, 8, heed_session_vocabulary(session), 1);
    fill(other, 8, heed_session_vocabulary(session), 1);
    other[3] = (other[3] + 1) % (int32_t)heed_session_vocabulary(session);
    assert_ok(heed_generate_from(&(heed_generator){session, NULL, &settings}, &prefix,
                                 &(heed_ids){first, 8}, NULL, &kept, &error));
    heed_generation_free(&kept);
    assert_ok(heed_generate_from(&(heed_generator){session, NULL, &settings}, &prefix,
                                 &(heed_ids){other, 8}, NULL, &kept, &error));
    assert_int_equal(kept.prompts[0].kept, 3);
    write_fresh(&f, &settings, other, 8, &fresh);
    assert_same(&kept.items[0], &fresh.items[0]);
    heed_generation_free(&kept);
    heed_generation_free(&fresh);
    heed_prefix_free(&prefix);
    heed_session_free(session);
    fixture_close(&f);
}

static void prompts_that_begin_alike_are_read_once(void **state)
{
    enum { COMMON = 70, COUNT = 76, PROMPTS = 4 };
    fixture f = fixture_open("llama", 2);
    heed_session *session = fixture_session(
        &f, &(heed_session_options){.sequences = 3, .context = 128});
    heed_generation_settings settings = greedy(5);
    static int32_t ids[PROMPTS][COUNT];
    heed_ids prompts[PROMPTS];
    heed_generation together;
    (void)state;
    for (int i = 0; i < PROMPTS; i++) {
        fill(ids[i], COMMON, heed_session_vocabulary(session), 1);
        fill(ids[i] + COMMON, COUNT - COMMON, heed_session_vocabulary(session), i + 2);
        prompts[i] = (heed_ids){ids[i], COUNT - i};
    }
    assert_ok(heed_generate(&(heed_generator){session, NULL, &settings}, prompts, PROMPTS, NULL,
                            &together, &error));
    assert_int_equal(heed_session_held(session), 0);
    for (int i = 0; i < PROMPTS; i++) {
        heed_session *alone = fixture_session(&f, &(heed_session_options){.context = 128});
        heed_generation fresh;
        assert_ok(heed_generate(&(heed_generator){alone, NULL, &settings}, &prompts[i], 1, NULL,
                                &fresh, &error));
        assert_true(together.prompts[i].kept >= COMMON);
        assert_same(&together.items[i], &fresh.items[0]);
        heed_generation_free(&fresh);
        heed_session_free(alone);
    }
    heed_generation_free(&together);
    heed_session_free(session);
    fixture_close(&f);
}

static void a_prompt_cache_comes_back_from_disk(void **state)
{
    fixture f = fixture_open("llama", 1), other = fixture_open("smollm2", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    heed_generation_settings settings = greedy(4);
    heed_prefix prefix, back;
    int32_t ids[12];
    heed_generation kept, fresh;
    scratch work;
    (void)state;
    scratch_make(&work);
    fill(ids, 12, heed_session_vocabulary(session), 5);
    heed_prefix_begin(&prefix, session);
    const char *path = scratch_path(&work, "cache.safetensors");
    assert_fails(HEED_E_ARG, "nothing has been read", heed_prefix_save(&prefix, path, &error));
    assert_ok(heed_prefix_feed(&prefix, ids, 10, &error));
    assert_ok(heed_prefix_save(&prefix, path, &error));
    heed_prefix_free(&prefix);
    heed_prefix_begin(&back, session);
    assert_ok(heed_prefix_load(&back, path, &error));
    assert_int_equal(back.count, 10);
    assert_ok(heed_generate_from(&(heed_generator){session, NULL, &settings}, &back,
                                 &(heed_ids){ids, 12}, NULL, &kept, &error));
    assert_int_equal(kept.prompts[0].kept, 10);
    write_fresh(&f, &settings, ids, 12, &fresh);
    assert_same(&kept.items[0], &fresh.items[0]);
    heed_generation_free(&kept);
    heed_generation_free(&fresh);
    heed_prefix_free(&back);

    heed_session *stranger = fixture_session(&other, &(heed_session_options){.sequences = 2});
    heed_prefix_begin(&back, stranger);
    assert_fails(HEED_E_ARG, "cache.safetensors", heed_prefix_load(&back, path, &error));
    assert_int_equal(heed_session_held(stranger), 0);
    scratch_file(&work, "cache.safetensors", "no cache", 8);
    assert_fails(HEED_E_FORMAT, "cache.safetensors",
                 heed_prefix_load(&back, scratch_path(&work, "cache.safetensors"), &error));
    heed_session_free(stranger);
    heed_session_free(session);
    scratch_remove(&work);
    fixture_close(&f);
    fixture_close(&other);
}

/* The same with a cache of bf16, of f16 and of bytes; a file of another type of cache is
   refused. */
static void a_prompt_cache_keeps_its_type(void **state)
{
    static const heed_dtype kinds[] = {HEED_F32, HEED_BF16, HEED_I8, HEED_F16};
    scratch work;
    (void)state;
    scratch_make(&work);
    for (int kind = 0; kind < 4; kind++) {
        fixture f = fixture_open("llama", 1);
        heed_model_release(f.model);
        assert_ok(heed_model_load(&f.model, f.oracle.folder,
                                  &(heed_model_options){.backend = f.backend, .cache = kinds[kind]},
                                  &error));
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 3});
        heed_generation_settings settings = greedy(4);
        heed_prefix prefix, back;
        heed_generation kept, fresh;
        int32_t ids[12];
        fill(ids, 12, heed_session_vocabulary(session), 5);
        const char *path = scratch_path(&work, "cache.safetensors");
        heed_prefix_begin(&back, session);
        if (kind) assert_fails(HEED_E_ARG, "type of cache", heed_prefix_load(&back, path, &error));
        heed_prefix_begin(&prefix, session);
        assert_ok(heed_prefix_feed(&prefix, ids, 10, &error));
        assert_ok(heed_prefix_save(&prefix, path, &error));
        heed_prefix_free(&prefix);
        assert_ok(heed_prefix_load(&back, path, &error));
        assert_ok(heed_generate_from(&(heed_generator){session, NULL, &settings}, &back,
                                     &(heed_ids){ids, 12}, NULL, &kept, &error));
        assert_int_equal(kept.prompts[0].kept, 10);
        write_fresh(&f, &settings, ids, 12, &fresh);
        assert_same(&kept.items[0], &fresh.items[0]);
        size_t arrays;
        const heed_kept *keys = heed_model_keeps(f.model, HEED_KEEP_SELF, &arrays);
        int64_t heads = keys->width.runs, width = heads * keys->width.columns;
        int64_t bytes = kinds[kind] == HEED_I8 ? width + 4 * heads
                                               : (int64_t)heed_dtypes[kinds[kind]].bytes * width;
        assert_int_equal(heed_session_position_bytes(session), (int64_t)arrays * bytes);
        heed_generation_free(&kept);
        heed_generation_free(&fresh);
        heed_prefix_free(&back);
        heed_session_free(session);
        fixture_close(&f);
    }
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_turn_reads_only_what_is_new),
                                       cmocka_unit_test(another_beginning_is_read_anew),
                                       cmocka_unit_test(prompts_that_begin_alike_are_read_once),
                                       cmocka_unit_test(a_prompt_cache_comes_back_from_disk),
                                       cmocka_unit_test(a_prompt_cache_keeps_its_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
