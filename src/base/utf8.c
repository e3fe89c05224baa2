/* utf8.c: decodes, encodes and checks UTF-8 (utf8.h). */
#include "base/utf8.h"

#include <string.h>

/* Returns the bytes of the character that `lead` begins, 0 if no character begins with it. */
static size_t announced_bytes(unsigned char lead)
{
    if (lead < 0x80) return 1;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return 2;
    if (lead < 0xF0) return 3;
    return lead < 0xF5 ? 4 : 0;
}

size_t heed_utf8_next(const char *text, size_t length, uint32_t *code_point, bool *valid)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char lead = s[0];
    uint32_t point = lead;
    size_t wanted = announced_bytes(lead), got = 1;
    if (wanted > 1) {
        point = lead & (0xFFu >> (wanted + 1));
        for (; got < wanted && got < length; got++) {
            unsigned char c = s[got], low = 0x80, high = 0xBF;
            /* Unicode table 3-7 excludes longer forms, surrogates and values above U+10FFFF. */
            if (got == 1) {
                if (lead == 0xE0) low = 0xA0;
                if (lead == 0xED) high = 0x9F;
                if (lead == 0xF0) low = 0x90;
                if (lead == 0xF4) high = 0x8F;
            }
            if (c < low || c > high) break;
            point = point << 6 | (c & 0x3F);
        }
    }
    bool ok = wanted == got && wanted > 0;
    *code_point = ok ? point : HEED_REPLACEMENT;
    if (valid) *valid = ok;
    return got;
}

size_t heed_utf8_put(uint32_t point, char out[4])
{
    if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) point = HEED_REPLACEMENT;
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = 2;
    if (point >= 0x800) length = point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, point >>= 6) out[i] = (char)(0x80 | (point & 0x3F));
    out[0] = (char)((0xF00u >> length & 0xFF) | point);
    return length;
}

size_t heed_utf8_incomplete(const char *text, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char c = (unsigned char)text[length - back];
        if ((c & 0xC0) == 0x80) continue;
        uint32_t point;
        if (announced_bytes(c) <= back) return 0;
        /* The bytes count only if they can still become valid, that is, if decoding them stops at
           the end and not at a bad byte. */
        return heed_utf8_next(text + length - back, back, &point, NULL) == back ? back : 0;
    }
    return 0;
}

/* Returns whether the eight bytes at `text` are ASCII. */
static bool eight_ascii(const char *text)
{
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
    return !(eight & 0x8080808080808080u);
}

size_t heed_utf8_valid_bytes(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        uint32_t point;
        bool valid = true;
        if (length - at >= 8 && eight_ascii(text + at)) {
            at += 8;
            continue;
        }
        size_t bytes = heed_utf8_next(text + at, length - at, &point, &valid);
        if (!valid) return at;
        at += bytes;
    }
    return length;
}

bool heed_utf8_valid(const char *text, size_t length)
{
    return heed_utf8_valid_bytes(text, length) == length;
}

uint32_t heed_utf8_at(const char *text, size_t at, size_t *size)
{
    const unsigned char *s = (const unsigned char *)text + at;
    *size = heed_utf8_size(text[at]);
    switch (*size) {
    case 1: return s[0];
    case 2: return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    case 3: return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    default:
        return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    }
}

size_t heed_utf8_before(const char *text, size_t at)
{
    do at--;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

size_t heed_utf8_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t at = 0; at < length; count++) {
        uint32_t point;
        at += heed_utf8_next(text + at, length - at, &point, NULL);
    }
    return count;
}
