/* characters.c: character classes, case mappings, search and numbers (characters.h). */
#include "jinja/characters.h"
#include "base/unicode.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

unsigned heed_jinja_class(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: return JINJA_ALPHABETIC | JINJA_UPPER | JINJA_PRINTABLE;
    case UTF8PROC_CATEGORY_LL: return JINJA_ALPHABETIC | JINJA_LOWER | JINJA_PRINTABLE;
    case UTF8PROC_CATEGORY_LT: return JINJA_ALPHABETIC | JINJA_TITLE | JINJA_PRINTABLE;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return JINJA_ALPHABETIC | JINJA_PRINTABLE;
    case UTF8PROC_CATEGORY_ND: return JINJA_DECIMAL | JINJA_DIGIT | JINJA_NUMERIC | JINJA_PRINTABLE;
    case UTF8PROC_CATEGORY_NL: return JINJA_NUMERIC | JINJA_PRINTABLE;
    case UTF8PROC_CATEGORY_NO: { /* superscripts and circled digits are digits, fractions are not */
        bool digit = c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
                     (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) ||
                     (c >= 0x2460 && c <= 0x2468);
        return JINJA_NUMERIC | JINJA_PRINTABLE | (digit ? JINJA_DIGIT : 0);
    }
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return 0;
    case UTF8PROC_CATEGORY_ZS: return c == ' ' ? JINJA_PRINTABLE : 0;
    default: return JINJA_PRINTABLE;
    }
}

void heed_jinja_put_character(heed_buffer *out, uint32_t c)
{
    char bytes[4];
    heed_buffer_append(out, bytes, heed_utf8_put(c, bytes));
}

/* Characters whose upper or title case has several characters: letter, upper case, title case. The
   table contains those that occur in text. Source: SpecialCasing.txt of Unicode. */
static const struct {
    uint32_t c;
    const char *upper, *title;
} special_case[] = {
    {0xDF, "SS", "Ss"},
    {0x149, "\xCA\xBCN", "\xCA\xBCN"},
    {0x1F0, "J\xCC\x8C", "J\xCC\x8C"},
    {0xFB00, "FF", "Ff"},
    {0xFB01, "FI", "Fi"},
    {0xFB02, "FL", "Fl"},
    {0xFB03, "FFI", "Ffi"},
    {0xFB04, "FFL", "Ffl"},
    {0xFB05, "ST", "St"},
    {0xFB06, "ST", "St"},
};

/* Returns whether a capital sigma becomes a final sigma in lower case: if a letter precedes it and
   none follows. */
static bool is_final_sigma(const char *text, size_t length, size_t at, size_t after)
{
    uint32_t c = 0;
    if (!at) return false;
    jinja_next(text, length, heed_utf8_before(text, at), &c);
    if (!(heed_jinja_class(c) & JINJA_ALPHABETIC)) return false;
    if (after >= length) return true;
    jinja_next(text, length, after, &c);
    return !(heed_jinja_class(c) & JINJA_ALPHABETIC);
}

