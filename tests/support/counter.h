/* counter.h: a cancel that counts how often it is asked and says yes from a given question on. */
#ifndef HEED_TESTS_COUNTER_H
#define HEED_TESTS_COUNTER_H

#include "base/cancel.h"

/* yes_from 0: never. */
typedef struct counter {
    long asked, yes_from;
} counter;

static inline bool counter_asked(void *argument)
{
    counter *c = argument;
    c->asked++;
    return c->yes_from > 0 && c->asked >= c->yes_from;
}

static inline heed_cancel counter_cancel(counter *c)
{
    return (heed_cancel){counter_asked, c};
}

/* The next question to say yes to when `all` were asked: every one of the first, then fewer. */
static inline long counter_next(long at, long all)
{
    long step = at < 16 ? 1 : all / 16;
    return at + (step < 1 ? 1 : step);
}

#endif
