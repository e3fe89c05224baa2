/* test.h: includes cmocka and has what most tests need: checks of a status, scratch folders. */
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

/* Fails the test with heed's message unless `call` returns HEED_OK. `call` may use the variable
   `error`. */
#define assert_ok(call)                                                  \
    do {                                                                 \
        heed_error error = {0};                                          \
        if ((call) != HEED_OK) fail_msg("%s: %s", #call, error.message); \
    } while (0)

/* Fails the test unless `call` returns `wanted` with a message that contains `part`. `call` may use
   the variable `error`. */
#define assert_fails(wanted, part, call)                                                           \
    do {                                                                                           \
        heed_error error = {0};                                                                    \
        heed_status found_status = (call);                                                         \
        if (found_status != (wanted) || error.status != (wanted) ||                                \
            !strstr(error.message, (part)))                                                        \
            fail_msg("%s: expected %s with \"%s\", found %s: %s", #call, heed_status_name(wanted), \
                     (part), heed_status_name(found_status), error.message);                       \
    } while (0)

/* A new folder, and the path of a file in it. The folder is made under TMPDIR if that is set, else
   under /dev/shm if the system has it, else under /tmp. /dev/shm is in memory; heed syncs what it
   writes, which is slow on a busy disk. */
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

/* Returns the path of a file in the folder. It is valid until the next call with this scratch. */
static inline const char *scratch_path(scratch *scratch, const char *name)
{
    snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->folder, name);
    return scratch->path;
}

/* Sets the times of a file to long ago, so that its next change shows even if the file system has a
   coarse clock. */
static inline void scratch_age(const char *path)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
}

/* Writes a file into the folder. Returns its path, as scratch_path does. */
static inline const char *scratch_file(scratch *scratch, const char *name, const void *bytes,
                                       size_t count)
{
    FILE *file = fopen(scratch_path(scratch, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    return scratch->path;
}

/* Writes the path where tools/fetch_real_weights.py stores `name`: under HEED_REAL_WEIGHTS if that
   is set, else in the user's cache. */
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
