/* tokenize.c: encodes, decodes and trains tokenizers for the public interface. */
#include "base/file.h"
#include "base/memory.h"
#include "io/data.h"
#include "io/folder.h"
#include "text/tokenizer.h"
#include <heed/heed.h>
#include <stdlib.h>
#include <string.h>

/* Copies ids, and offsets if asked for, into the public struct. HEED_E_NOMEM. */
static heed_status copy_tokens(const heed_encoding *encoding, bool offsets, heed_tokens *tokens,
                               heed_error *error)
{
    size_t count = encoding->count;
    tokens->ids = heed_allocate(count, sizeof *tokens->ids);
    if (offsets) tokens->offsets = heed_allocate(2 * count, sizeof *tokens->offsets);
    if (!tokens->ids || (offsets && !tokens->offsets))
        return heed_fail_memory(error, count * 12, "the tokens");
    tokens->count = count;
    if (count) memcpy(tokens->ids, encoding->ids, count * sizeof *tokens->ids);
    for (size_t i = 0; offsets && i < count; i++) {
        tokens->offsets[2 * i] = encoding->code_points[i].begin;
        tokens->offsets[2 * i + 1] = encoding->code_points[i].end;
    }
    return HEED_OK;
}

heed_status heed_tokenize(const heed_tokenizer *tokenizer, const char *text, size_t length,
                          const heed_tokenize_options *options, heed_tokens *tokens,
                          heed_error *error)
{
    static const heed_tokenize_options defaults = {0};
    heed_encoding encoding = {0};
    unsigned flags = HEED_ENCODE_SPECIAL;
    if (!options) options = &defaults;
    if (options->no_special) flags = heed_tokenizer_plain_flags(tokenizer);
    if (options->offsets) flags |= HEED_ENCODE_OFFSETS;
    *tokens = (heed_tokens){0};
    const heed_encode_input input = {
        .first = {text, length}, .second = {options->pair, options->pair_length}, .flags = flags};
    heed_status status = heed_tokenizer_encode_pair(tokenizer, &input, &encoding, error);
    if (status == HEED_OK) status = copy_tokens(&encoding, options->offsets, tokens, error);
    if (status != HEED_OK) heed_tokens_free(tokens);
    heed_encoding_free(&encoding);
    return status;
}

void heed_tokens_free(heed_tokens *tokens)
{
    free(tokens->ids);
    free(tokens->offsets);
    *tokens = (heed_tokens){0};
}

heed_status heed_detokenize(const heed_tokenizer *tokenizer, const heed_tokens *tokens,
                            bool skip_special, char **text, size_t *length, heed_error *error)
{
    heed_buffer buffer = {0};
    *text = NULL;
    heed_status status = heed_tokenizer_decode(tokenizer, tokens->ids, tokens->count, skip_special,
                                               &buffer, error);
    heed_buffer_append(&buffer, "", 0);
    if (status == HEED_OK && buffer.failed)
        status = heed_fail_memory(error, buffer.length, "the text");
    if (status != HEED_OK) heed_buffer_free(&buffer);
    *text = buffer.data;
    if (length) *length = buffer.length;
    return status;
}

/* Feeds item i of the data to the trainer. HEED_E_ARG unless it is a document or a pair. */
static heed_status feed(heed_tokenizer_trainer *trainer, const heed_data *data, size_t i,
                        heed_error *error)
{
    heed_data_kind kind = heed_data_kind_of(data);
    if (kind == HEED_DATA_DOCUMENTS) {
        heed_text text = heed_data_document(data, i);
        return heed_tokenizer_trainer_feed_lines(trainer, text.bytes, text.length, error);
    }
    if (kind == HEED_DATA_PAIRS) {
        heed_text_pair pair = heed_data_pair(data, i);
        HEED_TRY(
            heed_tokenizer_trainer_feed(trainer, pair.source.bytes, pair.source.length, error));
        return heed_tokenizer_trainer_feed(trainer, pair.target.bytes, pair.target.length, error);
    }
    return heed_fail(error, HEED_E_ARG, "a vocabulary is learned from text, not from %s",
                     kind == HEED_DATA_TOKENS ? "token shards" : "conversations");
}

static heed_special_set special_tokens(const heed_tokenizer_plan *plan)
{
    if (plan->masking) return HEED_SPECIAL_MASKING;
    return plan->sentence_ends ? HEED_SPECIAL_ENDS : HEED_SPECIAL_NONE;
}

static heed_status check_plan(const heed_tokenizer_plan *plan, const char *folder,
                              heed_error *error)
{
    if (!plan->file_count || !folder)
        return heed_fail(error, HEED_E_ARG,
                         "no vocabulary: name the files that it is learned from, and its folder");
    if (plan->vocab_size < 0 || plan->min_frequency < 0)
        return heed_fail(error, HEED_E_ARG, "sizes of a vocabulary cannot be negative");
    if (!plan->sentence_ends || !plan->masking) return HEED_OK;
    return heed_fail(
        error, HEED_E_ARG,
        "special tokens are for masked or for sequence-to-sequence models: choose one");
}

heed_status heed_train_tokenizer(const heed_tokenizer_plan *plan, const char *folder,
                                 size_t *vocab_size, heed_error *error)
{
    HEED_TRY(check_plan(plan, folder, error));
    heed_tokenizer_training training = {.vocab_size = (size_t)plan->vocab_size,
                                        .min_frequency = (uint64_t)plan->min_frequency};
    heed_tokenizer_training_special(&training, special_tokens(plan));
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_data *data = NULL;
    heed_folder output = {0};
    const char *kind = plan->kind ? plan->kind : "char";
    HEED_TRY(heed_folder_open(&output, folder, HEED_FOLDER_TOKENIZER, !plan->alone, error));
    heed_status status = heed_data_open(&data, plan->files, plan->file_count, error);
    if (status == HEED_OK) status = heed_tokenizer_trainer_new(&trainer, kind, &training, error);
    for (size_t i = 0; status == HEED_OK && i < heed_data_count(data); i++)
        status = feed(trainer, data, i, error);
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
