/* pieces.h: the text on its way from the input to the model. A working text (valid UTF-8), cut into
   pieces; stages rewrite the text of pieces or cut pieces into smaller ones. With tracking every
   byte knows the range of input bytes it stands for, so that token offsets can be given in terms of
   the input however much was rewritten. */
#ifndef HEED_TEXT_PIECES_H
#define HEED_TEXT_PIECES_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_piece {
    /* bytes of the working text; pieces may leave gaps (removed blanks) and are never empty */
    uint32_t begin, end;
    /* an added token found here, or -1 for text that stages and model still have to read */
    int32_t token;
} heed_piece;

typedef struct heed_pieces {
    const char *bytes; /* the working text: the input itself until something rewrites it */
    size_t length;
    /* input range of each byte; NULL: without tracking, or as long as the text is the input
       itself */
    const heed_range *spans;
    bool tracking;
    heed_piece *piece;
    size_t count;
    char *owned[2]; /* the rest is storage */
    size_t owned_capacity[2];
    heed_range *owned_spans[2];
    size_t span_capacity[2];
    heed_piece *spare;
    size_t piece_capacity, spare_capacity;
    int current; /* which of `owned` holds the working text */
    bool failed; /* memory ran out */
    heed_cancel cancel;
    unsigned ticks; /* steps since somebody was asked */
    /* Somebody wants the work to end: what is cut or rewritten from now on is not needed. */
    bool stopped;
} heed_pieces;

/* One piece: the whole input, broken UTF-8 replaced. The input must outlive the pieces. */
heed_status heed_pieces_init(heed_pieces *pieces, const char *input, size_t length, bool tracking,
                             heed_error *error);
void heed_pieces_free(heed_pieces *pieces);

/* Input range of working bytes [begin, end). */
heed_range heed_pieces_origin(const heed_pieces *pieces, uint32_t begin, uint32_t end);

/* ---- cutting: every text piece is handed to `cut`, which adds what becomes of it ---- */
typedef heed_status heed_piece_cutter(const void *stage, heed_pieces *pieces, uint32_t begin,
                                      uint32_t end, heed_error *error);
heed_status heed_pieces_cut(heed_pieces *pieces, heed_piece_cutter *cut, const void *stage,
                            heed_error *error);
/* For cutters: adds a piece; empty ones are dropped. */
void heed_pieces_add(heed_pieces *pieces, uint32_t begin, uint32_t end, int32_t token);

/* ---- rewriting ----
   Every text piece is handed to `rewrite`, which says what becomes of its bytes, in order. */
typedef struct heed_rewriter {
    const char *bytes; /* the piece as it is */
    size_t length;
    size_t cursor; /* bytes of it already accounted for */
    heed_pieces *pieces;
    size_t base;    /* where the piece begins in the working text */
    size_t written; /* bytes of the new working text */
} heed_rewriter;
typedef heed_status heed_piece_rewriter(const void *stage, heed_rewriter *rewriter,
                                        heed_error *error);
heed_status heed_pieces_rewrite(heed_pieces *pieces, heed_piece_rewriter *rewrite,
                                const void *stage, heed_error *error);
/* For rewriters. Origins follow the library: a replaced character stands where the old one stood,
   an inserted one where the character before the cursor stood. Once the work is to end, each of
   these moves the cursor to the end. */
/* Keeps the next bytes (whole characters). */
void heed_rewriter_copy(heed_rewriter *rewriter, size_t bytes);
/* Drops the next bytes (whole characters). */
void heed_rewriter_skip(heed_rewriter *rewriter, size_t bytes);
/* The next character becomes this one. */
void heed_rewriter_replace(heed_rewriter *rewriter, uint32_t code_point);
/* Puts in an additional character. */
void heed_rewriter_insert(heed_rewriter *rewriter, uint32_t code_point);

#endif
