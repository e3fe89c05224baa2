/* tokenizer.h: turns text into ids and ids into text. A heed_tokenizer is immutable once loaded or
   trained, so any number of threads may share it. Its stages have the names of tokenizer.json, the
   file of the `tokenizers` library: added tokens, normalizer, pre-tokenizer, model, post-processor,
   decoder. Ids, offsets and decoded text are equal to those of the library. Text is UTF-8 and needs
   no NUL at its end. Each maximal subpart of invalid bytes counts as U+FFFD. */
#ifndef HEED_TEXT_TOKENIZER_H
#define HEED_TEXT_TOKENIZER_H

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/lines.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_tokenizer heed_tokenizer;

/* ---- loading and saving ---- */

/* Loads a tokenizer from a folder, from a GGUF file, from a file of weights (which stands for its
   folder) or from the path of a tokenizer.json. In a folder it reads tokenizer.json; without one
   vocab.json and merges.txt, vocab.txt, or what the class in tokenizer_config.json needs, which may
   be nothing. tokenizer_config.json, special_tokens_map.json and added_tokens.json add tokens, with
   the ids that AutoTokenizer of transformers gives them. The caller frees *tokenizer. HEED_E_IO if
   nothing readable is there; HEED_E_FORMAT, with file and field, if a file is malformed;
   HEED_E_UNSUPPORTED, with its name, for a kind of model, normalizer and so on that is not
   supported. */
heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error);
/* Loads a tokenizer from the bytes of a tokenizer.json. `where` begins the messages. */
heed_status heed_tokenizer_from_json(heed_tokenizer **tokenizer, const char *json, size_t length,
                                     const char *where, heed_error *error);
/* The roles that single tokens have in a model. */
typedef enum heed_special {
    HEED_BOS,
    HEED_EOS,
    HEED_PAD,
    HEED_UNK,
    HEED_CLS,
    HEED_SEP,
    HEED_MASK,
    HEED_SPECIAL_COUNT
} heed_special;

/* A string of a GGUF file. */
typedef struct heed_gguf_string {
    const char *bytes; /* no NUL needs to follow */
    size_t length;
} heed_gguf_string;
/* A named chat template of a GGUF file. */
typedef struct heed_gguf_template {
    const char *name;
    heed_gguf_string text;
} heed_gguf_template;
/* The vocabulary of a GGUF file, the arrays and values under "tokenizer.ggml.", or that of a
   SentencePiece model, which holds the same. Borrowed during the call. */
typedef struct heed_sentencepiece_rules heed_sentencepiece_rules;
typedef struct heed_gguf_vocabulary {
    /* "gpt2", "llama" and so on; the name of the pre-tokenizer, NULL if the file has none */
    const char *model, *pre;
    const heed_gguf_string *tokens; /* (token_count) strings by id */
    /* (token_count) scores, of which the greatest is merged first; NULL for none */
    const float *scores;
    /* (token_count) heed_piece_type (io/sentencepiece.h); NULL if all are normal */
    const int32_t *types;
    size_t token_count;
    const heed_gguf_string *merges; /* (merge_count) "left right", in order of rank */
    size_t merge_count;
    /* bos_token_id, eos_token_id, padding_token_id and so on; -1 for none */
    int64_t special[HEED_SPECIAL_COUNT];
    int add_bos, add_eos, add_space_prefix; /* 0 or 1, or -1 if the file does not say */
    /* how a model of SentencePiece normalizes text; NULL if the file does not say */
    const heed_sentencepiece_rules *rules;
    /* "t5": characters without a token become "<0xE4>" */
    bool byte_fallback;
    /* "tokenizer.chat_template", which becomes "chat_template" of the configuration; NULL for
       none */
    const char *chat_template;
    /* (template_count) entries "tokenizer.chat_template.NAME" */
    const heed_gguf_template *templates;
    size_t template_count;
} heed_gguf_vocabulary;
/* Builds the tokenizer that the model's own tokenizer.json or .model file would give. `where`
   begins the messages. HEED_E_UNSUPPORTED, with the known names, for an unknown model kind or
   pre-tokenizer; HEED_E_FORMAT for arrays that do not fit each other. */
heed_status heed_tokenizer_from_gguf(heed_tokenizer **tokenizer,
                                     const heed_gguf_vocabulary *vocabulary, const char *where,
                                     heed_error *error);
