/* wordpiece.c: the model WordPiece. A word is covered from left to right: first by the longest
   token with which it begins, then repeatedly by the longest token that has the prefix and
   continues it. A word that cannot be covered, or is longer than max_input_chars_per_word, becomes
   the unknown token. Options: unk_token, continuing_subword_prefix ("##"), max_input_chars_per_word
   (100). Source: Wu et al. 2016, section 4.1; Devlin et al. 2019. */
#include "text/model.h"

#include "base/memory.h"
#include "text/pieces.h"
#include <stdlib.h>
#include <string.h>

static heed_status read_wordpiece(heed_tokenizer_model *model, const json_t *json,
                                  const char *where, heed_error *error)
{
    model->max_word_characters = 100;
    HEED_TRY(heed_tokenizer_model_read_vocabulary(model, json, where, error));
    HEED_TRY(
        heed_tokenizer_model_read_text(&model->unk_token, json, "unk_token", false, where, error));
    HEED_TRY(heed_tokenizer_model_read_text(&model->prefix, json, "continuing_subword_prefix",
                                            false, where, error));
    HEED_TRY(heed_json_integer(json, "max_input_chars_per_word", &model->max_word_characters, where,
                               error));
    if (!model->unk_token) model->unk_token = heed_string_copy("[UNK]");
    if (!model->prefix) model->prefix = heed_string_copy("##");
    if (!model->unk_token || !model->prefix) return heed_fail_memory(error, 8, "the model");
    if (model->max_word_characters < 0)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: model: \"max_input_chars_per_word\" is %lld, expected 0 or more",
                         where, (long long)model->max_word_characters);
    model->unk_id = heed_vocabulary_find(&model->vocabulary, model->unk_token,
                                         strlen(model->unk_token));
    return HEED_OK;
}

/* Returns the id of the longest token with which text[0..length) begins, -1 if there is none. With
   `continuing` the tokens have the prefix. *size becomes the bytes of text that the token covers.
   One pass suffices, because the hash of the vocabulary grows with the text. */
static int32_t longest_token(const heed_tokenizer_model *model,
                             heed_tokenizer_model_scratch *scratch, const char *text, size_t length,
                             bool continuing, size_t *size)
{
    size_t prefix = continuing ? strlen(model->prefix) : 0, longest = model->vocabulary.longest;
    uint64_t hash = heed_hash_start;
    int32_t found = -1;
    if (prefix > longest) return -1;
    if (length > longest - prefix) length = longest - prefix;
    memcpy(scratch->word, model->prefix, prefix);
    memcpy(scratch->word + prefix, text, length);
    for (size_t i = 0; i < prefix; i++) hash = heed_hash_byte(hash, scratch->word[i]);
    for (size_t at = 0; at < length;) {
        size_t end = at + heed_utf8_size(text[at]);
        if (end > length) break;
        for (; at < end; at++) hash = heed_hash_byte(hash, text[at]);
        int32_t id = heed_vocabulary_find_hashed(&model->vocabulary, scratch->word, prefix + at,
                                                 hash);
        if (id < 0) continue;
        found = id;
        *size = at;
    }
    return found;
}

static heed_status tokenize_wordpiece(const heed_tokenizer_model *model,
                                      heed_tokenizer_model_scratch *scratch, const char *text,
                                      size_t length, heed_found_tokens *found, heed_error *error)
{
    size_t before = found->count, at = 0, size = 0;
    int64_t characters = 0;
    for (size_t i = 0; i < length; i += heed_utf8_size(text[i])) characters++;
    if (!heed_grow(&scratch->word, &scratch->word_capacity,
                   model->vocabulary.longest + strlen(model->prefix) + 1, 1))
        return heed_fail_memory(error, model->vocabulary.longest, "a word");
    bool covered = characters <= model->max_word_characters;
    while (covered && at < length) {
        int32_t id = longest_token(model, scratch, text + at, length - at, at > 0, &size);
        covered = id >= 0;
        if (!covered) break;
        heed_found_add(found, id, at, at + size);
        at += size;
    }
    if (covered) return HEED_OK;
    if (model->unk_id < 0) return heed_tokenizer_model_unknown(model, error);
    found->count = before;
    heed_found_add(found, model->unk_id, 0, length);
    return HEED_OK;
}

static heed_status write_wordpiece(const heed_tokenizer_model *model, json_t *json,
                                   heed_error *error)
{
    int failed = json_object_set_new(json, "unk_token", json_string(model->unk_token));
    failed |= json_object_set_new(json, "continuing_subword_prefix", json_string(model->prefix));
    failed |= json_object_set_new(json, "max_input_chars_per_word",
                                  json_integer(model->max_word_characters));
    return failed ? heed_fail_memory(error, 256, "writing the model") : HEED_OK;
}

const heed_tokenizer_model_kind heed_tokenizer_model_wordpiece = {
    "WordPiece", read_wordpiece, tokenize_wordpiece, write_wordpiece, false};
