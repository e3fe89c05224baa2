#include "train/packing.h"

#include "base/memory.h"

#include <stdlib.h>

void heed_packing_free(heed_packing *packing)
{
    free(packing->starts);
    *packing = (heed_packing){0};
}

/* Returns the piece that begins at place `at`, which may count on beyond the end of the stream: as
   much of its text as fits into `room` tokens, with those around the piece, and before `stop`. */
static heed_packed_piece piece_at(const heed_packing *p, size_t at, size_t stop, size_t room)
{
    size_t begin = at % p->stream->count;
    size_t rest = p->stream->starts[heed_stream_text_at(p->stream, begin) + 1] - begin;
    size_t count = rest;
    if (count > room - p->around) count = room - p->around;
    if (count > stop - at) count = stop - at;
    return (heed_packed_piece){begin, count, .ends_text = count == rest};
}

/* Returns the end of a row of whole texts that begins with the text at `at`. */
static size_t end_of_whole(const heed_packing *p, size_t at, size_t stop)
{
    const heed_stream *s = p->stream;
    for (size_t room = p->length, text = heed_stream_text_at(s, at % s->count); at < stop;
         text = (text + 1) % s->texts) {
        size_t count = s->starts[text + 1] - s->starts[text];
        if (count > room) break;
        at += count;
        room -= count;
    }
    return at;
}

heed_status heed_packing_lay(heed_packing *p, size_t shift, heed_error *error)
{
    if (p->whole_texts) shift = p->stream->starts[heed_stream_text_at(p->stream, shift)];
    size_t at = shift, stop = shift + p->stream->count;
    p->rows = 0;
    while (at < stop) {
        if (!heed_grow(&p->starts, &p->capacity, p->rows + 2, sizeof *p->starts))
            return heed_fail_memory(error, (p->rows + 2) * sizeof *p->starts,
                                    "the rows of an epoch");
        p->starts[p->rows++] = at;
        if (p->whole_texts) {
            at = end_of_whole(p, at, stop);
            continue;
        }
        if (p->around == 0) {
            at += p->length;
            continue;
        }
        for (size_t room = p->length; room > p->around && at < stop;) {
            heed_packed_piece piece = piece_at(p, at, stop, room);
            at += piece.count;
            room -= piece.count + p->around;
        }
    }
    p->starts[p->rows] = stop;
    return HEED_OK;
}

size_t heed_packing_row(const heed_packing *p, size_t row, heed_packed_piece *pieces,
                        size_t capacity)
{
    size_t at = p->starts[row], stop = p->starts[row + 1], room = p->length, n = 0;
    while (at < stop) {
        heed_packed_piece piece = piece_at(p, at, stop, room);
        if (n < capacity) pieces[n] = piece;
        n++;
        at += piece.count;
        room -= piece.count + p->around;
    }
    return n;
}
