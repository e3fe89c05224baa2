/* encode.c: text to ids (tokenizer.h). A text passes through these steps:
     heed_added_cut       splits at added tokens that are searched for in the text itself
     normalizer           rewrites the rest
     heed_added_cut       splits at added tokens that are searched for in normalized text
     pre-tokenizer        splits into words
     model                turns each word into tokens
     truncate             removes tokens
     join                 applies the template of the post-processor */
#include "text/text_internal.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* The tokens of one text, before special tokens are added. */
typedef struct {
    heed_pieces pieces;
    heed_found_tokens found;
    /* where each code point of the input begins, and its end; NULL if all are one byte long */
    uint32_t *characters;
    size_t character_count, character_capacity;
    heed_cancel cancel;
} sequence;

static void sequence_free(sequence *s)
{
    heed_pieces_free(&s->pieces);
    free(s->found.tokens);
    free(s->characters);
}

enum { PIECES_PER_CANCEL_CHECK = 256 };

/* Runs the model on all pieces of text. */
static heed_status tokenize_pieces(const heed_tokenizer *tokenizer, sequence *s, heed_error *error)
{
    heed_tokenizer_model_scratch scratch = {.cancel = s->cancel};
    heed_status status = HEED_OK;
    for (size_t i = 0; i < s->pieces.count && status == HEED_OK; i++) {
        if (i % PIECES_PER_CANCEL_CHECK == 0)
            status = heed_cancel_check(s->cancel, "tokenizing", error);
        if (status != HEED_OK) break;
        const heed_piece *piece = &s->pieces.piece[i];
        const size_t length = piece->end - piece->begin;
        s->found.base = piece->begin;
        if (piece->token >= 0) {
            heed_found_add(&s->found, piece->token, 0, length);
            if (!s->found.failed) s->found.tokens[s->found.count - 1].added = true;
        } else
            status = tokenizer->model.kind->tokenize(&tokenizer->model, &scratch,
                                                     s->pieces.bytes + piece->begin, length,
                                                     &s->found, error);
    }
    heed_tokenizer_model_scratch_free(&scratch);
    if (status == HEED_OK && s->found.failed)
        status = heed_fail_memory(error, s->found.count * sizeof *s->found.tokens, "the tokens");
    return status;
}

/* Fills `characters` unless the text is ASCII. */
static heed_status index_characters(sequence *s, const char *text, size_t length, heed_error *error)
{
    size_t ascii = 0;
    while (ascii < length && (unsigned char)text[ascii] < 0x80) ascii++;
    if (ascii == length) return HEED_OK;
    for (size_t at = 0;; s->character_count++) {
        uint32_t point;
        if (!heed_grow(&s->characters, &s->character_capacity, s->character_count + 1,
                       sizeof *s->characters))
            return heed_fail_memory(error, length * sizeof *s->characters, "the offsets");
        s->characters[s->character_count] = (uint32_t)at;
        if (at == length) return HEED_OK;
        at += heed_utf8_next(text + at, length - at, &point, NULL);
    }
}

/* Returns the index of the code point that contains this byte of the input, or the number of code
   points for its end. */
static uint32_t character_of(const sequence *s, uint32_t byte)
{
    size_t low = 0, high = s->character_count;
    if (!s->characters) return byte;
    while (low < high) { /* find the last one that begins at or before the byte */
        size_t middle = (low + high + 1) / 2;
        if (s->characters[middle] <= byte) low = middle;
        else high = middle - 1;
    }
    return (uint32_t)low;
}

/* Returns the byte at which a code point of the input begins. */
static uint32_t byte_of(const sequence *s, uint32_t character)
{
    return s->characters ? s->characters[character] : character;
}

/* Returns the spelling of a token: the vocabulary's, or for an added token the text that it
   matched, with white space. */
static heed_text spelling_of(const heed_vocabulary *vocabulary, const sequence *s,
                             const heed_found_token *token)
{
    const heed_vocabulary_entry *entry = NULL;
    if (!token->added) entry = heed_vocabulary_entry_of(vocabulary, token->id);
    if (entry) return (heed_text){heed_vocabulary_string(vocabulary, entry), entry->length};
    return (heed_text){s->pieces.bytes + token->begin, token->end - token->begin};
}

