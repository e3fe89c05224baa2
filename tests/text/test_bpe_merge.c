#include "text/model.h"

#include "base/memory.h"
#include "tokenizer_support.h"

enum { SYMBOLS = 24, MERGES = 300 };

/* The definition: join the pair of the lowest rank, the leftmost of them, until none is left. */
static size_t merge_by_definition(const heed_merge_table *table, int32_t *ids, size_t count)
{
    for (;;) {
        const heed_merge_slot *best = NULL;
        size_t place = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            const heed_merge_slot *merge = heed_merge_find(table, ids[i], ids[i + 1]);
            if (merge && (!best || merge->rank < best->rank)) {
                best = merge;
                place = i;
            }
        }
        if (!best) return count;
        ids[place] = best->joined;
        memmove(ids + place + 1, ids + place + 2, (count - place - 2) * sizeof *ids);
        count--;
    }
}

static uint32_t draw(uint32_t *random, uint32_t bound)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % bound;
}

/* Short words take another way than long ones; both follow the definition, with merges in any
   order. */
static void merging_follows_the_definition(void **state)
{
    (void)state;
    uint32_t random = 3;
    heed_tokenizer_model_scratch scratch = {0};
    for (int round = 0; round < 60; round++) {
        heed_tokenizer_model model = {0};
        for (int i = 0; i < MERGES; i++) {
            heed_merge merge = {(int32_t)draw(&random, SYMBOLS), (int32_t)draw(&random, SYMBOLS),
                                (int32_t)draw(&random, SYMBOLS),
                                /* ranks may be shared: the leftmost place then */
                                (uint32_t)(round % 2 ? i / 3 : i)};
            /* most results take part in few merges */
            if (draw(&random, 3)) merge.joined = (int32_t)(SYMBOLS + draw(&random, 40));
            assert_ok(heed_bpe_add_merge_ids(&model, merge, &error));
        }
        assert_ok(heed_bpe_seal(&model, &error));
        for (int trial = 0; trial < 60; trial++) {
            int32_t ids[400];
            size_t count = 1 + draw(&random, trial % 3 ? 40 : 400),
                   alphabet = 1 + draw(&random, SYMBOLS);
            assert_true(heed_grow(&scratch.symbols, &scratch.symbol_capacity, count,
                                  sizeof *scratch.symbols));
            for (size_t i = 0; i < count; i++) {
                ids[i] = (int32_t)draw(&random, (uint32_t)alphabet);
                scratch.symbols[i] = (heed_symbol){ids[i], 1, -1, -1};
            }
            scratch.symbol_count = count;
            assert_ok(heed_bpe_merge(&model.merges, &scratch, &error));
            size_t wanted = merge_by_definition(&model.merges, ids, count), length = 0;
            assert_int_equal(scratch.symbol_count, wanted);
            for (size_t i = 0; i < wanted; i++) {
                assert_int_equal(scratch.symbols[i].id, ids[i]);
                length += scratch.symbols[i].length;
            }
            assert_int_equal(length, count);
        }
        heed_tokenizer_model_free(&model);
    }
    heed_tokenizer_model_scratch_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merging_follows_the_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
