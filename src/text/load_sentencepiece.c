/* load_sentencepiece.c: loads a tokenizer from a .model file of SentencePiece. */
#include "text/text_internal.h"

#include "base/memory.h"
#include "io/gguf.h"
#include "io/sentencepiece.h"
#include <stdlib.h>

/* Describes the model as a vocabulary; `tokens` has room for its pieces. */
static heed_gguf_vocabulary vocabulary_of(const heed_sentencepiece *model, heed_gguf_string *tokens)
{
    heed_gguf_vocabulary v = {
        .model = model->kind == HEED_SENTENCEPIECE_UNIGRAM ? "t5" : "llama",
        .tokens = tokens,
        .scores = model->scores,
        .types = model->types,
        .token_count = model->count,
        .add_space_prefix = model->rules.add_dummy_prefix,
        .rules = &model->rules,
        .byte_fallback = model->byte_fallback,
    };
    const int32_t given[HEED_SPECIAL_COUNT] = {[HEED_BOS] = model->bos_id,
                                               [HEED_EOS] = model->eos_id,
                                               [HEED_PAD] = model->pad_id,
                                               [HEED_UNK] = model->unk_id,
                                               [HEED_CLS] = -1,
                                               [HEED_SEP] = -1,
                                               [HEED_MASK] = -1};
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        v.special[part] = given[part] < (int64_t)model->count ? given[part] : -1;
    for (size_t i = 0; i < model->count; i++)
        tokens[i] = (heed_gguf_string){model->pieces[i].bytes, model->pieces[i].length};
    return v;
}

heed_status heed_tokenizer_load_sentencepiece(heed_tokenizer **tokenizer, const char *path,
                                              heed_error *error)
{
    heed_sentencepiece *model = NULL;
    HEED_TRY(heed_sentencepiece_read(&model, path, error));
    heed_gguf_string *tokens = heed_allocate(model->count, sizeof *tokens);
    heed_status status = HEED_OK;
    if (!tokens) status = heed_fail_memory(error, model->count * sizeof *tokens, "the pieces");
    else {
        const heed_gguf_vocabulary vocabulary = vocabulary_of(model, tokens);
        status = heed_tokenizer_from_gguf(tokenizer, &vocabulary, path, error);
    }
    free(tokens);
    heed_sentencepiece_free(model);
    return status;
}
