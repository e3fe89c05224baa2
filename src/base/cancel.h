/* cancel.h: how long-running work learns that it has to stop. The caller that starts the work
   supplies a function that says whether to stop. The work calls it often (after each part of a
   matmul, or after some thousand rows, elements or bytes), so the function has to be cheap. Work
   that stops fails with HEED_E_CANCELLED. */
#ifndef HEED_BASE_CANCEL_H
#define HEED_BASE_CANCEL_H

#include "base/error.h"
#include <stdbool.h>

/* A zeroed struct means that the work is never cancelled. */
typedef struct heed_cancel {
    /* Returns whether to stop. It is called on the thread that started the work. NULL means
       never. */
    bool (*asked)(void *argument);
    void *argument;
} heed_cancel;

/* Returns whether the work has to stop. */
static inline bool heed_cancelled(heed_cancel cancel)
{
    return cancel.asked && cancel.asked(cancel.argument);
}

/* Returns HEED_E_CANCELLED with the message "stopped while `doing`" if the work has to stop. */
static inline heed_status heed_cancel_check(heed_cancel cancel, const char *doing,
                                            heed_error *error)
{
    if (!heed_cancelled(cancel)) return HEED_OK;
    return heed_fail(error, HEED_E_CANCELLED, "stopped while %s", doing);
}

#endif
