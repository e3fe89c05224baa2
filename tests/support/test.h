/* test.h: cmocka in one include, and a scratch folder per test program. */
#ifndef HEED_TESTS_TEST_H
#define HEED_TESTS_TEST_H

#include "base/error.h"
#include "base/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fails the test with heed's message when `call` is not HEED_OK; `call` may use the variable
   `error`. */
#define assert_ok(call)                                                  \
    do {                                                                 \
        heed_error error = {0};                                          \
        if ((call) != HEED_OK) fail_msg("%s: %s", #call, error.message); \
    } while (0)

/* Fails the test unless `call` answers `status` with a message that contains `part`. */
#define assert_fails(wanted, part, call)                                                           \
    do {                                                                                           \
        heed_error error = {0};                                                                    \
        heed_status found_status = (call);                                                         \
        if (found_status != (wanted) || error.status != (wanted) ||                                \
            !strstr(error.message, (part)))                                                        \
            fail_msg("%s: expected %s with \"%s\", found %s: %s", #call, heed_status_name(wanted), \
                     (part), heed_status_name(found_status), error.message);                       \
    } while (0)

/* A fresh folder and names in it: under TMPDIR, else in memory where the system has /dev/shm (heed
   syncs what it writes, which a busy disk makes slow), else under /tmp. The path stays valid until
   the next call with the same buffer. */
typedef struct scratch {
    char folder[256], path[512];
} scratch;

static inline void scratch_make(scratch *scratch)
{
    const char *base = getenv("TMPDIR");
    if (!base || !*base) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(scratch->folder, sizeof scratch->folder, "%.200s/heed-test-XXXXXX", base);
    assert_non_null(mkdtemp(scratch->folder));
}

static inline const char *scratch_path(scratch *scratch, const char *name)
{
    snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->folder, name);
    return scratch->path;
}

/* Makes the last change of a file an old one, so that the next shows however coarse the clock of
   the file system is. */
static inline void scratch_age(const char *path)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
}

static inline const char *scratch_file(scratch *scratch, const char *name, const void *bytes,
                                       size_t count)
{
    FILE *file = fopen(scratch_path(scratch, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    return scratch->path;
}

/* Where tools/fetch_real_weights.py puts `name`: under HEED_REAL_WEIGHTS, else in the user's
   cache. */
static inline void real_weights_path(char path[1024], const char *name)
{
    const char *given = getenv("HEED_REAL_WEIGHTS"), *home = getenv("HOME");
    if (given) snprintf(path, 1024, "%s/%s", given, name);
    else snprintf(path, 1024, "%s/.cache/heed/real/%s", home ? home : "", name);
}

static inline void scratch_remove(scratch *scratch)
{
    heed_directory_remove(scratch->folder, NULL);
}

#endif
