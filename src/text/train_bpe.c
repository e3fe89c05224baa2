/* train_bpe.c: trains byte-level BPE. Merges are found in the order of the library's BpeTrainer:
   the most frequent pair of neighboring symbols is joined in all words, and this is repeated; among
   equally frequent pairs the one with the smaller ids comes first. After a merge, only the words
   that contain the pair are visited to update the counts of pairs. The queue is lazy: an entry
   whose count has changed is put back with the new count when it comes up. Source: Sennrich, Haddow
   & Birch 2016; Radford et al. 2019. */
#include "text/train.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/pattern.h"
#include "text/stage.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t *ids;
    size_t count;
} word; /* the symbols of a word; all words share one block */

typedef struct {
    uint32_t *words;
    size_t count, capacity;
} word_list;

/* A pair of neighboring symbols: how often it occurs, and the words in which it appeared since it
   was queued last. */
typedef struct {
    uint64_t pair;
    int64_t count;
    word_list fresh;
    bool used;
} pair_entry;

typedef struct {
    uint64_t pair;
    int64_t count;
    word_list words;
} candidate;

typedef struct {
    const heed_tokenizer_trainer *trainer;
    heed_vocabulary tokens;
    word *words;
    int32_t *symbols;
    pair_entry *pairs; /* hash table with open addressing; a power of two */
    size_t pair_slots, pair_count;
    candidate *queue; /* a heap with the next merge first */
    size_t queue_count, queue_capacity;
    uint64_t *touched; /* pairs with new words */
    size_t touched_count, touched_capacity;
    heed_merge *merges;
    size_t merge_count, merge_capacity;
    bool failed;
} bpe_trainer;

/* ---- counting words ---- */

typedef struct {
    heed_tokenizer_trainer *trainer;
    const char *text;
    heed_status status;
    heed_error *error;
} feeding;

static void count_word(void *context, size_t begin, size_t end, bool is_match)
{
    feeding *f = context;
    (void)is_match; /* the parts cover the text */
    if (f->status == HEED_OK)
        f->status = heed_counts_add(&f->trainer->counted, f->text + begin, end - begin, f->error);
}

static heed_status feed_bpe(heed_tokenizer_trainer *trainer, const char *text, size_t length,
                            heed_error *error)
{
    feeding f = {trainer, text, HEED_OK, error};
    HEED_TRY(heed_pattern_scan(trainer->words, text, length, count_word, &f, error));
    return f.status;
}

/* ---- the queue ---- */

/* Order of the queue: greater count first, then smaller ids. */
static bool comes_before(const candidate *a, const candidate *b)
{
    return a->count != b->count ? a->count > b->count : a->pair < b->pair;
}

static void sift_down(candidate *queue, size_t count)
{
    candidate moved = queue[0];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && comes_before(&queue[child + 1], &queue[child])) child++;
        if (!comes_before(&queue[child], &moved)) break;
        queue[at] = queue[child];
    }
    queue[at] = moved;
}

static void queue_push(bpe_trainer *t, candidate added)
{
    if (!heed_grow(&t->queue, &t->queue_capacity, t->queue_count + 1, sizeof added)) {
        free(added.words.words);
        t->failed = true;
        return;
    }
    size_t at = t->queue_count++;
    for (size_t parent; at > 0 && comes_before(&added, &t->queue[parent = (at - 1) / 2]);
         at = parent)
        t->queue[at] = t->queue[parent];
    t->queue[at] = added;
}

static candidate queue_pop(bpe_trainer *t)
{
    candidate top = t->queue[0];
    t->queue[0] = t->queue[--t->queue_count];
    if (t->queue_count) sift_down(t->queue, t->queue_count);
    return top;
}

/* ---- pairs ---- */

/* Returns the slot of a pair, or the free slot where it belongs. */
static size_t slot_of(const bpe_trainer *t, uint64_t pair)
{
    size_t slot = (size_t)((pair * 0x9E3779B97F4A7C15u) >> 32) & (t->pair_slots - 1);
    while (t->pairs[slot].used && t->pairs[slot].pair != pair)
        slot = (slot + 1) & (t->pair_slots - 1);
    return slot;
}

static bool grow_pairs(bpe_trainer *t)
{
    pair_entry *old = t->pairs;
    size_t old_slots = t->pair_slots;
    pair_entry *grown = heed_allocate(old_slots ? old_slots * 2 : 4096, sizeof *grown);
    if (!grown) return false;
    t->pairs = grown;
    t->pair_slots = old_slots ? old_slots * 2 : 4096;
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].used) t->pairs[slot_of(t, old[i].pair)] = old[i];
    free(old);
    return true;
}

