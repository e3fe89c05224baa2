/* heed/tokenizer.h: loads and trains tokenizers, encodes and decodes text. heed.h includes it, and
   says what holds for errors, ownership and options. */
#ifndef HEED_TOKENIZER_H
#define HEED_TOKENIZER_H

#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

/* A tokenizer does not change after it was loaded; any number of threads may share it. */
typedef struct heed_tokenizer heed_tokenizer;
/* Loads a tokenizer from a folder with tokenizer.json (or vocab.json and merges.txt, or vocab.txt),
   from the path of a tokenizer.json or of a SentencePiece .model, or from a GGUF file. Free it with
   heed_tokenizer_free. HEED_E_IO if nothing readable is there; HEED_E_FORMAT with file, field and
   what was expected; HEED_E_UNSUPPORTED names a kind of model or stage that the library does not
   have. */
heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error);
void heed_tokenizer_free(heed_tokenizer *tokenizer); /* NULL is allowed */
/* Reads what the user should know about the tokenizer's files. *line is note `index`, from 0; it is
   borrowed and has *length bytes without a NUL. Returns false if there is no such note. */
bool heed_tokenizer_note(const heed_tokenizer *tokenizer, size_t index, const char **line,
                         size_t *length);

typedef struct heed_tokens {
    size_t count;
    int32_t *ids; /* (count) */
    /* (2 * count) begin and end of each token in the text, in code points; NULL unless asked for */
    uint32_t *offsets;
} heed_tokens;
typedef struct heed_tokenize_options {
    const char *pair; /* a second text, encoded together with the first; NULL: none */
    size_t pair_length;
    /* Do not add the special tokens that the model expects around a text. Special tokens that the
       text itself spells are still found, as in the tokenizers library; but with the vocabulary of
       a GGUF file they are plain text, as in llama.cpp. */
    bool no_special;
    bool offsets; /* fill heed_tokens.offsets */
} heed_tokenize_options;
/* Encodes `length` bytes of text. options may be NULL. Free *tokens with heed_tokens_free; after a
   failure it is empty. HEED_E_ARG for a text of 2 GiB or more; HEED_E_NOMEM. */
heed_status heed_tokenize(const heed_tokenizer *tokenizer, const char *text, size_t length,
                          const heed_tokenize_options *options, heed_tokens *tokens,
                          heed_error *error);
void heed_tokens_free(heed_tokens *tokens); /* frees the arrays and zeroes the struct */
/* Decodes tokens->ids; offsets are not read. With skip_special, special tokens are left out. *text
   is valid UTF-8 and ends with a NUL after *length bytes; length may be NULL. Free it with
   heed_free. */
heed_status heed_detokenize(const heed_tokenizer *tokenizer, const heed_tokens *tokens,
                            bool skip_special, char **text, size_t *length, heed_error *error);
/* The vocabulary to learn. */
typedef struct heed_tokenizer_plan {
    const char *kind;         /* "bpe" or "char"; NULL: "char" */
    const char *const *files; /* .txt, .jsonl with "text", or pairs of texts; at least one */
    size_t file_count;
    /* tokens in all; 0: every character (char only; bpe needs a number) */
    int64_t vocab_size;
    int64_t min_frequency; /* leave out what occurs less often; 0: keep everything */
    /* add the special tokens <pad>, </s> and <unk>, and put </s> after every text: for sequence to
       sequence */
    bool sentence_ends;
    /* add the special tokens [PAD], [UNK], [CLS], [SEP] and [MASK], and encode a text as
       [CLS] text [SEP]: for masked language models */
    bool masking;
    bool alone; /* fail if the folder holds files that heed did not write there */
} heed_tokenizer_plan;
/* Trains a tokenizer and writes tokenizer.json into `folder`. It does not replace a tokenizer.json
   that heed did not write there. *vocab_size becomes the number of tokens; it may be NULL.
   HEED_E_ARG for a plan that contradicts itself or a folder that cannot be taken; errors of reading
   and writing. */
heed_status heed_train_tokenizer(const heed_tokenizer_plan *plan, const char *folder,
                                 size_t *vocab_size, heed_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
