/* tokenizer_support.h: what the tests of this module share. */
#ifndef HEED_TESTS_TEXT_TOKENIZER_SUPPORT_H
#define HEED_TESTS_TEXT_TOKENIZER_SUPPORT_H

#include "base/json.h"
#include "support/test.h"
#include "text/tokenizer.h"

/* Calls `line` for the parsed object on every line of a .jsonl file; returns how many there were,
   -1 when there is no such file. */
static inline long each_line(const char *path, void (*line)(const json_t *json, void *context),
                             void *context)
{
    heed_buffer text = {0};
    long count = 0;
    if (!heed_path_exists(path)) return -1;
    assert_ok(heed_file_read(path, 16 << 20, &text, &error));
    for (char *at = text.data, *end; at < text.data + text.length; at = end + 1, count++) {
        json_t *json = NULL;
        end = memchr(at, '\n', (size_t)(text.data + text.length - at));
        if (!end) end = text.data + text.length;
        assert_ok(heed_json_parse(&json, at, (size_t)(end - at), path, &error));
        line(json, context);
        json_decref(json);
    }
    heed_buffer_free(&text);
    return count;
}

static inline int64_t number_at(const json_t *list, size_t index)
{
    return json_integer_value(json_array_get(list, index));
}

static inline bool same_ids(const json_t *wanted, const int32_t *ids, size_t count)
{
    bool same = json_array_size(wanted) == count;
    for (size_t i = 0; i < count && same; i++) same = number_at(wanted, i) == ids[i];
    return same;
}

static inline bool same_bytes(const json_t *wanted, const uint8_t *values, size_t count)
{
    bool same = json_array_size(wanted) == count;
    for (size_t i = 0; i < count && same; i++) same = number_at(wanted, i) == values[i];
    return same;
}

static inline bool same_ranges(const json_t *wanted, const heed_range *ranges, size_t count)
{
    bool same = json_array_size(wanted) == count;
    for (size_t i = 0; i < count && same; i++) {
        const json_t *range = json_array_get(wanted, i);
        same = number_at(range, 0) == ranges[i].begin && number_at(range, 1) == ranges[i].end;
    }
    return same;
}

static inline bool same_text(const json_t *wanted, const heed_buffer *text)
{
    return json_string_length(wanted) == text->length &&
           (!text->length || !memcmp(json_string_value(wanted), text->data, text->length));
}

/* Ids of a list of numbers; the caller frees. */
static inline int32_t *ids_of(const json_t *list, size_t *count)
{
    *count = json_array_size(list);
    int32_t *ids = malloc((*count + 1) * sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < *count; i++) ids[i] = (int32_t)number_at(list, i);
    return ids;
}

static inline heed_tokenizer *load_text(const char *json)
{
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_from_json(&tokenizer, json, strlen(json), "test", &error));
    return tokenizer;
}

/* Asserts the ids of a text without special tokens; `...` are `count` ints. */
static inline void expect_ids(const heed_tokenizer *tokenizer, const char *text, size_t count,
                              const int32_t *wanted)
{
    heed_encoding encoding = {0};
    assert_ok(heed_tokenizer_encode(tokenizer, text, strlen(text), 0, &encoding, &error));
    assert_int_equal(encoding.count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(encoding.ids[i], wanted[i]);
    heed_encoding_free(&encoding);
}

static inline void expect_decoded(const heed_tokenizer *tokenizer, size_t count, const int32_t *ids,
                                  const char *wanted)
{
    heed_buffer text = {0};
    heed_buffer_append(&text, "", 0);
    assert_ok(heed_tokenizer_decode(tokenizer, ids, count, false, &text, &error));
    assert_string_equal(text.data, wanted);
    heed_buffer_free(&text);
}

#define IDS(...)                                                      \
    (sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), (int32_t[]) \
    {                                                                 \
        __VA_ARGS__                                                   \
    }

#endif
