/* The KV cache against a shadow copy of every sequence, and its limits. */
#include "cache/cache.h"
#include "base/memory.h"
#include "base/rng.h"
#include "support/test.h"
#include <heed/graph.h>
#include <sys/resource.h>

enum { ARRAYS = 4, COLUMNS = 3, SEQUENCES = 6, POSITIONS = 200 };
enum { PAGES = (POSITIONS + HEED_PAGE_POSITIONS - 1) / HEED_PAGE_POSITIONS };

/* Keys and values of one width; and arrays of several widths, one of them with a row a page. */
static const heed_cache_array_kind equal[ARRAYS] = {
    {.columns = COLUMNS}, {.columns = COLUMNS}, {.columns = COLUMNS}, {.columns = COLUMNS}};
static const heed_cache_array_kind mixed[ARRAYS] = {
    {.columns = COLUMNS}, {.columns = 5, .per_page = true}, {.columns = 7}, {.columns = 1}};
static const heed_cache_options small = {
    .arrays = equal, .array_count = ARRAYS, .sequences = SEQUENCES, .positions = POSITIONS};
static const heed_cache_options uneven = {
    .arrays = mixed, .array_count = ARRAYS, .sequences = SEQUENCES, .positions = POSITIONS};

/* Options with `count` equal arrays. They share one list. */
static heed_cache_options with_arrays(int64_t count, heed_cache_array_kind kind)
{
    static heed_cache_array_kind kinds[64];
    heed_cache_options options = small;
    for (int64_t i = 0; i < count; i++) kinds[i] = kind;
    options.arrays = kinds;
    options.array_count = count;
    return options;
}

static heed_cache *cache_new(const heed_cache_options *options)
{
    heed_cache *cache = NULL;
    assert_ok(heed_cache_new(&cache, options, &error));
    return cache;
}

static heed_status extend(heed_cache *cache, int64_t sequence, int64_t positions, heed_error *error)
{
    return heed_cache_extend(cache, &(heed_cache_growth){sequence, positions}, 1, error);
}

/* The row of an array for a position; *columns are its elements. */
static float *row_of(const heed_cache *cache, int64_t sequence, int64_t position, int array,
                     int64_t *columns)
{
    const heed_cache_array_kind *kind = heed_cache_array_kind_of(cache, array);
    int64_t row = heed_cache_row(cache, sequence, position);
    *columns = kind->columns;
    if (kind->per_page) row /= HEED_PAGE_POSITIONS;
    return (float *)heed_cache_array(cache, array) + row * kind->columns;
}

static void write_position(heed_cache *cache, int64_t sequence, int64_t position, float value)
{
    for (int array = 0; array < ARRAYS; array++) {
        int64_t columns;
        float *row = row_of(cache, sequence, position, array, &columns);
        for (int64_t i = 0; i < columns; i++) row[i] = value + 1000 * (float)array;
    }
}

/* Do the arrays hold this value at the position, and its page what was written into it last? */
static bool holds(const heed_cache *cache, int64_t sequence, int64_t position, float value,
                  float of_page)
{
    for (int array = 0; array < ARRAYS; array++) {
        int64_t columns;
        const float *row = row_of(cache, sequence, position, array, &columns);
        float wanted = heed_cache_array_kind_of(cache, array)->per_page ? of_page : value;
        for (int64_t i = 0; i < columns; i++)
            if (row[i] != wanted + 1000 * (float)array) return false;
    }
    return true;
}

