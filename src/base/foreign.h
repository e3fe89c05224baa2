/* foreign.h: what a file that is not a model's weights is instead. */
#ifndef HEED_BASE_FOREIGN_H
#define HEED_BASE_FOREIGN_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

enum { HEED_FOREIGN_BYTES = 512 }; /* more of a file is not looked at */

/* What the first bytes of a file say it is, and what to do about it, in words; NULL if they say
   nothing: a Git LFS pointer, a web page, a pickle, an archive ... */
const char *heed_foreign_sign(const void *bytes, size_t count);
/* Fails if the first bytes of a file say what it is: nothing, a Git LFS pointer, a web page, a
   pickle, an archive, another text ... The message begins with `where` and ends with what to do.
   HEED_OK if they say nothing. `expected` is what should be there. */
heed_status heed_foreign_check(const char *where, const void *bytes, size_t count,
                               const char *expected, heed_error *error);
/* The same for a file that exists but is no model that heed reads; always an error. */
heed_status heed_foreign_fail(const char *path, const char *expected, heed_error *error);

#endif
