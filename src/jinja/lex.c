/* lex.c: splits a template into data, tags and the tokens in tags, with Jinja's rules for white
   space: trim_blocks drops the line feed after a block or comment, lstrip_blocks the blanks before
   one at the beginning of a line, '-' drops all white space, and '+' keeps it. */
#include "jinja/characters.h"
#include "jinja/tree_internal.h"
#include "base/unicode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IN_DATA, IN_BLOCK, IN_PRINT };

static void refuse_here(jinja_reader *r, const char *message)
{
    heed_jinja_refuse(r, HEED_E_FORMAT, r->line, "%s", message);
}

/* Returns whether the text at `at` begins with `text`. */
static bool sees(const jinja_reader *r, size_t at, const char *text)
{
    size_t length = strlen(text);
    return r->length - at >= length && memcmp(r->text + at, text, length) == 0;
}

/* Returns the end of the white space at `at`. */
static size_t skip_space(const jinja_reader *r, size_t at)
{
    uint32_t c = 0;
    while (at < r->length) {
        size_t step = jinja_next(r->text, r->length, at, &c);
        if (!heed_char_is_python_space(c)) break;
        at += step;
    }
    return at;
}

/* Moves forward and counts lines. */
static void move_to(jinja_reader *r, size_t at)
{
    for (; r->at < at; r->at++) r->line += r->text[r->at] == '\n';
}

/* Returns the end of the tag that ends at `at` with "%}", "-%}" or "+%}", including the white space
   that it drops, 0 if no tag ends there. */
static size_t tag_end(const jinja_reader *r, size_t at, const char *mark, bool trims)
{
    if (at < r->length && r->text[at] == '-' && sees(r, at + 1, mark)) return skip_space(r, at + 3);
    if (trims && at < r->length && r->text[at] == '+' && sees(r, at + 1, mark)) return at + 3;
    if (!sees(r, at, mark)) return 0;
    return at + 2 + (trims && at + 2 < r->length && r->text[at + 2] == '\n');
}

/* Returns the text before a tag with the sign `sign`, without the white space that the tag
   drops. */
static jinja_value data_before(const jinja_reader *r, size_t begin, size_t end, char sign,
                               bool is_print)
{
    const char *text = r->text + begin;
    size_t length = end - begin;
    if (sign == '-') heed_strip_right(text, &length);
    else if (sign != '+' && !is_print) {
        size_t line = length;
        while (line && text[line - 1] != '\n') line--;
        if ((line || r->line_starts) && skip_space(r, begin + line) >= end) length = line;
    }
    return jinja_text(r->text + begin, length);
}

/* Finds the next "{{", "{%" or "{#" from *at on. */
static bool open_tag(const jinja_reader *r, size_t *at)
{
    const char *brace = r->text + *at;
    while ((brace = memchr(brace, '{', (size_t)(r->text + r->length - brace)))) {
        *at = (size_t)(brace - r->text);
        if (*at + 1 < r->length && (brace[1] == '{' || brace[1] == '%' || brace[1] == '#'))
            return true;
        brace++;
    }
    return false;
}

/* Returns the end of the block tag at `at` that contains only `word`, 0 for another tag. */
static size_t lone_tag(const jinja_reader *r, size_t at, const char *word, bool trims, char *sign)
{
    if (!sees(r, at, "{%")) return 0;
    at += 2;
    *sign = at < r->length && (r->text[at] == '-' || r->text[at] == '+') ? r->text[at++] : 0;
    at = skip_space(r, at);
    if (!sees(r, at, word)) return 0;
    at = skip_space(r, at + strlen(word));
    return tag_end(r, at, "%}", trims);
}

/* Reads data up to the next tag. Comments and raw blocks are handled here. *token becomes data, or
   the beginning of a tag. */
