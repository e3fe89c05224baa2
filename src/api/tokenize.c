/* Tokenizers for the public interface: encode, decode, train. */
#include "base/file.h"
#include "base/memory.h"
#include "io/data.h"
#include "io/folder.h"
#include "text/tokenizer.h"
#include <heed/heed.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_tokenize(const heed_tokenizer *tokenizer, const char *text, size_t length,
                          const char *pair, size_t pair_length, bool special, bool offsets,
                          heed_tokens *tokens, heed_error *error)
{
    heed_encoding encoding = {0};
    unsigned flags = (special ? HEED_ENCODE_SPECIAL : heed_tokenizer_plain_flags(tokenizer)) |
                     (offsets ? HEED_ENCODE_OFFSETS : 0);
    *tokens = (heed_tokens){0};
    const heed_encode_input input = {
        .first = {text, length}, .second = {pair, pair_length}, .flags = flags};
    heed_status status = heed_tokenizer_encode_pair(tokenizer, &input, &encoding, error);
    if (status == HEED_OK) {
        tokens->ids = heed_allocate(encoding.count, sizeof *tokens->ids);
        if (offsets) tokens->offsets = heed_allocate(2 * encoding.count, sizeof *tokens->offsets);
        if (!tokens->ids || (offsets && !tokens->offsets))
            status = heed_fail_memory(error, encoding.count * 12, "the tokens");
    }
    if (status == HEED_OK) {
        tokens->count = encoding.count;
        if (encoding.count) memcpy(tokens->ids, encoding.ids, encoding.count * sizeof *tokens->ids);
        for (size_t i = 0; offsets && i < encoding.count; i++)
            tokens->offsets[2 * i] = encoding.code_points[i].begin,
                                tokens->offsets[2 * i + 1] = encoding.code_points[i].end;
    } else heed_tokens_free(tokens);
    heed_encoding_free(&encoding);
    return status;
}

void heed_tokens_free(heed_tokens *tokens)
{
    free(tokens->ids);
    free(tokens->offsets);
    *tokens = (heed_tokens){0};
}

heed_status heed_detokenize(const heed_tokenizer *tokenizer, const int32_t *ids, size_t count,
                            bool skip_special, char **text, size_t *length, heed_error *error)
{
    heed_buffer buffer = {0};
    *text = NULL;
    heed_status status = heed_tokenizer_decode(tokenizer, ids, count, skip_special, &buffer, error);
    heed_buffer_append(&buffer, "", 0);
    if (status == HEED_OK && buffer.failed)
        status = heed_fail_memory(error, buffer.length, "the text");
    if (status != HEED_OK) heed_buffer_free(&buffer);
    *text = buffer.data;
    if (length) *length = buffer.length;
    return status;
}

heed_status heed_train_tokenizer(const heed_tokenizer_plan *plan, const char *folder,
                                 size_t *vocab_size, heed_error *error)
{
    heed_tokenizer_training training = {.vocab_size = (size_t)plan->vocab_size,
                                        .min_frequency = (uint64_t)plan->min_frequency};
    if (plan->sentence_ends && plan->masking)
        return heed_fail(
            error, HEED_E_ARG,
            "special tokens are for masked or for sequence-to-sequence models: choose one");
    heed_tokenizer_training_special(&training, plan->masking         ? HEED_SPECIAL_MASKING
                                               : plan->sentence_ends ? HEED_SPECIAL_ENDS
                                                                     : HEED_SPECIAL_NONE);
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_data *data = NULL;
    heed_folder output = {0};
    HEED_TRY(heed_folder_open(&output, folder, HEED_FOLDER_TOKENIZER, !plan->alone, error));
    heed_status status = heed_data_open(&data, plan->files, plan->file_count, error);
    if (status == HEED_OK)
        status = heed_tokenizer_trainer_new(&trainer, plan->kind, &training, error);
    for (size_t i = 0; status == HEED_OK && i < heed_data_count(data); i++) {
        if (heed_data_kind_of(data) == HEED_DATA_DOCUMENTS) {
            heed_text text = heed_data_document(data, i);
            status = heed_tokenizer_trainer_feed_lines(trainer, text.bytes, text.length, error);
        } else if (heed_data_kind_of(data) == HEED_DATA_PAIRS) {
            heed_text_pair pair = heed_data_pair(data, i);
            status = heed_tokenizer_trainer_feed(trainer, pair.source.bytes, pair.source.length,
                                                 error);
            if (status == HEED_OK)
                status = heed_tokenizer_trainer_feed(trainer, pair.target.bytes, pair.target.length,
                                                     error);
        } else
            status = heed_fail(error, HEED_E_ARG, "a vocabulary is learned from text, not from %s",
                               heed_data_kind_of(data) == HEED_DATA_TOKENS ? "token shards"
                                                                           : "conversations");
    }
    if (status == HEED_OK) status = heed_tokenizer_trainer_finish(trainer, &tokenizer, error);
    if (status == HEED_OK) status = heed_tokenizer_save(tokenizer, output.inside, error);
    if (status == HEED_OK) status = heed_folder_commit(&output, error);
    if (status == HEED_OK && vocab_size) *vocab_size = heed_tokenizer_vocab_size(tokenizer);
    heed_tokenizer_free(tokenizer);
    heed_tokenizer_trainer_free(trainer);
    heed_data_close(data);
    heed_folder_close(&output);
    return status;
}