/* Changes the count of a pair. If it increases, remembers the word. */
static void change_pair(bpe_trainer *t, uint64_t pair, int64_t change, uint32_t in_word)
{
    if ((t->pair_count + 1) * 2 > t->pair_slots && !grow_pairs(t)) t->failed = true;
    if (t->failed) return;
    pair_entry *entry = &t->pairs[slot_of(t, pair)];
    if (!entry->used) {
        *entry = (pair_entry){.pair = pair, .used = true};
        t->pair_count++;
    }
    entry->count += change;
    if (change <= 0 ||
        (entry->fresh.count && entry->fresh.words[entry->fresh.count - 1] == in_word))
        return;
    bool first = entry->fresh.count == 0;
    if (!heed_grow(&entry->fresh.words, &entry->fresh.capacity, entry->fresh.count + 1,
                   sizeof in_word) ||
        (first &&
         !heed_grow(&t->touched, &t->touched_capacity, t->touched_count + 1, sizeof pair))) {
        t->failed = true;
        return;
    }
    entry->fresh.words[entry->fresh.count++] = in_word;
    if (first) t->touched[t->touched_count++] = pair;
}

/* Queues the pairs that appeared in words since the last merge, with those words. */
static void queue_touched(bpe_trainer *t)
{
    for (size_t i = 0; i < t->touched_count; i++) {
        pair_entry *entry = &t->pairs[slot_of(t, t->touched[i])];
        if (entry->count > 0) queue_push(t, (candidate){entry->pair, entry->count, entry->fresh});
        else free(entry->fresh.words);
        entry->fresh = (word_list){0};
    }
    t->touched_count = 0;
}

/* ---- merging ---- */

/* Joins a pair in a word from left to right, and updates the counts of the pairs next to it. */
static void merge_in_word(bpe_trainer *t, uint32_t index, heed_merge merge)
{
    word *w = &t->words[index];
    int64_t times = (int64_t)t->trainer->counted.counts[index];
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (i + 1 >= w->count || w->ids[i] != merge.left || w->ids[i + 1] != merge.right) {
            w->ids[kept++] = w->ids[i];
            continue;
        }
        if (kept > 0) {
            change_pair(t, heed_merge_pair(w->ids[kept - 1], merge.left), -times, index);
            change_pair(t, heed_merge_pair(w->ids[kept - 1], merge.joined), times, index);
        }
        w->ids[kept++] = merge.joined;
        i++;
        if (i + 1 < w->count) {
            change_pair(t, heed_merge_pair(merge.right, w->ids[i + 1]), -times, index);
            change_pair(t, heed_merge_pair(merge.joined, w->ids[i + 1]), times, index);
        }
    }
    w->count = kept;
}

/* Finds the token that a pair becomes. It is a new token unless its string is a token. */
static heed_status joined_token(bpe_trainer *t, heed_merge *merge, heed_error *error)
{
    const heed_vocabulary_entry *left = &t->tokens.entries[merge->left],
                                *right = &t->tokens.entries[merge->right];
    size_t left_length = left->length, length = left_length + right->length;
    char *string = heed_allocate(length + 1, 1);
    if (!string) return heed_fail_memory(error, length, "a token");
    memcpy(string, heed_vocabulary_string(&t->tokens, left), left_length);
    memcpy(string + left_length, heed_vocabulary_string(&t->tokens, right), right->length);
    heed_status status = HEED_OK;
    merge->joined = heed_vocabulary_find(&t->tokens, string, length);
    if (merge->joined < 0) {
        merge->joined = (int32_t)t->tokens.count;
        status = heed_vocabulary_add(&t->tokens, string, length, merge->joined, "merges", error);
    }
    free(string);
    return status;
}

/* Merges until the vocabulary is full or no pair is frequent enough. */
static heed_status do_merges(bpe_trainer *t, heed_error *error)
{
    heed_status status = HEED_OK;
    while (status == HEED_OK && !t->failed && t->tokens.count < t->trainer->vocab_size &&
           t->queue_count) {
        candidate top = queue_pop(t);
        int64_t count = t->pairs[slot_of(t, top.pair)].count;
        if (top.count != count) {
            top.count = count;
            queue_push(t, top);
            continue;
        }
        bool done = count < 1 || (uint64_t)count < t->trainer->min_frequency;
        heed_merge merge = {
            .left = (int32_t)(top.pair >> 32), .right = (int32_t)(uint32_t)top.pair, .joined = -1};
        if (!done) status = joined_token(t, &merge, error);
        if (!done && status == HEED_OK) {
            if (heed_grow(&t->merges, &t->merge_capacity, t->merge_count + 1, sizeof merge))
                t->merges[t->merge_count++] = merge;
            else t->failed = true;
            for (size_t i = 0; i < top.words.count && !t->failed; i++)
                merge_in_word(t, top.words.words[i], merge);
            queue_touched(t);
        }
        free(top.words.words);
        if (done) break;
    }
    return status == HEED_OK && t->failed
               ? heed_fail_memory(error, t->pair_slots * sizeof *t->pairs, "training the tokenizer")
               : status;
}

/* ---- setting up ---- */

