/* cancel.h: how long work learns that it is to end. Whoever starts the work has a function that
   says so; the work asks it often (each part of a matmul, some thousand rows, elements or bytes),
   so the function has to be cheap. Work that was told to end fails with HEED_E_CANCELLED. */
#ifndef HEED_BASE_CANCEL_H
#define HEED_BASE_CANCEL_H

#include "base/error.h"
#include <stdbool.h>

/* Zero-initialized: nobody cancels. */
typedef struct heed_cancel {
    bool (*asked)(void *argument); /* on the thread that the work was started from; NULL: never */
    void *argument;
} heed_cancel;

static inline bool heed_cancelled(heed_cancel cancel)
{
    return cancel.asked && cancel.asked(cancel.argument);
}

/* HEED_E_CANCELLED once the work is to end; `doing` completes "stopped while". */
static inline heed_status heed_cancel_check(heed_cancel cancel, const char *doing,
                                            heed_error *error)
{
    if (!heed_cancelled(cancel)) return HEED_OK;
    return heed_fail(error, HEED_E_CANCELLED, "stopped while %s", doing);
}

#endif
