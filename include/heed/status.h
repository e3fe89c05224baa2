/* heed/status.h: the status and the error message of calls that can fail. The library never aborts,
   exits or prints. */
#ifndef HEED_STATUS_H
#define HEED_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

/* Marks a function whose arguments the compiler checks against a printf format. */
#if defined(__GNUC__) || defined(__clang__)
#define HEED_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define HEED_PRINTF(format_index, first_argument)
#endif

typedef enum heed_status {
    HEED_OK = 0,  /* success */
    HEED_E_ARG,   /* an argument, flag or option is missing, out of range or contradicts another */
    HEED_E_SHAPE, /* shapes do not fit each other */
    HEED_E_DTYPE, /* element types do not fit each other */
    HEED_E_NOMEM, /* an allocation failed; the message says how many bytes were wanted */
    HEED_E_IO,    /* the operating system refused to open, read, write or rename a file */
    /* a file breaks its own format; the message names the file, and the byte offset or field */
    HEED_E_FORMAT,
    HEED_E_UNSUPPORTED, /* the request is understood, but this version or build cannot do it */
    HEED_E_CANCELLED    /* the caller or Ctrl-C stopped the work */
} heed_status;

/* Receives an error. The caller zero-initializes it, and zeroes it again before it is used for the
   next error: only the first error is recorded. Every function that takes a heed_error * accepts
   NULL. */
typedef struct heed_error {
    heed_status status;
    /* what went wrong, where, what was expected and what to do, in one line of valid UTF-8 without
       control characters */
    char message[512];
} heed_error;

/* Records an error, with a message in printf style, unless *error holds one already. Returns
   `status`, so that callers can write `return heed_fail(error, HEED_E_SHAPE, ...)`. error may be
   NULL. */
heed_status heed_fail(heed_error *error, heed_status status, const char *format, ...)
    HEED_PRINTF(3, 4);

/* Returns the status in words, such as "out of memory", in static storage. */
const char *heed_status_name(heed_status status);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