/* Adds special tokens, then the characters of the bytes in order of code point. */
static heed_status add_alphabet(bpe_trainer *t, heed_error *error)
{
    HEED_TRY(heed_trainer_add_special(t->trainer, &t->tokens, error));
    for (uint32_t c = 0; c < 0x180; c++) {
        char encoded[4];
        if (heed_character_byte(c) < 0) continue;
        size_t size = heed_utf8_put(c, encoded);
        if (heed_vocabulary_find(&t->tokens, encoded, size) < 0)
            HEED_TRY(heed_vocabulary_add(&t->tokens, encoded, size, (int64_t)t->tokens.count,
                                         "alphabet", error));
    }
    return HEED_OK;
}

/* Turns the counted words into symbols, and counts and queues their pairs. */
static heed_status spell_words(bpe_trainer *t, heed_error *error)
{
    const heed_vocabulary *strings = &t->trainer->counted.strings;
    int32_t byte_ids[256];
    size_t at = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        char encoded[4];
        size_t size = heed_utf8_put(heed_byte_character((unsigned char)byte), encoded);
        byte_ids[byte] = heed_vocabulary_find(&t->tokens, encoded, size);
    }
    t->words = heed_allocate(strings->count, sizeof *t->words);
    t->symbols = heed_allocate(strings->strings_length, sizeof *t->symbols);
    if (!t->words || !t->symbols)
        return heed_fail_memory(error, strings->strings_length * sizeof *t->symbols, "the words");
    for (size_t i = 0; i < strings->count; i++) {
        const heed_vocabulary_entry *entry = &strings->entries[i];
        const char *bytes = heed_vocabulary_string(strings, entry);
        t->words[i] = (word){t->symbols + at, entry->length};
        for (size_t j = 0; j < entry->length; j++)
            t->symbols[at++] = byte_ids[(unsigned char)bytes[j]];
        for (size_t j = 0; j + 1 < entry->length && !t->failed; j++)
            change_pair(t, heed_merge_pair(t->words[i].ids[j], t->words[i].ids[j + 1]),
                        (int64_t)t->trainer->counted.counts[i], (uint32_t)i);
    }
    queue_touched(t);
    return t->failed ? heed_fail_memory(error, t->pair_slots * sizeof *t->pairs, "counting pairs")
                     : HEED_OK;
}

static void bpe_trainer_free(bpe_trainer *t)
{
    for (size_t i = 0; i < t->pair_slots; i++) free(t->pairs[i].fresh.words);
    for (size_t i = 0; i < t->queue_count; i++) free(t->queue[i].words.words);
    free(t->pairs);
    free(t->queue);
    free(t->touched);
    free(t->merges);
    free(t->words);
    free(t->symbols);
    heed_vocabulary_free(&t->tokens);
}

static json_t *merge_json(const heed_vocabulary *tokens, heed_merge merge)
{
    const heed_vocabulary_entry *left = &tokens->entries[merge.left],
                                *right = &tokens->entries[merge.right];
    return json_pack("[s%, s%]", heed_vocabulary_string(tokens, left), (size_t)left->length,
                     heed_vocabulary_string(tokens, right), (size_t)right->length);
}

/* Lists the merges. A pair that was merged twice is listed at its last place, as in the library's
   table of merges. */
static json_t *merges_json(bpe_trainer *t)
{
    json_t *list = json_array();
    int failed = !list;
    for (size_t i = 0; i < t->merge_count; i++)
        t->pairs[slot_of(t, heed_merge_pair(t->merges[i].left, t->merges[i].right))].count =
            (int64_t)i;
    for (size_t i = 0; i < t->merge_count && !failed; i++)
        if (t->pairs[slot_of(t, heed_merge_pair(t->merges[i].left, t->merges[i].right))].count ==
            (int64_t)i)
            failed = json_array_append_new(list, merge_json(&t->tokens, t->merges[i]));
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

/* Trains on the counted words and builds the tokenizer.json. */
static heed_status finish_bpe(const heed_tokenizer_trainer *trainer, json_t **json,
                              heed_error *error)
{
    bpe_trainer t = {.trainer = trainer};
    heed_status status = add_alphabet(&t, error);
    if (status == HEED_OK) status = spell_words(&t, error);
    if (status == HEED_OK) status = do_merges(&t, error);
    if (status == HEED_OK) {
        json_t *model = json_pack(
            "{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout",
            "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
            "byte_fallback", 0, "ignore_merges", 0, "vocab",
            heed_trainer_vocabulary_json(&t.tokens), "merges", merges_json(&t));
        *json = json_pack("{s:s, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:b, s:b, s:b}, s:o}",
                          "version", "1.0", "normalizer", "pre_tokenizer", "type", "ByteLevel",
                          "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1, "decoder",
                          "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1,
                          "use_regex", 1, "model", model);
        if (!*json)
            status = heed_fail_memory(error, t.tokens.strings_length, "the trained tokenizer");
    }
    bpe_trainer_free(&t);
    return status;
}

const heed_trainer_kind heed_trainer_bpe = {"bpe", feed_bpe, finish_bpe};
