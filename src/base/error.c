/* error.c: records errors as one printable line (error.h, heed/status.h). */
#include "base/error.h"

#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Replaces by '?' every byte that a terminal might not show as text: control characters and invalid
   UTF-8. Messages quote names from files, and a message that was cut may end inside a character. */
static void make_printable(char *message)
{
    size_t length = strlen(message);
    for (size_t at = 0, used; at < length; at += used) {
        uint32_t point;
        bool valid;
        used = heed_utf8_next(message + at, length - at, &point, &valid);
        if (!valid || point < 0x20 || (point >= 0x7F && point < 0xA0))
            memset(message + at, '?', used);
    }
}

heed_status heed_fail(heed_error *error, heed_status status, const char *format, ...)
{
    if (error && error->status == HEED_OK) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        make_printable(error->message);
        error->status = status;
    }
    return status;
}

heed_status heed_fail_memory(heed_error *error, size_t bytes, const char *what)
{
    return heed_fail(
        error, HEED_E_NOMEM,
        "out of memory: %zu bytes wanted for %s; use a smaller model, batch or context", bytes,
        what);
}

/* Returns what the user can do about a failed system call, "" if there is nothing to advise. */
static const char *remedy_of(int code)
{
    switch (code) {
    case ENOENT: return "; check the path";
    case EACCES: return "; check the permissions";
    case ENOSPC:
    case EDQUOT: return "; free some disk space, nothing that was there before is lost";
    case EFBIG:
        return "; the file size limit is reached (ulimit -f), nothing that was there before is "
               "lost";
    default: return "";
    }
}

heed_status heed_fail_system(heed_error *error, const char *doing, const char *path)
{
    const int code = errno;
    return heed_fail(error, code == ENOMEM ? HEED_E_NOMEM : HEED_E_IO, "%s: cannot %s: %s%s", path,
                     doing, strerror(code), remedy_of(code));
}

heed_status heed_error_prefix(heed_error *error, const char *format, ...)
{
    if (!error || error->status == HEED_OK) return HEED_OK;
    char prefix[256], rest[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    memcpy(rest, error->message, sizeof rest);
    size_t used = (size_t)snprintf(error->message, sizeof error->message, "%s: ", prefix);
    size_t room = sizeof error->message - used, length = strlen(rest);
    if (length >= room) length = room - 1;
    memcpy(error->message + used, rest, length);
    error->message[used + length] = 0;
    make_printable(error->message);
    return error->status;
}

const char *heed_status_name(heed_status status)
{
    switch (status) {
    case HEED_OK: return "ok";
    case HEED_E_ARG: return "bad argument";
    case HEED_E_SHAPE: return "shapes do not fit";
    case HEED_E_DTYPE: return "types do not fit";
    case HEED_E_NOMEM: return "out of memory";
    case HEED_E_IO: return "input or output failed";
    case HEED_E_FORMAT: return "malformed file";
    case HEED_E_UNSUPPORTED: return "unsupported";
    case HEED_E_CANCELLED: return "cancelled";
    }
    return "unknown status";
}
