/* number.h: whole numbers. */
#ifndef HEED_BASE_NUMBER_H
#define HEED_BASE_NUMBER_H

#include <stdint.h>

/* The greatest common divisor of two positive numbers (Euclid). */
static inline int64_t heed_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

#endif
