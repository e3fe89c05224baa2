/* packing.h: cuts a stream of texts into rows of T tokens. A row is filled with the texts that
   follow each other there; each text's share of a row is a piece, and pieces never see each other.
   Every token lies in exactly one piece. Where texts must stay whole, a row ends before the text
   that does not fit into it. */
#ifndef HEED_TRAIN_PACKING_H
#define HEED_TRAIN_PACKING_H

#include "train/stream.h"

typedef struct heed_packing {
    const heed_stream *stream; /* borrowed; at least one token */
    size_t length;             /* T: tokens of a row, those put around pieces included */
    /* texts are not cut; none is longer than T, and nothing stands around them */
    bool whole_texts;
    size_t around; /* tokens put around each piece ([CLS] and [SEP]: 2); less than T */
    /* where rows begin, counted from 0 on, beyond the stream's end from its beginning again */
    size_t *starts;
    size_t rows, capacity;
} heed_packing;

/* A stretch of one text. */
typedef struct heed_packed_piece {
    size_t begin, count;
    bool ends_text;
} heed_packed_piece;

/* Lays out the rows of one round through the stream, the first one beginning at token `shift`
   (below the stream's count), or with its text where texts stay whole: rounds with different shifts
   cut the texts at different places, or put others together. Memory of an earlier layout is
   reused. */
heed_status heed_packing_lay(heed_packing *packing, size_t shift, heed_error *error);
void heed_packing_free(heed_packing *packing);
/* Pieces of row `row`, in order; writes at most `capacity` of them and returns how many there
   are. */
size_t heed_packing_row(const heed_packing *packing, size_t row, heed_packed_piece *pieces,
                        size_t capacity);

#endif
