/* unary_domain.h: where the functions of heed/unaries.def are defined, for tests that draw their
   arguments. */
#ifndef HEED_TESTS_SUPPORT_UNARY_DOMAIN_H
#define HEED_TESTS_SUPPORT_UNARY_DOMAIN_H

#include <heed/graph.h>
#include <stdbool.h>

/* Is the function defined for positive arguments alone? */
static inline bool unary_needs_positive(int64_t kind)
{
    return kind == HEED_UNARY_LOG || kind == HEED_UNARY_SQRT || kind == HEED_UNARY_RSQRT;
}

#endif