static void positions_lie_in_pages(void **state)
{
    (void)state;
    heed_cache *cache = cache_new(&small);
    int64_t a, b, pages;
    assert_ok(heed_cache_add(cache, &a, &error));
    assert_ok(heed_cache_add(cache, &b, &error));
    assert_ok(extend(cache, a, 64, &error));
    assert_ok(extend(cache, b, 1, &error));
    assert_ok(extend(cache, a, 1, &error));
    const int32_t *table = heed_cache_table(cache, a, &pages);
    assert_int_equal(pages, 2);
    assert_int_equal(heed_cache_row(cache, a, 64), table[1] * 64);
    assert_int_equal(heed_cache_row(cache, a, 63), table[0] * 64 + 63);
    assert_true(table[0] != table[1] && heed_cache_row(cache, b, 0) / 64 != table[1] &&
                heed_cache_row(cache, b, 0) / 64 != table[0]);
    assert_int_equal(heed_cache_position_bytes(cache), ARRAYS * COLUMNS * sizeof(float));
    assert_int_equal(heed_cache_pages(cache), SEQUENCES * 4);
    heed_cache_free(cache);
    heed_cache_options bytes = with_arrays(
        ARRAYS, (heed_cache_array_kind){.columns = COLUMNS, .element = 1});
    cache = cache_new(&bytes);
    assert_int_equal(heed_cache_position_bytes(cache), ARRAYS * COLUMNS);
    assert_int_equal(heed_cache_row_bytes(cache, 0), COLUMNS);
    heed_cache_free(cache);
    cache = cache_new(&uneven);
    assert_int_equal(heed_cache_row_bytes(cache, 1), 5 * sizeof(float));
    assert_int_equal(heed_cache_row_bytes(cache, 2), 7 * sizeof(float));
    assert_int_equal(heed_cache_position_bytes(cache),
                     (11 * HEED_PAGE_POSITIONS + 5) * sizeof(float) / HEED_PAGE_POSITIONS);
    heed_cache_free(cache);
}

typedef struct shadow {
    bool live;
    int64_t length;
    float values[POSITIONS];
    float pages[PAGES]; /* what was written last into each page */
} shadow;

static void check_all(const heed_cache *cache, const shadow *shadows)
{
    for (int64_t s = 0; s < SEQUENCES; s++) {
        if (!shadows[s].live) continue;
        assert_int_equal(heed_cache_length(cache, s), shadows[s].length);
        for (int64_t p = 0; p < shadows[s].length; p++)
            assert_true(holds(cache, s, p, shadows[s].values[p],
                              shadows[s].pages[p / HEED_PAGE_POSITIONS]));
    }
}

static int64_t pick(const shadow *shadows, heed_rng *rng)
{
    int64_t s = (int64_t)heed_rng_below(rng, SEQUENCES);
    return shadows[s].live ? s : -1;
}

static void keep_every_sequence(const heed_cache_options *options)
{
    heed_cache *cache = cache_new(options);
    heed_rng rng = {.seed = 11};
    shadow *shadows = calloc(SEQUENCES, sizeof *shadows);
    float next = 1;
    for (int step = 0; step < 4000; step++) {
        uint64_t what = heed_rng_below(&rng, 10);
        int64_t s = pick(shadows, &rng), fresh = -1;
        if (what == 0) {
            heed_error error = {0};
            if (heed_cache_add(cache, &fresh, &error) == HEED_OK)
                shadows[fresh] = (shadow){.live = true};
        } else if (s < 0) {
            continue;
        } else if (what < 3) {
            int64_t length = (int64_t)heed_rng_below(&rng, (uint64_t)shadows[s].length + 1);
            heed_error error = {0};
            if (heed_cache_fork(cache, s, length, &fresh, &error) != HEED_OK) continue;
            shadows[fresh] = shadows[s];
            shadows[fresh].length = length;
        } else if (what == 3) {
            shadows[s].length = (int64_t)heed_rng_below(&rng, (uint64_t)shadows[s].length + 1);
            heed_cache_truncate(cache, s, shadows[s].length);
        } else if (what == 4) {
            heed_cache_drop(cache, s);
            shadows[s].live = false;
        } else {
            int64_t room = POSITIONS - shadows[s].length,
                    more = (int64_t)heed_rng_below(&rng, what < 8 ? 3 : 90);
            if (more > room) more = room;
            assert_ok(extend(cache, s, more, &error));
            for (; more > 0; more--, next++) {
                write_position(cache, s, shadows[s].length, next);
                shadows[s].pages[shadows[s].length / HEED_PAGE_POSITIONS] = next;
                shadows[s].values[shadows[s].length++] = next;
            }
        }
        check_all(cache, shadows);
    }
    free(shadows);
    heed_cache_free(cache);
}

