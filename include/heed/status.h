/* heed/status.h: how every fallible call of heed answers. Nothing in the library aborts, exits or
   prints. */
#ifndef HEED_STATUS_H
#define HEED_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

#if defined(__GNUC__) || defined(__clang__)
#define HEED_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define HEED_PRINTF(format_index, first_argument)
#endif

typedef enum heed_status {
    HEED_OK = 0,
    HEED_E_ARG,   /* an argument, flag or option is out of range */
    HEED_E_SHAPE, /* shapes do not fit each other */
    HEED_E_DTYPE, /* element types do not fit each other */
    HEED_E_NOMEM, /* an allocation failed; the message says how many bytes were wanted */
    HEED_E_IO,    /* the operating system refused: open, read, write, rename, full disk */
    /* a file breaks its own format; the message names file, byte offset or field */
    HEED_E_FORMAT,
    HEED_E_UNSUPPORTED, /* understood, but this build or version cannot do it */
    HEED_E_CANCELLED    /* stopped by the caller or by Ctrl-C */
} heed_status;

/* The caller's error slot. Zero-initialize it; the first error written wins, later ones are
   dropped. Every function taking a heed_error* accepts NULL. */
typedef struct heed_error {
    heed_status status;
    /* what, where, what was expected, what to do; one line of valid UTF-8 without control
       characters */
    char message[512];
} heed_error;

/* Records an error (printf style) unless one is recorded already; returns `status` so that callers
   can write `return heed_fail(error, HEED_E_SHAPE, ...)`. */
heed_status heed_fail(heed_error *error, heed_status status, const char *format, ...)
    HEED_PRINTF(3, 4);

/* The status's name in lower case, "out of memory" style; static storage. */
const char *heed_status_name(heed_status status);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
