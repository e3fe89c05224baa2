/* base64.h: bytes as text. Source: RFC 4648, section 4. */
#ifndef HEED_BASE_BASE64_H
#define HEED_BASE_BASE64_H

#include "base/buffer.h"
#include <stddef.h>
#include <stdint.h>

/* Decodes base64 with padding into `out`, which has room for 3/4 of the text. Returns the number of
   bytes, -1 if the text is not base64. */
int64_t heed_base64_decode(const char *text, size_t length, char *out);
/* Appends the bytes as base64 with padding. */
void heed_base64_put(heed_buffer *buffer, const char *bytes, size_t length);

#endif
