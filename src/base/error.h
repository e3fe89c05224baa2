/* error.h: the status type of the public header and the one control-flow macro of the code base. */
#ifndef HEED_BASE_ERROR_H
#define HEED_BASE_ERROR_H

#include <heed/status.h>
#include <stddef.h>

/* Returns from the enclosing function when `expression` is not HEED_OK. Functions that own
   something use `goto done`. */
#define HEED_TRY(expression)                          \
    do {                                              \
        heed_status try_status = (expression);        \
        if (try_status != HEED_OK) return try_status; \
    } while (0)

/* HEED_E_NOMEM with the bytes wanted and what they were for. */
heed_status heed_fail_memory(heed_error *error, size_t bytes, const char *what);

/* HEED_E_IO (HEED_E_NOMEM for ENOMEM) from errno: "path: cannot doing: reason; remedy". */
heed_status heed_fail_system(heed_error *error, const char *doing, const char *path);

/* Puts "context: " before an error that is already recorded (file name, tensor name ...); returns
   its status. */
heed_status heed_error_prefix(heed_error *error, const char *format, ...) HEED_PRINTF(2, 3);

#endif
