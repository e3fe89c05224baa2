/* work.h: the scratch folder `work` of a test program. scratch_setup and scratch_teardown are the
   setup and teardown of a test or a group of cmocka. */
#ifndef HEED_TESTS_WORK_H
#define HEED_TESTS_WORK_H

#include "support/test.h"

static scratch work;

static inline int scratch_setup(void **state)
{
    (void)state;
    scratch_make(&work);
    return 0;
}

static inline int scratch_teardown(void **state)
{
    (void)state;
    scratch_remove(&work);
    return 0;
}

#endif