static void read_data(jinja_reader *r, jinja_token *token)
{
    while (r->status == HEED_OK) {
        size_t begin = r->at, at = begin;
        *token = (jinja_token){.kind = JINJA_TOKEN_DATA, .line = r->line};
        if (begin >= r->length) {
            token->kind = JINJA_TOKEN_END;
            return;
        }
        if (!open_tag(r, &at)) {
            token->value = jinja_text(r->text + begin, r->length - begin);
            move_to(r, r->length);
            return;
        }
        char kind = r->text[at + 1],
             sign = at + 2 < r->length && (r->text[at + 2] == '-' || r->text[at + 2] == '+')
                        ? r->text[at + 2]
                        : 0;
        token->value = data_before(r, begin, at, sign, kind == '{');
        move_to(r, at);
        r->line_starts = false;
        size_t inside = at + 2 + (sign != 0), end = 0;
        char end_sign;
        if (kind == '#') {
            for (at = inside; at < r->length && !end; at++) end = tag_end(r, at, "#}", true);
            if (!end) refuse_here(r, "a comment does not end; \"#}\" was expected");
            else move_to(r, end);
        } else if ((end = lone_tag(r, at, "raw", false, &end_sign))) {
            move_to(r, end);
            r->line_starts = r->text[end - 1] == '\n';
            r->strip_next = true;
        } else {
            move_to(r, inside);
            r->state = kind == '{' ? IN_PRINT : IN_BLOCK;
        }
        if (kind == '#' && end) r->line_starts = r->text[end - 1] == '\n';
        if (token->value.length || r->strip_next || r->state != IN_DATA) return;
    }
}

/* Reads the text between {% raw %} and {% endraw %}. */
static void read_raw(jinja_reader *r, jinja_token *token)
{
    size_t begin = r->at, at = begin, end;
    char sign = 0;
    r->strip_next = false;
    for (; open_tag(r, &at); at++) {
        if (!(end = lone_tag(r, at, "endraw", true, &sign))) continue;
        *token = (jinja_token){.kind = JINJA_TOKEN_DATA,
                               .line = r->line,
                               .value = data_before(r, begin, at, sign, false)};
        move_to(r, end);
        r->line_starts = r->text[end - 1] == '\n';
        return;
    }
    refuse_here(r, "a raw block does not end; \"{% endraw %}\" was expected");
}

/* strspn for text without a NUL at its end. */
static size_t strspn_within(const char *text, size_t room, const char *set)
{
    size_t length = 0;
    while (length < room && text[length] && strchr(set, text[length])) length++;
    return length;
}

/* Reads a number. */
static void read_digits(jinja_reader *r, jinja_token *token)
{
    static const char digits[] = "0123456789_";
    const char *text = r->text + r->at;
    size_t room = r->length - r->at, length = 0;
    bool real = false;
    if (room > 2 && text[0] == '0' && strchr("xXoObB", text[1])) {
        length = 2 + strspn_within(text + 2, room - 2, "0123456789abcdefABCDEF_");
    } else {
        bool after_point = r->at > 0 && text[-1] == '.';
        length = strspn_within(text, room, digits);
        if (!after_point && length + 1 < room && text[length] == '.' && text[length + 1] >= '0' &&
            text[length + 1] <= '9') {
            real = true;
            length += 1 + strspn_within(text + length + 1, room - length - 1, digits);
        }
        if (!after_point && length < room && (text[length] == 'e' || text[length] == 'E')) {
            size_t mark = length + 1;
            if (mark < room && (text[mark] == '+' || text[mark] == '-')) mark++;
            if (mark < room && text[mark] >= '0' && text[mark] <= '9') {
                real = true;
                length = mark + strspn_within(text + mark, room - mark, digits);
            }
        }
    }
    int64_t integer = 0;
    double number = 0;
    if (real ? !heed_jinja_read_number(text, length, &number)
             : !heed_jinja_read_integer(text, length, 0, &integer))
        refuse_here(r, "a number cannot be read; integers have at most 63 bits");
    token->kind = real ? JINJA_TOKEN_NUMBER : JINJA_TOKEN_INTEGER;
    token->value = real ? jinja_number(number) : jinja_integer(integer);
    move_to(r, r->at + length);
}

