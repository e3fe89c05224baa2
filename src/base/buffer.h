/* buffer.h: growable bytes. A failed allocation sets `failed`, which stays set and turns later
   appends into no-ops, so that writers need not check each append and the reader checks once at the
   end. */
#ifndef HEED_BASE_BUFFER_H
#define HEED_BASE_BUFFER_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct heed_buffer {
    char *data; /* a NUL follows the `length` bytes once something was appended */
    size_t length, capacity;
    bool failed; /* an allocation failed; the contents are incomplete */
} heed_buffer;

/* Appends `count` bytes. `bytes` may be any pointer if `count` is 0. */
void heed_buffer_append(heed_buffer *buffer, const void *bytes, size_t count);
/* Appends a NUL-terminated string without its NUL. */
void heed_buffer_text(heed_buffer *buffer, const char *text);
/* Appends one byte. */
void heed_buffer_byte(heed_buffer *buffer, int byte);
/* Appends formatted text. */
void heed_buffer_printf(heed_buffer *buffer, const char *format, ...) HEED_PRINTF(2, 3);
void heed_buffer_clear(heed_buffer *buffer); /* Sets the length to 0 and keeps the memory. */
/* Frees the memory and zeroes the buffer. */
void heed_buffer_free(heed_buffer *buffer);

#endif
