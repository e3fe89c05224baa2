/* code_points.c: the model CodePoints, which only heed has. Every character is a token, and its id
   is its code point. Surrogates are not characters. It has no options. Source: Clark et al. 2022,
   CANINE. */
#include "text/model.h"

#include "base/utf8.h"
#include "text/pieces.h"

static heed_status read_code_points(heed_tokenizer_model *model, const json_t *json,
                                    const char *where, heed_error *error)
{
    (void)json;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char spelled[4];
        if (point == 0xD800) point = 0xE000;
        size_t size = heed_utf8_put(point, spelled);
        HEED_TRY(
            heed_vocabulary_add(&model->vocabulary, spelled, size, (int64_t)point, where, error));
    }
    return heed_vocabulary_seal(&model->vocabulary, where, error);
}

static heed_status tokenize_code_points(const heed_tokenizer_model *model,
                                        heed_tokenizer_model_scratch *scratch, const char *text,
                                        size_t length, heed_found_tokens *found, heed_error *error)
{
    (void)model, (void)scratch, (void)error;
    for (size_t at = 0, size; at < length; at += size) {
        int32_t id = (int32_t)heed_utf8_at(text, at, &size);
        heed_found_add(found, id, at, at + size);
    }
    return HEED_OK;
}

static heed_status write_code_points(const heed_tokenizer_model *model, json_t *json,
                                     heed_error *error)
{
    (void)model, (void)json, (void)error;
    return HEED_OK;
}

const heed_tokenizer_model_kind heed_tokenizer_model_code_points = {
    "CodePoints", read_code_points, tokenize_code_points, write_code_points, true};
