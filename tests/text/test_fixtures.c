/* Every folder of tests/fixtures/tokenizers: ids, offsets, pairs, decoding, truncation and padding
   as the `tokenizers` library computed them, from tokenizer.json and, where the folder has them,
   from vocab.json + merges.txt or vocab.txt. */
#include "tokenizer_support.h"

#include "base/utf8.h"
#include "text/text_internal.h"
#include <dirent.h>

typedef struct {
    heed_tokenizer *tokenizer;
    const char *name;
    long mismatches, strings;
} fixture;

static void mismatch(fixture *f, const char *what, const json_t *row)
{
    char *dumped = json_dumps(row, JSON_COMPACT);
    print_message("%s: %s: %.300s\n", f->name, what, dumped ? dumped : "");
    free(dumped);
    f->mismatches++;
}

static void encode(const fixture *f, const json_t *text, unsigned flags, heed_encoding *encoding)
{
    assert_ok(heed_tokenizer_encode(f->tokenizer, json_string_value(text), json_string_length(text),
                                    flags, encoding, &error));
}

/* The code-point offsets and the byte offsets name the same place. */
static bool bytes_agree(const char *text, size_t length, const heed_encoding *encoding)
{
    for (size_t i = 0; i < encoding->count; i++) {
        heed_range bytes = encoding->bytes[i], points = encoding->code_points[i];
        if (bytes.begin > bytes.end || bytes.end > length ||
            heed_utf8_count(text, bytes.begin) != points.begin ||
            heed_utf8_count(text, bytes.end) != points.end)
            return false;
    }
    return true;
}

/* An added token that takes blanks along is listed with them. */
static bool same_token(const char *wanted, const char *found)
{
    return !strcmp(wanted, found) || !strcmp(wanted + strspn(wanted, " "), found);
}

/* The library lists an unknown token of Unigram as the text that it stands for. */
static bool is_stretch(const fixture *f, int32_t id)
{
    const heed_tokenizer_model *model = &f->tokenizer->model;
    return model->kind == &heed_tokenizer_model_unigram && id == model->unk_id;
}

static void check_decoding(fixture *f, const json_t *row)
{
    size_t count;
    int32_t *ids = ids_of(json_object_get(row, "ids"), &count);
    for (int skip = 0; skip < 2; skip++) {
        const json_t *wanted = json_object_get(row, skip ? "decoded_skip" : "decoded");
        if (!wanted) continue;
        heed_buffer text = {0}, streamed = {0};
        heed_decode_stream *stream = NULL;
        assert_ok(heed_tokenizer_decode(f->tokenizer, ids, count, skip, &text, &error));
        if (!same_text(wanted, &text)) mismatch(f, skip ? "decoded_skip" : "decoded", row);
        assert_ok(heed_decode_stream_new(&stream, f->tokenizer, skip, &error));
        for (size_t i = 0; i <= count; i++) {
            size_t before = streamed.length;
            if (i < count) assert_ok(heed_decode_stream_push(stream, ids[i], &streamed, &error));
            else assert_ok(heed_decode_stream_finish(stream, &streamed, &error));
            for (size_t at = before; at < streamed.length;) {
                uint32_t point;
                bool valid;
                at += heed_utf8_next(streamed.data + at, streamed.length - at, &point, &valid);
                assert_true(valid); /* no piece ends inside a character */
            }
        }
        if (!same_text(wanted, &streamed)) mismatch(f, "streamed", row);
        heed_decode_stream_free(stream);
        heed_buffer_free(&text);
        heed_buffer_free(&streamed);
    }
    free(ids);
}

