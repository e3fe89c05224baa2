#include "base/memory.h"

#include "support/test.h"

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    size_t result = 7;
    assert_false(heed_multiply_size(SIZE_MAX, 2, &result));
    assert_false(heed_multiply_size((size_t)1 << 32, (size_t)1 << 32, &result));
    assert_false(heed_add_size(SIZE_MAX, 1, &result));
    assert_true(heed_multiply_size(3, 5, &result) && result == 15);
    assert_true(heed_add_size(SIZE_MAX - 1, 1, &result) && result == SIZE_MAX);
    assert_true(heed_multiply_size(SIZE_MAX, 0, &result) && result == 0);
    assert_null(heed_allocate(SIZE_MAX / 2, 3));
    assert_null(heed_allocate_aligned(SIZE_MAX));
    assert_null(heed_allocate_aligned(SIZE_MAX - 64));
    assert_null(heed_allocate_aligned(SIZE_MAX - (2 << 20)));
}

static void arrays_are_zeroed_and_grow(void **state)
{
    (void)state;
    int *numbers = heed_allocate(10, sizeof *numbers);
    for (int i = 0; i < 10; i++) assert_int_equal(numbers[i], 0);
    free(numbers);
    void *nothing = heed_allocate(0, 8);
    assert_non_null(nothing);
    free(nothing);
    int *list = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        size_t before = capacity;
        assert_true(heed_grow(&list, &capacity, i + 1, sizeof *list));
        assert_true(capacity > i);
        for (size_t k = before; k < capacity; k++) assert_int_equal(list[k], 0);
        list[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(list[i], i);
    size_t before = capacity;
    assert_true(heed_grow(&list, &capacity, 3, sizeof *list));
    assert_int_equal(capacity, before);
    assert_false(heed_grow(&list, &capacity, SIZE_MAX / 2, sizeof *list));
    assert_false(heed_grow(&list, &capacity, SIZE_MAX, 1));
    assert_int_equal(capacity, before);
    assert_int_equal(list[999], 999);
    free(list);
    char *copy = heed_string_copy("copy");
    assert_string_equal(copy, "copy");
    free(copy);
}

static void aligned_blocks_are_aligned_and_zeroed(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 63, 64, 65, 4095, (4 << 20) - 128, (4 << 20) - 64, 4 << 20, (9 << 20) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = heed_allocate_aligned(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t k = 0; k < sizes[i]; k += k + 4096 < sizes[i] ? 61 : 1)
            assert_int_equal(block[k], 0);
        memset(block, 0xAB, sizes[i]);
        heed_free_aligned(block);
    }
    heed_free_aligned(NULL);
}

static void small_pages_stay_small(void **state)
{
    (void)state;
    enum { BYTES = 8 << 20 };
    char *block = heed_allocate_small_pages(BYTES);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
    memset(block, 1, BYTES);
    assert_int_equal(heed_huge_page_bytes(block, BYTES), 0);
    heed_free_aligned(block);
    block = heed_allocate_aligned(BYTES);
    memset(block, 1, BYTES);
    assert_true(heed_huge_page_bytes(block, BYTES) <= BYTES);
    assert_int_equal(heed_huge_page_bytes(block, 0), 0);
    heed_free_aligned(block);
    assert_null(heed_allocate_small_pages(SIZE_MAX));
}

static void arenas_hand_out_separate_zeroed_pieces(void **state)
{
    (void)state;
    heed_arena *arena = heed_arena_new();
    unsigned char *pieces[400];
    size_t sizes[400], total = 0;
    for (int i = 0; i < 400; i++) {
        sizes[i] = i % 50 == 7 ? 100000 : (size_t)(i * 37 % 700);
        pieces[i] = heed_arena_take(arena, sizes[i], 1);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], i & 0xFF, sizes[i]);
        total += (sizes[i] + 15) / 16 * 16;
    }
    for (int i = 0; i < 400; i++)
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(pieces[i][k], i & 0xFF);
    assert_int_equal(heed_arena_bytes(arena), total);
    assert_string_equal(heed_arena_string(arena, "text"), "text");
    assert_null(heed_arena_take(arena, SIZE_MAX, 2));
    assert_null(heed_arena_take(arena, SIZE_MAX, 1));
    assert_null(heed_arena_take(arena, SIZE_MAX - 70000, 1));
    heed_arena_free(arena);
    heed_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_that_wrap_are_refused),
                                       cmocka_unit_test(arrays_are_zeroed_and_grow),
                                       cmocka_unit_test(aligned_blocks_are_aligned_and_zeroed),
                                       cmocka_unit_test(small_pages_stay_small),
                                       cmocka_unit_test(arenas_hand_out_separate_zeroed_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