/* The form of a numeric escape such as \x41, \u0041, \U00000041 or \101: its base and number of
   digits. */
typedef struct {
    int base, least, most;
} code_digits;

/* Reads the digits of such an escape at text[*at]. */
static bool read_code(const char *text, size_t length, size_t *at, code_digits form, uint32_t *code)
{
    int digits = 0;
    for (*code = 0; digits < form.most && *at < length; digits++, (*at)++) {
        const int c = (unsigned char)text[*at];
        int digit = 99;
        if (c >= '0' && c <= '9') digit = c - '0';
        else if ((c | 32) >= 'a' && (c | 32) <= 'f') digit = (c | 32) - 'a' + 10;
        if (digit >= form.base) break;
        *code = *code * (uint32_t)form.base + (uint32_t)digit;
    }
    return digits >= form.least;
}

/* Decodes the escape sequence whose backslash precedes text[*at]. */
static bool put_escape(heed_buffer *out, const char *text, size_t length, size_t *at)
{
    static const char letters[] = "abfnrtv\\'\"", meanings[] = "\a\b\f\n\r\t\v\\'\"";
    char c = text[(*at)++];
    const char *letter = c ? strchr(letters, c) : NULL;
    uint32_t code = 0, low = 0;
    if (letter) heed_buffer_byte(out, meanings[letter - letters]);
    else if (c == 'x' || c == 'u' || c == 'U') {
        int digits = 8;
        if (c == 'x') digits = 2;
        if (c == 'u') digits = 4;
        if (!read_code(text, length, at, (code_digits){16, digits, digits}, &code) ||
            code > 0x10FFFF)
            return false;
        size_t ahead = *at + 2; /* two surrogates are one character */
        if (code >= 0xD800 && code < 0xDC00 && ahead < length && text[*at] == '\\' &&
            text[*at + 1] == 'u' &&
            read_code(text, length, &ahead, (code_digits){16, 4, 4}, &low) && low >= 0xDC00 &&
            low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            *at = ahead;
        }
        heed_jinja_put_character(out, code);
    } else if (c >= '0' && c <= '7') {
        (*at)--;
        read_code(text, length, at, (code_digits){8, 1, 3}, &code);
        heed_jinja_put_character(out, code);
    } else if (c == 'N') return false;
    else if (c != '\n') {
        heed_buffer_byte(out, '\\');
        heed_buffer_byte(out, c);
    }
    return true;
}

/* Reads a string. Its text is a part of the source unless it contains escapes. */
static void read_string(jinja_reader *r, jinja_token *token)
{
    size_t begin = r->at + 1, end = begin;
    char quote = r->text[r->at];
    bool plain = true;
    for (; end < r->length && r->text[end] != quote; end++)
        if (r->text[end] == '\\') {
            plain = false;
            end++;
        }
    if (end >= r->length) {
        refuse_here(r, "a string does not end");
        return;
    }
    token->kind = JINJA_TOKEN_STRING;
    token->value = jinja_text(r->text + begin, end - begin);
    if (!plain) {
        heed_buffer text = {0};
        bool good = true;
        for (size_t at = begin; at < end && good;) {
            if (r->text[at] != '\\') heed_buffer_byte(&text, r->text[at++]);
            else {
                at++;
                good = put_escape(&text, r->text, end, &at);
            }
        }
        if (!good) refuse_here(r, "a string has an escape sequence that cannot be read");
        char *copy = good ? heed_jinja_keep(r, text.length + 1, 1) : NULL;
        if (good && text.failed)
            r->status = heed_fail_memory(r->error, end - begin, "a string of a template");
        if (copy && text.length) memcpy(copy, text.data, text.length);
        token->value = jinja_text(copy, copy ? text.length : 0);
        heed_buffer_free(&text);
    }
    move_to(r, end + 1);
}

