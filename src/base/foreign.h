/* foreign.h: recognizes files that are not model weights, such as web pages, archives and Git LFS
   pointers, so that the error message says what the file is. */
#ifndef HEED_BASE_FOREIGN_H
#define HEED_BASE_FOREIGN_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

enum { HEED_FOREIGN_BYTES = 512 }; /* bytes of a file that are looked at */

/* Returns what the first bytes of a file show it to be and what to do about it, as a phrase for a
   message ("a Git LFS pointer, not the file itself: run git lfs pull ..."). Returns NULL if the
   bytes match no known kind. */
const char *heed_foreign_sign(const void *bytes, size_t count);
/* Fails with HEED_E_FORMAT if the first bytes of a file show it to be foreign: empty, all zeros, a
   kind that heed_foreign_sign knows, or other text. `expected` names what the file should be. The
   message begins with `where` and ends with what to do. HEED_OK if the bytes match nothing
   known. */
heed_status heed_foreign_check(const char *where, const void *bytes, size_t count,
                               const char *expected, heed_error *error);
/* Fails for a file that exists and is not a model that heed reads. The message is that of
   heed_foreign_check if the bytes match something known. Never returns HEED_OK. */
heed_status heed_foreign_fail(const char *path, const char *expected, heed_error *error);

#endif
