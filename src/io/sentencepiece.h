/* sentencepiece.h: reads the .model files of SentencePiece (protobuf). */
#ifndef HEED_IO_SENTENCEPIECE_H
#define HEED_IO_SENTENCEPIECE_H

#include "base/error.h"
#include "base/lines.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The algorithm of a model. */
typedef enum heed_sentencepiece_kind {
    HEED_SENTENCEPIECE_UNIGRAM = 1,
    HEED_SENTENCEPIECE_BPE,
    HEED_SENTENCEPIECE_WORD,
    HEED_SENTENCEPIECE_CHAR
} heed_sentencepiece_kind;

/* What a piece is; GGUF files have the same numbers under "tokenizer.ggml.token_type". */
typedef enum heed_piece_type {
    HEED_PIECE_NORMAL = 1,
    HEED_PIECE_UNKNOWN,
    HEED_PIECE_CONTROL,
    HEED_PIECE_USER_DEFINED,
    HEED_PIECE_UNUSED,
    HEED_PIECE_BYTE
} heed_piece_type;

/* How text is normalized before it is split into pieces. */
typedef struct heed_sentencepiece_rules {
    heed_text charsmap;              /* the table of replacements (text/charsmap.h); may be empty */
    bool add_dummy_prefix;           /* a space is put before the text */
    bool remove_extra_whitespaces;   /* at both ends, and all but one of neighboring spaces */
    bool escape_whitespaces;         /* spaces become U+2581 */
    bool treat_whitespace_as_suffix; /* the space is put after the text instead */
} heed_sentencepiece_rules;

/* A model. All pointers stay valid until it is freed. */
typedef struct heed_sentencepiece {
    heed_sentencepiece_kind kind;
    const heed_text *pieces; /* (count) by id */
    const float *scores;     /* (count) */
    const int32_t *types;    /* (count) heed_piece_type */
    size_t count;
    heed_sentencepiece_rules rules;
    bool byte_fallback;
    int32_t unk_id, bos_id, eos_id, pad_id; /* -1 for none */
    void *message;                          /* the unpacked file, to which the texts belong */
} heed_sentencepiece;

/* Returns whether a path names such a file: it ends in ".model" or ".spm". */
bool heed_sentencepiece_is_name(const char *path);
/* Reads a file. The caller frees the model. Errors: HEED_E_IO; HEED_E_FORMAT names what is wrong;
   HEED_E_UNSUPPORTED for an algorithm other than Unigram and BPE, or if heed was built without
   protobuf-c. */
heed_status heed_sentencepiece_read(heed_sentencepiece **model, const char *path,
                                    heed_error *error);
void heed_sentencepiece_free(heed_sentencepiece *model); /* NULL is allowed */

#endif
