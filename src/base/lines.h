/* lines.h: walking over the lines of text in memory. */
#ifndef HEED_IO_LINES_H
#define HEED_IO_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct heed_text { const char *bytes; size_t length; } heed_text; /* borrowed bytes; no NUL at the end */

/* Zero `number` and `terminated`, point `rest` at the text. */
typedef struct heed_lines {
    heed_text rest;
    size_t number;   /* of the line returned last, from 1 */
    bool terminated; /* a newline ended it */
} heed_lines;

/* The next line without its LF or CRLF; false at the end. Text behind the last newline is a line of its own. */
static inline bool heed_lines_next(heed_lines *lines, heed_text *line)
{
    if (lines->rest.length == 0) return false;
    const char *newline = memchr(lines->rest.bytes, '\n', lines->rest.length);
    size_t length = newline ? (size_t)(newline - lines->rest.bytes) : lines->rest.length, used = length + (newline != NULL);
    *line = (heed_text){lines->rest.bytes, length};
    if (newline && length && line->bytes[length - 1] == '\r') line->length--;
    lines->rest.bytes += used;
    lines->rest.length -= used;
    lines->number++;
    lines->terminated = newline != NULL;
    return true;
}

#endif
