/* tokenizer.h: text to ids and back. A heed_tokenizer is immutable once loaded or trained; any
   number of threads may share it. Stages and names follow tokenizer.json, the file of the
   `tokenizers` library: added tokens, normalizer, pre-tokenizer, model, post-processor, decoder.
   Ids, offsets and decoded text equal that library's.
   Text is UTF-8 and need not end in NUL; broken bytes count as U+FFFD, one for each maximal
   part. */
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

/* Loads from a folder (tokenizer.json; else vocab.json and merges.txt, vocab.txt, or what the class
   of tokenizer_config.json needs, which may be nothing; with the tokens that tokenizer_config.json,
   special_tokens_map.json and added_tokens.json add, as transformers' AutoTokenizer numbers them),
   from a GGUF file, or from the path of a tokenizer.json. The caller frees *tokenizer. HEED_E_IO:
   nothing readable there; HEED_E_FORMAT: a broken file, with file, field and expectation;
   HEED_E_UNSUPPORTED: a kind of model, normalizer ... that is not read, by name. */
heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error);
/* The same from the bytes of a tokenizer.json; `where` begins the messages. */
heed_status heed_tokenizer_from_json(heed_tokenizer **tokenizer, const char *json, size_t length,
                                     const char *where, heed_error *error);
/* The parts that single tokens play in a model. */
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

typedef struct heed_gguf_string {
    const char *bytes; /* need not end in NUL */
    size_t length;
} heed_gguf_string;
typedef struct heed_gguf_template {
    const char *name;
    heed_gguf_string text;
} heed_gguf_template;
/* The vocabulary inside a GGUF file: the arrays and values under "tokenizer.ggml.", borrowed during
   the call. */
typedef struct heed_gguf_vocabulary {
    /* "gpt2", "llama" ...; name of the pre-tokenizer; NULL when the file has none */
    const char *model, *pre;
    const heed_gguf_string *tokens; /* (token_count) by id */
    const float *scores;            /* (token_count), greatest is merged first; NULL: none */
    /* (token_count): 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte; NULL: all
       normal */
    const int32_t *types;
    size_t token_count;
    const heed_gguf_string *merges; /* (merge_count) "left right", first one first */
    size_t merge_count;
    /* bos_token_id, eos_token_id, padding_token_id ...; -1: none */
    int64_t special[HEED_SPECIAL_COUNT];
    int add_bos, add_eos, add_space_prefix; /* 0 or 1; -1: the file does not say */
    /* "tokenizer.chat_template", kept as the configuration's "chat_template"; NULL: none */
    const char *chat_template;
    const heed_gguf_template *templates; /* (template_count) "tokenizer.chat_template.NAME" */
    size_t template_count;
} heed_gguf_vocabulary;
/* The same tokenizer as the model's own tokenizer.json or .model file would give. `where` begins
   the messages. HEED_E_UNSUPPORTED: a model kind or a pre-tokenizer that is not known, with the
   names that are; HEED_E_FORMAT: arrays that do not fit each other. */
heed_status heed_tokenizer_from_gguf(heed_tokenizer **tokenizer,
                                     const heed_gguf_vocabulary *vocabulary, const char *where,
                                     heed_error *error);
typedef struct heed_gguf_entries heed_gguf_entries;
/* Appends the entries "tokenizer." of a GGUF file for a model of `count` ids. HEED_E_UNSUPPORTED:
   GGUF has no name for this tokenizer. */
heed_status heed_tokenizer_put_gguf(const heed_tokenizer *tokenizer, size_t count,
                                    heed_gguf_entries *entries, heed_error *error);
void heed_tokenizer_free(heed_tokenizer *tokenizer); /* NULL is fine */

/* What the user should know of the files that the tokenizer came from: line `index`, borrowed;
   false after the last. */
bool heed_tokenizer_note(const heed_tokenizer *tokenizer, size_t index, const char **line,
                         size_t *length);

/* Writes tokenizer.json and tokenizer_config.json into an existing folder, in the form that
   `tokenizers` and `transformers` load. */
heed_status heed_tokenizer_save(const heed_tokenizer *tokenizer, const char *folder,
                                heed_error *error);

/* The chat templates that came along, borrowed until one is set: by name, and the one called
   "default". NULL if there is none. chat_templates.c says where models keep them. */
const char *heed_tokenizer_chat_template(const heed_tokenizer *tokenizer, size_t *length);
const char *heed_tokenizer_find_template(const heed_tokenizer *tokenizer, const char *name,
                                         size_t *length);
size_t heed_tokenizer_template_count(const heed_tokenizer *tokenizer);
/* NULL if there are not so many. */
const char *heed_tokenizer_template_name(const heed_tokenizer *tokenizer, size_t index);
void heed_tokenizer_list_templates(const heed_tokenizer *tokenizer, heed_buffer *list); /* "a, b" */
/* Gives it another one in the place of all it has; it is saved with the tokenizer. Not while other
   threads use the tokenizer. HEED_E_FORMAT: not valid UTF-8. */
