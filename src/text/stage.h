/* stage.h: what normalizers, pre-tokenizers and decoders of tokenizer.json share: a record of
   parameters, and one table of kinds for each of the three. A "Sequence" is flattened when it is
   read, so a pipeline is an array of stages. */
#ifndef HEED_TEXT_STAGE_H
#define HEED_TEXT_STAGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "text/pattern.h"
#include "text/pieces.h"

/* Split: what becomes of a match (the delimiter). */
typedef enum heed_split_behavior {
    HEED_SPLIT_REMOVED,
    HEED_SPLIT_ISOLATED,
    HEED_SPLIT_MERGED_WITH_PREVIOUS,
    HEED_SPLIT_MERGED_WITH_NEXT,
    HEED_SPLIT_CONTIGUOUS
} heed_split_behavior;
/* Metaspace: where a blank is put before the text. */
typedef enum heed_prepend_scheme {
    HEED_PREPEND_ALWAYS,
    HEED_PREPEND_FIRST,
    HEED_PREPEND_NEVER
} heed_prepend_scheme;

typedef struct heed_stage_kind heed_stage_kind;

/* A stage and its parameters; which ones count depends on the kind. */
typedef struct heed_stage {
    const heed_stage_kind *kind;
    heed_pattern *pattern; /* Split, Replace, ByteLevel */
    /* Replace: content; Prepend; WordPiece, BPEDecoder: affix; CTC: padding; NUL-terminated */
    char *text;
    size_t length;       /* bytes of `text` */
    uint32_t code_point; /* Metaspace, CharDelimiterSplit, Strip (decoder) */
    heed_split_behavior behavior;
    heed_prepend_scheme prepend_scheme;
    bool invert;                                              /* Split */
    bool add_prefix_space;                                    /* ByteLevel */
    bool left, right;                                         /* Strip (normalizer) */
    bool clean_text, chinese_chars, strip_accents, lowercase; /* BertNormalizer */
    bool compatible, compose;                                 /* NFC, NFD, NFKC, NFKD */
    bool individual;                                          /* Digits */
    bool split;                                               /* Metaspace */
    char *delimiter;                                          /* CTC */
    bool cleanup;                                             /* WordPiece (decoder), CTC */
    bool ignore;         /* ByteLevel (decoder): broken bytes are dropped */
    int64_t start, stop; /* Strip (decoder) */
} heed_stage;

/* A decoder stage at work on a stream of tokens. Tokens may arrive in parts (after Fuse there is
   only one, as long as the text). */
typedef struct heed_decoder_state {
    const struct heed_stage *stage;
    struct heed_decoder_state *next; /* where the output goes; NULL: to `out` */
    heed_buffer *out;
    /* the current token as far as it has arrived, for stages that need it whole */
    heed_buffer part;
    heed_buffer held; /* what cannot be passed on yet */
    uint64_t tokens;  /* tokens that have ended */
    bool inside;      /* a part of the current token has arrived */
    bool has_held;    /* BPEDecoder: `held` is a token, maybe an empty one */
    /* Strip: characters still to be dropped; characters that may have to be */
    int64_t leading, trailing;
} heed_decoder_state;

/* Reads the parameters of a stage; `where` is "file: section". */
typedef heed_status heed_stage_read(heed_stage *stage, const json_t *json, const char *where,
                                    heed_error *error);
typedef heed_status heed_stage_run(const heed_stage *stage, heed_pieces *pieces, heed_error *error);
/* Bytes of the current token arrive, `ends` with its last ones. */
typedef heed_status heed_decoder_push(heed_decoder_state *state, const char *bytes, size_t length,
                                      bool ends, heed_error *error);
/* There are no more tokens. */
typedef heed_status heed_decoder_finish(heed_decoder_state *state, heed_error *error);

struct heed_stage_kind {
    const char *name;            /* as "type" spells it */
    heed_stage_read *read;       /* NULL: it has no parameters */
    heed_stage_run *run;         /* normalizers and pre-tokenizers */
    heed_decoder_push *push;     /* decoders */
    heed_decoder_finish *finish; /* decoders */
    bool compatible, compose;    /* what the four normalization forms differ in */
};

/* A section of tokenizer.json that is a pipeline of stages. */
typedef struct heed_stage_section {
    const char *name;             /* its key */
    const char *members;          /* what a Sequence in it calls its list */
    const heed_stage_kind *kinds; /* ends with a kind whose name is NULL */
} heed_stage_section;
extern const heed_stage_section heed_normalizer_section, heed_pre_tokenizer_section,
    heed_decoder_section;

/* What stands in for a decoder: Fuse, and spaces between tokens. */
extern const heed_stage_kind heed_decoder_fuse, heed_decoder_join;

typedef struct heed_pipeline {
    heed_stage *stages;
    size_t count, capacity;
} heed_pipeline;

/* Reads what a file has under the key of the section; null and absent (NULL) give an empty
   pipeline. HEED_E_UNSUPPORTED for an unknown kind, by name. */
heed_status heed_pipeline_read(heed_pipeline *pipeline, const json_t *json,
                               const heed_stage_section *section, const char *where,
                               heed_error *error);
void heed_pipeline_free(heed_pipeline *pipeline);
heed_status heed_pipeline_run(const heed_pipeline *pipeline, heed_pieces *pieces,
                              heed_error *error);

/* ---- for the readers of stages ---- */
/* {"String": ...} or {"Regex": ...} under "pattern". */
heed_status heed_stage_read_pattern(heed_stage *stage, const json_t *json, const char *where,
                                    heed_error *error);
/* A string member as stage->text; HEED_E_FORMAT when it is absent. */
heed_status heed_stage_read_text(heed_stage *stage, const json_t *json, const char *key,
                                 const char *where, heed_error *error);
/* A string member of exactly one character as stage->code_point; stays as it is when the member is
   absent. */
heed_status heed_stage_read_character(heed_stage *stage, const json_t *json, const char *key,
                                      const char *where, heed_error *error);
/* Metaspace, a pre-tokenizer and a decoder. */
heed_status heed_stage_read_metaspace(heed_stage *stage, const json_t *json, const char *where,
                                      heed_error *error);

/* GPT-2's one-to-one map of bytes to printable characters (Radford et al. 2019): the character of a
   byte, and the byte of a character (-1 when it stands for none). */
uint32_t heed_byte_character(unsigned char byte);
int heed_character_byte(uint32_t c);
/* Rewrites every byte of the pieces to its character: ByteLevel, as a normalizer and as a
   pre-tokenizer. */
heed_status heed_byte_level_rewrite(heed_pieces *pieces, heed_error *error);

#endif
