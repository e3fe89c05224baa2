/* stream.h: the token ids of all texts end to end, and the places where texts begin. Texts are
   tokenized once, before training. */
#ifndef HEED_TRAIN_STREAM_H
#define HEED_TRAIN_STREAM_H

#include "io/data.h"
#include "text/tokenizer.h"
#include <stdbool.h>

/* Ids have 16 bits if all of them fit, else 32. Ids of token files stay in the files. Read a stream
   through the functions below. */
typedef struct heed_stream {
    void *ids;
    int width;              /* bytes per id: 2 or 4 */
    size_t count, capacity; /* ids */
    /* one byte per id: 0 if the id is read but not learned; NULL: all are learned */
    uint8_t *predicted;
    size_t predicted_capacity;
    size_t *starts; /* index of the first id of each text, and `count` at the end */
    size_t texts, starts_capacity;
    const heed_data *shards; /* token files, borrowed; NULL: the ids are in `ids` */
    size_t *shard_starts, shard_count;
    uint32_t vocabulary; /* each id of the files must be below it; checked whenever ids are read */
    size_t cut;          /* number of texts that were longer than the limit */
} heed_stream;

typedef struct heed_stream_options {
    const heed_tokenizer *tokenizer;
    bool special; /* the tokenizer adds its special tokens */
    int32_t end;  /* put after each text that does not end with it; -1: nothing */
    size_t limit; /* most ids of one text, with `end`; 0: no limit */
} heed_stream_options;

void heed_stream_free(heed_stream *stream);
/* Tokenizes one text and appends its ids. Errors: HEED_E_FORMAT for an id above 2^31, HEED_E_NOMEM,
   those of the tokenizer. */
heed_status heed_stream_append(heed_stream *stream, const heed_stream_options *options,
                               heed_text text, heed_encoding *scratch, heed_error *error);
/* Appends the ids of a text, and which of them are learned (0: not learned). Either all texts of a
   stream are appended so, or none. */
heed_status heed_stream_append_marked(heed_stream *stream, const int32_t *ids,
                                      const uint8_t *predicted, size_t count, heed_error *error);
/* Opens the token files of `data`, which must stay open as long as the stream. Texts are split at
   the id `end` (-1: one text per file): if a file begins with it, it begins texts (llm.c), else it
   ends them (nanoGPT). Errors: HEED_E_FORMAT for an id not below `vocabulary`. */
heed_status heed_stream_open_shards(heed_stream *stream, const heed_data *data, int32_t end,
                                    uint32_t vocabulary, heed_error *error);

/* Copies ids [begin, begin + count) as i32. Token files may have changed since; errors are those of
   heed_data_read_tokens. */
heed_status heed_stream_read(const heed_stream *stream, size_t begin, size_t count, int32_t *ids,
                             heed_error *error);
/* Returns whether the id at `at` < count is learned. */
static inline bool heed_stream_predicts(const heed_stream *stream, size_t at)
{
    return stream->predicted == NULL || stream->predicted[at] != 0;
}
/* Returns the index of the text that position `at` < count belongs to. */
size_t heed_stream_text_at(const heed_stream *stream, size_t at);
/* Writes a number that changes with any id, boundary or mark. It guards a resumed training against
   other data. */
heed_status heed_stream_fingerprint(const heed_stream *stream, uint64_t *fingerprint,
                                    heed_error *error);

#endif