static void check_case(const json_t *row, void *context)
{
    fixture *f = context;
    heed_encoding encoding = {0};
    const json_t *text = json_object_get(row, "text"), *tokens = json_object_get(row, "tokens");
    f->strings++;
    encode(f, text, HEED_ENCODE_SPECIAL, &encoding);
    if (!same_ids(json_object_get(row, "ids"), encoding.ids, encoding.count))
        mismatch(f, "ids", row);
    assert_null(encoding.bytes);
    encode(f, text, HEED_ENCODE_OFFSETS, &encoding);
    if (!same_ids(json_object_get(row, "ids_plain"), encoding.ids, encoding.count))
        mismatch(f, "ids_plain", row);
    if (json_object_get(row, "offsets") &&
        !same_ranges(json_object_get(row, "offsets"), encoding.code_points, encoding.count))
        mismatch(f, "offsets", row);
    if (!bytes_agree(json_string_value(text), json_string_length(text), &encoding))
        mismatch(f, "bytes", row);
    for (size_t i = 0; i < encoding.count && tokens; i++) /* a few kinds list them */
        if (!is_stretch(f, encoding.ids[i]) &&
            !same_token(json_string_value(json_array_get(tokens, i)),
                        heed_tokenizer_token(f->tokenizer, encoding.ids[i], NULL)))
            mismatch(f, "tokens", row);
    heed_encoding_free(&encoding);
    check_decoding(f, row);
}

static void check_decode_row(const json_t *row, void *context)
{
    check_decoding(context, row);
}

static void check_pair(const json_t *row, void *context)
{
    fixture *f = context;
    heed_encoding encoding = {0};
    const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");
    const heed_encode_input input = {.first = {json_string_value(a), json_string_length(a)},
                                     .second = {json_string_value(b), json_string_length(b)},
                                     .flags = HEED_ENCODE_SPECIAL};
    assert_ok(heed_tokenizer_encode_pair(f->tokenizer, &input, &encoding, &error));
    const json_t *types = json_object_get(row, "type_ids");
    if (!same_ids(json_object_get(row, "ids"), encoding.ids, encoding.count) ||
        !same_ids(types, encoding.type_ids, encoding.count) ||
        !same_bytes(json_object_get(row, "special_mask"), encoding.special_mask, encoding.count))
        mismatch(f, "pair", row);
    heed_encoding_free(&encoding);
}

static void check_truncation(const json_t *row, void *context)
{
    fixture *f = context;
    heed_encoding encoding = {0};
    const json_t *a = json_object_get(row, "a"), *b = json_object_get(row, "b");
    const char *strategy = json_string_value(json_object_get(row, "strategy"));
    heed_truncation truncation = {
        .max_length = (size_t)json_integer_value(json_object_get(row, "max_length")),
        .strategy = HEED_LONGEST_FIRST,
        .left = !strcmp(json_string_value(json_object_get(row, "trunc_side")), "left")};
    if (!strcmp(strategy, "only_first")) truncation.strategy = HEED_ONLY_FIRST;
    if (!strcmp(strategy, "only_second")) truncation.strategy = HEED_ONLY_SECOND;
    heed_padding padding = {
        .id = (int32_t)json_integer_value(json_object_get(row, "pad_id")),
        .left = !strcmp(json_string_value(json_object_get(row, "pad_side")), "left")};
    const heed_encode_input input = {.first = {json_string_value(a), json_string_length(a)},
                                     .second = {json_string_value(b), json_string_length(b)},
                                     .flags = HEED_ENCODE_SPECIAL,
                                     .truncation = &truncation};
    assert_ok(heed_tokenizer_encode_pair(f->tokenizer, &input, &encoding, &error));
    assert_ok(heed_encoding_pad(
        &encoding, &padding, (size_t)json_integer_value(json_object_get(row, "pad_to")), &error));
    if (!same_ids(json_object_get(row, "ids"), encoding.ids, encoding.count) ||
        !same_ids(json_object_get(row, "type_ids"), encoding.type_ids, encoding.count) ||
        !same_bytes(json_object_get(row, "attention_mask"), encoding.attention_mask,
                    encoding.count))
        mismatch(f, "truncation and padding", row);
    heed_encoding_free(&encoding);
}

static void check_files(fixture *f, const char *folder)
{
    static const struct {
        const char *name;
        void (*check)(const json_t *, void *);
    } files[] = {
        {"cases.jsonl", check_case},
        {"pairs.jsonl", check_pair},
        {"decode.jsonl", check_decode_row},
        {"truncpad.jsonl", check_truncation},
    };
    for (size_t i = 0; i < 4; i++) {
        char *path = heed_path_join(folder, files[i].name);
        assert_true(each_line(path, files[i].check, f) > 0);
        free(path);
    }
}