/* Reads an operator, and keeps track of brackets. */
static void read_operator(jinja_reader *r, jinja_token *token)
{
    static const char *const pairs[] = {"**", "//", "==", "!=", "<=", ">="};
    char c = r->text[r->at];
    token->kind = JINJA_TOKEN_OPERATOR;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (sees(r, r->at, pairs[i])) {
            token->operation = (uint16_t)(pairs[i][0] | pairs[i][1] << 8);
            r->at += 2;
            return;
        }
    if (!c || !strchr("+-/*%~[](){}<>=.:|,;", c)) {
        refuse_here(r, "a character has no meaning in a tag");
        return;
    }
    token->operation = (uint16_t)c;
    r->at++;
    const char *const opens = "([{", *const closes = ")]}", *open = strchr(opens, c);
    if (open) heed_buffer_byte(&r->brackets, closes[open - opens]);
    else if (strchr(")]}", c)) {
        if (!r->brackets.length || r->brackets.data[r->brackets.length - 1] != c)
            refuse_here(r, "a closing bracket does not fit the open one");
        else r->brackets.length--;
    }
    if (r->brackets.failed)
        r->status = heed_fail_memory(r->error, r->brackets.length, "a template");
}

/* Reads a token in a tag, or the end of the tag. */
static void read_token(jinja_reader *r, jinja_token *token)
{
    move_to(r, skip_space(r, r->at));
    *token = (jinja_token){.kind = JINJA_TOKEN_END, .line = r->line};
    const bool block = r->state == IN_BLOCK;
    size_t end = 0;
    if (!r->brackets.length) end = tag_end(r, r->at, block ? "%}" : "}}", block);
    if (end) {
        token->kind = r->state == IN_BLOCK ? JINJA_TOKEN_BLOCK_END : JINJA_TOKEN_PRINT_END;
        move_to(r, end);
        r->line_starts = r->text[end - 1] == '\n';
        r->state = IN_DATA;
        return;
    }
    if (r->at >= r->length) {
        refuse_here(r, r->state == IN_BLOCK ? "a tag does not end; \"%}\" was expected"
                                            : "a tag does not end; \"}}\" was expected");
        return;
    }
    uint32_t c = 0;
    jinja_next(r->text, r->length, r->at, &c);
    if (c >= '0' && c <= '9') read_digits(r, token);
    else if (c == '"' || c == '\'') read_string(r, token);
    else if (c == '_' || heed_jinja_class(c) & JINJA_ALPHABETIC) {
        size_t begin = r->at, step = 0;
        for (; r->at < r->length; r->at += step) {
            step = jinja_next(r->text, r->length, r->at, &c);
            if (c != '_' && !(heed_jinja_class(c) & (JINJA_ALPHABETIC | JINJA_DECIMAL))) break;
        }
        token->kind = JINJA_TOKEN_NAME;
        token->value = jinja_text(r->text + begin, r->at - begin);
    } else read_operator(r, token);
}

void heed_jinja_advance(jinja_reader *r)
{
    r->token = r->next;
    if (r->status != HEED_OK) {
        r->token = r->next = (jinja_token){.kind = JINJA_TOKEN_END, .line = r->line};
        return;
    }
    if (r->token.kind == JINJA_TOKEN_DATA && r->state != IN_DATA) {
        r->next = (jinja_token){.kind = r->state == IN_BLOCK ? JINJA_TOKEN_BLOCK_BEGIN
                                                             : JINJA_TOKEN_PRINT_BEGIN,
                                .line = r->line};
    } else if (r->strip_next) read_raw(r, &r->next);
    else if (r->state == IN_DATA) read_data(r, &r->next);
    else read_token(r, &r->next);
    if (r->status != HEED_OK)
        r->token = r->next = (jinja_token){.kind = JINJA_TOKEN_END, .line = r->line};
}
