/* buffer.c: growable bytes (buffer.h). */
#include "base/buffer.h"

#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `more` bytes and a NUL. Returns false, and sets `failed`, if out of memory. */
static bool reserve(heed_buffer *buffer, size_t more)
{
    size_t wanted;
    if (buffer->failed) return false;
    if (!heed_add_size(buffer->length, more, &wanted) || wanted == (size_t)-1 ||
        !heed_grow(&buffer->data, &buffer->capacity, wanted + 1, 1))
        buffer->failed = true;
    return !buffer->failed;
}

void heed_buffer_append(heed_buffer *buffer, const void *bytes, size_t count)
{
    if (!reserve(buffer, count)) return;
    if (count) memcpy(buffer->data + buffer->length, bytes, count);
    buffer->length += count;
    buffer->data[buffer->length] = 0;
}

void heed_buffer_text(heed_buffer *buffer, const char *text)
{
    heed_buffer_append(buffer, text, strlen(text));
}

void heed_buffer_byte(heed_buffer *buffer, int byte)
{
    char c = (char)byte;
    heed_buffer_append(buffer, &c, 1);
}

void heed_buffer_printf(heed_buffer *buffer, const char *format, ...)
{
    va_list arguments, second_pass;
    va_start(arguments, format);
    va_copy(second_pass, arguments);
    int count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (count < 0) buffer->failed = true;
    else if (reserve(buffer, (size_t)count)) {
        vsnprintf(buffer->data + buffer->length, (size_t)count + 1, format, second_pass);
        buffer->length += (size_t)count;
    }
    va_end(second_pass);
}

void heed_buffer_clear(heed_buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data) buffer->data[0] = 0;
}

void heed_buffer_free(heed_buffer *buffer)
{
    free(buffer->data);
    *buffer = (heed_buffer){0};
}