static void random_operations_keep_every_sequence(void **state)
{
    (void)state;
    keep_every_sequence(&small);
    keep_every_sequence(&uneven);
}

static void forks_share_until_they_part(void **state)
{
    (void)state;
    heed_cache *cache = cache_new(&small);
    int64_t a, b, c;
    assert_ok(heed_cache_add(cache, &a, &error));
    assert_ok(extend(cache, a, 100, &error));
    size_t before = heed_cache_committed(cache);
    assert_ok(heed_cache_fork(cache, a, 100, &b, &error));
    assert_ok(heed_cache_fork(cache, a, 64, &c, &error));
    assert_int_equal(heed_cache_committed(cache), before);
    assert_int_equal(heed_cache_row(cache, a, 99), heed_cache_row(cache, b, 99));
    assert_int_equal(heed_cache_row(cache, a, 63), heed_cache_row(cache, c, 63));
    assert_ok(extend(cache, b, 1, &error));
    assert_true(heed_cache_row(cache, a, 99) != heed_cache_row(cache, b, 99));
    assert_int_equal(heed_cache_row(cache, a, 63), heed_cache_row(cache, b, 63));
    /* The last owner of a part-filled page writes into it without a copy. */
    int64_t row = heed_cache_row(cache, a, 99);
    assert_ok(extend(cache, a, 1, &error));
    assert_int_equal(heed_cache_row(cache, a, 99), row);
    heed_cache_free(cache);
}

/* Owners of one page that all grow take one copy less than they are: there are never more pages
   than the arrays have. */
static void forks_of_everything_fit(void **state)
{
    (void)state;
    heed_cache_options options = small;
    options.positions = 64;
    heed_cache *cache = cache_new(&options);
    int64_t sequences[SEQUENCES], pages;
    heed_cache_growth growth[SEQUENCES];
    assert_ok(heed_cache_add(cache, &sequences[0], &error));
    assert_ok(extend(cache, sequences[0], 5, &error));
    for (int round = 0; round < 20; round++) {
        for (int i = 1; i < SEQUENCES; i++)
            assert_ok(heed_cache_fork(cache, sequences[i / 2], 5 + round, &sequences[i], &error));
        for (int i = 0; i < SEQUENCES; i++) growth[i] = (heed_cache_growth){sequences[i], 1};
        assert_ok(heed_cache_extend(cache, growth, SEQUENCES, &error));
        for (int i = 0; i < SEQUENCES; i++)
            assert_true(heed_cache_table(cache, sequences[i], &pages)[0] < heed_cache_pages(cache));
        for (int i = 1; i < SEQUENCES; i++) heed_cache_drop(cache, sequences[i]);
    }
    heed_cache_free(cache);
}

static void dropped_pages_are_used_again(void **state)
{
    (void)state;
    heed_cache *cache = cache_new(&small);
    int64_t a;
    size_t most = 0;
    for (int round = 0; round < 50; round++) {
        assert_ok(heed_cache_add(cache, &a, &error));
        assert_ok(extend(cache, a, POSITIONS, &error));
        if (round == 0) most = heed_cache_committed(cache);
        assert_int_equal(heed_cache_committed(cache), most);
        heed_cache_drop(cache, a);
    }
    heed_cache_free(cache);
}

static void a_budget_is_kept_and_explained(void **state)
{
    (void)state;
    /* a page of one array is one os_page of 4 KiB */
    heed_cache_options options = with_arrays(ARRAYS, (heed_cache_array_kind){.columns = 16});
    options.budget = 5 * ARRAYS * 16 * 64 * sizeof(float);
    heed_cache *cache = cache_new(&options);
    int64_t a, b;
    assert_ok(heed_cache_add(cache, &a, &error));
    assert_ok(heed_cache_add(cache, &b, &error));
    assert_ok(extend(cache, a, 130, &error));
    heed_cache_growth both[] = {{a, 1}, {b, 150}};
    assert_fails(HEED_E_NOMEM, "a context of 128 positions for each of 2 sequences would fit",
                 heed_cache_extend(cache, both, 2, &error));
    assert_int_equal(heed_cache_length(cache, a), 130);
    assert_int_equal(heed_cache_length(cache, b), 0);
    assert_ok(extend(cache, b, 128, &error));
    assert_true(heed_cache_committed(cache) <= options.budget);
    heed_cache_free(cache);
}

