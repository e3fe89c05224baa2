/* counter.h: a cancel that counts how often it is asked and answers yes from a given question on.
   */
#ifndef HEED_TESTS_COUNTER_H
#define HEED_TESTS_COUNTER_H

#include "base/cancel.h"

typedef struct counter {
    /* questions so far; the first question that is answered yes, from 1; 0: none is */
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

/* Returns the next question to answer yes in tests that try many of `all` questions: each of the
   first 16, then every (all / 16)th. */
static inline long counter_next(long at, long all)
{
    long step = at < 16 ? 1 : all / 16;
    return at + (step < 1 ? 1 : step);
}

#endif
