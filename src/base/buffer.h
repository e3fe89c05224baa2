/* buffer.h: growable bytes. `failed` is sticky: writers never check, the reader checks once at the
   end. */
#ifndef HEED_BASE_BUFFER_H
#define HEED_BASE_BUFFER_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct heed_buffer {
    char *data; /* always NUL-terminated after `length` once something was written */
    size_t length, capacity;
    bool failed; /* memory ran out; contents are cut */
} heed_buffer;

void heed_buffer_append(heed_buffer *buffer, const void *bytes, size_t count);
void heed_buffer_text(heed_buffer *buffer, const char *text);
void heed_buffer_byte(heed_buffer *buffer, int byte);
void heed_buffer_printf(heed_buffer *buffer, const char *format, ...) HEED_PRINTF(2, 3);
void heed_buffer_clear(heed_buffer *buffer); /* length 0, memory kept */
void heed_buffer_free(heed_buffer *buffer);

#endif
