/* file_temporary.c: makes temporary names and removes the files that killed processes left under
   such names (file.h). */
#include "base/file.h"

#include "base/file_internal.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char prefix[] = ".heed-", ending[] = ".tmp";
enum { PREFIX = sizeof prefix - 1, DIGITS = 16 };

bool heed_temporary_is_name(const char *name)
{
    return !strncmp(name, prefix, PREFIX) && strspn(name + PREFIX, "0123456789abcdef") == DIGITS &&
           !strcmp(name + PREFIX + DIGITS, ending);
}

char *heed_temporary_path(const char *folder)
{
    uint64_t number = 0;
    char name[HEED_TEMPORARY_NAME];
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) {
        /* The time is good enough, because a name that exists already is not used. */
        struct timespec now = {0};
        clock_gettime(CLOCK_REALTIME, &now);
        number = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
                 ((uint64_t)getpid() << 40);
    }
    snprintf(name, sizeof name, "%s%016llx%s", prefix, (unsigned long long)number, ending);
    return heed_path_join(folder, name);
}

heed_status heed_temporary_directory(const char *parent, char **path, heed_error *error)
{
    for (int i = 0; i < 100; i++) {
        *path = heed_temporary_path(parent);
        if (!*path) return heed_fail_memory(error, strlen(parent) + HEED_TEMPORARY_NAME, parent);
        if (mkdir(*path, 0777) == 0) return HEED_OK;
        free(*path);
        *path = NULL;
        if (errno != EEXIST) return heed_fail_system(error, "make a folder in it", parent);
    }
    return heed_fail(error, HEED_E_IO, "%s: no free name for a temporary folder in it", parent);
}

/* A writer holds a lock on its file. If the lock is free, the writer has ended. */
void heed_temporary_remove_abandoned(const char *path)
{
    struct stat information;
    int descriptor = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return;
    if (fstat(descriptor, &information) == 0 && S_ISREG(information.st_mode) &&
        flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        (void)unlink(path);
    close(descriptor);
}

void heed_temporary_clean(const char *folder)
{
    DIR *stream = opendir(folder);
    if (!stream) return;
    for (struct dirent *entry; (entry = readdir(stream));) {
        char *path = NULL;
        if (heed_temporary_is_name(entry->d_name)) path = heed_path_join(folder, entry->d_name);
        if (path) heed_temporary_remove_abandoned(path);
        free(path);
    }
    closedir(stream);
}
