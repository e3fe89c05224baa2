/* json.h: jansson's values with our reader, writer and errors. Every getter names file, path,
   expectation. A json_t read here is freed with json_decref. `where` is the file name that messages
   begin with. */
#ifndef HEED_BASE_JSON_H
#define HEED_BASE_JSON_H

#include "base/buffer.h"
#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parses an object or array (need not be NUL-terminated; at most 256 levels deep). Integers beyond
   64 bits become doubles; text and keys may hold U+0000. What Python's json module reads beyond
   RFC 8259 is read too, so that a file is refused only for what is used of it:
     a byte order mark      is skipped
     a key given twice      has its last value
     NaN, Infinity, 1e400   are values of their own kind (heed_json_foreign), not numbers
     "\ud800" alone         becomes bytes that are not valid UTF-8: users of text refuse it
   HEED_E_FORMAT with line, column and byte offset; HEED_E_NOMEM. */
heed_status heed_json_parse(json_t **json, const char *text, size_t length, const char *where,
                            heed_error *error);
/* The same by RFC 8259 with each key once, none with U+0000, and finite numbers: for formats that
   say so (safetensors). */
heed_status heed_json_parse_strict(json_t **json, const char *text, size_t length,
                                   const char *where, heed_error *error);
/* Reads a file of at most 256 MiB. */
heed_status heed_json_read(json_t **json, const char *path, heed_error *error);

/* How the file spells a value that is not finite ("NaN", "-Infinity", "1e400"), borrowed; NULL for
   every other value. heed_json_foreign_number is what Python reads there. */
const char *heed_json_foreign(const json_t *value);
double heed_json_foreign_number(const char *spelling);
json_t *heed_json_foreign_new(const char *spelling, size_t length); /* NULL: out of memory */
/* Appends the value as a message shows it: compact JSON, or the spelling of a foreign value. */
void heed_json_put_found(heed_buffer *buffer, const json_t *value);
/* "an object", "a string", "NaN": what a value is, for messages. Borrowed from the value. */
const char *heed_json_type(const json_t *value);
/* The value as JSON has it: null for numbers that are not finite, U+FFFD in text that is not valid
   UTF-8. A new reference, to `json` itself if nothing had to change; NULL: out of memory. */
json_t *heed_json_plain(json_t *json);

/* Typed members of an object. An absent or null member leaves *value untouched and is HEED_OK; a
   member of another type is HEED_E_FORMAT. Integers written as 1.0 or 1e3 are accepted as integers;
   integers where a number is wanted too. */
heed_status heed_json_integer(const json_t *object, const char *key, int64_t *value,
                              const char *where, heed_error *error);
heed_status heed_json_number(const json_t *object, const char *key, double *value,
                             const char *where, heed_error *error);
heed_status heed_json_boolean(const json_t *object, const char *key, bool *value, const char *where,
                              heed_error *error);
heed_status heed_json_string(const json_t *object, const char *key, const char **value,
                             const char *where, heed_error *error); /* borrowed */

/* Writing: text as a JSON string with quotes (invalid UTF-8 becomes U+FFFD), and a number as the
   shortest decimal that reads back to the same double, whatever the locale; NaN and infinities,
   which JSON lacks, become null. */
void heed_json_put_string(heed_buffer *buffer, const char *text, size_t length);
void heed_json_put_number(heed_buffer *buffer, double number);
/* A whole value as heed_json_plain has it, with jansson's JSON_* flags. jansson's own writer into
   memory loses bytes when an allocation fails; here that shows in buffer->failed. */
void heed_json_put(heed_buffer *buffer, const json_t *json, size_t flags);
/* A whole value, one member or element a line, indented by two spaces for each level, members in
   their own order, numbers as heed_json_put_number writes them, but 1.0 as 1.0. */
void heed_json_put_lines(heed_buffer *buffer, const json_t *json);

#endif
