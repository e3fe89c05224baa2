/* json.h: JSON in jansson's values, with our own reader, writer and error messages. The caller
   frees a json_t with json_decref. `where` is the file name with which messages begin. */
#ifndef HEED_BASE_JSON_H
#define HEED_BASE_JSON_H

#include "base/buffer.h"
#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parses a JSON object or array of at most 256 levels. `text` needs no NUL. Integers beyond 64 bits
   become doubles. Text and keys may contain U+0000. Beyond RFC 8259, the reader accepts what
   Python's json module accepts, so that a file is refused only for the values that are used:

     a byte order mark      is skipped
     a repeated key         has its last value
     NaN, Infinity, 1e400   become foreign values (heed_json_foreign), which are not numbers
     "\ud800" alone         becomes three bytes that are not valid UTF-8

   HEED_E_FORMAT with line, column and byte offset; HEED_E_NOMEM. */
heed_status heed_json_parse(json_t **json, const char *text, size_t length, const char *where,
                            heed_error *error);
/* Parses strict JSON, for formats that demand it (safetensors): RFC 8259, with each key once in an
   object, no U+0000 in keys and finite numbers only. */
heed_status heed_json_parse_strict(json_t **json, const char *text, size_t length,
                                   const char *where, heed_error *error);
/* Reads and parses a file of at most 256 MiB. */
heed_status heed_json_read(json_t **json, const char *path, heed_error *error);

/* Returns the spelling of a foreign value, which is a number that is not finite ("NaN",
   "-Infinity", "1e400"). The string belongs to the value. Returns NULL for any other value. */
const char *heed_json_foreign(const json_t *value);
/* Returns the number that Python reads for this spelling: NaN or an infinity. */
double heed_json_foreign_number(const char *spelling);
/* Makes a foreign value. NULL if out of memory. */
json_t *heed_json_foreign_new(const char *spelling, size_t length);
/* Appends a value for a message: compact JSON in which foreign values keep their spelling. */
void heed_json_put_found(heed_buffer *buffer, const json_t *value);
/* Returns what a value is, for a message: "an object", "a string", or the spelling of a foreign
   value. The string belongs to the value. */
const char *heed_json_type(const json_t *value);
/* Returns the value without what strict JSON lacks: foreign values become null, and invalid UTF-8
   in text becomes U+FFFD. The result is a new reference, to `json` itself if nothing had to change,
   or NULL if out of memory. */
json_t *heed_json_plain(json_t *json);
/* Returns a copy of an object that shares its values, NULL if out of memory, which jansson's
   json_copy and json_object_update do not report. The caller owns the reference. */
json_t *heed_json_copy(const json_t *object);

/* Read a member of an object. If the member is absent or null, they leave *value untouched and
   return HEED_OK. If it has another type, they fail with HEED_E_FORMAT. An integer may be written
   as 1.0 or 1e3, and a number as an integer. */
heed_status heed_json_integer(const json_t *object, const char *key, int64_t *value,
                              const char *where, heed_error *error);
heed_status heed_json_number(const json_t *object, const char *key, double *value,
                             const char *where, heed_error *error);
heed_status heed_json_boolean(const json_t *object, const char *key, bool *value, const char *where,
                              heed_error *error);
heed_status heed_json_string(const json_t *object, const char *key, const char **value,
                             /* *value belongs to the object */
                             const char *where, heed_error *error);

/* Appends text as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD. */
void heed_json_put_string(heed_buffer *buffer, const char *text, size_t length);
/* Appends the shortest decimal that reads back as the same double, in any locale. NaN and
   infinities become null, because JSON lacks them. */
void heed_json_put_number(heed_buffer *buffer, double number);
/* Appends a whole value as heed_json_plain returns it, with jansson's JSON_* flags. A failed
   allocation sets buffer->failed, where jansson's own writer would lose bytes. */
void heed_json_put(heed_buffer *buffer, const json_t *json, size_t flags);
/* Appends a whole value with one member or element per line, indented by two spaces per level, with
   members in their stored order. Numbers are written by heed_json_put_number, but a real number
   keeps its ".0". */
void heed_json_put_lines(heed_buffer *buffer, const json_t *json);

#endif
