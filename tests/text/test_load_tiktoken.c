/* .tiktoken files: merges that follow from ranks, bytes that are no text, and files that are
   broken. */
#include "tokenizer_support.h"

#include "support/work.h"

static void ranks_decide(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = NULL;
    /* a, b, c, ab, bc, abc, the byte FF, and cab, which is found only as a whole word */
    static const char lines[] = "YQ== 0\nYg== 1\nYw== 2\nYmM= 3\nYWI= 4\nYWJj 5\n/w== 6\nY2Fi 7\n";
    const char *path = scratch_file(&work, "t.tiktoken", lines, strlen(lines));
    assert_ok(heed_tokenizer_load(&tokenizer, path, &error));
    expect_ids(tokenizer, "abc", IDS(5));
    expect_ids(tokenizer, "cab", IDS(7));
    expect_ids(tokenizer, "abcab", IDS(5, 4)); /* bc, then a bc, then ab */
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 8);
    heed_tokenizer_free(tokenizer);
}

static void broken_lines_are_named(void **state)
{
    (void)state;
    static const char *const broken[] = {"YQ== 0\nYg== 2\n", "YQ== 0\nYg 1\n", "YQ== 0\nYg==1\n",
                                         "YQ== 0\n 1\n", "YQ== 0\nYg== one\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        heed_tokenizer *tokenizer = NULL;
        const char *path = scratch_file(&work, "t.tiktoken", broken[i], strlen(broken[i]));
        assert_fails(HEED_E_FORMAT,
                     "t.tiktoken:2: expected a token in base64, a space and the rank 1",
                     heed_tokenizer_load(&tokenizer, path, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_decide),
                                       cmocka_unit_test(broken_lines_are_named)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
