/* wordlevel.c: the model WordLevel: each piece is one token, or the unknown token. Options:
   unk_token. Source: WordLevel of the `tokenizers` library. */
#include "text/model.h"

#include "base/memory.h"
#include <string.h>

static heed_status read_wordlevel(heed_tokenizer_model *model, const json_t *json,
                                  const char *where, heed_error *error)
{
    HEED_TRY(heed_tokenizer_model_read_vocabulary(model, json, where, error));
    HEED_TRY(
        heed_tokenizer_model_read_text(&model->unk_token, json, "unk_token", false, where, error));
    if (!model->unk_token) model->unk_token = heed_string_copy("<unk>");
    if (!model->unk_token) return heed_fail_memory(error, 8, "the model");
    model->unk_id = heed_vocabulary_find(&model->vocabulary, model->unk_token,
                                         strlen(model->unk_token));
    return HEED_OK;
}

static heed_status tokenize_wordlevel(const heed_tokenizer_model *model,
                                      heed_tokenizer_model_scratch *scratch, const char *text,
                                      size_t length, heed_found_tokens *found, heed_error *error)
{
    (void)scratch;
    int32_t id = heed_vocabulary_find(&model->vocabulary, text, length);
    if (id < 0) id = model->unk_id;
    if (id < 0) return heed_tokenizer_model_unknown(model, error);
    heed_found_add(found, id, 0, length);
    return HEED_OK;
}

static heed_status write_wordlevel(const heed_tokenizer_model *model, json_t *json,
                                   heed_error *error)
{
    int failed = json_object_set_new(json, "unk_token", json_string(model->unk_token));
    return failed ? heed_fail_memory(error, 64, "writing the model") : HEED_OK;
}

const heed_tokenizer_model_kind heed_tokenizer_model_wordlevel = {
    "WordLevel", read_wordlevel, tokenize_wordlevel, write_wordlevel, false};
