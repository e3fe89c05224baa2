/* What masked language modelling hides: how many tokens, after what, and which. Counts are compared
   with their binomial deviation. */
#include "train/dataset.h"

#include "base/rng.h"
#include "model/family.h"
#include "train/run.h"
#include "support/work.h"
#include <stdbool.h>

enum { LETTERS = 20, TEXTS = 3000, LENGTH = 64 };

typedef struct masking {
    heed_tokenizer *tokenizer;
    heed_config config;
    heed_dataset *data;
    heed_batch batch;
} masking;

static void open_masking(masking *m, bool shuffled)
{
    heed_buffer text = {0};
    heed_rng rng = {5, 5, 0};
    for (int i = 0; i < TEXTS; i++) {
        heed_buffer_text(&text, "{\"text\": \"");
        for (uint64_t n = 1 + heed_rng_below(&rng, 60); n > 0; n--)
            heed_buffer_printf(&text, "%c", (char)('a' + heed_rng_below(&rng, LETTERS)));
        heed_buffer_text(&text, "\"}\n");
    }
    const char *path = scratch_file(&work, "letters.jsonl", text.data, text.length);
    heed_data *data = NULL;
    assert_ok(heed_data_open(&data, &path, 1, &error));
    heed_tokenizer_training training = {0};
    heed_tokenizer_training_special(&training, HEED_SPECIAL_MASKING);
    heed_tokenizer_trainer *trainer = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, "abcdefghijklmnopqrst", LETTERS, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &m->tokenizer, &error));
    heed_tokenizer_trainer_free(trainer);
    heed_buffer_free(&text);
    assert_ok(heed_config_preset(&m->config, "bert", &error));
    m->config.vocabulary = heed_tokenizer_id_limit(m->tokenizer);
    heed_dataset_options options = {
        .objective = &heed_objective_mlm,
        .config = &m->config,
        .tokenizer = m->tokenizer,
        .length = LENGTH,
        .seed = 11,
        .shuffled = shuffled,
    };
    assert_ok(heed_dataset_new(&m->data, data, &options, &error));
}

static void close_masking(masking *m)
{
    heed_batch_free(&m->batch);
    heed_dataset_free(m->data);
    heed_tokenizer_free(m->tokenizer);
    *m = (masking){0};
}

static void collate_all(masking *m, int64_t epoch)
{
    assert_ok(heed_dataset_begin(m->data, epoch, &error));
    heed_batch_clear(&m->batch, 0);
    assert_ok(heed_dataset_collate(m->data, 0, heed_dataset_units(m->data), &m->batch, &error));
}

/* Within five standard deviations of a binomial count. */
static void assert_share(const char *what, double found, double of, double share)
{
    double expected = of * share, deviation = sqrt(of * share * (1 - share));
    if (fabs(found - expected) > 5 * deviation)
        fail_msg("%s: %g of %g, expected %g with deviation %g", what, found, of, expected,
                 deviation);
}