heed_status heed_tokenizer_set_chat_template(heed_tokenizer *tokenizer, const char *text,
                                             size_t length, const char *where, heed_error *error);
heed_status heed_tokenizer_read_chat_template(heed_tokenizer *tokenizer, const char *path,
                                              heed_error *error);
/* Makes one of its templates the default. */
heed_status heed_tokenizer_use_template(heed_tokenizer *tokenizer, const char *name,
                                        heed_error *error);

/* ---- vocabulary ---- */

/* model kind: "BPE", "WordPiece", "WordLevel", "CodePoints" */
const char *heed_tokenizer_kind(const heed_tokenizer *tokenizer);
/* tokens, added ones included */
size_t heed_tokenizer_vocab_size(const heed_tokenizer *tokenizer);
/* greatest id + 1: rows that an embedding needs */
int32_t heed_tokenizer_id_limit(const heed_tokenizer *tokenizer);
/* The same without added tokens: models often have no rows for those, and do well as long as nobody
   uses them. */
int32_t heed_tokenizer_base_limit(const heed_tokenizer *tokenizer);
/* id, -1 when there is none */
int32_t heed_tokenizer_special(const heed_tokenizer *tokenizer, heed_special part);
/* dropped by decode(skip_special) */
bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id);
/* Id of a token as the vocabulary spells it ("Ġthe", "##ing"), -1 when absent. */
int32_t heed_tokenizer_id(const heed_tokenizer *tokenizer, const char *token, size_t length);
/* Ids whose string a greater id has too, which GGUF files can hold and tokenizer.json cannot: how
   many, and the first one. */
size_t heed_tokenizer_shared(const heed_tokenizer *tokenizer, int32_t *first);
/* The vocabulary's spelling of an id (an added token that is looked for in normalized text: its
   normalized form), borrowed, NUL-terminated after *length bytes (NULL allowed); NULL when there is
   none. */
const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id, size_t *length);

/* ---- text to ids ---- */

typedef struct heed_range {
    uint32_t begin, end;
} heed_range; /* half open */

/* What encode returns; zero-initialize, reuse freely (memory is kept), free with
   heed_encoding_free. All arrays have `count` entries. */
typedef struct heed_encoding {
    size_t count;
    int32_t *ids;
    int32_t *type_ids;       /* 0 for the first text, 1 for the second, or as the template says */
    uint8_t *special_mask;   /* 1 for tokens that the template or padding put in */
    uint8_t *attention_mask; /* 0 for padding */
    /* place in the text (in its own text, for pairs); only with HEED_ENCODE_OFFSETS, else NULL;
       0,0 for special tokens */
    heed_range *bytes;
    heed_range *code_points; /* the same in code points, broken parts counted as one each */
    size_t capacity, offset_capacity;
    heed_cancel cancel; /* the caller's: who may end an encoding into it, with HEED_E_CANCELLED */
} heed_encoding;
void heed_encoding_free(heed_encoding *encoding);

enum {
    /* let the post-processor add its special tokens ([CLS] ... [SEP], <s> ...) */
    HEED_ENCODE_SPECIAL = 1,
    HEED_ENCODE_OFFSETS = 2, /* fill bytes and code_points */
    /* special tokens spelled in the text ("<s>") are text like any other: for text that nobody
       vouches for */
    HEED_ENCODE_LITERAL = 4
};

/* The flags under which the program that a vocabulary comes from reads a text whose special tokens
   nobody asked for: 0, as the `tokenizers` library, which finds them in the text all the same;
   HEED_ENCODE_LITERAL for GGUF, as llama.cpp and SentencePiece. */
unsigned heed_tokenizer_plain_flags(const heed_tokenizer *tokenizer);

/* Fills *encoding with the ids of one text. HEED_E_ARG: text of 2 GiB or more; HEED_E_FORMAT: the
   vocabulary lacks its own unknown token; HEED_E_UNSUPPORTED: the file's own regular expression
   exceeds the match limits. */
heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t length,
                                  unsigned flags, heed_encoding *encoding, heed_error *error);

typedef enum heed_truncation_strategy {
    HEED_LONGEST_FIRST,
    HEED_ONLY_FIRST,
    HEED_ONLY_SECOND
} heed_truncation_strategy;
typedef struct heed_truncation {
    /* tokens, special ones included; stride is the overlap that the file asks for, unused here */
    size_t max_length, stride;
    heed_truncation_strategy strategy; /* which text of a pair gives up tokens */
    bool left;                         /* cut at the beginning */
} heed_truncation;

/* What to encode, and how. */
typedef struct heed_encode_input {
    heed_text first, second;           /* second.bytes NULL: one text, else a pair */
    unsigned flags;                    /* HEED_ENCODE_... */
    const heed_truncation *truncation; /* cut to its max_length tokens; NULL: not cut */
} heed_encode_input;
/* heed_tokenizer_encode for a text or a pair of texts. HEED_E_ARG if the strategy of truncation
   cannot cut enough, as in the library. */