typedef struct heed_gguf_entries heed_gguf_entries;
/* Appends the entries "tokenizer." of a GGUF file for a model with `count` ids. HEED_E_UNSUPPORTED
   if GGUF has no name for this tokenizer. */
heed_status heed_tokenizer_put_gguf(const heed_tokenizer *tokenizer, size_t count,
                                    heed_gguf_entries *entries, heed_error *error);
void heed_tokenizer_free(heed_tokenizer *tokenizer); /* NULL is allowed */

/* Returns line `index` of the notes about the files that the tokenizer came from, borrowed from it.
   False after the last line. */
bool heed_tokenizer_note(const heed_tokenizer *tokenizer, size_t index, const char **line,
                         size_t *length);

/* Writes tokenizer.json and tokenizer_config.json into an existing folder, in the form that
   `tokenizers` and `transformers` load. */
heed_status heed_tokenizer_save(const heed_tokenizer *tokenizer, const char *folder,
                                heed_error *error);

/* Return a chat template by name, or the one named "default"; NULL if there is none. The text
   belongs to the tokenizer until a template is set. chat_templates.c says where models store
   templates. */
const char *heed_tokenizer_chat_template(const heed_tokenizer *tokenizer, size_t *length);
const char *heed_tokenizer_find_template(const heed_tokenizer *tokenizer, const char *name,
                                         size_t *length);
/* Returns the number of chat templates. */
size_t heed_tokenizer_template_count(const heed_tokenizer *tokenizer);
/* Returns the name of a template, NULL if `index` is too large. */
const char *heed_tokenizer_template_name(const heed_tokenizer *tokenizer, size_t index);
/* Appends the names of the templates, separated by commas. */
void heed_tokenizer_list_templates(const heed_tokenizer *tokenizer, heed_buffer *list);
/* Replaces all chat templates by this one, which is saved with the tokenizer. No other thread may
   use the tokenizer meanwhile. HEED_E_FORMAT if the text is not valid UTF-8. */
heed_status heed_tokenizer_set_chat_template(heed_tokenizer *tokenizer, const char *text,
                                             size_t length, const char *where, heed_error *error);
/* Replaces all chat templates by the text of a file. */
heed_status heed_tokenizer_read_chat_template(heed_tokenizer *tokenizer, const char *path,
                                              heed_error *error);
/* Makes the template `name` the default. */
heed_status heed_tokenizer_use_template(heed_tokenizer *tokenizer, const char *name,
                                        heed_error *error);

/* ---- vocabulary ---- */

/* Returns the kind of the model: "BPE", "WordPiece", "WordLevel" or "CodePoints". */
const char *heed_tokenizer_kind(const heed_tokenizer *tokenizer);
/* Returns the number of tokens, added tokens included. */
size_t heed_tokenizer_vocab_size(const heed_tokenizer *tokenizer);
/* Returns the greatest id + 1, which is the number of rows that an embedding needs. */
int32_t heed_tokenizer_id_limit(const heed_tokenizer *tokenizer);
/* Returns the greatest id + 1 without added tokens. Many models have no embedding rows for those,
   which is harmless as long as they are not used. */
int32_t heed_tokenizer_base_limit(const heed_tokenizer *tokenizer);
/* Returns the id of a role, -1 if there is none. */
int32_t heed_tokenizer_special(const heed_tokenizer *tokenizer, heed_special part);
/* Returns whether decode(skip_special) drops the id. */
bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id);
/* Returns the id of a token as the vocabulary spells it ("Ġthe", "##ing"), -1 if there is none. */
int32_t heed_tokenizer_id(const heed_tokenizer *tokenizer, const char *token, size_t length);
/* Returns the number of ids whose string a greater id has too, and the first of them. GGUF files
   may contain such ids, tokenizer.json cannot. */
size_t heed_tokenizer_shared(const heed_tokenizer *tokenizer, int32_t *first);
/* Returns the vocabulary's spelling of an id, NULL if there is none. For an added token that is
   searched for in normalized text it is the normalized form. The string is borrowed, *length bytes
   long and followed by a NUL; `length` may be NULL. */
const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id, size_t *length);

/* ---- text to ids ---- */

