/* tokenizer.c: questions about a tokenizer's vocabulary and options, and freeing it
   (tokenizer.h). */
#include "text/text_internal.h"

#include "base/lines.h"
#include <heed/tokenizer.h>
#include <stdlib.h>

void heed_tokenizer_free(heed_tokenizer *tokenizer)
{
    if (!tokenizer) return;
    heed_added_free(&tokenizer->added);
    heed_pipeline_free(&tokenizer->normalizer);
    heed_pipeline_free(&tokenizer->pre_tokenizer);
    heed_pipeline_free(&tokenizer->decoder);
    heed_tokenizer_model_free(&tokenizer->model);
    heed_post_free(&tokenizer->post);
    json_decref(tokenizer->sections);
    json_decref(tokenizer->config);
    heed_buffer_free(&tokenizer->notes);
    json_decref(tokenizer->templates);
    free(tokenizer);
}

const char *heed_tokenizer_kind(const heed_tokenizer *tokenizer)
{
    return tokenizer->model.kind->name;
}

size_t heed_tokenizer_vocab_size(const heed_tokenizer *tokenizer)
{
    size_t size = tokenizer->model.vocabulary.count;
    for (size_t i = 0; i < tokenizer->added.count; i++) {
        const heed_added_token *token = &tokenizer->added.tokens[i];
        size += heed_vocabulary_find(&tokenizer->model.vocabulary, token->content, token->length) <
                0;
    }
    return size;
}

int32_t heed_tokenizer_id_limit(const heed_tokenizer *tokenizer)
{
    const heed_added_tokens *added = &tokenizer->added;
    int32_t limit = heed_vocabulary_id_limit(&tokenizer->model.vocabulary);
    int32_t added_limit = added->count ? added->by_id[added->count - 1].id + 1 : 0;
    return limit > added_limit ? limit : added_limit;
}

int32_t heed_tokenizer_base_limit(const heed_tokenizer *tokenizer)
{
    return heed_vocabulary_id_limit(&tokenizer->model.vocabulary);
}

int32_t heed_tokenizer_special(const heed_tokenizer *tokenizer, heed_special part)
{
    return part < HEED_SPECIAL_COUNT ? tokenizer->special[part] : -1;
}

bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id)
{
    const heed_added_token *token = heed_added_find(&tokenizer->added, id);
    return token && token->skipped;
}

int32_t heed_tokenizer_id(const heed_tokenizer *tokenizer, const char *token, size_t length)
{
    const heed_added_token *added = heed_added_find_content(&tokenizer->added, token, length);
    return added ? added->id : heed_vocabulary_find(&tokenizer->model.vocabulary, token, length);
}

size_t heed_tokenizer_shared(const heed_tokenizer *tokenizer, int32_t *first)
{
    const heed_vocabulary *vocabulary = &tokenizer->model.vocabulary;
    *first = -1;
    for (size_t i = 0; vocabulary->shared && i < vocabulary->count && *first < 0; i++) {
        const heed_vocabulary_entry *entry = &vocabulary->entries[i];
        int32_t found = heed_vocabulary_find(vocabulary, heed_vocabulary_string(vocabulary, entry),
                                             entry->length);
        if (found != entry->id) *first = entry->id;
    }
    return vocabulary->shared;
}

const char *heed_tokenizer_decoded_token(const heed_tokenizer *tokenizer, int32_t id,
                                         size_t *length)
{
    const heed_vocabulary *target = &tokenizer->model.target;
    if (!target->count) return heed_tokenizer_token(tokenizer, id, length);
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(target, id);
    *length = entry ? entry->length : 0;
    return entry ? heed_vocabulary_string(target, entry) : NULL;
}

const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id, size_t *length)
{
    const heed_vocabulary *vocabulary = &tokenizer->model.vocabulary;
    const heed_added_token *added = heed_added_find(&tokenizer->added, id);
    if (added) {
        if (length) *length = added->spelled_length;
        return added->spelled;
    }
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, id);
    if (length) *length = entry ? entry->length : 0;
    return entry ? heed_vocabulary_string(vocabulary, entry) : NULL;
}

const heed_truncation *heed_tokenizer_truncation(const heed_tokenizer *tokenizer)
{
    return tokenizer->has_truncation ? &tokenizer->truncation : NULL;
}

const heed_padding *heed_tokenizer_padding(const heed_tokenizer *tokenizer)
{
    return tokenizer->has_padding ? &tokenizer->padding : NULL;
}

unsigned heed_tokenizer_plain_flags(const heed_tokenizer *tokenizer)
{
    return tokenizer->plain_flags;
}

size_t heed_tokenizer_added_count(const heed_tokenizer *tokenizer, bool pair)
{
    return pair ? tokenizer->post.pair.added : tokenizer->post.single.added;
}

bool heed_tokenizer_note(const heed_tokenizer *tokenizer, size_t index, const char **line,
                         size_t *length)
{
    heed_lines lines = {.rest = {tokenizer->notes.data, tokenizer->notes.length}};
    heed_text text = {0};
    for (size_t i = 0; i <= index; i++)
        if (!heed_lines_next(&lines, &text)) return false;
    *line = text.bytes;
    *length = text.length;
    return true;
}
