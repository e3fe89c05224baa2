/* padded.h: makes rows of a padded batch (docs/architecture.md, invariant 3). Masked tokens get no
   row. Masked tokens that a head pools or a label needs keep a row: it attends to others, but no
   row attends to it (key index -1).

   Example: B = 2, T = 4; "-" is a masked token, "n" a masked token that is needed:

        padded batch      row of each place     rows     0  1  2  3  4  5
        b = 0  a b c -      0  1  2 -1          token    a  b  c  d  n  e
        b = 1  d n - e      3  4 -1  5          place    0  1  2  4  5  7
                                                seen     y  y  y  y  n  y

   The sequence table has a row for each segment; here sequence 0 has rows 0 to 2 and sequence 1
   rows 3 to 5. */
#ifndef HEED_FORWARD_PADDED_H
#define HEED_FORWARD_PADDED_H

#include "base/error.h"
#include <heed/graph.h>
#include <stdbool.h>
#include <stdint.h>

/* A padded batch of B sequences of T tokens. The arrays are indexed by place b * T + t. */
typedef struct heed_padded {
    int64_t batch, length;
    bool *keep;    /* the token is seen, and is part of the outputs */
    bool *needed;  /* the token has a row even if it is not seen */
    bool *segment; /* a new segment begins here; it sees no token before it */
} heed_padded;

/* The rows of a batch. */
typedef struct heed_rows {
    int64_t count;     /* N rows */
    int64_t sequences; /* number of segments, at least B */
    int64_t *place;    /* by row: its place */
    int64_t *row;      /* by place: its row; -1 if it has none */
    int64_t *batch;    /* by segment: its sequence b of the batch */
    int32_t *table;    /* (sequences,8) HEED_SEQUENCE_*; the keys are the rows themselves */
    /* by segment: the number of its rows that are seen; with seen_first these come first */
    int32_t *kept;
    bool indexed; /* masks need query_index and key_index */
} heed_rows;

/* Which tokens of its sequence a token may see. */
typedef struct heed_view {
    bool causal;
    int64_t window;
} heed_view;
/* Marks sequences in which a token has a row but sees no key. transformers gives such a token the
   mean of its whole sequence, so all tokens of the sequence need rows. Returns true if there are
   any. */
bool heed_padded_mark_fully_masked(heed_padded *padded, heed_view view);

/* Allocates a batch in which nothing is kept or needed. HEED_E_ARG if B * T exceeds 2^30;
   HEED_E_NOMEM. */
heed_status heed_padded_new(heed_padded *padded, int64_t batch, int64_t length, heed_error *error);
void heed_padded_free(heed_padded *padded);
/* Makes the rows of a batch, in order of place; with seen_first, the seen rows of a segment come
   before the others. HEED_E_NOMEM. */
heed_status heed_rows_new(heed_rows *rows, const heed_padded *padded, bool seen_first,
                          heed_error *error);
void heed_rows_free(heed_rows *rows);

#endif
