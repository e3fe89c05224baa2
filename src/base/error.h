/* error.h: helpers for heed_status and heed_error of <heed/status.h>, and the project's one
   control-flow macro. */
#ifndef HEED_BASE_ERROR_H
#define HEED_BASE_ERROR_H

#include <heed/status.h>
#include <stddef.h>

/* Evaluates `expression` and returns its status from the enclosing function if it is not HEED_OK.
   Functions that own something use `goto done` or check the status instead. */
#define HEED_TRY(expression)                          \
    do {                                              \
        heed_status try_status = (expression);        \
        if (try_status != HEED_OK) return try_status; \
    } while (0)

/* Fails with HEED_E_NOMEM. The message says how many bytes were wanted, and for what. */
heed_status heed_fail_memory(heed_error *error, size_t bytes, const char *what);

/* Fails with HEED_E_IO, or HEED_E_NOMEM if errno is ENOMEM. The message is "PATH: cannot DOING:
   REASON; REMEDY", with reason and remedy taken from errno. */
heed_status heed_fail_system(heed_error *error, const char *doing, const char *path);

/* Puts "CONTEXT: " before a recorded message, for example a file name or a tensor name. Returns the
   recorded status. */
heed_status heed_error_prefix(heed_error *error, const char *format, ...) HEED_PRINTF(2, 3);

#endif
