/* prefix.h: keeps a sequence of a session with its ids. A later prompt that begins with these ids
   forks the sequence and feeds only the rest. Turns of a conversation, prompts of one batch that
   begin alike, and prompt caches on disk use it. */
#ifndef HEED_GENERATE_PREFIX_H
#define HEED_GENERATE_PREFIX_H

#include "generate/session.h"

typedef struct heed_prefix {
    heed_session *session; /* borrowed */
    int64_t sequence;      /* a sequence of the session; -1 if nothing is kept */
    int32_t *ids;          /* (count) ids that the sequence holds */
    int64_t count;
} heed_prefix;

/* Begins a prefix that keeps nothing. */
void heed_prefix_begin(heed_prefix *prefix, heed_session *session);
/* Drops the sequence; the session must still exist. The prefix keeps nothing afterwards. */
void heed_prefix_free(heed_prefix *prefix);

/* Returns how many of the first ids the prefix holds; 0 if it keeps nothing. */
int64_t heed_prefix_shared(const heed_prefix *prefix, const int32_t *ids, int64_t count);
/* Keeps a sequence of the session, which begins with `ids` and holds as many of them as its length,
   and drops the one kept before. If memory is out (HEED_E_NOMEM), the given sequence is dropped
   instead. */
heed_status heed_prefix_keep(heed_prefix *prefix, int64_t sequence, const int32_t *ids,
                             heed_error *error);
/* Feeds ids into a new sequence and keeps it. Errors as for heed_session_step. */
heed_status heed_prefix_feed(heed_prefix *prefix, const int32_t *ids, int64_t count,
                             heed_error *error);

/* Writes a safetensors file with the ids (tensor "ids") and every array of the cache ("cache.0",
   ...), one row a position.
   Errors: HEED_E_UNSUPPORTED for an encoder-decoder; HEED_E_ARG if nothing is kept; HEED_E_IO. */
heed_status heed_prefix_save(const heed_prefix *prefix, const char *path, heed_error *error);
/* Reads such a file and keeps its sequence. The last position is computed again and compared.
   Errors: HEED_E_ARG if the file is another model's, another type of cache's or longer than the
   context; HEED_E_UNSUPPORTED for an encoder-decoder; HEED_E_FORMAT; HEED_E_IO. */
heed_status heed_prefix_load(heed_prefix *prefix, const char *path, heed_error *error);

#endif
