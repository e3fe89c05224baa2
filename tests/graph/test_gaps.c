/* The memory plan: places are the lowest that are free, and finding them grows as n log n. */
#include "sample.h"
#include "graph/gaps.h"

typedef struct {
    int32_t from, to;
    size_t bytes, offset;
} life;

/* The lowest free offset, by comparing with all lives before. */
static size_t lowest_of(const life *lives, int count, const life *wanted, size_t base)
{
    size_t offset = base;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const life *l = &lives[i];
            if (l->bytes && l->from <= wanted->to && wanted->from <= l->to && wanted->bytes &&
                l->offset < offset + wanted->bytes && offset < l->offset + l->bytes) {
                offset = l->offset + l->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

static void places_are_the_lowest_free_ones(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    heed_rng rng = {.seed = 4};
    for (int32_t regions = 1; regions < 300; regions = regions * 2 + 1) {
        life lives[COUNT];
        heed_gaps *gaps = heed_gaps_new(regions);
        assert_non_null(gaps);
        for (int i = 0; i < COUNT; i++) {
            life *l = &lives[i];
            *l = (life){.from = (int32_t)heed_rng_below(&rng, (uint64_t)regions)};
            l->to = l->from + (int32_t)heed_rng_below(&rng, (uint64_t)(regions - l->from));
            if (i % 10 == 0) l->to = INT32_MAX; /* until the end */
            l->bytes = 64 * (size_t)heed_rng_below(&rng, 30);
            l->offset = heed_gaps_lowest(gaps, l->from, l->to, l->bytes, 128);
            assert_true(l->offset == lowest_of(lives, i, l, 128));
            assert_true(heed_gaps_take(gaps, l->from, l->to, l->bytes, l->offset));
        }
        heed_gaps_free(gaps);
    }
}

static int by_size(const void *a, const void *b)
{
    const life *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* Comparisons for `count` values of a training, of so many sizes. Each step of the forward pass
   makes a value that the backward pass reads and one that the next step reads; the backward pass
   makes values for the next step only. */
static uint64_t comparisons_for(int count, uint64_t sizes)
{
    life *lives = calloc((size_t)count, sizeof *lives);
    const int32_t regions = count / 2;
    heed_gaps *gaps = heed_gaps_new(regions);
    heed_rng rng = {.seed = 9};
    for (int i = 0; i < count; i++) {
        const int32_t at = i / 2;
        const bool kept = i % 2 == 0 && at < regions / 2;
        lives[i] = (life){.from = at, .to = kept ? regions - 1 - at : at + 1};
        lives[i].bytes = 64 * (1 + (size_t)heed_rng_below(&rng, sizes));
    }
    qsort(lives, (size_t)count, sizeof *lives, by_size);
    for (int i = 0; i < count; i++) {
        const life *l = &lives[i];
        assert_true(heed_gaps_take(gaps, l->from, l->to, l->bytes,
                                   heed_gaps_lowest(gaps, l->from, l->to, l->bytes, 0)));
    }
    const uint64_t comparisons = heed_gaps_comparisons(gaps);
    heed_gaps_free(gaps);
    free(lives);
    return comparisons;
}

static void comparisons_grow_as_n_log_n(void **state)
{
    (void)state;
    for (int count = 2000; count <= 16000; count *= 2) {
        const double once = (double)comparisons_for(count, 12),
                     twice = (double)comparisons_for(2 * count, 12);
        if (!(twice < 2.6 * once))
            fail_msg("%d values: %.0f comparisons, twice as many: %.0f", count, once, twice);
    }
    /* no value asks for more, however many sizes there are */
    const int count = 8000;
    assert_true((double)comparisons_for(count, 5000) < 20000.0 * count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_the_lowest_free_ones),
        cmocka_unit_test(comparisons_grow_as_n_log_n),
    };
    return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
