/* normalize_forms.c: the Unicode normal forms (normalize.h). A piece passes through three steps:
   each character is decomposed, the marks after it are sorted by combining class, and for NFC and
   NFKC they are composed with it. Source: Unicode Standard Annex 15. */
#include "text/normalize.h"

#include "base/memory.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

/* A decomposed character that is still to be written. The upper byte of the first field is its
   combining class. `change` says how it is written (write_item). */
typedef struct {
    uint32_t character_and_class;
    int32_t change;
} item;

enum { CLASS_SHIFT = 24, CHARACTER_MASK = 0xFFFFFF, SHORT_RUN = 24, CLASSES = 256 };

typedef struct {
    item *items;
    size_t count, capacity;
} item_list;

/* The state of normalizing a piece. */
typedef struct {
    heed_rewriter *rewriter;
    bool compatible, compose, failed;
    item_list marks;   /* decomposed marks, not sorted yet */
    item_list sorted;  /* memory for sorting */
    item_list blocked; /* composing: marks that did not combine with `base` */
    item base;         /* composing: the character with which the next ones may combine */
    bool has_base;
    unsigned last_class; /* combining class of the last blocked mark, 0 if there is none */
} normalizer;

static unsigned class_of(item i)
{
    return i.character_and_class >> CLASS_SHIFT;
}

static uint32_t character_of(item i)
{
    return i.character_and_class & CHARACTER_MASK;
}

static void push(normalizer *n, item_list *list, item i)
{
    if (heed_grow(&list->items, &list->capacity, list->count + 1, sizeof i))
        list->items[list->count++] = i;
    else n->failed = true;
}

/* Writes a character. With change 0 it replaces the next character of the source, with -k the next
   1 + k characters, and with a positive change it is an insertion. */
static void write_item(const normalizer *n, item i)
{
    heed_rewriter *rewriter = n->rewriter;
    if (i.change > 0) heed_rewriter_insert(rewriter, character_of(i));
    else heed_rewriter_replace(rewriter, character_of(i));
    for (int32_t skipped = i.change; skipped < 0 && rewriter->cursor < rewriter->length; skipped++)
        heed_rewriter_skip(rewriter, heed_utf8_size(rewriter->bytes[rewriter->cursor]));
}

/* Writes the base and the marks that did not combine with it. */
static void write_base(normalizer *n)
{
    if (n->has_base) write_item(n, n->base);
    for (size_t i = 0; i < n->blocked.count; i++) write_item(n, n->blocked.items[i]);
    n->blocked.count = 0;
    n->last_class = 0;
    n->has_base = false;
}

/* One step of canonical composition: combines `next` with the base unless a mark between them
   blocks it. Source: Unicode 3.11, D117. */
static void compose(normalizer *n, item next)
{
    unsigned class = class_of(next);
    if (!n->compose || (!n->has_base && class)) {
        write_item(n, next);
        return;
    }
    bool blocked = n->last_class && n->last_class >= class;
    uint32_t joined = n->has_base && !blocked
                          ? heed_char_compose(character_of(n->base), character_of(next))
                          : 0;
    if (joined) {
        n->base = (item){joined, n->base.change + next.change - 1};
    } else if (class) {
        push(n, &n->blocked, next);
        n->last_class = class;
    } else {
        write_base(n);
        n->base = next;
        n->has_base = true;
    }
}

/* Insertion sort by combining class, which is stable. */
static void sort_short(item_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        item moved = list->items[i];
        size_t at = i;
        for (; at > 0 && class_of(list->items[at - 1]) > class_of(moved); at--)
            list->items[at] = list->items[at - 1];
        list->items[at] = moved;
    }
}

/* Counting sort by combining class, which is stable and linear in the length of the run. */
static void sort_long(normalizer *n)
{
    size_t starts[CLASSES + 1] = {0};
    item_list *marks = &n->marks;
    if (!heed_grow(&n->sorted.items, &n->sorted.capacity, marks->count, sizeof *marks->items)) {
        n->failed = true;
        return;
    }
    for (size_t i = 0; i < marks->count; i++) starts[class_of(marks->items[i]) + 1]++;
    for (size_t i = 1; i <= CLASSES; i++) starts[i] += starts[i - 1];
    for (size_t i = 0; i < marks->count; i++)
        n->sorted.items[starts[class_of(marks->items[i])]++] = marks->items[i];
    memcpy(marks->items, n->sorted.items, marks->count * sizeof *marks->items);
}

/* Sorts the marks and passes them to composition. */
static void flush_marks(normalizer *n)
{
    if (n->marks.count <= SHORT_RUN) sort_short(&n->marks);
    else sort_long(n);
    for (size_t i = 0; i < n->marks.count && !n->failed; i++) compose(n, n->marks.items[i]);
    n->marks.count = 0;
}

/* Decomposes a character of the source. */
static void take_character(normalizer *n, uint32_t c)
{
    uint32_t parts[HEED_DECOMPOSITION_MAX];
    size_t count = heed_char_decompose(c, n->compatible, parts);
    for (size_t i = 0; i < count; i++) {
        unsigned class = heed_char_combining_class(parts[i]);
        item part = {parts[i] | class << CLASS_SHIFT, i > 0};
        if (class) push(n, &n->marks, part);
        else {
            flush_marks(n);
            compose(n, part);
        }
    }
}

/* Returns the end of the run from `at` that normalization does not change: characters below
   `limit`, without the last one if a character follows that might combine with it. */
static size_t quiet_end(const heed_rewriter *rewriter, size_t at, uint32_t limit)
{
    size_t end = at, last = at;
    while (end < rewriter->length) {
        size_t size;
        if (heed_utf8_at(rewriter->bytes, end, &size) >= limit) return last;
        last = end;
        end += size;
    }
    return end;
}

/* Returns the first code point that the form changes or that may combine with the character before
   it. */
static uint32_t first_affected(const heed_stage *stage)
{
    if (stage->compatible) return 0xA0;
    return stage->compose ? 0x300 : 0xC0;
}

heed_status heed_normal_form(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    const heed_stage *stage = stage_pointer;
    normalizer n = {
        .rewriter = rewriter, .compatible = stage->compatible, .compose = stage->compose};
    uint32_t limit = first_affected(stage);
    for (size_t at = 0; at < rewriter->length && !n.failed;) {
        size_t quiet = quiet_end(rewriter, at, limit), size;
        if (quiet > at) {
            flush_marks(&n);
            write_base(&n);
            heed_rewriter_copy(rewriter, quiet - at);
            at = quiet;
            continue;
        }
        uint32_t c = heed_utf8_at(rewriter->bytes, at, &size);
        take_character(&n, c);
        at += size;
    }
    flush_marks(&n);
    write_base(&n);
    free(n.marks.items);
    free(n.sorted.items);
    free(n.blocked.items);
    return n.failed ? heed_fail_memory(error, rewriter->length, "Unicode normalization") : HEED_OK;
}
