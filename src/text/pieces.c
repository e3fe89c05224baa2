/* pieces.c: the working text and its pieces (pieces.h). */
#include "text/pieces.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { LONGEST_INPUT = 0x7FFFFFFF };
static const size_t longest_text = 0xFFFFFF00u; /* offsets in the working text have 32 bits */

/* Makes room for `more` bytes after `used` in the buffer `target`. */
static bool reserve(heed_pieces *pieces, int target, size_t used, size_t more)
{
    size_t wanted;
    if (pieces->failed) return false;
    pieces->failed = !heed_add_size(used, more, &wanted) || wanted > longest_text ||
                     !heed_grow(&pieces->owned[target], &pieces->owned_capacity[target], wanted,
                                1) ||
                     (pieces->tracking &&
                      !heed_grow(&pieces->owned_spans[target], &pieces->span_capacity[target],
                                 wanted, sizeof(heed_range)));
    return !pieces->failed;
}

/* Copies the input with U+FFFD in place of each invalid subpart, or with `bytewise` of each invalid
   byte. */
static void repair(heed_pieces *pieces, const char *input, size_t length, bool bytewise)
{
    size_t written = 0;
    for (size_t at = 0; at < length;) {
        uint32_t point;
        char encoded[4];
        bool valid = true;
        size_t used = heed_utf8_next(input + at, length - at, &point, &valid),
               size = heed_utf8_put(point, encoded);
        if (bytewise && !valid) used = 1;
        if (!reserve(pieces, 0, written, size)) return;
        memcpy(pieces->owned[0] + written, encoded, size);
        if (pieces->tracking)
            for (size_t i = 0; i < size; i++)
                pieces->owned_spans[0][written + i] = (heed_range){(uint32_t)at,
                                                                   (uint32_t)(at + used)};
        written += size;
        at += used;
    }
    pieces->bytes = pieces->owned[0];
    pieces->spans = pieces->owned_spans[0];
    pieces->length = written;
}

static bool is_valid(const char *input, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t point;
        bool valid = true;
        if ((unsigned char)input[at] < 0x80) at++;
        else at += heed_utf8_next(input + at, length - at, &point, &valid);
        if (!valid) return false;
    }
    return true;
}

heed_status heed_pieces_init(heed_pieces *pieces, const char *input, size_t length,
                             unsigned options, heed_error *error)
{
    *pieces = (heed_pieces){
        .bytes = input, .length = length, .tracking = options & HEED_PIECES_TRACK};
    if (length > LONGEST_INPUT)
        return heed_fail(error, HEED_E_ARG,
                         "a text of %zu bytes, expected less than 2 GiB; tokenize it in parts",
                         length);
    const bool bytewise = options & HEED_PIECES_REPAIR_BYTES;
    if (!is_valid(input, length)) {
        pieces->tracking |= bytewise;
        repair(pieces, input, length, bytewise);
    }
    if (pieces->length) {
        if (heed_grow(&pieces->piece, &pieces->piece_capacity, 1, sizeof *pieces->piece))
            pieces->piece[pieces->count++] = (heed_piece){0, (uint32_t)pieces->length, -1};
        else pieces->failed = true;
    }
    return pieces->failed ? heed_fail_memory(error, length, "the text to tokenize") : HEED_OK;
}

void heed_pieces_free(heed_pieces *pieces)
{
    for (int i = 0; i < 2; i++) {
        free(pieces->owned[i]);
        free(pieces->owned_spans[i]);
    }
    free(pieces->piece);
    free(pieces->spare);
    *pieces = (heed_pieces){0};
}

/* Returns the range of the character that contains byte `at`, which is the input range of the byte
   while the working text is the input itself. */
static heed_range own_span(const heed_pieces *pieces, size_t at)
{
    size_t begin = at;
    while (begin > 0 && ((unsigned char)pieces->bytes[begin] & 0xC0) == 0x80) begin--;
    return (heed_range){(uint32_t)begin, (uint32_t)(begin + heed_utf8_size(pieces->bytes[begin]))};
}

/* Returns the input range of byte `at`. */
static heed_range span_at(const heed_pieces *pieces, size_t at)
{
    return pieces->spans ? pieces->spans[at] : own_span(pieces, at);
}

heed_range heed_pieces_origin(const heed_pieces *pieces, uint32_t begin, uint32_t end)
{
    if (begin >= pieces->length) return (heed_range){0, 0};
    if (end <= begin)
        return (heed_range){span_at(pieces, begin).begin, span_at(pieces, begin).begin};
    return (heed_range){span_at(pieces, begin).begin, span_at(pieces, end - 1).end};
}

/* Checks for cancellation every 4096 steps. Returns whether the work is cancelled. */
static bool stops(heed_pieces *pieces)
{
    enum { STEPS = 4096 };
    if (++pieces->ticks >= STEPS) {
        pieces->ticks = 0;
        pieces->stopped = pieces->stopped || heed_cancelled(pieces->cancel);
    }
    return pieces->stopped;
}

void heed_pieces_add(heed_pieces *pieces, uint32_t begin, uint32_t end, int32_t token)
{
    if (begin >= end || pieces->failed || stops(pieces)) return;
    if (!heed_grow(&pieces->piece, &pieces->piece_capacity, pieces->count + 1,
                   sizeof *pieces->piece))
        pieces->failed = true;
    else pieces->piece[pieces->count++] = (heed_piece){begin, end, token};
}

/* Moves the pieces to `spare`, so that a new list can be written, and returns the old list. */
static heed_piece *swap_pieces(heed_pieces *pieces, size_t *count)
{
    heed_piece *old = pieces->piece;
    size_t capacity = pieces->piece_capacity;
    *count = pieces->count;
    pieces->piece = pieces->spare;
    pieces->piece_capacity = pieces->spare_capacity;
    pieces->spare = old;
    pieces->spare_capacity = capacity;
    pieces->count = 0;
    return old;
}

