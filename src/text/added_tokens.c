/* added_tokens.c: reads and writes added tokens and splits text at them (added_tokens.h). Source:
   AddedVocabulary of the `tokenizers` library. */
#include "text/added_tokens.h"

#include "base/memory.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

/* ---- splitting ---- */

typedef struct {
    const heed_added_tokens *added;
    const heed_trie *trie;
    bool literal;
} search;

/* Filter for literal text: only tokens that are not special are searched for. */
static bool is_plain(const void *added, int32_t index)
{
    return !((const heed_added_tokens *)added)->tokens[index].special;
}

static bool is_word_before(const char *text, size_t at)
{
    size_t size;
    return at > 0 && (heed_char_class(heed_utf8_at(text, heed_utf8_before(text, at), &size)) &
                      HEED_CHAR_WORD);
}

static bool is_word_at(const char *text, size_t at, size_t length)
{
    size_t size;
    return at < length && (heed_char_class(heed_utf8_at(text, at, &size)) & HEED_CHAR_WORD);
}

static size_t blanks_before(const char *text, size_t at)
{
    while (at > 0) {
        size_t size, before = heed_utf8_before(text, at);
        if (!heed_char_is_space(heed_utf8_at(text, before, &size))) break;
        at = before;
    }
    return at;
}

static size_t blanks_after(const char *text, size_t at, size_t length)
{
    for (size_t size; at < length && heed_char_is_space(heed_utf8_at(text, at, &size));) at += size;
    return at;
}

/* Splits a piece at the added tokens. */
static heed_status cut_at_tokens(const void *context, heed_pieces *pieces, uint32_t base,
                                 uint32_t end_of_piece, heed_error *error)
{
    (void)error;
    const search *s = context;
    const char *text = pieces->bytes + base;
    size_t length = end_of_piece - base, done = 0;
    for (size_t at = 0, size = 0; at < length;) {
        int32_t index = heed_trie_match(s->trie, text + at, length - at,
                                        s->literal ? is_plain : NULL, s->added, &size);
        if (index < 0) {
            at += heed_utf8_size(text[at]);
            continue;
        }
        const heed_added_token *token = &s->added->tokens[index];
        size_t begin = at, end = at + size;
        at = end; /* The search continues after the token itself, whatever it strips. */
        if (token->single_word && (is_word_before(text, begin) || is_word_at(text, end, length)))
            continue;
        if (token->lstrip) begin = blanks_before(text, begin);
        if (token->rstrip) end = blanks_after(text, end, length);
        /* White space that an earlier token has taken stays with it. */
        if (token->lstrip && begin < done) begin = done < end ? done : end;
        heed_pieces_add(pieces, base + (uint32_t)done, base + (uint32_t)begin, -1);
        heed_pieces_add(pieces, base + (uint32_t)begin, base + (uint32_t)end, token->id);
        done = end;
    }
    heed_pieces_add(pieces, base + (uint32_t)done, end_of_piece, -1);
    return HEED_OK;
}

heed_status heed_added_cut(const heed_added_tokens *added, bool normalized, bool literal,
                           heed_pieces *pieces, heed_error *error)
{
    search s = {added, normalized ? &added->normalized : &added->plain, literal};
    return s.trie->node_count ? heed_pieces_cut(pieces, cut_at_tokens, &s, error) : HEED_OK;
}

/* ---- reading ---- */

void heed_added_free(heed_added_tokens *added)
{
    for (size_t i = 0; i < added->count; i++) {
        if (added->tokens[i].spelled != added->tokens[i].content) free(added->tokens[i].spelled);
        free(added->tokens[i].content);
    }
    free(added->tokens);
    free(added->by_id);
    heed_vocabulary_free(&added->by_content);
    heed_trie_free(&added->plain);
    heed_trie_free(&added->normalized);
    *added = (heed_added_tokens){0};
}

const heed_added_token *heed_added_find(const heed_added_tokens *added, int32_t id)
{
    size_t low = 0, high = added->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (added->by_id[middle].id < id) low = middle + 1;
        else high = middle;
    }
    return low < added->count && added->by_id[low].id == id
               ? &added->tokens[added->by_id[low].index]
               : NULL;
}

const heed_added_token *heed_added_find_content(const heed_added_tokens *added, const char *content,
                                                size_t length)
{
    int32_t index = heed_vocabulary_find(&added->by_content, content, length);
    return index < 0 ? NULL : &added->tokens[index];
}

/* Returns whether the model's vocabulary gives the id this string. */
static bool is_string_of(const heed_tokenizer_model *model, int64_t id,
                         const heed_added_token *token)
{
    const heed_vocabulary *vocabulary = &model->vocabulary;
    if (id > INT32_MAX) return false;
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, (int32_t)id);
    return entry && entry->length == token->length &&
           !memcmp(heed_vocabulary_string(vocabulary, entry), token->content, token->length);
}

