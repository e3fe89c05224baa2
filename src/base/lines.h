/* lines.h: the one reader of lines, over text in memory and over files that are read as they come.
   A line ends with LF or CRLF, neither of which belongs to it; text after the last LF is a line of
   its own. A byte order mark at the beginning of a file belongs to no line. Lines are valid UTF-8
   and hold no NUL byte. Blank lines are handed out: what they mean is for the caller to say. */
#ifndef HEED_BASE_LINES_H
#define HEED_BASE_LINES_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Borrowed bytes; no NUL needs to follow them. */
typedef struct heed_text {
    const char *bytes;
    size_t length;
} heed_text;

/* ---- text in memory ---- */

/* HEED_E_FORMAT naming line and byte when the text of the file `path` is not valid UTF-8. */
heed_status heed_text_check(const char *path, heed_text text, heed_error *error);
/* The text of a file, checked, without the byte order mark that some editors put before UTF-8. */
heed_status heed_text_begin(const char *path, heed_text *text, heed_error *error);
/* HEED_E_FORMAT naming the line when it holds a NUL byte. */
heed_status heed_line_check(const char *path, heed_text line, size_t number, heed_error *error);
bool heed_line_is_blank(heed_text line); /* nothing but spaces, tabs and the like */

/* Zero `number` and `terminated`, point `rest` at the text. */
typedef struct heed_lines {
    heed_text rest;
    size_t number;   /* the number of the line returned last, from 1 */
    bool terminated; /* a newline ended it */
} heed_lines;

/* The next line of checked text; false at the end. */
static inline bool heed_lines_next(heed_lines *lines, heed_text *line)
{
    if (lines->rest.length == 0) return false;
    const char *newline = memchr(lines->rest.bytes, '\n', lines->rest.length);
    size_t length = newline ? (size_t)(newline - lines->rest.bytes) : lines->rest.length,
           used = length + (newline != NULL);
    *line = (heed_text){lines->rest.bytes, length};
    if (newline && length && line->bytes[length - 1] == '\r') line->length--;
    lines->rest.bytes += used;
    lines->rest.length -= used;
    lines->number++;
    lines->terminated = newline != NULL;
    return true;
}

/* ---- files ---- */

typedef struct heed_line_file heed_line_file;
/* Opens a file, pipe or device for reading; "-" is standard input. The caller closes it. HEED_E_IO:
   it cannot be opened, or it is a folder. */
heed_status heed_line_file_open(heed_line_file **file, const char *path, heed_error *error);
/* The next line, borrowed until the next call; its bytes end in NUL. *found is false at the end.
   HEED_E_IO: reading failed; HEED_E_FORMAT: not valid UTF-8, or a NUL byte, with file and line;
   HEED_E_CANCELLED: a signal came while the file had nothing to read. */
heed_status heed_line_file_next(heed_line_file *file, heed_text *line, bool *found,
                                heed_error *error);
/* The number of the line returned last, from 1. */
size_t heed_line_file_number(const heed_line_file *file);
const char *heed_line_file_name(const heed_line_file *file); /* for messages */
size_t heed_line_file_done(const heed_line_file *file);      /* bytes handed out so far */
/* Bytes of a regular file when it was opened; 0 for others. */
size_t heed_line_file_bytes(const heed_line_file *file);
void heed_line_file_close(heed_line_file *file); /* NULL is fine */

#endif
