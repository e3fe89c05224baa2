/* one_file.h: an empty file of the program, made and removed by a pair that cmocka takes as setup
   and teardown of a group. */
#ifndef HEED_TESTS_ONE_FILE_H
#define HEED_TESTS_ONE_FILE_H

#include "support/test.h"

static char path[] = "/tmp/heed-file-XXXXXX";

static inline int make_file(void **state)
{
    (void)state;
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static inline int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

#endif