static heed_status check(const heed_pieces *pieces, heed_error *error)
{
    if (pieces->stopped) return heed_fail(error, HEED_E_CANCELLED, "stopped while tokenizing");
    return pieces->failed ? heed_fail_memory(error, pieces->length, "the pieces of the text")
                          : HEED_OK;
}

heed_status heed_pieces_cut(heed_pieces *pieces, heed_piece_cutter *cut, const void *stage,
                            heed_error *error)
{
    size_t count;
    const heed_piece *old = swap_pieces(pieces, &count);
    for (size_t i = 0; i < count && !pieces->stopped; i++) {
        if (old[i].token >= 0) heed_pieces_add(pieces, old[i].begin, old[i].end, old[i].token);
        else HEED_TRY(cut(stage, pieces, old[i].begin, old[i].end, error));
    }
    return check(pieces, error);
}

/* Returns whether the work is cancelled; the cursor then moves to the end of the piece. */
static bool ends(heed_rewriter *rewriter)
{
    if (!stops(rewriter->pieces)) return false;
    rewriter->cursor = rewriter->length;
    return true;
}

/* Appends a character with its input range to the new working text. */
static void append(heed_rewriter *rewriter, const char *bytes, size_t size, heed_range span)
{
    heed_pieces *pieces = rewriter->pieces;
    int target = !pieces->current;
    if (!reserve(pieces, target, rewriter->written, size)) return;
    memcpy(pieces->owned[target] + rewriter->written, bytes, size);
    if (pieces->tracking)
        for (size_t i = 0; i < size; i++) pieces->owned_spans[target][rewriter->written + i] = span;
    rewriter->written += size;
}

bool heed_rewriter_is_repaired(const heed_rewriter *rewriter, size_t at)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const heed_range *spans = rewriter->pieces->spans;
    if (!spans || rewriter->length - at < 3 || memcmp(rewriter->bytes + at, replacement, 3) != 0)
        return false;
    const heed_range span = spans[rewriter->base + at];
    return span.end - span.begin == 1;
}

void heed_rewriter_copy(heed_rewriter *rewriter, size_t bytes)
{
    heed_pieces *pieces = rewriter->pieces;
    int target = !pieces->current;
    size_t from = rewriter->base + rewriter->cursor;
    /* Advances even if out of memory, because rewriters go on until the end of the piece. */
    rewriter->cursor += bytes;
    if (ends(rewriter) || !bytes || !reserve(pieces, target, rewriter->written, bytes)) return;
    memcpy(pieces->owned[target] + rewriter->written, pieces->bytes + from, bytes);
    if (pieces->tracking) {
        heed_range *spans = pieces->owned_spans[target] + rewriter->written;
        if (pieces->spans) memcpy(spans, pieces->spans + from, bytes * sizeof *spans);
        else
            for (size_t i = 0; i < bytes; i++) spans[i] = own_span(pieces, from + i);
    }
    rewriter->written += bytes;
}

void heed_rewriter_skip(heed_rewriter *rewriter, size_t bytes)
{
    rewriter->cursor += bytes;
    ends(rewriter);
}

void heed_rewriter_replace(heed_rewriter *rewriter, uint32_t code_point)
{
    char encoded[4];
    heed_range span = {0, 0};
    size_t size = heed_utf8_put(code_point, encoded);
    if (rewriter->cursor >= rewriter->length) { /* nothing is left to replace */
        heed_rewriter_insert(rewriter, code_point);
        return;
    }
    if (ends(rewriter)) return;
    if (rewriter->pieces->tracking)
        span = span_at(rewriter->pieces, rewriter->base + rewriter->cursor);
    append(rewriter, encoded, size, span);
    rewriter->cursor += heed_utf8_size(rewriter->bytes[rewriter->cursor]);
}

void heed_rewriter_insert(heed_rewriter *rewriter, uint32_t code_point)
{
    char encoded[4];
    heed_range span = {0, 0};
    size_t size = heed_utf8_put(code_point, encoded);
    if (rewriter->pieces->tracking) {
        bool first = rewriter->cursor == 0;
        span = span_at(rewriter->pieces, rewriter->base + (first ? 0 : rewriter->cursor - 1));
        if (first) span.end = span.begin;
    }
    append(rewriter, encoded, size, span);
}

heed_status heed_pieces_rewrite(heed_pieces *pieces, heed_piece_rewriter *rewrite,
                                const void *stage, heed_error *error)
{
    size_t count;
    const heed_piece *old = swap_pieces(pieces, &count);
    heed_rewriter rewriter = {.pieces = pieces};
    if (!reserve(pieces, !pieces->current, 0, pieces->length)) return check(pieces, error);
    for (size_t i = 0; i < count && !pieces->stopped; i++) {
        size_t begin = rewriter.written;
        rewriter.bytes = pieces->bytes + old[i].begin;
        rewriter.base = old[i].begin;
        rewriter.length = old[i].end - old[i].begin;
        rewriter.cursor = 0;
        if (old[i].token >= 0) heed_rewriter_copy(&rewriter, rewriter.length);
        else HEED_TRY(rewrite(stage, &rewriter, error));
        heed_pieces_add(pieces, (uint32_t)begin, (uint32_t)rewriter.written, old[i].token);
    }
    HEED_TRY(check(pieces, error));
    pieces->current = !pieces->current;
    pieces->bytes = pieces->owned[pieces->current];
    pieces->spans = pieces->tracking ? pieces->owned_spans[pieces->current] : NULL;
    pieces->length = rewriter.written;
    return HEED_OK;
}
