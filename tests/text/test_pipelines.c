/* tests/fixtures/tokenizers/pipelines: random pipelines of every stage and option, and what the
   `tokenizers` library made of random strings with them (generate.py). */
#include "tokenizer_support.h"

typedef struct {
    json_t *models;
    const json_t *sections;
    heed_tokenizer *tokenizer;
    long rows, mismatches;
} pipelines;

static void mismatch(pipelines *p, const char *what, const json_t *row)
{
    char *dumped = json_dumps(row, JSON_COMPACT), *sections = json_dumps(p->sections, JSON_COMPACT);
    print_message("%s: %.600s\n    %.1000s\n", what, dumped, sections);
    free(dumped);
    free(sections);
    p->mismatches++;
}

static void check_encoding(pipelines *p, const json_t *row)
{
    const json_t *first = json_object_get(row, "text"), *second = json_object_get(row, "pair");
    unsigned flags = json_is_true(json_object_get(row, "special")) ? HEED_ENCODE_SPECIAL : 0;
    heed_encoding encoding = {0};
    for (int offsets = 0; offsets < 2; offsets++) {
        const heed_encode_input input = {
            .first = {json_string_value(first), json_string_length(first)},
            .second = {json_string_value(second), json_string_length(second)},
            .flags = flags | (offsets ? HEED_ENCODE_OFFSETS : 0)};
        assert_ok(heed_tokenizer_encode_pair(p->tokenizer, &input, &encoding, &error));
        if (!same_ids(json_object_get(row, "ids"), encoding.ids, encoding.count))
            mismatch(p, "ids", row);
        if (!same_ids(json_object_get(row, "type_ids"), encoding.type_ids, encoding.count))
            mismatch(p, "type_ids", row);
        if (!same_bytes(json_object_get(row, "special_mask"), encoding.special_mask,
                        encoding.count))
            mismatch(p, "special_mask", row);
        if (offsets &&
            !same_ranges(json_object_get(row, "offsets"), encoding.code_points, encoding.count))
            mismatch(p, "offsets", row);
    }
    heed_encoding_free(&encoding);
}

static void check_decoding(pipelines *p, const json_t *row)
{
    size_t count;
    int32_t *ids = ids_of(json_object_get(row, "decode"), &count);
    bool skip = json_is_true(json_object_get(row, "skip"));
    heed_buffer text = {0}, streamed = {0};
    heed_decode_stream *stream = NULL;
    assert_ok(heed_tokenizer_decode(p->tokenizer, ids, count, skip, &text, &error));
    if (!same_text(json_object_get(row, "decoded"), &text)) mismatch(p, "decoded", row);
    assert_ok(heed_decode_stream_new(&stream, p->tokenizer, skip, &error));
    for (int turn = 0; turn < 2; turn++) { /* a finished stream is a new one */
        heed_buffer_clear(&streamed);
        for (size_t i = 0; i < count; i++)
            assert_ok(heed_decode_stream_push(stream, ids[i], &streamed, &error));
        assert_ok(heed_decode_stream_finish(stream, &streamed, &error));
        if (!same_text(json_object_get(row, "decoded"), &streamed)) mismatch(p, "streamed", row);
    }
    heed_decode_stream_free(stream);
    heed_buffer_free(&text);
    heed_buffer_free(&streamed);
    free(ids);
}

static void check_pipeline(const json_t *line, void *context)
{
    pipelines *p = context;
    json_t *whole = json_copy(json_object_get(line, "tokenizer"));
    const json_t *rows = json_object_get(line, "rows");
    json_object_set(whole, "model",
                    json_object_get(p->models, json_string_value(json_object_get(line, "model"))));
    char *text = json_dumps(whole, JSON_COMPACT);
    assert_ok(heed_tokenizer_from_json(&p->tokenizer, text, strlen(text), "pipeline", &error));
    p->sections = json_object_get(line, "tokenizer");
    for (size_t i = 0; i < json_array_size(rows); i++, p->rows++) {
        check_encoding(p, json_array_get(rows, i));
        check_decoding(p, json_array_get(rows, i));
    }
    heed_tokenizer_free(p->tokenizer);
    free(text);
    json_decref(whole);
}

static void pipelines_agree_with_the_library(void **state)
{
    (void)state;
    pipelines p = {0};
    assert_ok(heed_json_read(&p.models, HEED_FIXTURES "/tokenizers/pipelines/models.json", &error));
    assert_int_equal(
        each_line(HEED_FIXTURES "/tokenizers/pipelines/cases.jsonl", check_pipeline, &p), 200);
    assert_true(p.rows > 1000);
    assert_int_equal(p.mismatches, 0);
    json_decref(p.models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pipelines_agree_with_the_library)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
