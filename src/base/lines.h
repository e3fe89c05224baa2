/* lines.h: the one reader of text lines, from memory or from files that are read piece by piece. A
   line ends with LF or CRLF, which does not belong to it; text after the last LF is a line too. A
   byte order mark at the beginning of a file is skipped. Lines are valid UTF-8 and contain no NUL
   byte. Blank lines are returned like others. */
#ifndef HEED_BASE_LINES_H
#define HEED_BASE_LINES_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Borrowed bytes. No NUL needs to follow them. */
typedef struct heed_text {
    const char *bytes;
    size_t length;
} heed_text;

/* ---- text in memory ---- */

/* Fails with HEED_E_FORMAT, naming line and byte, if the text of the file `path` is not valid
   UTF-8. */
heed_status heed_text_check(const char *path, heed_text text, heed_error *error);
/* Checks the text of a whole file and removes its byte order mark. */
heed_status heed_text_begin(const char *path, heed_text *text, heed_error *error);
/* Fails with HEED_E_FORMAT, naming the line, if it contains a NUL byte. */
heed_status heed_line_check(const char *path, heed_text line, size_t number, heed_error *error);
/* Returns whether a line consists of spaces, tabs and the like. */
bool heed_line_is_blank(heed_text line);

/* The state of iterating over lines in memory. The caller points `rest` at the text and zeroes the
   others. */
typedef struct heed_lines {
    heed_text rest;
    size_t number;   /* number of the line returned last, from 1 */
    bool terminated; /* whether a line feed ended it */
} heed_lines;

/* Returns the next line of checked text, or false at the end. */
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
/* Opens a file, pipe or device for reading. "-" is standard input. The caller closes it. HEED_E_IO
   if it cannot be opened or is a folder. */
heed_status heed_line_file_open(heed_line_file **file, const char *path, heed_error *error);
/* Reads the next line. Its bytes are valid until the next call and are followed by a NUL. *found is
   false at the end. HEED_E_IO: reading failed, or a regular file has changed. HEED_E_FORMAT: the
   line is not valid UTF-8 or contains a NUL byte. HEED_E_CANCELLED: a signal arrived while
   reading. */
heed_status heed_line_file_next(heed_line_file *file, heed_text *line, bool *found,
                                heed_error *error);
/* Returns the number of the line returned last, from 1. */
size_t heed_line_file_number(const heed_line_file *file);
/* the path, or "standard input", for messages */
const char *heed_line_file_name(const heed_line_file *file);
/* bytes of the lines returned so far */
size_t heed_line_file_done(const heed_line_file *file);
/* Returns the bytes of a regular file when it was opened, 0 for others. */
size_t heed_line_file_bytes(const heed_line_file *file);
void heed_line_file_close(heed_line_file *file); /* NULL is allowed */

#endif
