/* packing.h: cuts a stream of texts into rows of T tokens. A row takes texts in the order of the
   stream. The share of a text in a row is a piece, and pieces never see each other. Every token is
   in exactly one piece. If texts must stay whole, a row ends before the text that no longer
   fits. */
#ifndef HEED_TRAIN_PACKING_H
#define HEED_TRAIN_PACKING_H

#include "train/stream.h"

typedef struct heed_packing {
    const heed_stream *stream; /* borrowed; at least one token */
    size_t length;             /* T: tokens of a row, with those put around pieces */
    /* texts are not cut; then none is longer than T, and nothing is put around them */
    bool whole_texts;
    size_t around; /* tokens put around each piece ([CLS] and [SEP]: 2); less than T */
    /* first token of each row; a number beyond the end of the stream counts on from its
       beginning */
    size_t *starts;
    size_t rows, capacity;
} heed_packing;

/* Adjacent tokens of one text: [begin, begin + count) of the stream. */
typedef struct heed_packed_piece {
    size_t begin, count;
    bool ends_text;
} heed_packed_piece;

/* Lays out the rows of one pass through the stream. The first row begins at token `shift`, which is
   below the stream's count, or with the text of that token if texts stay whole. Passes with
   different shifts cut the texts at different places, or group them differently. Memory of an
   earlier layout is reused. Errors: HEED_E_NOMEM. */
heed_status heed_packing_lay(heed_packing *packing, size_t shift, heed_error *error);
void heed_packing_free(heed_packing *packing);
/* Writes the pieces of row `row` in order, at most `capacity` of them, and returns how many there
   are. */
size_t heed_packing_row(const heed_packing *packing, size_t row, heed_packed_piece *pieces,
                        size_t capacity);

#endif
