/* heed/lines.h: reads lines of text and values of JSON as all commands of heed do. heed.h includes
   it, and says what holds for errors and ownership. */
#ifndef HEED_LINES_H
#define HEED_LINES_H

#include <heed/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

/* A file, pipe or device that is read line by line, by the rules that hold for all commands and all
   text data. A line ends with LF or CRLF, which does not belong to it. A byte order mark at the
   beginning of the file is skipped. */
typedef struct heed_line_file heed_line_file;
/* Opens `path` for reading; "-" is standard input. Close *file with heed_lines_close. HEED_E_IO if
   it cannot be opened or is a folder. */
heed_status heed_lines_open(heed_line_file **file, const char *path, heed_error *error);
/* Reads the next line. *line is borrowed until the next call on this file and ends with a NUL after
   *length bytes. At the end of the file, *line is NULL and the call returns HEED_OK.
   HEED_E_FORMAT, with file and line, if the line is not valid UTF-8 or contains a NUL byte;
   HEED_E_IO if reading fails; HEED_E_CANCELLED if a signal arrived while it waited for input. */
heed_status heed_lines_read(heed_line_file *file, const char **line, size_t *length,
                            heed_error *error);
/* Writes "FILE, line N" for the line read last, for use in messages. The text is cut to fit into
   `size` bytes, with its NUL. */
void heed_lines_place(const heed_line_file *file, char *place, size_t size);
void heed_lines_close(heed_line_file *file); /* NULL is allowed */

struct json_t; /* jansson's value */
/* Parses `length` bytes of JSON as Python's json module does: it accepts a byte order mark, NaN,
   Infinity and keys that are given twice. The library reads the files of the hub and lines of data
   in the same way. *json is a json_t of the jansson library; free it with json_decref. `where` is
   put before messages. HEED_E_FORMAT; HEED_E_NOMEM. */
heed_status heed_json_from_text(struct json_t **json, const char *text, size_t length,
                                const char *where, heed_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