typedef struct heed_range {
    uint32_t begin, end;
} heed_range; /* the half-open range [begin, end) */

/* The result of encoding. The caller zeroes it at first, may reuse it, which keeps its memory, and
   frees it with heed_encoding_free. All arrays have `count` elements. */
typedef struct heed_encoding {
    size_t count;
    int32_t *ids;
    int32_t *type_ids;       /* 0 for the first text, 1 for the second, or what the template says */
    uint8_t *special_mask;   /* 1 for tokens that template or padding added */
    uint8_t *attention_mask; /* 0 for padding, otherwise 1 */
    /* The place in the text, for pairs in the token's own text. 0,0 for special tokens. NULL
       without HEED_ENCODE_OFFSETS. */
    heed_range *bytes;
    /* the same in code points, where each maximal invalid subpart counts as one */
    heed_range *code_points;
    size_t capacity, offset_capacity;
    heed_cancel cancel; /* set by the caller; a cancelled encoding fails with HEED_E_CANCELLED */
} heed_encoding;
void heed_encoding_free(heed_encoding *encoding);

enum {
    /* The post-processor adds its special tokens ([CLS] ... [SEP], <s> ...). */
    HEED_ENCODE_SPECIAL = 1,
    HEED_ENCODE_OFFSETS = 2, /* fills `bytes` and `code_points` */
    /* Special tokens that are spelled in the text ("<s>") are treated as ordinary text. This serves
       for text from untrusted sources. */
    HEED_ENCODE_LITERAL = 4
};

/* Returns the flags with which the vocabulary's original program reads a text for which no special
   tokens are asked for. They are 0 for the `tokenizers` library, which still finds special tokens
   in the text, and HEED_ENCODE_LITERAL for GGUF files, as in llama.cpp and SentencePiece. */
unsigned heed_tokenizer_plain_flags(const heed_tokenizer *tokenizer);

/* Encodes one text. HEED_E_ARG if it has 2 GiB or more; HEED_E_FORMAT if the text needs the unknown
   token and the vocabulary lacks it; HEED_E_UNSUPPORTED if a regular expression of the file exceeds
   the match limits. */
heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t length,
                                  unsigned flags, heed_encoding *encoding, heed_error *error);

/* Which text of a pair loses tokens. */
typedef enum heed_truncation_strategy {
    HEED_LONGEST_FIRST,
    HEED_ONLY_FIRST,
    HEED_ONLY_SECOND
} heed_truncation_strategy;
typedef struct heed_truncation {
    /* Tokens, special tokens included. The stride is the overlap that the file asks for, which is
       not used. */
    size_t max_length, stride;
    heed_truncation_strategy strategy;
    /* pads at the beginning */
    bool left; /* removes tokens at the beginning */
} heed_truncation;

/* The input of an encoding. */
typedef struct heed_encode_input {
    heed_text first, second;           /* second.bytes is NULL for one text */
    unsigned flags;                    /* HEED_ENCODE_ flags */
    const heed_truncation *truncation; /* limits the number of tokens, NULL for no limit */
} heed_encode_input;
/* Encodes one text or a pair, with the errors of heed_tokenizer_encode. HEED_E_ARG if the strategy
   of truncation cannot remove enough tokens, as in the library. */
heed_status heed_tokenizer_encode_pair(const heed_tokenizer *tokenizer,
                                       const heed_encode_input *input, heed_encoding *encoding,
                                       heed_error *error);
/* Returns the number of special tokens that the post-processor adds to one text, or to a pair. */
size_t heed_tokenizer_added_count(const heed_tokenizer *tokenizer, bool pair);

/* How encodings are padded. */
typedef struct heed_padding {
    size_t length;      /* fixed length, 0 for the longest of the batch */
    size_t multiple_of; /* rounds the length up to a multiple, 0 for no rounding */
    bool left;
    int32_t id, type_id;
} heed_padding;
/* Returns the length to which a batch is padded if its longest encoding has `longest` tokens. */
size_t heed_padding_length(const heed_padding *padding, size_t longest);
/* Pads to `length` tokens. Longer encodings stay as they are. */
heed_status heed_encoding_pad(heed_encoding *encoding, const heed_padding *padding, size_t length,
                              heed_error *error);

