#include "text/pieces.h"

#include "tokenizer_support.h"

static heed_status cut_at_commas(const void *stage, heed_pieces *pieces, uint32_t begin,
                                 uint32_t end, heed_error *error)
{
    (void)stage;
    (void)error;
    uint32_t from = begin;
    for (uint32_t at = begin; at < end; at++)
        if (pieces->bytes[at] == ',') {
            heed_pieces_add(pieces, from, at, -1);
            heed_pieces_add(pieces, at, at + 1, 7);
            from = at + 1;
        }
    heed_pieces_add(pieces, from, end, -1);
    return HEED_OK;
}

/* "ab" becomes "aXb" with an inserted X, "c" goes, the rest stays. */
static heed_status rewrite(const void *stage, heed_rewriter *rewriter, heed_error *error)
{
    (void)stage;
    (void)error;
    while (rewriter->cursor < rewriter->length) {
        size_t size = heed_utf8_size(rewriter->bytes[rewriter->cursor]);
        if (rewriter->bytes[rewriter->cursor] == 'c') heed_rewriter_skip(rewriter, 1);
        else {
            bool is_a = rewriter->bytes[rewriter->cursor] == 'a';
            heed_rewriter_copy(rewriter, size);
            if (is_a) heed_rewriter_insert(rewriter, 'X');
        }
    }
    return HEED_OK;
}

static void expect_piece(const heed_pieces *pieces, size_t index, const char *text, int32_t token)
{
    const heed_piece *piece = &pieces->piece[index];
    assert_int_equal(piece->end - piece->begin, strlen(text));
    assert_memory_equal(pieces->bytes + piece->begin, text, strlen(text));
    assert_int_equal(piece->token, token);
}

static void expect_origin(const heed_pieces *pieces, uint32_t begin, uint32_t end, uint32_t from,
                          uint32_t to)
{
    heed_range origin = heed_pieces_origin(pieces, begin, end);
    assert_int_equal(origin.begin, from);
    assert_int_equal(origin.end, to);
}

static void cutting_and_rewriting(void **state)
{
    (void)state;
    heed_pieces pieces;
    assert_ok(heed_pieces_init(&pieces, "ab,,cac\xC3\xA9", 9, HEED_PIECES_TRACK, &error));
    assert_null(pieces.spans); /* the input as it is */
    assert_ok(heed_pieces_cut(&pieces, cut_at_commas, NULL, &error));
    assert_int_equal(pieces.count, 4); /* the empty piece between the commas is dropped */
    expect_piece(&pieces, 0, "ab", -1);
    expect_piece(&pieces, 1, ",", 7);
    assert_ok(heed_pieces_rewrite(&pieces, rewrite, NULL, &error));
    assert_int_equal(pieces.count, 4);
    expect_piece(&pieces, 0, "aXb", -1);
    expect_piece(&pieces, 2, ",", 7);
    expect_piece(&pieces, 3, "aX\xC3\xA9", -1);
    expect_origin(&pieces, 0, 1, 0, 1);
    /* an inserted character stands where the one before it stands */
    expect_origin(&pieces, 1, 2, 0, 1);
    expect_origin(&pieces, 5, 6, 5, 6);
    expect_origin(&pieces, 7, 8, 7, 9); /* any byte of a character stands for all of it */
    expect_origin(&pieces, 0, (uint32_t)pieces.length, 0, 9);
    assert_ok(heed_pieces_rewrite(&pieces, rewrite, NULL, &error));
    expect_piece(&pieces, 3, "aXX\xC3\xA9", -1);
    expect_origin(&pieces, 9, 11, 7, 9);
    heed_pieces_free(&pieces);
}

static void broken_text_is_repaired(void **state)
{
    (void)state;
    heed_pieces pieces;
    assert_ok(heed_pieces_init(&pieces, "a\xE4\xB8z\xFF", 5, HEED_PIECES_TRACK, &error));
    expect_piece(&pieces, 0, "a\xEF\xBF\xBDz\xEF\xBF\xBD", -1);
    expect_origin(&pieces, 1, 4, 1, 3);
    expect_origin(&pieces, 4, 5, 3, 4);
    expect_origin(&pieces, 5, 8, 4, 5);
    heed_pieces_free(&pieces);
    assert_ok(heed_pieces_init(&pieces, "", 0, 0, &error));
    assert_int_equal(pieces.count, 0);
    heed_pieces_free(&pieces);
    assert_fails(HEED_E_ARG, "less than 2 GiB",
                 heed_pieces_init(&pieces, "", (size_t)1 << 31, 0, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cutting_and_rewriting),
                                       cmocka_unit_test(broken_text_is_repaired)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
