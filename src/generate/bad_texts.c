/* bad_texts.c: finds the tokens that would complete a forbidden text, by binary search among the
   vocabulary in the order of its bytes. */
#include "generate/bad_texts.h"

#include "base/memory.h"
#include "jinja/characters.h"
#include "text/trie.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One spelling of a forbidden text, with the letters A to Z in lower case. */
typedef struct form {
    const char *text;
    size_t length;
} form;

/* The forms, and the vocabulary in the order in which it is searched. */
struct heed_bad_texts {
    heed_token_bytes tokens; /* bytes of all tokens, with the letters A to Z in lower case */
    int32_t *order;          /* (ordered) ids in the order of their bytes */
    size_t ordered;          /* the number of ids that have bytes */
    form *forms;
    size_t form_count, form_capacity;
    int32_t *always; /* (always_count) ids whose own bytes hold a form */
    size_t always_count, always_capacity;
    char *tail;     /* (longest + 1) scratch: the last bytes of a text */
    size_t longest; /* bytes of the longest form */
    heed_arena *arena;
};

/* Returns a byte with the letters A to Z in lower case. */
static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

void heed_bad_texts_free(heed_bad_texts *bad)
{
    if (!bad) return;
    heed_token_bytes_free(&bad->tokens);
    heed_arena_free(bad->arena);
    free(bad->order);
    free(bad->forms);
    free(bad->always);
    free(bad->tail);
    free(bad);
}

/* ---- forms of a text ---- */

/* Adds a form unless it is there already. */
static heed_status add_form(heed_bad_texts *bad, const char *text, size_t length, heed_error *error)
{
    char *copy = heed_arena_take(bad->arena, length + 1, 1);
    if (!copy ||
        !heed_grow(&bad->forms, &bad->form_capacity, bad->form_count + 1, sizeof *bad->forms))
        return heed_fail_memory(error, length + 1, "the bad words");
    for (size_t i = 0; i < length; i++) copy[i] = small(text[i]);
    for (size_t i = 0; i < bad->form_count; i++)
        if (bad->forms[i].length == length && !memcmp(bad->forms[i].text, copy, length))
            return HEED_OK;
    bad->forms[bad->form_count++] = (form){copy, length};
    if (length > bad->longest) bad->longest = length;
    return HEED_OK;
}

/* Writes a text in lower case, in upper case, with a capital and with a capital in each word to
   forms[0] to forms[3]. */
static void make_cases(const char *text, size_t length, heed_buffer forms[4])
{
    uint32_t c;
    size_t first = jinja_next(text, length, 0, &c);
    heed_jinja_put_case(&forms[0], text, length, JINJA_TO_LOWER);
    heed_jinja_put_case(&forms[1], text, length, JINJA_TO_UPPER);
    heed_jinja_put_case(&forms[2], text, first, JINJA_TO_TITLE);
    heed_jinja_put_case(&forms[2], text + first, length - first, JINJA_TO_LOWER);
    for (size_t at = 0, step; at < length; at += step) {
        step = jinja_next(text, length, at, &c);
        bool begins = at == 0 || text[at - 1] == ' ';
        heed_jinja_put_case(&forms[3], text + at, step, begins ? JINJA_TO_TITLE : JINJA_TO_LOWER);
    }
}

/* Adds all forms of a text. */
static heed_status add_text(heed_bad_texts *bad, const char *text, heed_error *error)
{
    heed_buffer forms[4] = {{0}};
    size_t length = strlen(text);
    if (!length) return HEED_OK;
    make_cases(text, length, forms);
    heed_status status = add_form(bad, text, length, error);
    for (int i = 0; i < 4; i++) {
        if (status == HEED_OK && forms[i].failed)
            status = heed_fail_memory(error, length, "the bad words");
        if (status == HEED_OK) status = add_form(bad, forms[i].data, forms[i].length, error);
        heed_buffer_free(&forms[i]);
    }
    return status;
}

/* ---- tokens by their bytes ---- */

/* Orders byte strings as memcmp does, a prefix before what it begins. */
static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    if (order) return order;
    return a_length < b_length ? -1 : a_length > b_length;
}

typedef struct entry {
    const char *bytes;
    size_t length;
    int32_t id;
} entry;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare(x->bytes, x->length, y->bytes, y->length);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* Brings the ids that have bytes into the order of these bytes. */
static heed_status sort_tokens(heed_bad_texts *bad, heed_error *error)
{
    size_t count = bad->tokens.count;
    entry *entries = heed_allocate(count + 1, sizeof *entries);
    bad->order = heed_allocate(count + 1, sizeof *bad->order);
    if (!entries || !bad->order) {
        free(entries);
        return heed_fail_memory(error, count * sizeof *entries, "the bad words");
    }
    for (size_t i = 0; i < bad->tokens.text.length; i++)
        bad->tokens.bytes[i] = small(bad->tokens.bytes[i]);
    for (size_t id = 0; id < count; id++) {
        size_t length;
        const char *bytes = heed_token_bytes_at(&bad->tokens, id, &length);
        if (length) entries[bad->ordered++] = (entry){bytes, length, (int32_t)id};
    }
    if (bad->ordered) qsort(entries, bad->ordered, sizeof *entries, compare_entries);
    for (size_t i = 0; i < bad->ordered; i++) bad->order[i] = entries[i].id;
    free(entries);
    return HEED_OK;
}

/* Do these bytes hold one of the forms? */
static bool holds_form(const heed_trie *forms, const char *bytes, size_t length)
{
    size_t size;
    for (size_t at = 0; at < length; at++)
        if (heed_trie_match(forms, bytes + at, length - at, NULL, NULL, &size) >= 0) return true;
    return false;
}

