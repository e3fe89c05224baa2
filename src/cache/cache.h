/* cache.h: the memory of keys and values of many sequences (a KV cache), in pages of
   HEED_PAGE_POSITIONS (64) positions that are addressed through a page table, as in vLLM.

   A cache holds arrays (rows, columns), such as one of keys and one of values for every layer. Each
   has its own columns and type. A page is 64 rows of an array whose rows hold one position each,
   and one row of an array that has a state for each page. The user of the cache decides what an
   element is.

   The constructor reserves address space for every sequence at full length. The cache commits
   memory only for the pages that are needed. Pages below `mark` are committed, in all arrays alike:

     array 0                                           array 1
     +--------+--------+--------+ - - - - - - - - - -  +--------+--------+--------+ - - - -
     | page 0 | page 1 | page 2 |  reserved only       | page 0 | page 1 | page 2 |
     +--------+--------+--------+ - - - - - - - - - -  +--------+--------+--------+ - - - -
                                ^ mark = 3

   Sequences may share pages, and every page counts the sequences that hold it. In this example
   sequence 1 was forked from sequence 0 at 100 positions, then both grew:

                  positions  page table
     sequence 0      140     [0, 1, 3]      page         0      1      2      3
     sequence 1      101     [0, 2]         positions   0-63  64-127 64-127 128-191
                                            references   2      1      1      1

   Page 0 is full and stays shared. Page 1 was part-filled when sequence 1 grew into it, so the
   cache copied its 36 rows to page 2 first. In every array, position p of a sequence lies in row
   table[p / 64] * 64 + p % 64: position 70 of sequence 1 lies in row 2 * 64 + 6 = 134.

   A cache belongs to one thread. Functions that take a sequence expect one that the cache holds. */
#ifndef HEED_CACHE_CACHE_H
#define HEED_CACHE_CACHE_H

#include "base/cancel.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_cache heed_cache;

/* One array of a cache. */
typedef struct heed_cache_array_kind {
    int64_t columns; /* elements of a row */
    size_t element;  /* bytes of an element; 0 means 4 */
    bool per_page;   /* a row holds what is kept of a page; else of a position */
} heed_cache_array_kind;

typedef struct heed_cache_options {
    const heed_cache_array_kind *arrays; /* (array_count), copied */
    int64_t array_count;
    int64_t sequences; /* the most sequences held at once */
    int64_t positions; /* positions of the longest sequence */
    /* bytes that may be committed; 0: as many as the system can spare at that moment */
    size_t budget;
} heed_cache_options;

/* Makes a cache without sequences and reserves its address space. *cache is NULL on failure.
   Errors: HEED_E_ARG for sizes that cannot be addressed; HEED_E_NOMEM if the system refuses the
   reservation, with the longest context that it would grant. */
heed_status heed_cache_new(heed_cache **cache, const heed_cache_options *options,
                           heed_error *error);
void heed_cache_free(heed_cache *cache); /* NULL is allowed */
/* Sets the function that may cancel heed_cache_extend, which then fails with HEED_E_CANCELLED. It
   is asked before memory is committed for each array. */
void heed_cache_set_cancel(heed_cache *cache, heed_cancel cancel);

/* The number of pages in each array: enough for every sequence at full length without sharing. */
int64_t heed_cache_pages(const heed_cache *cache);
/* The first row of an array. The address stays the same for the whole life of the cache. */
void *heed_cache_array(const heed_cache *cache, int64_t array);
const heed_cache_array_kind *heed_cache_array_kind_of(const heed_cache *cache, int64_t array);
size_t heed_cache_row_bytes(const heed_cache *cache, int64_t array); /* bytes of one row */
size_t heed_cache_committed(const heed_cache *cache);                /* bytes; they never shrink */
/* The bytes that one position takes in all arrays together: the share of a page. */
size_t heed_cache_position_bytes(const heed_cache *cache);
int64_t heed_cache_arrays(const heed_cache *cache); /* as in the options */

/* Adds an empty sequence and returns its number in *sequence. HEED_E_ARG if the cache already holds
   as many as its options allow. */
heed_status heed_cache_add(heed_cache *cache, int64_t *sequence, heed_error *error);
/* Adds a sequence that begins with the first `length` positions of another and shares their pages.
   If the last page is part-filled, it is copied later, when one of its owners grows. HEED_E_ARG if
   `length` is not within the other sequence, or if no more sequences can be held. */
heed_status heed_cache_fork(heed_cache *cache, int64_t sequence, int64_t length, int64_t *fork,
                            heed_error *error);
/* Forgets the positions from `length` on and releases their pages. A longer `length` changes
   nothing. */
void heed_cache_truncate(heed_cache *cache, int64_t sequence, int64_t length);
/* Removes a sequence and releases its pages; its number may be given to another sequence. */
void heed_cache_drop(heed_cache *cache, int64_t sequence);
/* The number of positions of a sequence. */
int64_t heed_cache_length(const heed_cache *cache, int64_t sequence);

/* Adds positions to each of `count` different sequences: commits memory for the pages they need and
   copies shared part-filled pages. The content of the new positions is undefined. On failure no
   sequence changes.
   Errors: HEED_E_ARG if a sequence would exceed the positions of the options; HEED_E_NOMEM with the
   bytes wanted and the context that would fit; HEED_E_CANCELLED. */
typedef struct heed_cache_growth {
    int64_t sequence, positions;
} heed_cache_growth;
heed_status heed_cache_extend(heed_cache *cache, const heed_cache_growth *growth, int64_t count,
                              heed_error *error);

/* The row that holds a position below the sequence's length, in every array with a row for each
   position. In an array with a row for each page it is this number divided by 64. */
int64_t heed_cache_row(const heed_cache *cache, int64_t sequence, int64_t position);
/* The page table of a sequence: *pages page numbers in order of position. It is borrowed until the
   sequence changes. */
const int32_t *heed_cache_table(const heed_cache *cache, int64_t sequence, int64_t *pages);

#endif