/* The state of reading the section. */
typedef struct {
    heed_added_tokens *added;
    const heed_tokenizer_model *model;
    const char *where;
    int64_t greatest; /* greatest id so far, -1 for none */
} reader;

/* Returns the id that the library gives a new token. If the model's vocabulary contains the
   content, it is the model's id; if two ids have this string, the given id decides. Otherwise it is
   the next free id. */
static int64_t settle_id(const reader *r, const heed_added_token *token, int64_t given)
{
    const heed_vocabulary *vocabulary = &r->model->vocabulary;
    if (is_string_of(r->model, given, token)) return given;
    int32_t known = heed_vocabulary_find(vocabulary, token->content, token->length);
    int64_t size = (int64_t)vocabulary->count;
    if (known >= 0) return known;
    return r->added->count && (r->greatest >= size || size == 0) ? r->greatest + 1 : size;
}

static heed_status read_flags(heed_added_token *token, const json_t *json, const char *where,
                              heed_error *error)
{
    token->normalized = true;
    HEED_TRY(heed_json_boolean(json, "single_word", &token->single_word, where, error));
    HEED_TRY(heed_json_boolean(json, "lstrip", &token->lstrip, where, error));
    HEED_TRY(heed_json_boolean(json, "rstrip", &token->rstrip, where, error));
    HEED_TRY(heed_json_boolean(json, "special", &token->special, where, error));
    token->normalized = !token->special;
    return heed_json_boolean(json, "normalized", &token->normalized, where, error);
}

/* Replaces a token by a later one with the same content. The later flags count, but the token stays
   special if it was. */
static void replace_token(heed_added_token *old, heed_added_token token)
{
    token.id = old->id;
    token.special |= old->special;
    free(old->content);
    *old = token;
}

/* Appends a token, which it takes over. */
static heed_status append_token(reader *r, heed_added_token token, int64_t id, size_t place,
                                heed_error *error)
{
    heed_added_tokens *added = r->added;
    heed_status status = heed_vocabulary_add(&added->by_content, token.content, token.length,
                                             (int64_t)added->count, r->where, error);
    if (status == HEED_OK && id >= INT32_MAX)
        status = heed_fail(
            error, HEED_E_FORMAT,
            "%s: added_tokens[%zu]: its id would be %lld, expected at most 2147483646", r->where,
            place, (long long)id);
    if (status != HEED_OK) {
        free(token.content);
        return status;
    }
    token.id = (int32_t)id;
    added->tokens[added->count++] = token;
    if (id > r->greatest) r->greatest = id;
    return HEED_OK;
}

/* Reads one element of the section. */
static heed_status read_token(reader *r, const json_t *json, size_t place, heed_error *error)
{
    heed_added_tokens *added = r->added;
    const json_t *content = json_object_get(json, "content"), *id = json_object_get(json, "id");
    if (!json_is_object(json) || !json_is_string(content) ||
        (id && (!json_is_integer(id) || json_integer_value(id) < 0)))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: added_tokens[%zu]: expected an object with a string \"content\" and "
                         "an integer \"id\" of 0 or more",
                         r->where, place);
    heed_added_token token = {.length = json_string_length(content)};
    HEED_TRY(read_flags(&token, json, r->where, error));
    if (!token.length) return HEED_OK;
    if (!heed_grow(&added->tokens, &added->capacity, added->count + 1, sizeof token) ||
        !(token.content = heed_allocate(token.length + 1, 1)))
        return heed_fail_memory(error, token.length, "the added tokens");
    memcpy(token.content, json_string_value(content), token.length);
    int32_t index = heed_vocabulary_find(&added->by_content, token.content, token.length);
    int64_t given = id ? json_integer_value(id) : -1;
    int64_t settled = settle_id(r, &token, given);
    /* another id with the same string */
    bool another = index >= 0 && given == settled && given != added->tokens[index].id;
    if (index < 0 || another) return append_token(r, token, settled, place, error);
    replace_token(&added->tokens[index], token);
    return HEED_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = ((const struct heed_added_id *)a)->id, y = ((const struct heed_added_id *)b)->id;
    return x < y ? -1 : x > y;
}

