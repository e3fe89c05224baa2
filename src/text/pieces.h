/* pieces.h: the text between input and model: a working text in valid UTF-8 that is split into
   pieces. Stages rewrite the text of pieces or split pieces into smaller ones. With tracking, each
   byte of the working text knows the range of input bytes that it stands for, so that token offsets
   refer to the input however much was rewritten. The `tokenizers` library has NormalizedString and
   PreTokenizedString for this. */
#ifndef HEED_TEXT_PIECES_H
#define HEED_TEXT_PIECES_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/lines.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_piece {
    /* Bytes of the working text. Pieces are never empty, and there may be gaps between them, such
       as removed white space. */
    uint32_t begin, end;
    /* the id of an added token found here, or -1 for text that stages and model still have to
       process */
    int32_t token;
} heed_piece;

typedef struct heed_pieces {
    const char *bytes; /* the working text, which is the input itself until something rewrites it */
    size_t length;
    /* The input range of each byte. NULL without tracking, and while the working text is the input
       itself. */
    const heed_range *spans;
    /* whether input ranges are recorded */
    bool tracking;
    heed_piece *piece;
    size_t count;
    /* The rest is storage: two buffers, of which one holds the working text and the other the new
       text */
    char *owned[2];
    size_t owned_capacity[2];
    heed_range *owned_spans[2];
    size_t span_capacity[2];
    heed_piece *spare;
    size_t piece_capacity, spare_capacity;
    int current; /* index of the buffer that holds the working text */
    bool failed; /* out of memory */
    heed_cancel cancel;
    unsigned ticks; /* steps since the last check for cancellation */
    /* The work is cancelled: whatever is split or rewritten from now on is not needed. */
    bool stopped;
} heed_pieces;

/* Options of heed_pieces_init. */
enum {
    HEED_PIECES_TRACK = 1, /* input ranges are recorded */
    /* every invalid byte becomes a U+FFFD of its own, as in SentencePiece; if there is one, input
       ranges are recorded, so that heed_rewriter_is_repaired knows it */
    HEED_PIECES_REPAIR_BYTES = 2
};
/* Makes one piece of the whole input, with U+FFFD in place of invalid UTF-8. The input must outlive
   the pieces. HEED_E_ARG if it has 2 GiB or more. The caller frees the pieces in every case. */
heed_status heed_pieces_init(heed_pieces *pieces, const char *input, size_t length,
                             unsigned options, heed_error *error);
void heed_pieces_free(heed_pieces *pieces);

/* Returns the input range that the working bytes [begin, end) stand for. */
heed_range heed_pieces_origin(const heed_pieces *pieces, uint32_t begin, uint32_t end);

/* ---- splitting: `cut` gets every piece of text and adds the pieces that replace it ---- */
/* Splits the piece [begin, end) by calling heed_pieces_add. `stage` is what heed_pieces_cut was
   given. */
typedef heed_status heed_piece_cutter(const void *stage, heed_pieces *pieces, uint32_t begin,
                                      uint32_t end, heed_error *error);
/* Splits every piece that is not an added token. */
heed_status heed_pieces_cut(heed_pieces *pieces, heed_piece_cutter *cut, const void *stage,
                            heed_error *error);
/* For cutters: adds a piece. Empty pieces are dropped. */
void heed_pieces_add(heed_pieces *pieces, uint32_t begin, uint32_t end, int32_t token);

/* ---- rewriting: `rewrite` gets every piece of text and produces its new text in order ---- */
/* The state of rewriting a piece. */
typedef struct heed_rewriter {
    const char *bytes; /* the piece before rewriting */
    size_t length;
    size_t cursor; /* bytes of it that are processed */
    heed_pieces *pieces;
    size_t base;    /* begin of the piece in the working text */
    size_t written; /* bytes of the new working text so far */
} heed_rewriter;
/* Rewrites a piece by calling the functions below. */
typedef heed_status heed_piece_rewriter(const void *stage, heed_rewriter *rewriter,
                                        heed_error *error);
/* Rewrites every piece that is not an added token, and replaces the working text. */
heed_status heed_pieces_rewrite(heed_pieces *pieces, heed_piece_rewriter *rewrite,
                                const void *stage, heed_error *error);
/* The following functions are for rewriters. Input ranges follow the library: a character that
   replaces another has the other's range, and an inserted one has the range of the character before
   the cursor. After cancellation each of them moves the cursor to the end. */
/* Returns whether the character at a byte of the piece stands for an invalid byte of the input. */
bool heed_rewriter_is_repaired(const heed_rewriter *rewriter, size_t at);
/* Keeps the next bytes, which are whole characters. */
void heed_rewriter_copy(heed_rewriter *rewriter, size_t bytes);
/* Drops the next bytes, which are whole characters. */
void heed_rewriter_skip(heed_rewriter *rewriter, size_t bytes);
/* Replaces the next character. */
void heed_rewriter_replace(heed_rewriter *rewriter, uint32_t code_point);
/* Inserts a character. */
void heed_rewriter_insert(heed_rewriter *rewriter, uint32_t code_point);

#endif