static void wrong_uses_are_errors(void **state)
{
    (void)state;
    heed_cache *cache = cache_new(&small);
    int64_t s, other;
    assert_ok(heed_cache_add(cache, &s, &error));
    assert_fails(HEED_E_ARG, "at most 200 are held", extend(cache, s, POSITIONS + 1, &error));
    assert_fails(HEED_E_ARG, "a fork of 1 positions", heed_cache_fork(cache, s, 1, &other, &error));
    for (int i = 1; i < SEQUENCES; i++) assert_ok(heed_cache_add(cache, &other, &error));
    assert_fails(HEED_E_ARG, "6 sequences are held already", heed_cache_add(cache, &other, &error));
    heed_cache_free(cache);

    heed_cache_options options = with_arrays(ARRAYS, (heed_cache_array_kind){.columns = 0});
    assert_fails(HEED_E_ARG, "expected positive", heed_cache_new(&cache, &options, &error));
    options = small;
    options.positions = INT64_MAX;
    assert_fails(HEED_E_ARG, "shorter context", heed_cache_new(&cache, &options, &error));
    options = small;
    options.sequences = INT64_MAX / 2;
    assert_fails(HEED_E_ARG, "fewer sequences", heed_cache_new(&cache, &options, &error));
    options = with_arrays(ARRAYS, (heed_cache_array_kind){.columns = INT64_MAX / 1000});
    assert_fails(HEED_E_ARG, "address space", heed_cache_new(&cache, &options, &error));
    options = with_arrays(ARRAYS, (heed_cache_array_kind){.columns = (int64_t)1 << 40});
    assert_fails(HEED_E_NOMEM, "address space", heed_cache_new(&cache, &options, &error));
    assert_fails(HEED_E_NOMEM, "a context of 0 positions for each would fit",
                 heed_cache_new(&cache, &options, &error));
    options = with_arrays(32, (heed_cache_array_kind){.columns = (int64_t)1 << 20});
    options.positions = 1 << 20; /* 6 x 2^42 bytes an array: a few of them fit */
    heed_error error = {0};
    assert_int_equal(heed_cache_new(&cache, &options, &error), HEED_E_NOMEM);
    const char *said = strstr(error.message, "a context of ");
    assert_non_null(said);
    options.positions = atoll(said + strlen("a context of "));
    assert_in_range(options.positions, HEED_PAGE_POSITIONS, (1 << 20) - 1);
    assert_ok(heed_cache_new(&cache, &options, &error));
    heed_cache_free(cache);
}

static void a_long_context_costs_nothing_until_used(void **state)
{
    (void)state;
    /* 256 GiB when full */
    heed_cache_options options = with_arrays(64, (heed_cache_array_kind){.columns = 1024});
    options.sequences = 8;
    options.positions = 131072;
    heed_cache *cache = cache_new(&options);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    int64_t s;
    assert_ok(heed_cache_add(cache, &s, &error));
    assert_ok(extend(cache, s, 1, &error));
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(heed_cache_committed(cache), 64 * 1024 * 64 * sizeof(float));
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
    heed_cache_free(cache);
}

static void the_system_says_what_it_can_spare(void **state)
{
    (void)state;
    size_t available = heed_memory_available();
    assert_true(available > 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(positions_lie_in_pages),
                                       cmocka_unit_test(random_operations_keep_every_sequence),
                                       cmocka_unit_test(forks_share_until_they_part),
                                       cmocka_unit_test(forks_of_everything_fit),
                                       cmocka_unit_test(dropped_pages_are_used_again),
                                       cmocka_unit_test(a_budget_is_kept_and_explained),
                                       cmocka_unit_test(wrong_uses_are_errors),
                                       cmocka_unit_test(a_long_context_costs_nothing_until_used),
                                       cmocka_unit_test(the_system_says_what_it_can_spare)};
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