heed_status heed_tokenizer_encode_pair(const heed_tokenizer *tokenizer,
                                       const heed_encode_input *input, heed_encoding *encoding,
                                       heed_error *error);
/* Special tokens that the post-processor adds to one text, or to a pair. */
size_t heed_tokenizer_added_count(const heed_tokenizer *tokenizer, bool pair);

typedef struct heed_padding {
    size_t length;      /* fixed length; 0: the longest of the batch */
    size_t multiple_of; /* round the length up to a multiple; 0: off */
    bool left;
    int32_t id, type_id;
} heed_padding;
/* The length that a batch is padded to when its longest member has `longest` tokens. */
size_t heed_padding_length(const heed_padding *padding, size_t longest);
/* Pads to `length` tokens; longer encodings stay as they are. */
heed_status heed_encoding_pad(heed_encoding *encoding, const heed_padding *padding, size_t length,
                              heed_error *error);

/* The truncation and padding sections of tokenizer.json, NULL when absent; borrowed. Nothing
   applies them unasked. */
const heed_truncation *heed_tokenizer_truncation(const heed_tokenizer *tokenizer);
const heed_padding *heed_tokenizer_padding(const heed_tokenizer *tokenizer);

/* ---- ids to text ---- */

/* Appends the text of `count` ids; ids without a token are skipped. The text is valid UTF-8. */
heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                  bool skip_special, heed_buffer *text, heed_error *error);

/* Decoding while ids arrive. The pieces, finish included, joined equal heed_tokenizer_decode of all
   ids; a piece never ends inside a character. The tokenizer must outlive the stream; a stream
   belongs to one thread. */
typedef struct heed_decode_stream heed_decode_stream;
heed_status heed_decode_stream_new(heed_decode_stream **stream, const heed_tokenizer *tokenizer,
                                   bool skip_special, heed_error *error);
heed_status heed_decode_stream_push(heed_decode_stream *stream, int32_t id, heed_buffer *text,
                                    heed_error *error);
/* Appends what was held back and makes the stream new again. */
heed_status heed_decode_stream_finish(heed_decode_stream *stream, heed_buffer *text,
                                      heed_error *error);
void heed_decode_stream_free(heed_decode_stream *stream);

/* ---- training ---- */

typedef struct heed_special_token {
    const char *content;
    heed_special part;
} heed_special_token;

/* Special tokens, and which of them stand around every text, for a kind of model. */
typedef enum heed_special_set {
    HEED_SPECIAL_NONE,
    HEED_SPECIAL_ENDS, /* <pad> </s> <unk>; </s> after each text: sequence to sequence */
    /* [PAD] [UNK] [CLS] [SEP] [MASK]; [CLS] before and [SEP] after each text: masked language
       models */
    HEED_SPECIAL_MASKING,
    HEED_SPECIAL_SETS
} heed_special_set;

typedef struct heed_tokenizer_training {
    /* special tokens included; for "char" an upper bound, 0: every character */
    size_t vocab_size;
    uint64_t min_frequency; /* rarer pairs (characters, for "char") are left out */
    /* ids 0, 1 ... in this order; one content may play several parts */
    const heed_special_token *special;
    int special_count;
    /* the post-processor puts BOS (or CLS) before and EOS (or SEP) after each text */
    bool add_bos, add_eos;
    heed_cancel cancel; /* who may end the feeding, with HEED_E_CANCELLED */
} heed_tokenizer_training;

/* Fills special, special_count, add_bos and add_eos; the rest stays. */
void heed_tokenizer_training_special(heed_tokenizer_training *training, heed_special_set set);

typedef struct heed_tokenizer_trainer heed_tokenizer_trainer;
/* kind "bpe": byte-level BPE over all 256 bytes, GPT-2's split into words; merges as the library's
   BpeTrainer finds them. kind "char": one token per character, ordered by code point; a part
   HEED_UNK is added as "<unk>" when `special` has none. HEED_E_UNSUPPORTED for kinds that cannot be
   trained; HEED_E_ARG for a vocab_size that cannot hold bytes and special tokens. */
heed_status heed_tokenizer_trainer_new(heed_tokenizer_trainer **trainer, const char *kind,
                                       const heed_tokenizer_training *training, heed_error *error);
/* One text; words never reach across texts. */
heed_status heed_tokenizer_trainer_feed(heed_tokenizer_trainer *trainer, const char *text,
                                        size_t length, heed_error *error);
/* Every line, with its line end, is a text of its own: what the library's train(files) does. */
heed_status heed_tokenizer_trainer_feed_lines(heed_tokenizer_trainer *trainer, const char *text,
                                              size_t length, heed_error *error);
heed_status heed_tokenizer_trainer_finish(heed_tokenizer_trainer *trainer,
                                          heed_tokenizer **tokenizer, heed_error *error);
void heed_tokenizer_trainer_free(heed_tokenizer_trainer *trainer);

#endif
