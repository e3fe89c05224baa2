/* base64.c: bytes as text (base64.h). */
#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(char c)
{
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

int64_t heed_base64_decode(const char *text, size_t length, char *out)
{
    size_t padding = 0, written = 0;
    uint32_t bits = 0;
    if (length % 4) return -1;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=') padding++;
    for (size_t i = 0; i < length - padding; i++) {
        const int value = digit_value(text[i]);
        if (value < 0) return -1;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4) out[written++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    return (int64_t)written;
}

void heed_base64_put(heed_buffer *buffer, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length; at += 3) {
        uint32_t bits = 0;
        const size_t count = length - at < 3 ? length - at : 3;
        for (size_t i = 0; i < count; i++)
            bits |= (uint32_t)(unsigned char)bytes[at + i] << (16 - 8 * i);
        for (size_t i = 0; i < 4; i++)
            heed_buffer_byte(buffer, i <= count ? digits[bits >> (18 - 6 * i) & 63] : '=');
    }
}
