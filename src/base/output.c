#include "base/output.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder that `path` stands in, in the memory of `path`. */
static const char *folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash) return ".";
    if (slash == path) return "/";
    *slash = 0;
    return path;
}

/* A regular file is replaced as a whole, so its folder takes part. A symbolic link stays and its
   target is replaced. */
static heed_status check_folder(const char *path, bool exists, heed_error *error)
{
    char *own = exists ? realpath(path, NULL) : heed_string_copy(path);
    if (!own) return errno == ENOMEM ? heed_fail_memory(error, 4096, path) : heed_fail_system(error, "write", path);
    bool writable = access(folder_of(own), W_OK | X_OK) == 0;
    int reason = errno;
    free(own);
    errno = reason;
    return writable ? HEED_OK : heed_fail_system(error, "write", path);
}

heed_status heed_path_check_output(const char *path, heed_error *error)
{
    struct stat found;
    size_t length = strlen(path);
    if (length == 0)
        return heed_fail(error, HEED_E_ARG, "an empty path: expected the name of a file to write "
                                            "(a shell variable may be unset)");
    if (strcmp(path, "-") == 0) return HEED_OK;
    bool exists = stat(path, &found) == 0;
    if (!exists && errno != ENOENT) return heed_fail_system(error, "write", path);
    if (path[length - 1] == '/' || (exists && S_ISDIR(found.st_mode)))
        return heed_fail(error, HEED_E_IO, "%s: cannot write: it is a folder; name a file", path);
    if (!exists && lstat(path, &found) == 0) return HEED_OK; /* a link to a file that is yet to come */
    if (!exists || S_ISREG(found.st_mode)) return check_folder(path, exists, error);
    return access(path, W_OK) == 0 ? HEED_OK : heed_fail_system(error, "write", path);
}