/* Collects the tokens that hold a form by themselves. */
static heed_status find_always(heed_bad_texts *bad, const heed_trie *forms, heed_error *error)
{
    for (size_t i = 0; i < bad->ordered; i++) {
        size_t length;
        const char *bytes = heed_token_bytes_at(&bad->tokens, (size_t)bad->order[i], &length);
        if (!holds_form(forms, bytes, length)) continue;
        if (!heed_grow(&bad->always, &bad->always_capacity, bad->always_count + 1,
                       sizeof *bad->always))
            return heed_fail_memory(error, bad->always_count * sizeof *bad->always,
                                    "the bad words");
        bad->always[bad->always_count++] = bad->order[i];
    }
    return HEED_OK;
}

/* Makes a trie of the forms and collects the tokens that hold one. */
static heed_status mark_tokens(heed_bad_texts *bad, heed_error *error)
{
    heed_trie forms = {0};
    bool made = true;
    for (size_t i = 0; i < bad->form_count && made; i++)
        made = heed_trie_add(&forms, bad->forms[i].text, bad->forms[i].length, (int32_t)i);
    heed_status status = HEED_OK;
    if (!made) status = heed_fail_memory(error, bad->form_count, "the bad words");
    else if (bad->form_count) status = find_always(bad, &forms, error);
    heed_trie_free(&forms);
    return status;
}

heed_status heed_bad_texts_new(heed_bad_texts **result, const heed_tokenizer *tokenizer,
                               size_t count, const char *const *texts, size_t text_count,
                               heed_error *error)
{
    *result = NULL;
    heed_bad_texts *bad = heed_allocate(1, sizeof *bad);
    if (!bad) return heed_fail_memory(error, sizeof *bad, "the bad words");
    bad->arena = heed_arena_new();
    heed_status status = bad->arena ? HEED_OK
                                    : heed_fail_memory(error, sizeof *bad, "the bad words");
    for (size_t i = 0; i < text_count && status == HEED_OK; i++)
        status = add_text(bad, texts[i], error);
    if (status == HEED_OK) status = heed_token_bytes_make(&bad->tokens, tokenizer, count, error);
    if (status == HEED_OK) status = sort_tokens(bad, error);
    if (status == HEED_OK) status = mark_tokens(bad, error);
    if (status == HEED_OK && !(bad->tail = heed_allocate(bad->longest + 1, 1)))
        status = heed_fail_memory(error, bad->longest, "the bad words");
    if (status == HEED_OK) *result = bad;
    else heed_bad_texts_free(bad);
    return status;
}

/* ---- the next token ---- */

/* Writes the last bytes of the text to the end of bad->tail, at most one less than the longest form
   has. Returns where they begin. A special token of the prompt ends the search. */
static const char *find_tail(const heed_bad_texts *bad, const int32_t *ids, int64_t count,
                             int64_t prompt)
{
    char *end = bad->tail + bad->longest, *begin = end;
    for (int64_t i = count - 1; i >= 0 && begin > bad->tail + 1; i--) {
        size_t length = 0, room = (size_t)(begin - bad->tail) - 1;
        bool known = ids[i] >= 0 && (size_t)ids[i] < bad->tokens.count;
        const char *bytes = known ? heed_token_bytes_at(&bad->tokens, (size_t)ids[i], &length) : "";
        if (!length && i < prompt) break;
        size_t taken = length < room ? length : room;
        begin -= taken;
        memcpy(begin, bytes + (length - taken), taken);
    }
    return begin;
}

/* Returns the place in `order` of the first token that does not come before `text`. */
static size_t lower_bound(const heed_bad_texts *bad, const char *text, size_t text_length)
{
    size_t low = 0, high = bad->ordered;
    while (low < high) {
        size_t middle = (low + high) / 2, length;
        const char *bytes = heed_token_bytes_at(&bad->tokens, (size_t)bad->order[middle], &length);
        if (compare(bytes, length, text, text_length) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void forbid(float *scores, int64_t vocabulary, int32_t id)
{
    if (id < vocabulary) scores[id] = -INFINITY;
}

/* Forbids all tokens that begin with `text`. */
static void forbid_beginning(const heed_bad_texts *bad, const char *text, size_t text_length,
                             float *scores, int64_t vocabulary)
{
    for (size_t i = lower_bound(bad, text, text_length); i < bad->ordered; i++) {
        size_t length;
        const char *bytes = heed_token_bytes_at(&bad->tokens, (size_t)bad->order[i], &length);
        if (length < text_length || memcmp(bytes, text, text_length) != 0) return;
        forbid(scores, vocabulary, bad->order[i]);
    }
}

void heed_bad_texts_forbid(const heed_bad_texts *bad, const int32_t *ids, int64_t count,
                           int64_t prompt, float *scores, int64_t vocabulary)
{
    if (!bad->form_count) return;
    const char *end = bad->tail + bad->longest, *tail = find_tail(bad, ids, count, prompt);
    for (size_t i = 0; i < bad->always_count; i++) forbid(scores, vocabulary, bad->always[i]);
    for (size_t i = 0; i < bad->form_count; i++) {
        const form *f = &bad->forms[i];
        size_t most = f->length - 1 < (size_t)(end - tail) ? f->length - 1 : (size_t)(end - tail);
        for (size_t k = 1; k <= most; k++) /* Here the text ends with the form's first k bytes. */
            if (end[-1] == f->text[k - 1] && memcmp(end - k, f->text, k) == 0)
                forbid_beginning(bad, f->text + k, f->length - k, scores, vocabulary);
    }
}
