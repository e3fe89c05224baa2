/* The shuffle is a permutation for every size, differs between epochs, and leaves no order. */
#include "train/shuffle.h"

#include "support/test.h"
#include <math.h>
#include <stdbool.h>

static void test_is_a_permutation(void **state)
{
    (void)state;
    enum { MOST = 3000 };
    static bool seen[MOST];
    for (uint64_t count = 1; count <= MOST; count = count < 70 ? count + 1 : count * 3 / 2) {
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t at = heed_shuffle_at(5, 2, count, i);
            assert_true(at < count && !seen[at]);
            seen[at] = true;
        }
    }
}

static void test_large_counts_stay_in_range(void **state)
{
    (void)state;
    uint64_t count = ((uint64_t)1 << 61) + 12345;
    for (uint64_t i = 0; i < 1000; i++) assert_true(heed_shuffle_at(1, 0, count, i) < count);
}

/* Correlation of place and element, and of neighbors, within five standard deviations of none. */
static void test_leaves_no_order(void **state)
{
    (void)state;
    enum { N = 20000 };
    for (uint64_t epoch = 0; epoch < 5; epoch++) {
        double place = 0, neighbor = 0, previous = 0;
        for (uint64_t i = 0; i < N; i++) {
            double x = ((double)heed_shuffle_at(9, epoch, N, i) + 0.5) / N - 0.5,
                   y = ((double)i + 0.5) / N - 0.5;
            place += 12 * x * y;
            neighbor += 12 * x * previous;
            previous = x;
        }
        assert_true(fabs(place) < 5 * sqrt(N) && fabs(neighbor) < 5 * sqrt(N));
    }
}

static void test_epochs_and_seeds_differ(void **state)
{
    (void)state;
    enum { N = 1000 };
    int same_epoch = 0, same_seed = 0;
    for (uint64_t i = 0; i < N; i++) {
        same_epoch += heed_shuffle_at(1, 0, N, i) == heed_shuffle_at(1, 1, N, i);
        same_seed += heed_shuffle_at(1, 0, N, i) == heed_shuffle_at(2, 0, N, i);
    }
    assert_true(same_epoch < 12 && same_seed < 12); /* one is expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_a_permutation), cmocka_unit_test(test_large_counts_stay_in_range),
        cmocka_unit_test(test_leaves_no_order), cmocka_unit_test(test_epochs_and_seeds_differ)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
