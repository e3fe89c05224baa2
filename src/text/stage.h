/* stage.h: what the normalizers, pre-tokenizers and decoders of tokenizer.json share: one record of
   parameters for all kinds, and a table of kinds for each of the three sections. A "Sequence" is
   flattened when it is read, so a section becomes an array of stages. */
#ifndef HEED_TEXT_STAGE_H
#define HEED_TEXT_STAGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "text/charsmap.h"
#include "text/pattern.h"
#include "text/pieces.h"
#include "text/trie.h"

/* Split: what becomes of a match, which the library calls the delimiter. */
typedef enum heed_split_behavior {
    /* dropped */
    HEED_SPLIT_REMOVED,
    /* a piece of its own */
    HEED_SPLIT_ISOLATED,
    /* part of the piece before it */
    HEED_SPLIT_MERGED_WITH_PREVIOUS,
    /* part of the piece after it */
    HEED_SPLIT_MERGED_WITH_NEXT,
    /* adjacent matches form one piece */
    HEED_SPLIT_CONTIGUOUS
} heed_split_behavior;
/* Metaspace: when the replacement character is put before a piece. */
typedef enum heed_prepend_scheme {
    HEED_PREPEND_ALWAYS,
    /* only at the beginning of the input */
    HEED_PREPEND_FIRST,
    HEED_PREPEND_NEVER
} heed_prepend_scheme;

typedef struct heed_stage_kind heed_stage_kind;

/* A stage and its parameters. Each comment names the kinds that use the field. */
typedef struct heed_stage {
    const heed_stage_kind *kind;
    heed_pattern *pattern; /* Split, Replace, ByteLevel */
    /* Replace: content; Prepend; WordPiece and BPEDecoder: affix; CTC: pad_token; Moses: language.
       A NUL follows. */
    char *text;
    size_t length;       /* bytes of `text` */
    uint32_t code_point; /* Metaspace, CharDelimiterSplit, Strip (decoder) */
    heed_split_behavior behavior;
    heed_prepend_scheme prepend_scheme;
    bool invert;                                              /* Split */
    bool add_prefix_space;                                    /* ByteLevel, SentencePiece */
    bool remove_extra_spaces, escape_spaces, space_suffix;    /* SentencePiece */
    heed_trie user_defined;                                   /* SentencePiece */
    bool left, right;                                         /* Strip (normalizer) */
    bool clean_text, chinese_chars, strip_accents, lowercase; /* BertNormalizer */
    bool compatible, compose;                                 /* the four normal forms */
    bool individual;                                          /* Digits */
    bool split;                                               /* Metaspace */
    heed_charsmap *charsmap;                                  /* Precompiled, SentencePiece */
    char *delimiter;                                          /* CTC */
    bool cleanup;                                             /* WordPiece (decoder), CTC */
    bool ignore;         /* ByteLevel (decoder): invalid bytes are dropped */
    int64_t start, stop; /* Strip (decoder) */
} heed_stage;

/* The state of a decoder stage while tokens arrive. A token may arrive in parts; after Fuse there
   is only one token, as long as the text. */
typedef struct heed_decoder_state {
    const struct heed_stage *stage;
    /* the next stage; NULL for the last one, which writes to `out` */
    struct heed_decoder_state *next;
    heed_buffer *out;
    /* the parts of the current token, for stages that need it whole */
    heed_buffer part;
    heed_buffer held; /* output that cannot be passed on yet */
    uint64_t tokens;  /* number of complete tokens */
    bool inside;      /* whether a part of the current token has arrived */
    bool has_held;    /* BPEDecoder: whether `held` is a token, which may be empty */
    /* Strip: number of characters still to drop; number at the end that may have to be dropped */
    int64_t leading, trailing;
} heed_decoder_state;

/* Reads the parameters of a stage. `where` is the file name with which messages begin. */
typedef heed_status heed_stage_read(heed_stage *stage, const json_t *json, const char *where,
                                    heed_error *error);
/* Applies a normalizer or a pre-tokenizer to the pieces. */
typedef heed_status heed_stage_run(const heed_stage *stage, heed_pieces *pieces, heed_error *error);
/* Receives bytes of the current token; `ends` says that they are its last ones. */
typedef heed_status heed_decoder_push(heed_decoder_state *state, const char *bytes, size_t length,
                                      bool ends, heed_error *error);
/* Called after the last token. */
typedef heed_status heed_decoder_finish(heed_decoder_state *state, heed_error *error);

struct heed_stage_kind {
    const char *name;            /* the value of "type" */
    heed_stage_read *read;       /* NULL for a kind without parameters */
    heed_stage_run *run;         /* normalizers and pre-tokenizers */
    heed_decoder_push *push;     /* decoders */
    heed_decoder_finish *finish; /* decoders */
    bool compatible, compose;    /* distinguish the four normal forms */
    bool repairs_bytes;          /* wants HEED_PIECES_REPAIR_BYTES (text/pieces.h) */
};

/* A section of tokenizer.json that is a pipeline of stages. */
typedef struct heed_stage_section {
    const char *name;             /* its key in tokenizer.json */
    const char *members;          /* the key of the list in a Sequence */
    const heed_stage_kind *kinds; /* the last element has the name NULL */
} heed_stage_section;
extern const heed_stage_section heed_normalizer_section, heed_pre_tokenizer_section,
    heed_decoder_section;

/* Stages for files without decoder stages: Fuse concatenates tokens; the other one puts spaces
   between them. */
extern const heed_stage_kind heed_decoder_fuse, heed_decoder_join;

typedef struct heed_pipeline {
    heed_stage *stages;
    size_t count, capacity;
} heed_pipeline;

/* Reads the value of a section. NULL and JSON null give an empty pipeline. HEED_E_UNSUPPORTED names
   a kind that is not supported. On success the caller frees the pipeline. */
heed_status heed_pipeline_read(heed_pipeline *pipeline, const json_t *json,
                               const heed_stage_section *section, const char *where,
                               heed_error *error);
void heed_pipeline_free(heed_pipeline *pipeline);
/* Applies all stages in order; not for decoders. */
heed_status heed_pipeline_run(const heed_pipeline *pipeline, heed_pieces *pieces,
                              heed_error *error);

/* ---- functions that read parameters ---- */
/* Reads {"String": ...} or {"Regex": ...} under "pattern" into stage->pattern. */
heed_status heed_stage_read_pattern(heed_stage *stage, const json_t *json, const char *where,
                                    heed_error *error);
/* Reads a string member into stage->text. HEED_E_FORMAT if it is absent. */
heed_status heed_stage_read_text(heed_stage *stage, const json_t *json, const char *key,
                                 const char *where, heed_error *error);
/* Reads a string member of exactly one character into stage->code_point, which stays as it is if
   the member is absent. */
heed_status heed_stage_read_character(heed_stage *stage, const json_t *json, const char *key,
                                      const char *where, heed_error *error);
/* Reads the parameters of Metaspace, which is a pre-tokenizer and a decoder. */
heed_status heed_stage_read_metaspace(heed_stage *stage, const json_t *json, const char *where,
                                      heed_error *error);

/* GPT-2's one-to-one map between bytes and printable characters: the character of a byte, and the
   byte of a character (-1 if it stands for none). Source: Radford et al. 2019. */
uint32_t heed_byte_character(unsigned char byte);
int heed_character_byte(uint32_t c);
/* Replaces every byte of the pieces by its character. ByteLevel does this as a normalizer and as a
   pre-tokenizer. */
heed_status heed_byte_level_rewrite(heed_pieces *pieces, heed_error *error);

#endif