static void copy_file(const char *from, const char *to, const char *name)
{
    heed_buffer text = {0};
    char *source = heed_path_join(from, name), *target = heed_path_join(to, name);
    if (heed_path_exists(source)) {
        assert_ok(heed_file_read(source, 16 << 20, &text, &error));
        assert_ok(heed_file_write(target, text.data, text.length, &error));
    }
    heed_buffer_free(&text);
    free(source);
    free(target);
}

/* Saved and loaded again, and, where possible, loaded without its tokenizer.json, the tokenizer is
   the same. */
static void check_other_forms(const char *folder, const char *name, long *mismatches)
{
    static const char *const names[] = {"vocab.json", "merges.txt", "vocab.txt",
                                        "tokenizer_config.json", "special_tokens_map.json"};
    scratch work;
    fixture f = {.name = name};
    scratch_make(&work);
    assert_ok(heed_tokenizer_load(&f.tokenizer, folder, &error));
    assert_ok(heed_tokenizer_save(f.tokenizer, work.folder, &error));
    heed_tokenizer_free(f.tokenizer);
    assert_ok(heed_tokenizer_load(&f.tokenizer, work.folder, &error));
    check_files(&f, folder);
    heed_tokenizer_free(f.tokenizer);
    heed_directory_remove(work.folder, NULL);
    assert_ok(heed_directory_make(work.folder, &error));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        copy_file(folder, work.folder, names[i]);
    if (heed_path_exists(scratch_path(&work, "vocab.json")) ||
        heed_path_exists(scratch_path(&work, "vocab.txt"))) {
        assert_ok(heed_tokenizer_load(&f.tokenizer, work.folder, &error));
        check_files(&f, folder);
        heed_tokenizer_free(f.tokenizer);
    }
    *mismatches += f.mismatches;
    scratch_remove(&work);
}

static void tokenizers_agree_with_the_library(void **state)
{
    (void)state;
    DIR *folders = opendir(HEED_FIXTURES "/tokenizers");
    long mismatches = 0, kinds = 0;
    assert_non_null(folders);
    for (struct dirent *entry; (entry = readdir(folders));) {
        /* test_pipelines.c */
        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "pipelines")) continue;
        fixture f = {.name = entry->d_name};
        char *folder = heed_path_join(HEED_FIXTURES "/tokenizers", entry->d_name);
        assert_ok(heed_tokenizer_load(&f.tokenizer, folder, &error));
        check_files(&f, folder);
        assert_int_equal(f.strings, 392);
        heed_tokenizer_free(f.tokenizer);
        mismatches += f.mismatches;
        check_other_forms(folder, entry->d_name, &mismatches);
        free(folder);
        kinds++;
    }
    closedir(folders);
    assert_int_equal(mismatches, 0);
    assert_true(kinds >= 13);
}

/* Tokenizers that transformers writes in Python, known by the class that tokenizer_config.json
   names: no tokenizer.json. */
static void classes_without_a_tokenizer_json_agree(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long strings;
    } classes[] = {
        {"bpe-fsmt", 392}, {"bytes-byt5", 392},    {"bytes-perceiver", 392},
        {"char-esm", 44},  {"char-wav2vec2", 120}, {"codepoints-canine", 392},
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        fixture f = {.name = classes[i].name};
        char *folder = heed_path_join(HEED_FIXTURES "/tokenizer_classes", classes[i].name),
             *path = heed_path_join(folder, "cases.jsonl");
        char *ctc = heed_path_join(folder, "ctc_decode.jsonl");
        scratch work;
        scratch_make(&work);
        assert_ok(heed_tokenizer_load(&f.tokenizer, folder, &error));
        for (int saved = 0; saved < 2; saved++) {
            each_line(path, check_case, &f);
            each_line(ctc, check_decode_row, &f);
            if (saved) break;
            assert_ok(heed_tokenizer_save(f.tokenizer, work.folder, &error));
            heed_tokenizer_free(f.tokenizer);
            assert_ok(heed_tokenizer_load(&f.tokenizer, work.folder, &error));
        }
        assert_int_equal(f.strings, 2 * classes[i].strings);
        assert_int_equal(f.mismatches, 0);
        heed_tokenizer_free(f.tokenizer);
        scratch_remove(&work);
        free(folder);
        free(path);
        free(ctc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tokenizers_agree_with_the_library),
                                       cmocka_unit_test(classes_without_a_tokenizer_json_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
