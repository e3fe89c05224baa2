/* heed/optional.h: numbers that may be absent. A zeroed optional number is not set. As an option,
   it then means the default; as a result, it means that there is no such number. An option for
   which 0 is no sensible choice is a plain number instead, and its 0 means the default. */
#ifndef HEED_OPTIONAL_H
#define HEED_OPTIONAL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct heed_optional_int {
    bool set;
    int64_t value; /* 0 unless set */
} heed_optional_int;

typedef struct heed_optional_real {
    bool set;
    double value; /* 0 unless set */
} heed_optional_real;

/* Return a number that is set: options.top_k = heed_int(40). */
static inline heed_optional_int heed_int(int64_t value)
{
    heed_optional_int number = {true, value};
    return number;
}

static inline heed_optional_real heed_real(double value)
{
    heed_optional_real number = {true, value};
    return number;
}

/* Return the number, or `otherwise` if it is not set. */
static inline int64_t heed_int_or(heed_optional_int number, int64_t otherwise)
{
    return number.set ? number.value : otherwise;
}

static inline double heed_real_or(heed_optional_real number, double otherwise)
{
    return number.set ? number.value : otherwise;
}

#endif
