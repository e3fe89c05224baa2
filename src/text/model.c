/* model.c: what all model kinds share (model.h). */
#include "text/model.h"

#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void heed_found_add(heed_found_tokens *found, int32_t id, size_t begin, size_t end)
{
    if (found->count == found->capacity &&
        !heed_grow(&found->tokens, &found->capacity, found->count + 1, sizeof *found->tokens)) {
        found->failed = true;
        return;
    }
    found->tokens[found->count++] = (heed_found_token){
        .id = id, .begin = found->base + (uint32_t)begin, .end = found->base + (uint32_t)end};
}

void heed_tokenizer_model_scratch_free(heed_tokenizer_model_scratch *scratch)
{
    free(scratch->symbols);
    free(scratch->heap);
    free(scratch->word);
    free(scratch->lattice);
    *scratch = (heed_tokenizer_model_scratch){0};
}

void heed_tokenizer_model_free(heed_tokenizer_model *model)
{
    heed_vocabulary_free(&model->vocabulary);
    heed_vocabulary_free(&model->hidden);
    heed_vocabulary_free(&model->target);
    free(model->unk_token);
    free(model->prefix);
    free(model->suffix);
    free(model->merges.merges);
    free(model->merges.slots);
    heed_trie_free(&model->whole);
    heed_unigram_free(model->unigram);
    *model = (heed_tokenizer_model){0};
}

json_t *heed_vocabulary_write(const heed_vocabulary *vocabulary)
{
    json_t *json = json_object();
    int failed = !json;
    for (size_t i = 0; i < vocabulary->count && !failed; i++) {
        const heed_vocabulary_entry *entry = &vocabulary->entries[i];
        failed |= json_object_setn_new(json, heed_vocabulary_string(vocabulary, entry),
                                       entry->length, json_integer(entry->id));
    }
    if (!failed) return json;
    json_decref(json);
    return NULL;
}

heed_status heed_vocabulary_read(heed_vocabulary *vocabulary, const json_t *ids, const char *where,
                                 heed_error *error)
{
    if (!json_is_object(ids))
        return heed_fail(error, HEED_E_FORMAT, "%s: model: \"vocab\": expected an object of ids",
                         where);
    for (void *member = json_object_iter((json_t *)ids); member;
         member = json_object_iter_next((json_t *)ids, member)) {
        const json_t *id = json_object_iter_value(member);
        const char *token = json_object_iter_key(member);
        if (!json_is_integer(id))
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: model: vocab: the id of \"%.80s\" is not an integer", where,
                             token);
        HEED_TRY(heed_vocabulary_add(vocabulary, token, json_object_iter_key_len(member),
                                     json_integer_value(id), where, error));
    }
    return heed_vocabulary_seal(vocabulary, where, error);
}

heed_status heed_tokenizer_model_read_vocabulary(heed_tokenizer_model *model, const json_t *json,
                                                 const char *where, heed_error *error)
{
    return heed_vocabulary_read(&model->vocabulary, json_object_get(json, "vocab"), where, error);
}

heed_status heed_tokenizer_model_read_text(char **text, const json_t *json, const char *key,
                                           bool empty_is_none, const char *where, heed_error *error)
{
    const char *value = NULL;
    HEED_TRY(heed_json_string(json, key, &value, where, error));
    if (!value || (empty_is_none && !*value)) return HEED_OK;
    *text = heed_string_copy(value);
    return *text ? HEED_OK : heed_fail_memory(error, strlen(value), key);
}

void heed_tokenizer_model_find_bytes(heed_tokenizer_model *model)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", byte);
        model->byte_ids[byte] = heed_vocabulary_find(&model->vocabulary, name, 6);
    }
}

bool heed_tokenizer_model_has_bytes(const heed_tokenizer_model *model, heed_text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (model->byte_ids[(unsigned char)text.bytes[i]] < 0) return false;
    return true;
}

heed_status heed_tokenizer_model_unknown(const heed_tokenizer_model *model, heed_error *error)
{
    return heed_fail(error, HEED_E_FORMAT,
                     "the text needs the unknown token \"%.80s\", which the tokenizer's vocabulary "
                     "lacks; add it to the vocabulary",
                     model->unk_token);
}
