/* prefix.h: a sequence of a session that is kept, with its ids: a later prompt that begins with
   them forks it and feeds only what is new. It serves the turns of a conversation, prompts of one
   batch that begin alike, and prompt caches on disk. */
#ifndef HEED_GENERATE_PREFIX_H
#define HEED_GENERATE_PREFIX_H

#include "generate/session.h"

typedef struct heed_prefix {
    heed_session *session; /* borrowed */
    int64_t sequence;      /* of the session; -1: nothing is kept */
    int32_t *ids;          /* (count) what the sequence holds */
    int64_t count;
} heed_prefix;

void heed_prefix_begin(heed_prefix *prefix, heed_session *session);
/* drops the sequence; the session must live; begin again to use it again */
void heed_prefix_free(heed_prefix *prefix);

/* How many of the first ids are kept already. */
int64_t heed_prefix_shared(const heed_prefix *prefix, const int32_t *ids, int64_t count);
/* Keeps a sequence whose length and first ids these are, and drops the one kept before. When memory
   is out the sequence is dropped too. */
heed_status heed_prefix_keep(heed_prefix *prefix, int64_t sequence, const int32_t *ids,
                             heed_error *error);
/* Feeds ids into a new sequence and keeps it. */
heed_status heed_prefix_feed(heed_prefix *prefix, const int32_t *ids, int64_t count,
                             heed_error *error);

/* A safetensors file with the ids (tensor "ids") and every array of the cache ("cache.0" ...).
   HEED_E_UNSUPPORTED for encoder-decoders. */
heed_status heed_prefix_save(const heed_prefix *prefix, const char *path, heed_error *error);
/* Reads it back. Its last position is computed again and compared: HEED_E_ARG when the file is
   another model's. */
heed_status heed_prefix_load(heed_prefix *prefix, const char *path, heed_error *error);

#endif
