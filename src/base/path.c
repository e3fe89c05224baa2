/* path.c: questions about paths (path.h). */
#include "base/path.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool heed_path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool heed_path_is_directory(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0 && S_ISDIR(information.st_mode);
}

bool heed_path_is_regular(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0 && S_ISREG(information.st_mode);
}

char *heed_path_join(const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    char *joined = malloc(a + b + 2);
    if (!joined) return NULL;
    memcpy(joined, folder, a);
    bool slash = a > 0 && folder[a - 1] != '/';
    if (slash) joined[a] = '/';
    memcpy(joined + a + slash, name, b + 1);
    return joined;
}

char *heed_path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 1;
    char *folder = malloc(length + 2);
    if (!folder) return NULL;
    if (slash == path) length = 1; /* "/" stays "/" */
    memcpy(folder, slash ? path : ".", length);
    folder[length] = 0;
    return folder;
}

char *heed_path_existing(const char *path, size_t *length)
{
    char *part = heed_string_copy(path);
    if (!part) return NULL;
    while (*part && !heed_path_exists(part)) {
        char *slash = strrchr(part, '/');
        bool root = slash == part && slash[1];
        if (slash) slash[root] = 0;
        else *part = 0;
    }
    *length = strlen(part);
    return part;
}

heed_status heed_path_resolve(char **real, const char *path, heed_error *error)
{
    size_t existed = 0;
    char *part = heed_path_existing(path, &existed), *resolved = NULL;
    if (!part) return heed_fail_memory(error, strlen(path), path);
    resolved = realpath(*part ? part : ".", NULL);
    heed_status status = resolved ? HEED_OK : heed_fail_system(error, "resolve", path);
    free(part);
    HEED_TRY(status);
    const char *rest = path + existed;
    while (*rest == '/') rest++;
    *real = *rest ? heed_path_join(resolved, rest) : heed_string_copy(resolved);
    free(resolved);
    for (size_t end = *real ? strlen(*real) : 0; end > 1 && (*real)[end - 1] == '/'; end--)
        (*real)[end - 1] = 0;
    return *real ? HEED_OK : heed_fail_memory(error, strlen(path) + 256, path);
}

bool heed_path_is_inside(const char *real, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/') length--;
    return !strncmp(real, folder, length) && (real[length] == '/' || real[length] == 0);
}

void heed_directory_unmake(char *path, size_t existed)
{
    for (size_t end = strlen(path); end > existed;) {
        while (end > existed && path[end - 1] == '/') end--;
        path[end] = 0;
        if (end == existed || rmdir(path) != 0) return;
        while (end > existed && path[end - 1] != '/') end--;
    }
}
