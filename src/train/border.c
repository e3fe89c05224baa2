#include "train/border.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

void heed_border_free(heed_border *border)
{
    free(border->ids);
    heed_encoding_free(&border->alone);
    heed_encoding_free(&border->whole);
    heed_encoding_free(&border->other);
    heed_buffer_free(&border->wanted);
    heed_buffer_free(&border->text);
    heed_buffer_free(&border->scratch);
    *border = (heed_border){0};
}

/* A border that is being examined. Only the text from the prompt's last special token on is
   tokenized again, because no token spans a special token. */
typedef struct look {
    heed_border *border;
    const heed_tokenizer *tokenizer;
    const heed_border_place *place;
    size_t kept; /* number of ids of the joint text before `from` */
    size_t from; /* byte at which the special token begins, or 0 */
    unsigned flags;
} look;

/* Encodes a text without the special tokens that the tokenizer adds after it. */
static heed_status encode(const look *l, const char *text, size_t length, unsigned flags,
                          heed_encoding *encoding, heed_error *error)
{
    HEED_TRY(heed_tokenizer_encode(l->tokenizer, text, length,
                                   flags & ~(unsigned)HEED_ENCODE_OFFSETS, encoding, error));
    while (encoding->count && encoding->special_mask[encoding->count - 1]) encoding->count--;
    return HEED_OK;
}

static void cut_at_special(look *l)
{
    const heed_encoding *joint = l->place->joint;
    for (size_t i = joint->count; i-- > 0;) {
        bool before = !joint->special_mask[i] && joint->bytes[i].end <= l->place->begin &&
                      joint->bytes[i].end > 0;
        if (!before || !heed_tokenizer_is_special(l->tokenizer, joint->ids[i])) continue;
        l->kept = i;
        l->from = joint->bytes[i].begin;
        l->flags = 0;
        return;
    }
}

/* Encodes the prompt alone, from l->from on. */
static heed_status encode_prompt(look *l, heed_error *error)
{
    heed_encoding *alone = &l->border->alone;
    const heed_border_place *place = l->place;
    l->kept = l->from = 0;
    l->flags = place->flags;
    cut_at_special(l);
    HEED_TRY(
        encode(l, place->text.bytes + l->from, place->begin - l->from, l->flags, alone, error));
    if (!l->from && !l->kept) return HEED_OK;
    if (alone->count && alone->ids[0] == place->joint->ids[l->kept]) return HEED_OK;
    l->kept = l->from = 0; /* the special token depends on the text before it */
    l->flags = place->flags;
    return encode(l, place->text.bytes, place->begin, l->flags, alone, error);
}

static bool begins_with(const int32_t *ids, size_t count, const int32_t *beginning,
                        size_t beginning_count)
{
    return beginning_count <= count &&
           (!beginning_count || !memcmp(ids, beginning, beginning_count * sizeof *ids));
}

/* Tries the prompt's ids followed by `count` ids; *same becomes whether they decode to the wanted
   text. */
static heed_status try_answer(look *l, const int32_t *ids, size_t count, bool *same,
                              heed_error *error)
{
    heed_border *b = l->border;
    size_t prompt = l->kept + b->alone.count;
    if (!heed_grow(&b->ids, &b->capacity, prompt + count + 1, sizeof *b->ids))
        return heed_fail_memory(error, (prompt + count) * sizeof *b->ids,
                                "a prompt and its answer");
    memcpy(b->ids, l->place->joint->ids, l->kept * sizeof *b->ids);
    if (b->alone.count) memcpy(b->ids + l->kept, b->alone.ids, b->alone.count * sizeof *b->ids);
    if (count) memcpy(b->ids + prompt, ids, count * sizeof *b->ids);
    b->prompt = prompt;
    b->count = prompt + count;
    heed_buffer_clear(&b->text);
    HEED_TRY(heed_tokenizer_decode(l->tokenizer, b->ids + l->kept, b->count - l->kept, false,
                                   &b->text, error));
    *same = b->text.length == b->wanted.length &&
            !memcmp(b->text.data, b->wanted.data, b->text.length);
    return HEED_OK;
}

/* Tries the answer's ids as they are after `anchor` instead of the prompt, if no token spans that
   border. */
static heed_status try_after(look *l, const char *anchor, bool *same, heed_error *error)
{
    heed_border *b = l->border;
    const heed_border_place *place = l->place;
    size_t length = strlen(anchor);
    heed_buffer_clear(&b->scratch);
    heed_buffer_append(&b->scratch, anchor, length);
    heed_buffer_append(&b->scratch, place->text.bytes + place->begin, place->end - place->begin);
    if (b->scratch.failed) return heed_fail_memory(error, place->end - place->begin, "an answer");
    HEED_TRY(encode(l, anchor, length, 0, &b->other, error));
    HEED_TRY(encode(l, b->scratch.data, b->scratch.length, 0, &b->whole, error));
    *same = false;
    if (!begins_with(b->whole.ids, b->whole.count, b->other.ids, b->other.count)) return HEED_OK;
    return try_answer(l, b->whole.ids + b->other.count, b->whole.count - b->other.count, same,
                      error);
}

/* Decodes the ids of prompt and answer: the wanted text. It may differ from the text itself,
   because tokenizers may change it. */
static heed_status decode_wanted(look *l, heed_error *error)
{
    heed_border *b = l->border;
    const heed_border_place *place = l->place;
    heed_buffer_clear(&b->wanted);
    HEED_TRY(
        encode(l, place->text.bytes + l->from, place->end - l->from, l->flags, &b->whole, error));
    HEED_TRY(heed_tokenizer_decode(l->tokenizer, b->whole.ids, b->whole.count, false, &b->wanted,
                                   error));
    heed_buffer_append(&b->wanted, "", 0);
    if (b->wanted.failed) return heed_fail_memory(error, place->end, "a prompt and its answer");
    return HEED_OK;
}

heed_status heed_border_read(heed_border *border, const heed_tokenizer *tokenizer,
                             const heed_border_place *place, heed_error *error)
{
    static const char *const anchors[] = {"",  "a", "\n", ".", "1", "x",
                                          ",", " ", ":",  "e", "Z", "\xE2\x80\xA2"};
    look l = {.border = border, .tokenizer = tokenizer, .place = place};
    const heed_encoding *joint = place->joint;
    border->found = false;
    HEED_TRY(encode_prompt(&l, error));
    border->split = !begins_with(joint->ids + l.kept, joint->count - l.kept, border->alone.ids,
                                 border->alone.count);
    if (!border->split) return HEED_OK;
    HEED_TRY(decode_wanted(&l, error));
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors && !border->found; i++)
        HEED_TRY(try_after(&l, anchors[i], &border->found, error));
    return HEED_OK;
}
