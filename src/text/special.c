#include "text/internal.h"

#include <string.h>

const char *const heed_special_names[HEED_SPECIAL_COUNT] = {
    [HEED_BOS] = "bos_token", [HEED_EOS] = "eos_token", [HEED_PAD] = "pad_token", [HEED_UNK] = "unk_token",
    [HEED_CLS] = "cls_token", [HEED_SEP] = "sep_token", [HEED_MASK] = "mask_token"
};

/* What the parts are usually called, for files that do not say. */
static const char *const usual[HEED_SPECIAL_COUNT][4] = {[HEED_BOS] = {"<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>"},
                                                         [HEED_EOS] = {"</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"},
                                                         [HEED_PAD] = {"<pad>", "[PAD]"},
                                                         [HEED_UNK] = {"<unk>", "[UNK]"},
                                                         [HEED_CLS] = {"[CLS]"},
                                                         [HEED_SEP] = {"[SEP]"},
                                                         [HEED_MASK] = {"<mask>", "[MASK]"}};

const char *heed_special_content(const json_t *config, heed_special part)
{
    const json_t *named = json_object_get(config, heed_special_names[part]);
    if (json_is_object(named)) named = json_object_get(named, "content");
    return json_string_value(named);
}

/* A part that the config does not mention, by its usual name: a special token of that name, or one in brackets, as BERT's
   vocabularies spell theirs. */
static int32_t usual_id(const heed_tokenizer *tokenizer, int part)
{
    for (int i = 0; i < 4 && usual[part][i]; i++) {
        const char *name = usual[part][i];
        const heed_added_token *token = heed_added_find_content(&tokenizer->added, name, strlen(name));
        if (token && token->special) return token->id;
        if (!token && name[0] == '[') return heed_vocabulary_find(&tokenizer->model.vocabulary, name, strlen(name));
    }
    return -1;
}

void heed_special_resolve(heed_tokenizer *tokenizer)
{
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const char *content = heed_special_content(tokenizer->config, (heed_special)part);
        int32_t id = content ? heed_tokenizer_id(tokenizer, content, strlen(content)) : -1;
        if (id < 0 && part == HEED_UNK) id = tokenizer->model.unk_id;
        if (id < 0 && !json_object_get(tokenizer->config, heed_special_names[part])) id = usual_id(tokenizer, part);
        tokenizer->special[part] = id;
    }
}
