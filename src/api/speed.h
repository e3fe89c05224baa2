/* speed.h: shares of what the machine can do. */
#ifndef HEED_API_SPEED_H
#define HEED_API_SPEED_H

#include "api/api_internal.h"

/* Seconds that these operations would take all threads at the peaks of their numbers. */
double heed_seconds_at_peak(const double operations[HEED_NUMBERS], const heed_peak *peak);

#endif
