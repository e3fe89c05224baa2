/* padded.h: from padded batches to rows and back (invariant 3). Masked tokens are dropped; those
   that a head pools or a label needs stay as rows that ask but are not seen (key index -1). */
#ifndef HEED_FORWARD_PADDED_H
#define HEED_FORWARD_PADDED_H

#include "base/error.h"
#include <heed/graph.h>
#include <stdbool.h>
#include <stdint.h>

/* A padded batch of B sequences of T tokens. Arrays by place b * T + t; all may be NULL
   but `keep`. */
typedef struct heed_padded {
    int64_t batch, length;
    bool *keep;    /* seen, and part of the outputs */
    bool *needed;  /* has a row although it is not seen */
    bool *segment; /* starts a new segment, which sees nothing before it */
} heed_padded;

typedef struct heed_rows {
    int64_t count;     /* N */
    int64_t sequences; /* segments; at least B */
    int64_t *place;    /* of each row: b * T + t */
    int64_t *row;      /* of each place; -1 */
    int64_t *batch;    /* of each sequence: b */
    int32_t *table;    /* (sequences,8): HEED_SEQUENCE_*, keys the rows themselves */
    /* of each sequence: rows that are seen; they come first when `seen_first` was asked for */
    int32_t *kept;
    bool indexed; /* the masks need query_index and key_index */
} heed_rows;

/* Which other tokens of its sequence a token sees, as far as masks go. */
typedef struct heed_view {
    bool causal;
    int64_t window;
} heed_view;
/* Rows that have a row but see no key: transformers gives such a row the mean of its whole
   sequence, whose tokens then all need rows. Marks them and returns true when there are any. */
bool heed_padded_mark_fully_masked(heed_padded *padded, heed_view view);

/* HEED_E_NOMEM; HEED_E_ARG when B * T exceeds 2^30. */
heed_status heed_padded_new(heed_padded *padded, int64_t batch, int64_t length, heed_error *error);
void heed_padded_free(heed_padded *padded);
heed_status heed_rows_new(heed_rows *rows, const heed_padded *padded, bool seen_first,
                          heed_error *error);
void heed_rows_free(heed_rows *rows);

#endif
