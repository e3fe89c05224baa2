/* clock.h: a monotonic clock in seconds. */
#ifndef HEED_BASE_CLOCK_H
#define HEED_BASE_CLOCK_H

#include <time.h>

/* Returns seconds since an arbitrary start. */
static inline double heed_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
