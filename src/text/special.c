/* special.c: finds the special tokens of a tokenizer by role (BOS, EOS, UNK and so on). */
#include "text/text_internal.h"

#include <string.h>

const char *const heed_special_names[HEED_SPECIAL_COUNT] = {
    [HEED_BOS] = "bos_token",  [HEED_EOS] = "eos_token", [HEED_PAD] = "pad_token",
    [HEED_UNK] = "unk_token",  [HEED_CLS] = "cls_token", [HEED_SEP] = "sep_token",
    [HEED_MASK] = "mask_token"};

/* The usual tokens of each role, for files that name none. */
static const char *const usual[HEED_SPECIAL_COUNT][4] = {
    [HEED_BOS] = {"<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>"},
    [HEED_EOS] = {"</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"},
    [HEED_PAD] = {"<pad>", "[PAD]"},
    [HEED_UNK] = {"<unk>", "[UNK]"},
    [HEED_CLS] = {"[CLS]"},
    [HEED_SEP] = {"[SEP]"},
    [HEED_MASK] = {"<mask>", "[MASK]"}};

static const json_t *special_string(const json_t *config, int part)
{
    const json_t *named = json_object_get(config, heed_special_names[part]);
    return json_is_object(named) ? json_object_get(named, "content") : named;
}

const char *heed_special_content(const json_t *config, heed_special part)
{
    return json_string_value(special_string(config, part));
}

/* Finds the id of a role that the configuration does not mention by the usual name: a special token
   with this name, or a name in brackets, as in BERT's vocabularies. */
static int32_t usual_id(const heed_tokenizer *tokenizer, int part)
{
    for (int i = 0; i < 4 && usual[part][i]; i++) {
        const char *name = usual[part][i];
        const heed_added_token *token = heed_added_find_content(&tokenizer->added, name,
                                                                strlen(name));
        if (token && token->special) return token->id;
        if (!token && name[0] == '[')
            return heed_vocabulary_find(&tokenizer->model.vocabulary, name, strlen(name));
    }
    return -1;
}

void heed_special_resolve(heed_tokenizer *tokenizer)
{
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const json_t *content = special_string(tokenizer->config, part);
        int32_t id = json_is_string(content)
                         ? heed_tokenizer_id(tokenizer, json_string_value(content),
                                             json_string_length(content))
                         : -1;
        if (id < 0 && part == HEED_UNK) id = tokenizer->model.unk_id;
        if (id < 0 && !json_object_get(tokenizer->config, heed_special_names[part]))
            id = usual_id(tokenizer, part);
        tokenizer->special[part] = id;
    }
}

json_t *heed_tokenizer_make_config(const heed_tokenizer *tokenizer)
{
    json_t *config = json_object();
    int failed = json_object_set_new(config, "tokenizer_class",
                                     json_string("PreTrainedTokenizerFast"));
    failed |= json_object_set_new(config, "clean_up_tokenization_spaces", json_false());
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        size_t length;
        const char *token = heed_tokenizer_token(tokenizer, tokenizer->special[part], &length);
        /* naming a token here would make it special */
        if (token && heed_tokenizer_is_special(tokenizer, tokenizer->special[part]))
            failed |= json_object_set_new(config, heed_special_names[part],
                                          json_stringn(token, length));
    }
    if (!failed) return config;
    json_decref(config);
    return NULL;
}
