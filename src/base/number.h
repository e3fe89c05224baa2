/* number.h: arithmetic of integers. */
#ifndef HEED_BASE_NUMBER_H
#define HEED_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

static inline int64_t heed_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t heed_larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Returns a / b rounded up. Expects a >= 0, b > 0, and a + b within 63 bits. */
static inline int64_t heed_divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Returns `size` rounded up to a multiple of `unit`. The caller has checked that the result does
   not wrap. */
static inline size_t heed_round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Returns the greatest common divisor of two positive numbers (Euclid's algorithm). */
static inline int64_t heed_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

#endif
