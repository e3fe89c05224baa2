/* model_kinds.c: the table of model kinds, and reading and writing the "model" section of
   tokenizer.json. */
#include "text/model.h"

#include <string.h>

static const heed_tokenizer_model_kind *const kinds[] = {
    &heed_tokenizer_model_bpe, &heed_tokenizer_model_unigram, &heed_tokenizer_model_wordpiece,
    &heed_tokenizer_model_wordlevel, &heed_tokenizer_model_code_points};

/* Guesses the type of a model from its members, for older files without "type". */
static const char *guess_type(const json_t *json)
{
    if (json_is_array(json_object_get(json, "vocab"))) return "Unigram";
    if (json_object_get(json, "merges")) return "BPE";
    return json_object_get(json, "max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

heed_status heed_tokenizer_model_read(heed_tokenizer_model *model, const json_t *json,
                                      const char *where, heed_error *error)
{
    const char *type = NULL;
    *model = (heed_tokenizer_model){.unk_id = -1};
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: \"model\": expected an object", where);
    HEED_TRY(heed_json_string(json, "type", &type, where, error));
    if (!type) type = guess_type(json);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !model->kind; i++)
        if (!strcmp(kinds[i]->name, type)) model->kind = kinds[i];
    if (!model->kind)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: a tokenizer whose model is of type \"%s\" is not supported; give ids "
                         "instead of text",
                         where, type);
    heed_status status = model->kind->read(model, json, where, error);
    if (status != HEED_OK) heed_tokenizer_model_free(model);
    return status;
}

heed_status heed_tokenizer_model_write(const heed_tokenizer_model *model, json_t **result,
                                       heed_error *error)
{
    json_t *json = json_object();
    int failed = json_object_set_new(json, "type", json_string(model->kind->name));
    heed_status status = failed ? heed_fail_memory(error, 1024, "writing the model")
                                : model->kind->write(model, json, error);
    if (status == HEED_OK && !model->kind->own_vocabulary &&
        json_object_set_new(json, "vocab", heed_vocabulary_write(&model->vocabulary)))
        status = heed_fail_memory(error, model->vocabulary.strings_length,
                                  "writing the vocabulary");
    if (status == HEED_OK) *result = json;
    else json_decref(json);
    return status;
}