/* Replaces places in the working text by code points of the input, with white space trimmed. */
static void settle_offsets(const heed_tokenizer *tokenizer, sequence *s)
{
    for (size_t i = 0; i < s->found.count; i++) {
        heed_found_token *token = &s->found.tokens[i];
        heed_range origin = heed_pieces_origin(&s->pieces, token->begin, token->end);
        heed_range offsets = {character_of(s, origin.begin), character_of(s, origin.end)};
        heed_text spelled = spelling_of(&tokenizer->model.vocabulary, s, token);
        if (offsets.end < offsets.begin) offsets.end = offsets.begin;
        heed_post_trim(&tokenizer->post, i, spelled.bytes, spelled.length, &offsets);
        token->begin = offsets.begin;
        token->end = offsets.end;
    }
}

/* Runs all stages up to the model. */
static heed_status run_pipeline(const heed_tokenizer *tokenizer, sequence *s, bool literal,
                                heed_error *error)
{
    HEED_TRY(heed_added_cut(&tokenizer->added, false, literal, &s->pieces, error));
    HEED_TRY(heed_pipeline_run(&tokenizer->normalizer, &s->pieces, error));
    HEED_TRY(heed_added_cut(&tokenizer->added, true, literal, &s->pieces, error));
    HEED_TRY(heed_pipeline_run(&tokenizer->pre_tokenizer, &s->pieces, error));
    return tokenize_pieces(tokenizer, s, error);
}

/* Turns one text into tokens, without special tokens. */
static heed_status tokenize(const heed_tokenizer *tokenizer, heed_text text, unsigned flags,
                            sequence *s, heed_error *error)
{
    bool offsets = flags & HEED_ENCODE_OFFSETS;
    *s = (sequence){.cancel = s->cancel};
    unsigned options = tokenizer->repairs_bytes ? HEED_PIECES_REPAIR_BYTES : 0;
    if (offsets || tokenizer->tracks_always) options |= HEED_PIECES_TRACK;
    HEED_TRY(heed_pieces_init(&s->pieces, text.bytes, text.length, options, error));
    s->pieces.cancel = s->cancel;
    HEED_TRY(run_pipeline(tokenizer, s, flags & HEED_ENCODE_LITERAL, error));
    return offsets ? index_characters(s, text.bytes, text.length, error) : HEED_OK;
}

/* ---- truncation ---- */

/* Keeps `length` tokens: the last ones if `left` is set, otherwise the first ones. */
static void cut_tokens(sequence *s, size_t length, bool left)
{
    if (length >= s->found.count) return;
    if (left)
        memmove(s->found.tokens, s->found.tokens + (s->found.count - length),
                length * sizeof *s->found.tokens);
    s->found.count = length;
}

/* Truncates a pair with the strategy longest_first: each text gets about half of the tokens, unless
   one of them needs less. */
static void cut_longest(sequence *first, sequence *second, size_t room, bool left)
{
    size_t shorter = first->found.count, longer = second->found.count;
    bool swapped = shorter > longer;
    if (swapped) shorter = second->found.count;
    if (shorter > room) longer = shorter;
    else longer = room - shorter > shorter ? room - shorter : shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    cut_tokens(first, swapped ? longer : shorter, left);
    cut_tokens(second, swapped ? shorter : longer, left);
}

/* Truncates to max_length tokens, of which `added` are special ones. `second` is NULL for one
   text. */
static heed_status truncate(const heed_truncation *truncation, size_t added, sequence *first,
                            sequence *second, heed_error *error)
{
    if (truncation->max_length < added)
        return heed_fail(error, HEED_E_ARG,
                         "truncation to %zu tokens leaves no room for %zu special tokens",
                         truncation->max_length, added);
    size_t room = truncation->max_length - added,
           total = first->found.count + (second ? second->found.count : 0);
    if (total <= room) return HEED_OK;
    if (room == 0 || (truncation->strategy == HEED_LONGEST_FIRST && !second)) {
        cut_tokens(first, room, truncation->left);
        if (second) cut_tokens(second, 0, truncation->left);
        return HEED_OK;
    }
    if (truncation->strategy == HEED_LONGEST_FIRST) {
        cut_longest(first, second, room, truncation->left);
        return HEED_OK;
    }
    sequence *target = truncation->strategy == HEED_ONLY_FIRST ? first : second;
    if (!target)
        return heed_fail(error, HEED_E_ARG, "truncation of the second text, but there is only one");
    if (target->found.count <= total - room)
        return heed_fail(error, HEED_E_ARG,
                         "truncation to %zu tokens: the %s text has only %zu, %zu too many are "
                         "there; use longest_first",
                         truncation->max_length, target == first ? "first" : "second",
                         target->found.count, total - room);
    cut_tokens(target, target->found.count - (total - room), truncation->left);
    return HEED_OK;
}

