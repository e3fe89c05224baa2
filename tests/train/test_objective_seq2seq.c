/* How targets begin in training from sequence to sequence: with decoder_start_token_id, or with
   their last token. */
#include "train/dataset.h"

#include "model/family.h"
#include "support/work.h"
#include "train/run.h"

enum { LINES = 30, LENGTH = 16 };

static void open_data(heed_dataset **data, heed_tokenizer **tokenizer, heed_config *config)
{
    heed_buffer text = {0};
    for (int i = 0; i < LINES; i++)
        heed_buffer_printf(&text, "ab%.*s\tcd%.*s\n", i % 5, "aabba", i % 9, "dcddcccdd");
    const char *path = scratch_file(&work, "pairs.tsv", text.data, text.length);
    heed_data *file = NULL;
    assert_ok(heed_data_open(&file, &path, 1, &error));
    heed_tokenizer_training training = {0};
    heed_tokenizer_training_special(&training, HEED_SPECIAL_MASKING);
    heed_tokenizer_trainer *trainer = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, "abcd", 4, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, tokenizer, &error));
    heed_tokenizer_trainer_free(trainer);
    heed_buffer_free(&text);
    config->vocabulary = heed_tokenizer_id_limit(*tokenizer);
    config->eos_id = heed_tokenizer_special(*tokenizer, HEED_SEP);
    heed_dataset_options options = {
        .objective = &heed_objective_seq2seq,
        .config = config,
        .tokenizer = *tokenizer,
        .length = LENGTH,
    };
    heed_error error = {0};
    heed_status status = heed_dataset_new(data, file, &options, &error);
    if (config->decoder_start_id < 0 && !config->starts_with_end) {
        assert_int_equal(status, HEED_E_ARG);
        assert_non_null(strstr(error.message, "set decoder_start_token_id"));
        *data = NULL;
        return;
    }
    assert_int_equal(status, HEED_OK);
}

/* The decoder reads the start, then the target without its last token, which is a label. */
static void check_family(const char *family, int64_t start)
{
    heed_config config;
    heed_dataset *data = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_batch batch = {0};
    assert_ok(heed_config_preset(&config, family, &error));
    config.decoder_start_id = start;
    open_data(&data, &tokenizer, &config);
    if (data) {
        assert_ok(heed_dataset_collate(data, 0, heed_dataset_units(data), &batch, &error));
        const int32_t *ids = heed_batch_read(&batch, "ids"),
                      *labels = heed_batch_read(&batch, "labels"),
                      *fields = heed_batch_read(&batch, "sequences");
        assert_int_equal(batch.count[HEED_EXTENT_SEQUENCES], LINES);
        for (int line = 0; line < LINES; line++, fields += HEED_SEQUENCE_FIELDS) {
            int32_t row = fields[HEED_SEQUENCE_QUERY_START];
            int32_t last = row + fields[HEED_SEQUENCE_QUERY_LENGTH] - 1;
            assert_int_equal(labels[last], config.eos_id);
            assert_int_equal(ids[row], config.starts_with_end ? labels[last] : start);
            for (int32_t i = row; i < last; i++) assert_int_equal(ids[i + 1], labels[i]);
        }
    }
    heed_batch_free(&batch);
    heed_dataset_free(data);
    heed_tokenizer_free(tokenizer);
}

static void targets_begin_as_the_family_does(void **state)
{
    (void)state;
    check_family("bart", 2);
    check_family("mbart", -1);
    check_family("mbart", 2);
}

static void a_start_is_needed_by_families_that_have_one(void **state)
{
    (void)state;
    check_family("bart", -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_begin_as_the_family_does),
        cmocka_unit_test(a_start_is_needed_by_families_that_have_one),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