/* Return the truncation and padding sections of tokenizer.json, borrowed, NULL if absent. They are
   applied only if the caller passes them on. */
const heed_truncation *heed_tokenizer_truncation(const heed_tokenizer *tokenizer);
const heed_padding *heed_tokenizer_padding(const heed_tokenizer *tokenizer);

/* ---- ids to text ---- */

/* Appends the text of `count` ids, which is valid UTF-8. Ids without a token are skipped. */
heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                  bool skip_special, heed_buffer *text, heed_error *error);

/* Decodes ids as they arrive. The concatenated pieces, including that of finish, equal
   heed_tokenizer_decode of all ids, and no piece ends inside a character. The tokenizer must
   outlive the stream. A stream belongs to one thread. */
typedef struct heed_decode_stream heed_decode_stream;
heed_status heed_decode_stream_new(heed_decode_stream **stream, const heed_tokenizer *tokenizer,
                                   bool skip_special, heed_error *error);
/* Decodes one id and appends the text that is final. */
heed_status heed_decode_stream_push(heed_decode_stream *stream, int32_t id, heed_buffer *text,
                                    heed_error *error);
/* Appends the rest of the text and resets the stream. */
heed_status heed_decode_stream_finish(heed_decode_stream *stream, heed_buffer *text,
                                      heed_error *error);
void heed_decode_stream_free(heed_decode_stream *stream);

/* ---- training ---- */

/* A special token and its role. */
typedef struct heed_special_token {
    const char *content;
    heed_special part;
} heed_special_token;

/* Sets of special tokens for a kind of model, and which of them surround each text. */
typedef enum heed_special_set {
    HEED_SPECIAL_NONE,
    /* <pad> </s> <unk>, with </s> after each text, for sequence-to-sequence models */
    HEED_SPECIAL_ENDS,
    /* [PAD] [UNK] [CLS] [SEP] [MASK], with [CLS] before and [SEP] after each text, for masked
       language models */
    HEED_SPECIAL_MASKING,
    HEED_SPECIAL_SETS
} heed_special_set;

/* The options of training. */
typedef struct heed_tokenizer_training {
    /* Number of tokens, special tokens included. For "char" it is an upper bound, 0 for every
       character. */
    size_t vocab_size;
    uint64_t min_frequency; /* rarer pairs (for "char": characters) are left out */
    /* Their ids are 0, 1 and so on in this order. One content may have several roles. */
    const heed_special_token *special;
    int special_count;
    /* The post-processor adds BOS (or CLS) before and EOS (or SEP) after each text. */
    bool add_bos, add_eos;
    heed_cancel cancel; /* cancelled feeding fails with HEED_E_CANCELLED */
} heed_tokenizer_training;

/* Sets special, special_count, add_bos and add_eos, and leaves the rest. */
void heed_tokenizer_training_special(heed_tokenizer_training *training, heed_special_set set);

typedef struct heed_tokenizer_trainer heed_tokenizer_trainer;
/* Starts a trainer.
   - "bpe" trains byte-level BPE over all 256 bytes with GPT-2's split into words. The merges are
     those of
   the library's BpeTrainer.
   - "char" makes one token per character, in order of code points. A token "<unk>" with the role
     HEED_UNK
   is added if `special` has none. HEED_E_UNSUPPORTED if the kind cannot be trained; HEED_E_ARG if
   vocab_size is too small for bytes and special tokens. */
heed_status heed_tokenizer_trainer_new(heed_tokenizer_trainer **trainer, const char *kind,
                                       const heed_tokenizer_training *training, heed_error *error);
/* Feeds one text. No word spans two texts. */
heed_status heed_tokenizer_trainer_feed(heed_tokenizer_trainer *trainer, const char *text,
                                        size_t length, heed_error *error);
/* Feeds each line, with its line end, as a text of its own, as the library's train(files) does. */
heed_status heed_tokenizer_trainer_feed_lines(heed_tokenizer_trainer *trainer, const char *text,
                                              size_t length, heed_error *error);
/* Builds the tokenizer. The caller frees *tokenizer and the trainer. */
heed_status heed_tokenizer_trainer_finish(heed_tokenizer_trainer *trainer,
                                          heed_tokenizer **tokenizer, heed_error *error);
void heed_tokenizer_trainer_free(heed_tokenizer_trainer *trainer);

#endif
