/* Rows cut from a stream of texts: every token once, pieces within one text, whatever the shift.
   Streams come from token files. */
#include "train/packing.h"

#include "base/rng.h"
#include "support/work.h"
#include <stdbool.h>

enum { END = 7 };

/* nanoGPT's form: ids in 16 bits. */
static heed_data *token_file(const char *name, const uint16_t *ids, size_t count)
{
    heed_data *data = NULL;
    const char *path = scratch_file(&work, name, ids, count * 2);
    assert_ok(heed_data_open(&data, &path, 1, &error));
    return data;
}

static void test_shards_are_parted_at_the_end_token(void **state)
{
    (void)state;
    const uint16_t after[] = {1, 2, END, 3, END, 4, 5}, before[] = {END, 1, 2, END, 3, END};
    heed_data *data = token_file("a.bin", after, 7);
    heed_stream stream = {0};
    assert_ok(heed_stream_open_shards(&stream, data, END, 10, &error));
    assert_int_equal(stream.count, 7);
    assert_int_equal(stream.texts, 3);
    assert_int_equal(stream.starts[1], 3);
    assert_int_equal(stream.starts[2], 5);
    assert_int_equal(stream.starts[3], 7);
    assert_int_equal(heed_stream_text_at(&stream, 2), 0);
    assert_int_equal(heed_stream_text_at(&stream, 3), 1);
    assert_int_equal(heed_stream_text_at(&stream, 6), 2);
    int32_t ids[3];
    assert_ok(heed_stream_read(&stream, 2, 3, ids, &error));
    assert_true(ids[0] == END && ids[1] == 3 && ids[2] == END);
    uint64_t first = 0, second = 0;
    assert_ok(heed_stream_fingerprint(&stream, &first, &error));
    heed_stream_free(&stream);
    heed_data_close(data);
    data = token_file("b.bin", before, 6);
    assert_ok(heed_stream_open_shards(&stream, data, END, 10, &error));
    assert_int_equal(stream.texts, 3);
    assert_int_equal(stream.starts[1], 3);
    assert_int_equal(stream.starts[2], 5);
    assert_ok(heed_stream_fingerprint(&stream, &second, &error));
    assert_true(second != first);
    heed_stream_free(&stream);
    assert_fails(HEED_E_FORMAT, "b.bin", heed_stream_open_shards(&stream, data, END, 5, &error));
    heed_stream_free(&stream);
    heed_data_close(data);
}

static void test_reading_across_shards(void **state)
{
    (void)state;
    const uint16_t a[] = {1, 2, 3}, b[] = {4}, c[] = {5, 6};
    char paths[3][512];
    const char *list[3];
    const uint16_t *ids[] = {a, b, c};
    const size_t counts[] = {3, 1, 2};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d.bin", i);
        snprintf(paths[i], sizeof paths[i], "%s", scratch_file(&work, name, ids[i], counts[i] * 2));
        list[i] = paths[i];
    }
    heed_data *data = NULL;
    assert_ok(heed_data_open(&data, list, 3, &error));
    heed_stream stream = {0};
    assert_ok(heed_stream_open_shards(&stream, data, -1, 100, &error));
    assert_int_equal(stream.texts, 3);
    for (size_t begin = 0; begin < 6; begin++)
        for (size_t count = 0; begin + count <= 6; count++) {
            int32_t read[6];
            assert_ok(heed_stream_read(&stream, begin, count, read, &error));
            for (size_t i = 0; i < count; i++) assert_int_equal(read[i], begin + i + 1);
        }
    heed_stream_free(&stream);
    heed_data_close(data);
}

/* Every token in one piece of one text, rows full but the last (around 0) and never longer than
   T. */
static void check_rows(const heed_packing *p, int *seen)
{
    heed_packed_piece pieces[64];
    memset(seen, 0, p->stream->count * sizeof *seen);
    for (size_t row = 0; row < p->rows; row++) {
        size_t n = heed_packing_row(p, row, pieces, 64), tokens = 0;
        assert_true(n > 0 && n <= 64);
        for (size_t i = 0; i < n; i++) {
            size_t text = heed_stream_text_at(p->stream, pieces[i].begin),
                   end = p->stream->starts[text + 1];
            assert_true(pieces[i].count > 0 && pieces[i].begin + pieces[i].count <= end);
            assert_true(pieces[i].ends_text == (pieces[i].begin + pieces[i].count == end));
            tokens += pieces[i].count + p->around;
            for (size_t k = 0; k < pieces[i].count; k++) seen[pieces[i].begin + k]++;
        }
        assert_true(tokens <= p->length);
        if (row + 1 < p->rows && p->around == 0) assert_int_equal(tokens, p->length);
    }
    for (size_t i = 0; i < p->stream->count; i++) assert_int_equal(seen[i], 1);
}

static void test_every_token_once(void **state)
{
    (void)state;
    enum { N = 500 };
    uint16_t ids[N];
    static int seen[N];
    heed_rng rng = {4, 4, 0};
    for (int round = 0; round < 4; round++) {
        size_t rarity = (size_t[]){1, 3, 20, 1000}[round];
        for (int i = 0; i < N; i++) ids[i] = heed_rng_below(&rng, rarity) == 0 ? END : 1;
        heed_data *data = token_file("n.bin", ids, N);
        heed_stream stream = {0};
        assert_ok(heed_stream_open_shards(&stream, data, END, 10, &error));
        for (size_t length = 4; length < 64; length += 7)
            for (size_t around = 0; around <= 2; around += 2) {
                heed_packing p = {.stream = &stream, .length = length, .around = around};
                for (size_t shift = 0; shift < length; shift += 3) {
                    assert_ok(heed_packing_lay(&p, shift, &error));
                    check_rows(&p, seen);
                    if (around == 0) assert_int_equal(p.rows, (N + length - 1) / length);
                }
                heed_packing_free(&p);
            }
        heed_stream_free(&stream);
        heed_data_close(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shards_are_parted_at_the_end_token),
                                       cmocka_unit_test(test_reading_across_shards),
                                       cmocka_unit_test(test_every_token_once)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
