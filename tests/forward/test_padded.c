/* Padded batches to rows: masks, holes, tokens that only ask, segments, tokens that see nothing. */
#include "forward/padded.h"
#include "support/test.h"

/* One text per sequence: 'x' seen, 'n' needed but not seen, '.' neither; '|' before a token starts
   a segment. */
static heed_padded padded_of(int64_t batch, int64_t length, const char *const *texts)
{
    heed_padded p;
    assert_ok(heed_padded_new(&p, batch, length, &error));
    for (int64_t b = 0; b < batch; b++) {
        int64_t t = 0;
        for (const char *c = texts[b]; *c; c++) {
            if (*c == '|') {
                p.segment[b * length + t] = true;
                continue;
            }
            p.keep[b * length + t] = *c == 'x';
            p.needed[b * length + t] = *c == 'n';
            t++;
        }
        assert_int_equal(t, length);
    }
    return p;
}

static void check_rows(const heed_padded *p, bool seen_first, const int64_t *places, int64_t count,
                       int64_t sequences, bool indexed)
{
    heed_rows rows;
    assert_ok(heed_rows_new(&rows, p, seen_first, &error));
    assert_int_equal(rows.count, count);
    assert_int_equal(rows.sequences, sequences);
    assert_int_equal(rows.indexed, indexed);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(rows.place[i], places[i]);
        assert_int_equal(rows.row[places[i]], i);
    }
    int64_t at = 0;
    for (int64_t s = 0; s < sequences; s++) { /* sequences lie end to end and cover all rows */
        const int32_t *entry = rows.table + s * HEED_SEQUENCE_FIELDS;
        assert_int_equal(entry[HEED_SEQUENCE_QUERY_START], at);
        assert_int_equal(entry[HEED_SEQUENCE_KEY_START], at);
        assert_int_equal(entry[HEED_SEQUENCE_QUERY_LENGTH], entry[HEED_SEQUENCE_KEY_LENGTH]);
        int32_t kept = 0;
        for (int64_t i = at; i < at + entry[HEED_SEQUENCE_QUERY_LENGTH]; i++)
            kept += p->keep[rows.place[i]];
        assert_int_equal(rows.kept[s], kept);
        assert_int_equal(entry[HEED_SEQUENCE_SAMPLE], rows.batch[s]);
        at += entry[HEED_SEQUENCE_QUERY_LENGTH];
    }
    assert_int_equal(at, count);
    heed_rows_free(&rows);
}

static void masked_tokens_are_dropped(void **state)
{
    (void)state;
    heed_padded p = padded_of(3, 4, (const char *const[]){"xx..", "..xx", "...."});
    check_rows(&p, false, (int64_t[]){0, 1, 6, 7}, 4, 3, false);
    heed_padded_free(&p);
    p = padded_of(1, 5, (const char *const[]){"xx.xx"});
    check_rows(&p, false, (int64_t[]){0, 1, 3, 4}, 4, 1, true);
    heed_padded_free(&p);
}

static void tokens_that_only_ask_keep_their_place_or_come_last(void **state)
{
    (void)state;
    heed_padded p = padded_of(2, 4, (const char *const[]){"nxnx", "xxxx"});
    check_rows(&p, false, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 8, 2, true);
    check_rows(&p, true, (int64_t[]){1, 3, 0, 2, 4, 5, 6, 7}, 8, 2, true);
    heed_padded_free(&p);
}

static void segments_are_sequences(void **state)
{
    (void)state;
    heed_padded p = padded_of(2, 5, (const char *const[]){"xx|xxx", "xxxx|x"});
    check_rows(&p, false, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10, 4, false);
    heed_padded_free(&p);
}

static void empty_batches_have_no_rows(void **state)
{
    (void)state;
    heed_padded p = padded_of(0, 5, NULL);
    check_rows(&p, false, NULL, 0, 0, false);
    heed_padded_free(&p);
    p = padded_of(3, 0, (const char *const[]){"", "", ""});
    check_rows(&p, false, NULL, 0, 3, false);
    heed_padded_free(&p);
    assert_fails(HEED_E_ARG, "at most 2^30", heed_padded_new(&p, 1 << 20, 1 << 11, &error));
}

static void fully_masked_tokens_bring_their_whole_sequence(void **state)
{
    (void)state;
    heed_padded p = padded_of(3, 4, (const char *const[]){".nxx", "xn.x", "nxxx"});
    assert_true(heed_padded_mark_fully_masked(&p, (heed_view){.causal = true}));
    check_rows(&p, false, (int64_t[]){0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11}, 11, 3, true);
    heed_padded_free(&p);
    p = padded_of(1, 6, (const char *const[]){"xx..nx"});
    assert_false(heed_padded_mark_fully_masked(&p, (heed_view){.causal = true, .window = 4}));
    assert_true(heed_padded_mark_fully_masked(&p, (heed_view){.causal = true, .window = 3}));
    heed_padded_free(&p);
    p = padded_of(1, 6, (const char *const[]){"n....x"});
    assert_false(heed_padded_mark_fully_masked(&p, (heed_view){.causal = false}));
    assert_true(heed_padded_mark_fully_masked(&p, (heed_view){.causal = false, .window = 5}));
    heed_padded_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_tokens_are_dropped),
        cmocka_unit_test(tokens_that_only_ask_keep_their_place_or_come_last),
        cmocka_unit_test(segments_are_sequences), cmocka_unit_test(empty_batches_have_no_rows),
        cmocka_unit_test(fully_masked_tokens_bring_their_whole_sequence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