/* ---- joining ---- */

void heed_encoding_free(heed_encoding *encoding)
{
    free(encoding->ids);
    free(encoding->type_ids);
    free(encoding->special_mask);
    free(encoding->attention_mask);
    free(encoding->bytes);
    free(encoding->code_points);
    *encoding = (heed_encoding){0};
}

/* heed_grow for an array whose capacity is kept elsewhere. */
static bool grow_array(void *pointer_to_pointer, size_t capacity, size_t wanted, size_t size)
{
    return heed_grow(pointer_to_pointer, &capacity, wanted, size);
}

/* Makes room for `count` tokens in every array. The capacity changes only after all of them have
   grown. */
static heed_status reserve(heed_encoding *encoding, size_t count, bool offsets, heed_error *error)
{
    if (count > encoding->capacity) {
        if (!grow_array(&encoding->ids, encoding->capacity, count, sizeof *encoding->ids) ||
            !grow_array(&encoding->type_ids, encoding->capacity, count,
                        sizeof *encoding->type_ids) ||
            !grow_array(&encoding->special_mask, encoding->capacity, count,
                        sizeof *encoding->special_mask) ||
            !grow_array(&encoding->attention_mask, encoding->capacity, count,
                        sizeof *encoding->attention_mask))
            return heed_fail_memory(error, count * 10, "the encoding");
        encoding->capacity = count;
    }
    if (offsets && count > encoding->offset_capacity) {
        if (!grow_array(&encoding->bytes, encoding->offset_capacity, count,
                        sizeof *encoding->bytes) ||
            !grow_array(&encoding->code_points, encoding->offset_capacity, count,
                        sizeof *encoding->code_points))
            return heed_fail_memory(error, count * 2 * sizeof *encoding->bytes, "the offsets");
        encoding->offset_capacity = count;
    }
    return HEED_OK;
}

/* Appends a token without offsets and returns its index. */
static size_t put_token(heed_encoding *encoding, int32_t id, int32_t type_id, bool special)
{
    size_t at = encoding->count++;
    encoding->ids[at] = id;
    encoding->type_ids[at] = type_id;
    encoding->special_mask[at] = special;
    encoding->attention_mask[at] = 1;
    if (encoding->bytes) encoding->bytes[at] = encoding->code_points[at] = (heed_range){0, 0};
    return at;
}

/* Appends the tokens of a text. */
static heed_status put_sequence(heed_encoding *encoding, const sequence *s, int32_t type_id,
                                heed_error *error)
{
    for (size_t i = 0; i < s->found.count; i++) {
        if (i % HEED_STEPS_UNASKED == 0)
            HEED_TRY(heed_cancel_check(encoding->cancel, "tokenizing", error));
        const heed_found_token *token = &s->found.tokens[i];
        const size_t at = put_token(encoding, token->id, type_id, false);
        if (!encoding->bytes) continue;
        encoding->bytes[at] = (heed_range){byte_of(s, token->begin), byte_of(s, token->end)};
        encoding->code_points[at] = (heed_range){token->begin, token->end};
    }
    return HEED_OK;
}

/* Returns the number of tokens for which an element of the template stands. */
static size_t piece_tokens(const heed_template_piece *piece, const sequence sequences[2],
                           bool specials)
{
    if (piece->sequence >= 0) return sequences[piece->sequence].found.count;
    return specials ? piece->count : 0;
}

/* Appends the special tokens of an element. */
static void put_specials(heed_encoding *encoding, const heed_template_piece *piece)
{
    const size_t count = encoding->count;
    if (piece->if_absent && piece->count && count && encoding->ids[count - 1] == piece->ids[0])
        return;
    for (size_t i = 0; i < piece->count; i++)
        put_token(encoding, piece->ids[i], piece->type_id, true);
}

