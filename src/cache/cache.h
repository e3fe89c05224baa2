/* cache.h: the memory of keys and values of many sequences, in pages of HEED_PAGE_POSITIONS
   positions addressed through a page table. Address space is reserved for every sequence at full
   length; memory is committed, and populated, only for the pages that a coming call can need. Pages
   are counted references: sequences may share prefixes, beams fork and part again.

   A cache holds `arrays` arrays, each (pages * HEED_PAGE_POSITIONS, columns): a key and a value
   array for every layer. What an element is is its user's business. Position p of a sequence lies
   in row table[p / 64] * 64 + p % 64 of every array:

     page                                              0         1        2        3
     rows of the array                              0-63    64-127  128-191  192-255
     positions, of a sequence with table [3,0,2]  64-127         -  128-191     0-63

   A cache belongs to one thread. */
#ifndef HEED_CACHE_CACHE_H
#define HEED_CACHE_CACHE_H

#include "base/cancel.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_cache heed_cache;

typedef struct heed_cache_options {
    int64_t arrays;    /* key and value of every layer: 2 L */
    int64_t columns;   /* elements of a row */
    size_t element;    /* bytes of one; 0: 4 */
    int64_t sequences; /* held at once */
    int64_t positions; /* of the longest sequence */
    /* bytes that may be committed; 0: what the system can spare when they are wanted */
    size_t budget;
} heed_cache_options;

/* Reserves address space. HEED_E_ARG for sizes that cannot be addressed, HEED_E_NOMEM when the
   system refuses. */
heed_status heed_cache_new(heed_cache **cache, const heed_cache_options *options,
                           heed_error *error);
void heed_cache_free(heed_cache *cache); /* NULL is fine */
/* Who may end heed_cache_extend, with HEED_E_CANCELLED; asked for every array that is committed. */
void heed_cache_set_cancel(heed_cache *cache, heed_cancel cancel);

/* pages that the arrays have room for */
int64_t heed_cache_pages(const heed_cache *cache);
/* its first row; the same for the cache's whole life */
void *heed_cache_array(const heed_cache *cache, int64_t array);
size_t heed_cache_committed(const heed_cache *cache); /* bytes of memory held */
/* bytes of one position in all arrays */
size_t heed_cache_position_bytes(const heed_cache *cache);
int64_t heed_cache_arrays(const heed_cache *cache); /* as the options said */
int64_t heed_cache_columns(const heed_cache *cache);
size_t heed_cache_row_bytes(const heed_cache *cache); /* of one position in one array */

/* A new, empty sequence. HEED_E_ARG when `sequences` are held already. */
heed_status heed_cache_add(heed_cache *cache, int64_t *sequence, heed_error *error);
/* A sequence that begins with the first `length` positions of another and shares their pages. A
   part-filled last page is copied when one of its owners grows. */
heed_status heed_cache_fork(heed_cache *cache, int64_t sequence, int64_t length, int64_t *fork,
                            heed_error *error);
/* forgets positions from `length` on */
void heed_cache_truncate(heed_cache *cache, int64_t sequence, int64_t length);
void heed_cache_drop(heed_cache *cache, int64_t sequence);
int64_t heed_cache_length(const heed_cache *cache, int64_t sequence);

/* Adds `positions` to each of several different sequences: commits what they need and copies
   part-filled pages that are shared. All or nothing. HEED_E_ARG: longer than `positions` of the
   options; HEED_E_NOMEM with the bytes wanted and the context that would fit. */
typedef struct heed_cache_growth {
    int64_t sequence, positions;
} heed_cache_growth;
heed_status heed_cache_extend(heed_cache *cache, const heed_cache_growth *growth, int64_t count,
                              heed_error *error);

/* Row of the arrays that holds a position below the sequence's length. */
int64_t heed_cache_row(const heed_cache *cache, int64_t sequence, int64_t position);
/* The sequence's pages, in order of position; borrowed until it changes. */
const int32_t *heed_cache_table(const heed_cache *cache, int64_t sequence, int64_t *pages);

#endif
