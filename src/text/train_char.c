/* train_char.c: trains a vocabulary of characters, which is BPE without merges: each character is a
   token, any other character is unknown, and the decoder Fuse concatenates tokens. */
#include "text/train.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/pieces.h"
#include <stdlib.h>
#include <string.h>

static heed_status feed_char(heed_tokenizer_trainer *trainer, const char *text, size_t length,
                             heed_error *error)
{
    for (size_t at = 0, step = 0; at < length; at += heed_utf8_size(text[at]), step++) {
        if (step % HEED_STEPS_UNASKED == 0)
            HEED_TRY(heed_cancel_check(trainer->cancel, "counting characters", error));
        HEED_TRY(heed_counts_add(&trainer->counted, text + at, heed_utf8_size(text[at]), error));
    }
    return HEED_OK;
}

typedef struct {
    uint32_t code_point;
    uint64_t count;
} character;

static int more_frequent_first(const void *a, const void *b)
{
    const character *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return x->code_point < y->code_point ? -1 : x->code_point > y->code_point;
}

static int smaller_first(const void *a, const void *b)
{
    uint32_t x = ((const character *)a)->code_point, y = ((const character *)b)->code_point;
    return x < y ? -1 : x > y;
}

/* Returns the characters that are kept, in order of code point: those that are frequent enough and,
   if there are too many, the most frequent. NULL if out of memory. */
static character *choose(const heed_tokenizer_trainer *trainer, size_t specials, size_t *count)
{
    const heed_counts *counted = &trainer->counted;
    character *chosen = heed_allocate(counted->strings.count + 1, sizeof *chosen);
    *count = 0;
    if (!chosen) return NULL;
    for (size_t i = 0; i < counted->strings.count; i++) {
        size_t size;
        const heed_vocabulary_entry *entry = &counted->strings.entries[i];
        if (counted->counts[entry->id] < trainer->min_frequency) continue;
        chosen[(*count)++] = (character){
            heed_utf8_at(heed_vocabulary_string(&counted->strings, entry), 0, &size),
            counted->counts[entry->id]};
    }
    size_t room = trainer->vocab_size > specials ? trainer->vocab_size - specials : 0;
    if (trainer->vocab_size && *count > room) {
        qsort(chosen, *count, sizeof *chosen, more_frequent_first);
        *count = room;
    }
    qsort(chosen, *count, sizeof *chosen, smaller_first);
    return chosen;
}

/* Adds the characters to the vocabulary. */
static heed_status add_characters(const character *chosen, size_t count,
                                  heed_vocabulary *vocabulary, bool *has_nul, heed_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char encoded[4];
        size_t size = heed_utf8_put(chosen[i].code_point, encoded);
        /* jansson's keys cannot contain U+0000, so it becomes an added token */
        if (chosen[i].code_point == 0) *has_nul = true;
        else if (heed_vocabulary_find(vocabulary, encoded, size) < 0)
            HEED_TRY(heed_vocabulary_add(vocabulary, encoded, size, (int64_t)vocabulary->count,
                                         "characters", error));
    }
    return HEED_OK;
}

static const char *unknown_token(const heed_tokenizer_trainer *trainer)
{
    for (int i = 0; i < trainer->special_count; i++)
        if (trainer->special[i].part == HEED_UNK) return trainer->special[i].content;
    return "";
}

static heed_status finish_char(const heed_tokenizer_trainer *trainer, json_t **json,
                               heed_error *error)
{
    heed_vocabulary vocabulary = {0};
    size_t count = 0;
    bool has_nul = false;
    heed_status status = heed_trainer_add_special(trainer, &vocabulary, error);
    character *chosen = status == HEED_OK ? choose(trainer, vocabulary.count, &count) : NULL;
    if (status == HEED_OK && !chosen)
        status = heed_fail_memory(error, trainer->counted.strings.count * sizeof *chosen,
                                  "the characters");
    if (status == HEED_OK) status = add_characters(chosen, count, &vocabulary, &has_nul, error);
    if (status == HEED_OK) {
        json_t *model = json_pack("{s:s, s:n, s:s, s:n, s:n, s:b, s:b, s:b, s:o, s:[]}", "type",
                                  "BPE", "dropout", "unk_token", unknown_token(trainer),
                                  "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                                  "byte_fallback", 0, "ignore_merges", 0, "vocab",
                                  heed_trainer_vocabulary_json(&vocabulary), "merges");
        json_t *added = has_nul ? json_pack("[{s:s%, s:b, s:b}]", "content", "", (size_t)1,
                                            "special", 0, "normalized", 0)
                                : json_array();
        *json = json_pack("{s:s, s:o, s:n, s:n, s:{s:s}, s:o}", "version", "1.0", "added_tokens",
                          added, "normalizer", "pre_tokenizer", "decoder", "type", "Fuse", "model",
                          model);
        if (!*json)
            status = heed_fail_memory(error, vocabulary.strings_length, "the trained tokenizer");
    }
    free(chosen);
    heed_vocabulary_free(&vocabulary);
    return status;
}

const heed_trainer_kind heed_trainer_char = {"char", feed_char, finish_char};