/* Fills the encoding as the template says. */
static heed_status join(const heed_template *template, const sequence sequences[2], unsigned flags,
                        heed_encoding *encoding, heed_error *error)
{
    bool offsets = flags & HEED_ENCODE_OFFSETS, specials = flags & HEED_ENCODE_SPECIAL;
    size_t total = 1;
    for (size_t i = 0; i < template->count; i++)
        total += piece_tokens(&template->pieces[i], sequences, specials);
    HEED_TRY(reserve(encoding, total, offsets, error));
    encoding->count = 0;
    for (size_t i = 0; i < template->count; i++) {
        const heed_template_piece *piece = &template->pieces[i];
        if (piece->sequence >= 0)
            HEED_TRY(put_sequence(encoding, &sequences[piece->sequence], piece->type_id, error));
        else if (specials) put_specials(encoding, piece);
    }
    return HEED_OK;
}

/* Frees the offsets of an earlier call. */
static void drop_offsets(heed_encoding *encoding)
{
    free(encoding->bytes);
    free(encoding->code_points);
    encoding->bytes = encoding->code_points = NULL;
    encoding->offset_capacity = 0;
}

heed_status heed_tokenizer_encode_pair(const heed_tokenizer *tokenizer,
                                       const heed_encode_input *input, heed_encoding *encoding,
                                       heed_error *error)
{
    sequence sequences[2] = {{.cancel = encoding->cancel}, {.cancel = encoding->cancel}};
    const unsigned flags = input->flags;
    const bool offsets = flags & HEED_ENCODE_OFFSETS, pair = input->second.bytes != NULL;
    const heed_template *template = pair ? &tokenizer->post.pair : &tokenizer->post.single;
    encoding->count = 0;
    if (!offsets) drop_offsets(encoding);
    heed_status status = tokenize(tokenizer, input->first, flags, &sequences[0], error);
    if (status == HEED_OK && pair)
        status = tokenize(tokenizer, input->second, flags, &sequences[1], error);
    if (status == HEED_OK && input->truncation) {
        const size_t added = flags & HEED_ENCODE_SPECIAL ? template->added : 0;
        sequence *second = pair ? &sequences[1] : NULL;
        status = truncate(input->truncation, added, &sequences[0], second, error);
    }
    for (int i = 0; i < 2 && offsets && status == HEED_OK; i++)
        settle_offsets(tokenizer, &sequences[i]);
    if (status == HEED_OK) status = join(template, sequences, flags, encoding, error);
    sequence_free(&sequences[0]);
    sequence_free(&sequences[1]);
    return status;
}

heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t length,
                                  unsigned flags, heed_encoding *encoding, heed_error *error)
{
    const heed_encode_input input = {.first = {text, length}, .flags = flags};
    return heed_tokenizer_encode_pair(tokenizer, &input, encoding, error);
}

/* ---- padding ---- */

size_t heed_padding_length(const heed_padding *padding, size_t longest)
{
    size_t length = padding->length ? padding->length : longest;
    if (padding->multiple_of > 1 && length % padding->multiple_of)
        length += padding->multiple_of - length % padding->multiple_of;
    return length;
}

heed_status heed_encoding_pad(heed_encoding *encoding, const heed_padding *padding, size_t length,
                              heed_error *error)
{
    const size_t count = encoding->count, from = padding->left ? 0 : count;
    const size_t more = length > count ? length - count : 0;
    if (!more) return HEED_OK;
    HEED_TRY(reserve(encoding, length, encoding->bytes != NULL, error));
    if (padding->left) {
        memmove(encoding->ids + more, encoding->ids, count * sizeof *encoding->ids);
        memmove(encoding->type_ids + more, encoding->type_ids, count * sizeof *encoding->type_ids);
        memmove(encoding->special_mask + more, encoding->special_mask, count);
        memmove(encoding->attention_mask + more, encoding->attention_mask, count);
        if (encoding->bytes) {
            memmove(encoding->bytes + more, encoding->bytes, count * sizeof *encoding->bytes);
            memmove(encoding->code_points + more, encoding->code_points,
                    count * sizeof *encoding->code_points);
        }
    }
    for (size_t i = from; i < from + more; i++) {
        encoding->ids[i] = padding->id;
        encoding->type_ids[i] = padding->type_id;
        encoding->special_mask[i] = 1;
        encoding->attention_mask[i] = 0;
        if (encoding->bytes) encoding->bytes[i] = encoding->code_points[i] = (heed_range){0, 0};
    }
    encoding->count = length;
    return HEED_OK;
}
