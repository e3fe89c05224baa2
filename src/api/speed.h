/* speed.h: compares operations with the machine's peaks. */
#ifndef HEED_API_SPEED_H
#define HEED_API_SPEED_H

#include "api/api_internal.h"

/* Returns the seconds that all threads need for these operations if each type of number runs at its
   peak. operations[n] counts operations on type n. */
double heed_seconds_at_peak(const double operations[HEED_NUMBERS], const heed_peak *peak);

#endif
