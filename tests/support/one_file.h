/* one_file.h: an empty temporary file for a test program. make_file and remove_file are the setup
   and teardown of a group of cmocka. */
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