/* Fills by_id. Fails if two tokens have the same id. */
static heed_status index_ids(heed_added_tokens *added, const char *where, heed_error *error)
{
    added->by_id = heed_allocate(added->count + 1, sizeof *added->by_id);
    if (!added->by_id)
        return heed_fail_memory(error, added->count * sizeof *added->by_id, "the added tokens");
    for (size_t i = 0; i < added->count; i++)
        added->by_id[i] = (struct heed_added_id){added->tokens[i].id, (uint32_t)i};
    qsort(added->by_id, added->count, sizeof *added->by_id, compare_ids);
    for (size_t i = 1; i < added->count; i++)
        if (added->by_id[i - 1].id == added->by_id[i].id)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: added_tokens: \"%.64s\" and \"%.64s\" share id %d, expected one "
                             "token for each id",
                             where, added->tokens[added->by_id[i - 1].index].content,
                             added->tokens[added->by_id[i].index].content, (int)added->by_id[i].id);
    return HEED_OK;
}

/* Computes `spelled`: the normalized form if the token is searched for in normalized text. Decoding
   writes this form too. */
static heed_status spell(heed_added_token *token, const heed_pipeline *normalizer,
                         heed_error *error)
{
    heed_pieces pieces;
    token->spelled = token->content;
    token->spelled_length = token->length;
    if (!token->normalized || !normalizer->count) return HEED_OK;
    heed_status status = heed_pieces_init(&pieces, token->content, token->length, 0, error);
    if (status == HEED_OK) status = heed_pipeline_run(normalizer, &pieces, error);
    if (status == HEED_OK) {
        const heed_piece none = {0, 0, -1}, *piece = pieces.count ? &pieces.piece[0] : &none;
        char *copy = heed_allocate(piece->end - piece->begin + 1, 1);
        if (copy) {
            if (piece->end > piece->begin)
                memcpy(copy, pieces.bytes + piece->begin, piece->end - piece->begin);
            token->spelled = copy;
            token->spelled_length = piece->end - piece->begin;
        } else status = heed_fail_memory(error, token->length, "the added tokens");
    }
    heed_pieces_free(&pieces);
    return status;
}

/* Adds a token to the trie in which it is searched for, and decides whether decoding skips it. */
static heed_status add_to_trie(heed_added_tokens *added, size_t index, heed_error *error)
{
    heed_added_token *token = &added->tokens[index];
    bool spelled = token->spelled_length == token->length &&
                   !memcmp(token->spelled, token->content, token->length);
    const heed_added_token *same = token;
    if (!spelled) same = heed_added_find_content(added, token->spelled, token->spelled_length);
    token->skipped = same && same->special;
    if (heed_trie_add(token->normalized ? &added->normalized : &added->plain, token->spelled,
                      token->spelled_length, (int32_t)index))
        return HEED_OK;
    return heed_fail_memory(error, token->length, "the added tokens");
}

heed_status heed_added_read(heed_added_tokens *added, const json_t *json,
                            const heed_tokenizer_model *model, const heed_pipeline *normalizer,
                            const char *where, heed_error *error)
{
    reader r = {.added = added, .model = model, .where = where, .greatest = -1};
    heed_status status = HEED_OK;
    *added = (heed_added_tokens){0};
    if (json && !json_is_null(json) && !json_is_array(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: \"added_tokens\": expected an array", where);
    for (size_t i = 0; i < json_array_size(json) && status == HEED_OK; i++)
        status = read_token(&r, json_array_get(json, i), i, error);
    if (status == HEED_OK) status = index_ids(added, where, error);
    for (size_t i = 0; i < added->count && status == HEED_OK; i++)
        status = spell(&added->tokens[i], normalizer, error);
    /* Special tokens come first: if two strings are equal, the first one counts. */
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; i < added->count && status == HEED_OK; i++)
            if (added->tokens[i].special == (special == 1)) status = add_to_trie(added, i, error);
    if (status != HEED_OK) heed_added_free(added);
    return status;
}

heed_status heed_added_write(const heed_added_tokens *added, json_t **result, heed_error *error)
{
    json_t *list = json_array();
    int failed = !list;
    for (size_t i = 0; i < added->count && !failed; i++) {
        const heed_added_token *token = &added->tokens[added->by_id[i].index];
        json_t *json = json_object();
        failed |= json_object_set_new(json, "id", json_integer(token->id));
        failed |= json_object_set_new(json, "content", json_stringn(token->content, token->length));
        failed |= json_object_set_new(json, "single_word", json_boolean(token->single_word));
        failed |= json_object_set_new(json, "lstrip", json_boolean(token->lstrip));
        failed |= json_object_set_new(json, "rstrip", json_boolean(token->rstrip));
        failed |= json_object_set_new(json, "normalized", json_boolean(token->normalized));
        failed |= json_object_set_new(json, "special", json_boolean(token->special));
        failed |= json_array_append_new(list, json);
    }
    if (!failed) *result = list;
    else json_decref(list);
    return failed ? heed_fail_memory(error, added->count * 256, "writing the added tokens")
                  : HEED_OK;
}