static void shares_are_those_of_bert(void **state)
{
    (void)state;
    masking m = {0};
    open_masking(&m, true);
    collate_all(&m, 0);
    int32_t mask = heed_tokenizer_special(m.tokenizer, HEED_MASK);
    double tokens = 0, masked = 0, kept = 0, replaced = 0, drawn[LETTERS + 6] = {0};
    const int32_t *ids = heed_batch_read(&m.batch, "ids"),
                  *gathered = heed_batch_read(&m.batch, "rows"),
                  *labels = heed_batch_read(&m.batch, "labels");
    for (int64_t row = 0; row < m.batch.count[HEED_EXTENT_ROWS]; row++)
        tokens += !heed_tokenizer_is_special(m.tokenizer, ids[row]) || ids[row] == mask;
    for (int64_t i = 0; i < m.batch.count[HEED_EXTENT_GATHERED]; i++) {
        int32_t shown = ids[gathered[i]], label = labels[i];
        /* [CLS] and [SEP] are never asked for */
        assert_false(heed_tokenizer_is_special(m.tokenizer, label));
        masked += shown == mask;
        kept += shown == label;
        if (shown != mask && shown != label) {
            replaced++;
            drawn[shown]++;
        }
    }
    /* Random words are drawn from the whole vocabulary; those that are the word itself, or [MASK],
       count with the others. */
    double hidden = (double)m.batch.count[HEED_EXTENT_GATHERED],
           words = (double)m.config.vocabulary;
    assert_share("hidden tokens", hidden, tokens, 0.15);
    assert_share("masked", masked, hidden, 0.8 + 0.1 / words);
    assert_share("kept", kept, hidden, 0.1 + 0.1 / words);
    assert_share("replaced", replaced, hidden, 0.1 - 0.2 / words);
    for (int32_t id = 0; id < m.config.vocabulary; id++) /* a letter stands for itself once in 20 */
        if (id != mask)
            assert_share("one random word", drawn[id], hidden,
                         0.1 / words *
                             (heed_tokenizer_is_special(m.tokenizer, id) ? 1 : 1 - 1.0 / LETTERS));
    close_masking(&m);
}

/* Two batches are equal in what is shown and asked for. */
static bool same_batch(const heed_batch *a, const heed_batch *b)
{
    const size_t rows = (size_t)a->count[HEED_EXTENT_ROWS] * sizeof(int32_t),
                 labels = (size_t)a->count[HEED_EXTENT_GATHERED] * sizeof(int32_t);
    return memcmp(a->count, b->count, sizeof a->count) == 0 &&
           memcmp(heed_batch_read(a, "ids"), heed_batch_read(b, "ids"), rows) == 0 &&
           memcmp(heed_batch_read(a, "labels"), heed_batch_read(b, "labels"), labels) == 0;
}

static void epochs_hide_differently_and_evaluation_alike(void **state)
{
    (void)state;
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        masking one = {0}, other = {0};
        open_masking(&one, shuffled);
        open_masking(&other, shuffled);
        collate_all(&one, 0);
        collate_all(&other, 0);
        assert_true(same_batch(&one.batch, &other.batch));
        collate_all(&other, 1);
        assert_int_equal(same_batch(&one.batch, &other.batch), !shuffled);
        close_masking(&one);
        close_masking(&other);
    }
}

/* Pieces stand between [CLS] and [SEP], positions count from 0 in each, labels are the tokens of
   the text. */
static void pieces_stand_between_their_marks(void **state)
{
    (void)state;
    masking m = {0};
    open_masking(&m, false);
    collate_all(&m, 0);
    const int32_t *ids = heed_batch_read(&m.batch, "ids"),
                  *fields = heed_batch_read(&m.batch, "sequences");
    for (int64_t s = 0; s < m.batch.count[HEED_EXTENT_SEQUENCES]; s++) {
        int32_t first = fields[HEED_SEQUENCE_QUERY_START],
                count = fields[HEED_SEQUENCE_QUERY_LENGTH];
        assert_in_range(count, 3, LENGTH);
        assert_int_equal(ids[first], heed_tokenizer_special(m.tokenizer, HEED_CLS));
        assert_int_equal(ids[first + count - 1], heed_tokenizer_special(m.tokenizer, HEED_SEP));
        assert_int_equal(fields[HEED_SEQUENCE_FIRST_INDEX], 0); /* positions count from 0 */
        fields += HEED_SEQUENCE_FIELDS;
    }
    close_masking(&m);
}

