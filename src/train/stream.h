/* stream.h: texts as token ids laid end to end, with the places where texts begin; tokenized once,
   before training. */
#ifndef HEED_TRAIN_STREAM_H
#define HEED_TRAIN_STREAM_H

#include "io/data.h"
#include "text/tokenizer.h"
#include <stdbool.h>

/* Ids lie in 16 bits if all of them fit, else in 32; those of token files stay in the files. Read
   it through the functions. */
typedef struct heed_stream {
    void *ids;
    int width;              /* bytes an id: 2 or 4 */
    size_t count, capacity; /* ids */
    /* one byte an id, 0: it is read, not learned; NULL: all are learned */
    uint8_t *predicted;
    size_t predicted_capacity;
    size_t *starts; /* first id of each text, and count at the end */
    size_t texts, starts_capacity;
    const heed_data *shards; /* token files, borrowed; NULL: ids */
    size_t *shard_starts, shard_count;
    uint32_t vocabulary; /* each token of the files is below it, whenever it is read */
    size_t cut;          /* texts that were longer than the limit */
} heed_stream;

typedef struct heed_stream_options {
    const heed_tokenizer *tokenizer;
    bool special; /* let the tokenizer's template add its special tokens */
    int32_t end;  /* put after each text that does not end in it; -1: nothing */
    size_t limit; /* ids of one text at most, `end` included; 0: none */
} heed_stream_options;

void heed_stream_free(heed_stream *stream);
/* Appends one text's ids. HEED_E_FORMAT for an id above 2^31, what the tokenizer answers,
   HEED_E_NOMEM. */
heed_status heed_stream_append(heed_stream *stream, const heed_stream_options *options,
                               heed_text text, heed_encoding *scratch, heed_error *error);
/* Appends a text of ids, and which of them are learned (0: not); all texts of a stream come so, or
   none. */
heed_status heed_stream_append_marked(heed_stream *stream, const int32_t *ids,
                                      const uint8_t *predicted, size_t count, heed_error *error);
/* The token files of `data`, which stays open as long as the stream. Texts are split at the id
   `end` (-1: one text a file): it begins texts when a file begins with it (llm.c), else it ends
   them (nanoGPT). HEED_E_FORMAT for an id not below `vocabulary`. */
heed_status heed_stream_open_shards(heed_stream *stream, const heed_data *data, int32_t end,
                                    uint32_t vocabulary, heed_error *error);

/* Copies ids [begin, begin + count) as i32. Token files may have changed: errors of
   heed_data_read_tokens. */
heed_status heed_stream_read(const heed_stream *stream, size_t begin, size_t count, int32_t *ids,
                             heed_error *error);
/* Whether the id at `at` < count is learned. */
static inline bool heed_stream_predicts(const heed_stream *stream, size_t at)
{
    return stream->predicted == NULL || stream->predicted[at] != 0;
}
/* The text that position `at` < count belongs to. */
size_t heed_stream_text_at(const heed_stream *stream, size_t at);
/* A word that changes with any id, boundary or mark: guards a resumed training against other
   data. */
heed_status heed_stream_fingerprint(const heed_stream *stream, uint64_t *fingerprint,
                                    heed_error *error);

#endif
