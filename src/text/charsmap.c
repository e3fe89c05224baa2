/* charsmap.c: the normalization table of SentencePiece (charsmap.h). Source: Aoe 1989, "An
   efficient digital search algorithm by using a double-array structure"; the units are those of
   Darts-clone. */
#include "text/charsmap.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* A unit of the double array. A node whose unit has LEAF ends a string; the unit at the node's
   offset then holds its value, the place of the replacement. */
enum { LEAF = 1 << 8, OFFSET_SHIFT = 10, FAR = 1 << 9, FAR_SHIFT = 6, LABEL = 0xFF };
static const uint32_t VALUE = 0x7FFFFFFF, NO_LABEL = 0x80000000;

struct heed_charsmap {
    uint32_t *units;
    size_t count;
    char *texts; /* a NUL follows */
    size_t length;
};

static uint32_t little_endian(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static heed_status copy_parts(heed_charsmap *charsmap, const char *trie, const char *texts,
                              heed_error *error)
{
    charsmap->units = heed_allocate(charsmap->count, sizeof *charsmap->units);
    charsmap->texts = heed_allocate(charsmap->length + 1, 1);
    if (!charsmap->units || !charsmap->texts)
        return heed_fail_memory(error, charsmap->count * sizeof *charsmap->units,
                                "the normalization table");
    for (size_t i = 0; i < charsmap->count; i++) charsmap->units[i] = little_endian(trie + 4 * i);
    memcpy(charsmap->texts, texts, charsmap->length);
    return HEED_OK;
}

heed_status heed_charsmap_new(heed_charsmap **charsmap, const char *bytes, size_t length,
                              const char *where, heed_error *error)
{
    const size_t size = length < 4 ? 0 : little_endian(bytes);
    if (size < 4 || size % 4 || size > length - 4)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the precompiled charsmap of %zu bytes is truncated or has no trie",
                         where, length);
    const char *texts = bytes + 4 + size;
    if (!heed_utf8_valid(texts, length - 4 - size))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the replacements of the precompiled charsmap are not valid UTF-8",
                         where);
    heed_charsmap *made = heed_allocate(1, sizeof *made);
    if (!made) return heed_fail_memory(error, sizeof *made, "the normalization table");
    *made = (heed_charsmap){.count = size / 4, .length = length - 4 - size};
    heed_status status = copy_parts(made, bytes + 4, texts, error);
    if (status == HEED_OK) *charsmap = made;
    else heed_charsmap_free(made);
    return status;
}

/* Moves from a node along its offset; the result may lie outside the array. */
static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> OFFSET_SHIFT) << ((unit & FAR) >> FAR_SHIFT);
}

/* Returns the text at a place; "" for a place outside the texts or within a character, which only a
   broken table has. */
static const char *replacement_at(const heed_charsmap *charsmap, uint32_t place)
{
    if (place >= charsmap->length || (charsmap->texts[place] & 0xC0) == 0x80) return "";
    return charsmap->texts + place;
}

/* Walks down the trie with the text, up to the first string that ends if `first`, else to the last
   one. */
static const char *find(const heed_charsmap *charsmap, const char *text, size_t length, bool first,
                        size_t *size)
{
    const char *found = NULL;
    size_t node = offset_of(charsmap->units[0]);
    for (size_t i = 0; i < length && text[i]; i++) {
        node ^= (unsigned char)text[i];
        if (node >= charsmap->count) break;
        const uint32_t unit = charsmap->units[node];
        if ((unit & (NO_LABEL | LABEL)) != (unsigned char)text[i]) break;
        node ^= offset_of(unit);
        if (!(unit & LEAF)) continue;
        if (node >= charsmap->count) break;
        found = replacement_at(charsmap, charsmap->units[node] & VALUE);
        *size = i + 1;
        if (first) break;
    }
    return found;
}

const char *heed_charsmap_shortest(const heed_charsmap *charsmap, const char *text, size_t length,
                                   size_t *size)
{
    return find(charsmap, text, length, true, size);
}

const char *heed_charsmap_longest(const heed_charsmap *charsmap, const char *text, size_t length,
                                  size_t *size)
{
    return find(charsmap, text, length, false, size);
}

void heed_charsmap_free(heed_charsmap *charsmap)
{
    if (!charsmap) return;
    free(charsmap->units);
    free(charsmap->texts);
    free(charsmap);
}