/* Pairs of "ab" and "cde", both 1 to 9 times, in a file of two columns. */
static void open_pairs(masking *m, size_t length)
{
    heed_buffer text = {0};
    for (int i = 0; i < 9; i++) {
        for (int n = 0; n <= i; n++) heed_buffer_text(&text, "ab");
        heed_buffer_text(&text, "\t");
        for (int n = 0; n <= i; n++) heed_buffer_text(&text, "cde");
        heed_buffer_text(&text, "\n");
    }
    const char *path = scratch_file(&work, "pairs.tsv", text.data, text.length);
    heed_data *data = NULL;
    heed_buffer_free(&text);
    assert_ok(heed_data_open(&data, &path, 1, &error));
    heed_tokenizer_training training = {0};
    heed_tokenizer_training_special(&training, HEED_SPECIAL_MASKING);
    heed_tokenizer_trainer *trainer = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, "abcde", 5, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &m->tokenizer, &error));
    heed_tokenizer_trainer_free(trainer);
    assert_ok(heed_config_preset(&m->config, "bert", &error));
    m->config.vocabulary = heed_tokenizer_id_limit(m->tokenizer);
    heed_dataset_options options = {
        .objective = &heed_objective_mlm,
        .config = &m->config,
        .tokenizer = m->tokenizer,
        .length = length,
        .seed = 11,
    };
    assert_ok(heed_dataset_new(&m->data, data, &options, &error));
}

/* The token of a row is one of these letters, or hidden: then its label is one. */
static void assert_letter(const masking *m, int32_t row, const char *letters)
{
    int32_t id = heed_batch_read(&m->batch, "ids")[row];
    const int32_t *rows = heed_batch_read(&m->batch, "rows"),
                  *labels = heed_batch_read(&m->batch, "labels");
    for (int64_t i = 0; i < m->batch.count[HEED_EXTENT_GATHERED]; i++)
        if (rows[i] == row) id = labels[i];
    size_t length = 0;
    const char *token = heed_tokenizer_token(m->tokenizer, id, &length);
    assert_int_equal(length, 1);
    assert_non_null(strchr(letters, *token));
}

/* [CLS] first [SEP] second [SEP]: the second has token type 1, and no text is longer than half of
   what the marks leave. */
static void texts_of_pairs_have_their_types(void **state)
{
    (void)state;
    enum { PAIRS = 9, T = 32, HALF = (T - 3) / 2 };
    masking m = {0};
    open_pairs(&m, T);
    collate_all(&m, 0);
    const int32_t *ids = heed_batch_read(&m.batch, "ids"),
                  *types = heed_batch_read(&m.batch, "types"),
                  *fields = heed_batch_read(&m.batch, "sequences");
    int32_t separator = heed_tokenizer_special(m.tokenizer, HEED_SEP);
    assert_int_equal(m.batch.count[HEED_EXTENT_SEQUENCES], PAIRS);
    assert_true(m.batch.count[HEED_EXTENT_GATHERED] > 0);
    for (int pair = 0; pair < PAIRS; pair++, fields += HEED_SEQUENCE_FIELDS) {
        int32_t row = fields[HEED_SEQUENCE_QUERY_START];
        int32_t first = 2 * (pair + 1), second = 3 * (pair + 1);
        if (first > HALF) first = HALF;
        if (second > HALF) second = HALF;
        assert_int_equal(fields[HEED_SEQUENCE_QUERY_LENGTH], first + second + 3);
        assert_int_equal(ids[row], heed_tokenizer_special(m.tokenizer, HEED_CLS));
        assert_int_equal(ids[row + 1 + first], separator);
        assert_int_equal(ids[row + 2 + first + second], separator);
        for (int32_t t = 0; t < first + second + 3; t++)
            assert_int_equal(types[row + t], t > 1 + first);
        for (int32_t t = 0; t < first; t++) assert_letter(&m, row + 1 + t, "ab");
        for (int32_t t = 0; t < second; t++) assert_letter(&m, row + 2 + first + t, "cde");
    }
    close_masking(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_bert),
        cmocka_unit_test(epochs_hide_differently_and_evaluation_alike),
        cmocka_unit_test(pieces_stand_between_their_marks),
        cmocka_unit_test(texts_of_pairs_have_their_types)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