void heed_jinja_put_case(heed_buffer *out, const char *text, size_t length, jinja_case wanted)
{
    for (size_t at = 0, step; at < length; at += step) {
        uint32_t c = 0;
        step = jinja_next(text, length, at, &c);
        const char *several = NULL;
        for (size_t i = 0; c >= 0xDF && wanted != JINJA_TO_LOWER &&
                           i < sizeof special_case / sizeof special_case[0];
             i++)
            if (special_case[i].c == c)
                several = wanted == JINJA_TO_UPPER ? special_case[i].upper : special_case[i].title;
        if (several) heed_buffer_text(out, several);
        else if (wanted == JINJA_TO_UPPER)
            heed_jinja_put_character(out, (uint32_t)utf8proc_toupper((utf8proc_int32_t)c));
        else if (wanted == JINJA_TO_TITLE)
            heed_jinja_put_character(out, (uint32_t)utf8proc_totitle((utf8proc_int32_t)c));
        else if (c == 0x130) heed_buffer_text(out, "i\xCC\x87");
        else if (c == 0x3A3 && is_final_sigma(text, length, at, at + step))
            heed_jinja_put_character(out, 0x3C2);
        else heed_jinja_put_character(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
}

enum { HASH_BASE = 257 };
static const uint64_t hash_modulus = 4294967291u; /* the greatest prime below 2^32 */

const char *heed_jinja_search(const char *text, size_t length, const char *part, size_t part_length,
                              bool last)
{
    if (part_length > length) return NULL;
    if (!part_length) return last ? text + length : text;
    if (part_length == 1 && !last) return memchr(text, part[0], length);
    const unsigned char *t = (const unsigned char *)text, *p = (const unsigned char *)part;
    ptrdiff_t step = 1;
    if (last) {
        t += length - 1;
        p += part_length - 1;
        step = -1;
    }
    uint64_t wanted = 0, found = 0, power = 1;
    for (size_t i = 0; i < part_length; i++) {
        wanted = (wanted * HASH_BASE + p[(ptrdiff_t)i * step]) % hash_modulus;
        found = (found * HASH_BASE + t[(ptrdiff_t)i * step]) % hash_modulus;
        if (i) power = power * HASH_BASE % hash_modulus;
    }
    for (size_t i = 0;; i++) {
        const char *begin = last ? text + (length - part_length - i) : text + i;
        if (found == wanted && memcmp(begin, part, part_length) == 0) return begin;
        if (i + part_length >= length) return NULL;
        found = (found + hash_modulus - t[(ptrdiff_t)i * step] * power % hash_modulus) %
                hash_modulus;
        found = (found * HASH_BASE + t[(ptrdiff_t)(i + part_length) * step]) % hash_modulus;
    }
}

/* Copies a number without the underscores between its digits. Returns false if an underscore is
   elsewhere or the text is too long. */
static bool copy_digits(const char *text, size_t length, char *copy, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '_') {
            bool inside = i > 0 && i + 1 < length && text[i - 1] != '_' &&
                          strchr("+-.eE", text[i - 1]) == NULL &&
                          strchr("+-.eE_", text[i + 1]) == NULL;
            if (!inside) return false;
        } else if (used + 1 >= room || !text[i]) return false;
        else copy[used++] = text[i];
    }
    copy[used] = 0;
    return used > 0;
}

bool heed_jinja_read_number(const char *text, size_t length, double *number)
{
    char copy[400], local[420], *end;
    heed_strip_left(&text, &length);
    heed_strip_right(text, &length);
    if (!copy_digits(text, length, copy, sizeof copy)) return false;
    const char *body = copy + (copy[0] == '+' || copy[0] == '-');
    bool named = strcasecmp(body, "inf") == 0 || strcasecmp(body, "infinity") == 0 ||
                 strcasecmp(body, "nan") == 0;
    /* strtod also reads hexadecimal numbers */
    if (!named && body[strspn(body, "0123456789+-.eE")]) return false;
    const char *point = localeconv()->decimal_point;
    size_t used = 0, wide = strlen(point);
    for (const char *c = copy; *c; c++) {
        if (used + wide + 1 >= sizeof local) return false;
        if (*c == '.') {
            memcpy(local + used, point, wide);
            used += wide;
        } else local[used++] = *c;
    }
    local[used] = 0;
    *number = strtod(local, &end);
    return !*end && (named || strpbrk(body, "0123456789"));
}

/* Returns the base that the letter of "0x", "0o" or "0b" means, 0 for another letter. */
static int base_of_letter(char letter)
{
    switch (letter) {
    case 'x':
    case 'X': return 16;
    case 'o':
    case 'O': return 8;
    case 'b':
    case 'B': return 2;
    default: return 0;
    }
}

/* Returns the value of a digit in bases up to 36, 99 for another character. */
static int value_of_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return 99;
}

bool heed_jinja_read_integer(const char *text, size_t length, int base, int64_t *integer)
{
    char copy[80];
    heed_strip_left(&text, &length);
    heed_strip_right(text, &length);
    if (!copy_digits(text, length, copy, sizeof copy)) return false;
    const char *digits = copy + (copy[0] == '+' || copy[0] == '-');
    int prefix = digits[0] == '0' ? base_of_letter(digits[1]) : 0;
    if (prefix && (base == 0 || base == prefix)) {
        digits += 2;
        base = prefix;
    }
    if (base == 0) base = 10;
    if (base < 2 || base > 36 || !*digits) return false;
    int64_t value = 0;
    for (; *digits; digits++) {
        int digit = value_of_digit((unsigned char)*digits);
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (copy[0] != '-' && value == INT64_MIN) return false;
    *integer = copy[0] == '-' ? value : -value;
    return true;
}
