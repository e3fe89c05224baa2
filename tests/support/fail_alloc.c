/* fail_alloc.c: wraps the functions that allocate and counts their calls (fail_alloc.h). */
#include "support/fail_alloc.h"

#include "support/test.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

static atomic_long count, fails, live;
static atomic_bool paused;

/* Counts an allocation. Returns whether it has to fail, with errno set. */
static int refused(void)
{
    if (atomic_load(&paused)) return 0;
    long n = atomic_fetch_add(&count, 1) + 1;
    if (n != atomic_load(&fails)) return 0;
    errno = ENOMEM;
    return 1;
}

/* Counts memory that was allocated; returns `pointer`. */
static void *counted(void *pointer)
{
    if (pointer) atomic_fetch_add(&live, 1);
    return pointer;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t items, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *pointer);
void *__real_mmap(void *address, size_t length, int protection, int flags, int descriptor,
                  off_t offset);
char *__real_realpath(const char *path, char *resolved);
DIR *__real_opendir(const char *path);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t items, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *pointer);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int descriptor,
                  off_t offset);
char *__wrap_realpath(const char *path, char *resolved);
DIR *__wrap_opendir(const char *path);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t items, size_t size)
{
    return refused() ? NULL : counted(__real_calloc(items, size));
}

void *__wrap_realloc(void *pointer, size_t size)
{
    if (refused()) return NULL;
    void *moved = __real_realloc(pointer, size);
    return pointer ? moved : counted(moved);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : counted(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *pointer)
{
    if (pointer) atomic_fetch_sub(&live, 1);
    __real_free(pointer);
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int descriptor,
                  off_t offset)
{
    return refused() ? MAP_FAILED
                     : __real_mmap(address, length, protection, flags, descriptor, offset);
}

/* The caller frees the result if `resolved` is NULL; only then is it counted. */
char *__wrap_realpath(const char *path, char *resolved)
{
    if (resolved) return __real_realpath(path, resolved);
    return refused() ? NULL : counted(__real_realpath(path, NULL));
}

DIR *__wrap_opendir(const char *path)
{
    return refused() ? NULL : __real_opendir(path);
}

void fail_alloc_at(long n)
{
    atomic_store(&count, 0);
    atomic_store(&fails, n);
}

void fail_alloc_pause(void)
{
    atomic_store(&paused, true);
}

void fail_alloc_resume(void)
{
    atomic_store(&paused, false);
}

long fail_alloc_count(void)
{
    return atomic_load(&count);
}

long fail_alloc_live(void)
{
    return atomic_load(&live);
}

void fail_alloc_cover_jansson(void)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
}

long fail_alloc_each(fail_alloc_scenario *scenario, void *context)
{
    const char *from = getenv("FAIL_ALLOC_FROM");
    for (long n = from ? atol(from) : 1;; n++) {
        heed_error error = {0};
        long before = fail_alloc_live();
        fail_alloc_at(n);
        heed_status status = scenario(context, &error);
        long used = fail_alloc_count();
        fail_alloc_at(0);
        assert_int_equal(fail_alloc_live(), before);
        assert_int_equal(status, error.status);
        if (used < n) {
            assert_int_equal(status, HEED_OK);
            return used;
        }
        if (status != HEED_E_NOMEM)
            fail_msg("allocation %ld failed and the status was %s: %s", n, heed_status_name(status),
                     error.message);
        assert_true(error.message[0] != 0);
    }
}
