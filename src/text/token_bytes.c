/* token_bytes.c: the table of the bytes of each token (token_bytes.h). */
#include "text/token_bytes.h"

#include "base/memory.h"
#include "text/text_internal.h"
#include <stdlib.h>
#include <string.h>

/* The state of filling the table. With ByteLevel and ByteFallback the bytes of a token follow from
   its string. With other decoders a token is decoded between two ordinary tokens (the anchor), and
   their text is removed. */
typedef struct reader {
    const heed_tokenizer *tokenizer;
    bool byte_level, byte_fallback;
    int32_t anchor;      /* -1 if none was found */
    size_t before, both; /* bytes of the anchor decoded once, and twice */
    heed_buffer scratch;
} reader;

static bool has_stage(const heed_tokenizer *tokenizer, const char *name)
{
    for (size_t i = 0; i < tokenizer->decoder.count; i++)
        if (strcmp(tokenizer->decoder.stages[i].kind->name, name) == 0) return true;
    return false;
}

static heed_status decode(reader *r, const int32_t *ids, size_t count, heed_error *error)
{
    heed_buffer_clear(&r->scratch);
    return heed_tokenizer_decode(r->tokenizer, ids, count, true, &r->scratch, error);
}

static bool is_word(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return length > 0;
}

/* Finds the first token whose text consists of letters. */
static heed_status find_anchor(reader *r, size_t count, heed_error *error)
{
    r->anchor = -1;
    for (size_t id = 0; id < count && r->anchor < 0; id++) {
        int32_t ids[2] = {(int32_t)id, (int32_t)id};
        if (heed_tokenizer_is_special(r->tokenizer, ids[0])) continue;
        HEED_TRY(decode(r, ids, 1, error));
        if (!is_word(r->scratch.data, r->scratch.length)) continue;
        r->before = r->scratch.length;
        HEED_TRY(decode(r, ids, 2, error));
        r->both = r->scratch.length;
        if (r->both >= 2 * r->before) r->anchor = ids[0];
    }
    return HEED_OK;
}

/* Appends the text of a token between two anchors. */
static heed_status put_between(reader *r, int32_t id, heed_buffer *text, heed_error *error)
{
    const int32_t ids[3] = {r->anchor, id, r->anchor};
    if (r->anchor < 0) {
        HEED_TRY(decode(r, &id, 1, error));
        heed_buffer_append(text, r->scratch.data, r->scratch.length);
        return HEED_OK;
    }
    HEED_TRY(decode(r, ids, 3, error));
    if (r->scratch.length > r->both)
        heed_buffer_append(text, r->scratch.data + r->before, r->scratch.length - r->both);
    return HEED_OK;
}

/* Appends the bytes of a token. */
static heed_status put_token(reader *r, int32_t id, heed_buffer *text, heed_error *error)
{
    size_t length = 0;
    const char *token = heed_tokenizer_decoded_token(r->tokenizer, id, &length);
    if (!token || heed_tokenizer_is_special(r->tokenizer, id)) return HEED_OK;
    int byte = r->byte_fallback ? heed_fallback_byte(token, length) : -1;
    if (byte >= 0) heed_buffer_byte(text, byte);
    else if (r->byte_level) heed_byte_level_append(text, token, length);
    else return put_between(r, id, text, error);
    return HEED_OK;
}

heed_status heed_token_bytes_make(heed_token_bytes *table, const heed_tokenizer *tokenizer,
                                  size_t count, heed_error *error)
{
    reader r = {.tokenizer = tokenizer,
                .byte_level = has_stage(tokenizer, "ByteLevel"),
                .byte_fallback = has_stage(tokenizer, "ByteFallback")};
    *table = (heed_token_bytes){.ends = heed_allocate(count + 1, sizeof *table->ends),
                                .count = count};
    heed_status status = table->ends ? HEED_OK
                                     : heed_fail_memory(error, count * sizeof *table->ends,
                                                        "the tokens' bytes");
    if (status == HEED_OK && !r.byte_level) status = find_anchor(&r, count, error);
    for (size_t id = 0; id < count && status == HEED_OK; id++) {
        status = put_token(&r, (int32_t)id, &table->text, error);
        table->ends[id] = table->text.length;
    }
    if (status == HEED_OK && (table->text.failed || r.scratch.failed))
        status = heed_fail_memory(error, table->text.length, "the tokens' bytes");
    table->bytes = table->text.data;
    heed_buffer_free(&r.scratch);
    return status;
}

void heed_token_bytes_free(heed_token_bytes *table)
{
    free(table->ends);
    heed_buffer_free(&table->text);
    *table = (heed_token_bytes){0};
}
