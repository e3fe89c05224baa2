#include "base/file.h"

#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

heed_status heed_fail_system(heed_error *error, const char *doing, const char *path)
{
    heed_status status = errno == ENOMEM ? HEED_E_NOMEM : HEED_E_IO;
    const char *remedy = errno == ENOENT ? "; check the path" : errno == EACCES ? "; check the permissions"
                       : errno == ENOSPC || errno == EDQUOT ? "; free some disk space, nothing that was there before is lost"
                       : errno == EFBIG ? "; the file size limit is reached (ulimit -f), nothing that was there before is lost" : "";
    return heed_fail(error, status, "%s: cannot %s: %s%s", path, doing, strerror(errno), remedy);
}

static heed_status open_regular(const char *path, int *descriptor, size_t *size, heed_error *error)
{
    struct stat information;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused below, not waited for */
    if (opened < 0) return heed_fail_system(error, "open", path);
    heed_status status = HEED_OK;
    if (fstat(opened, &information) != 0) status = heed_fail_system(error, "inspect", path);
    else if (!S_ISREG(information.st_mode))
        status = heed_fail(error, HEED_E_IO, "%s: expected a regular file%s", path,
                           S_ISDIR(information.st_mode) ? ", found a folder" : "");
    if (status != HEED_OK) {
        close(opened);
        return status;
    }
    *descriptor = opened;
    *size = (size_t)information.st_size;
    return HEED_OK;
}

heed_status heed_file_map_open(heed_file_map *map, const char *path, heed_error *error)
{
    int descriptor = -1;
    *map = (heed_file_map){(const unsigned char *)"", 0};
    size_t size = 0;
    HEED_TRY(open_regular(path, &descriptor, &size, error));
    heed_status status = HEED_OK;
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED) status = heed_fail_system(error, "map", path);
        else *map = (heed_file_map){data, size};
    }
    close(descriptor);
    return status;
}

void heed_file_map_close(heed_file_map *map)
{
    if (map->size) munmap((void *)map->data, map->size);
    *map = (heed_file_map){(const unsigned char *)"", 0};
}

void heed_file_map_release(const heed_file_map *map, size_t offset, size_t count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = (offset + page - 1) / page * page, last = (offset + count) / page * page;
    if (map->size && last > first) (void)madvise((void *)(map->data + first), last - first, MADV_DONTNEED);
}

heed_status heed_file_read(const char *path, size_t limit, heed_buffer *buffer, heed_error *error)
{
    int descriptor = -1;
    size_t size = 0;
    HEED_TRY(open_regular(path, &descriptor, &size, error));
    heed_status status = HEED_OK;
    if (size > limit)
        status = heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected at most %zu", path, size, limit);
    char *chunk = status == HEED_OK ? malloc(1 << 16) : NULL;
    if (status == HEED_OK && !chunk) status = heed_fail_memory(error, 1 << 16, path);
    for (size_t total = 0; status == HEED_OK;) {
        ssize_t count = read(descriptor, chunk, 1 << 16);
        if (count == 0) break;
        if (count < 0) {
            if (errno == EINTR) continue;
            status = heed_fail_system(error, "read", path);
            break;
        }
        total += (size_t)count;
        if (total > limit) status = heed_fail(error, HEED_E_FORMAT, "%s: more than %zu bytes", path, limit);
        else heed_buffer_append(buffer, chunk, (size_t)count);
    }
    if (status == HEED_OK && !buffer->data) heed_buffer_append(buffer, "", 0);
    if (status == HEED_OK && buffer->failed) status = heed_fail_memory(error, size, path);
    free(chunk);
    close(descriptor);
    return status;
}

static heed_status write_all(int descriptor, const char *bytes, size_t count, const char *path, heed_error *error)
{
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count);
        if (written < 0) {
            if (errno == EINTR) continue;
            return heed_fail_system(error, "write", path);
        }
        bytes += written;
        count -= (size_t)written;
    }
    return HEED_OK;
}

static heed_status sync_folder_of(const char *path, heed_error *error)
{
    char *folder = heed_string_copy(path);
    if (!folder) return heed_fail_memory(error, strlen(path), path);
    char *slash = strrchr(folder, '/');
    if (slash == folder) slash[1] = 0;
    else if (slash) *slash = 0;
    heed_status status = heed_path_sync(slash ? folder : ".", error);
    free(folder);
    return status;
}

heed_status heed_file_writer_open(heed_file_writer *writer, const char *path, heed_error *error)
{
    heed_buffer temporary = {0};
    heed_buffer_printf(&temporary, "%s.tmp", path);
    *writer = (heed_file_writer){.path = heed_string_copy(path), .temporary = temporary.data, .descriptor = -1};
    heed_status status = HEED_OK;
    if (temporary.failed || !writer->path) status = heed_fail_memory(error, strlen(path), path);
    else if ((writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
        status = heed_fail_system(error, "create", writer->temporary);
    if (status != HEED_OK) heed_file_writer_close(writer);
    return status;
}

heed_status heed_file_writer_put(heed_file_writer *writer, const void *bytes, size_t count, heed_error *error)
{
    HEED_TRY(write_all(writer->descriptor, bytes, count, writer->temporary, error));
    writer->written += count;
    return HEED_OK;
}

heed_status heed_file_writer_finish(heed_file_writer *writer, heed_error *error)
{
    heed_status status = HEED_OK;
    if (fsync(writer->descriptor) != 0) status = heed_fail_system(error, "sync", writer->temporary);
    if (close(writer->descriptor) != 0 && status == HEED_OK) status = heed_fail_system(error, "close", writer->temporary);
    writer->descriptor = -1;
    if (status == HEED_OK && rename(writer->temporary, writer->path) != 0)
        status = heed_fail_system(error, "rename into place", writer->path);
    if (status != HEED_OK) {
        unlink(writer->temporary);
        return status;
    }
    return sync_folder_of(writer->path, error);
}

void heed_file_writer_close(heed_file_writer *writer)
{
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
        unlink(writer->temporary);
    }
    free(writer->path);
    free(writer->temporary);
    *writer = (heed_file_writer){.descriptor = -1};
}

heed_status heed_file_write(const char *path, const void *bytes, size_t count, heed_error *error)
{
    heed_file_writer writer;
    HEED_TRY(heed_file_writer_open(&writer, path, error));
    heed_status status = heed_file_writer_put(&writer, bytes, count, error);
    if (status == HEED_OK) status = heed_file_writer_finish(&writer, error);
    heed_file_writer_close(&writer);
    return status;
}

bool heed_path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool heed_path_is_directory(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0 && S_ISDIR(information.st_mode);
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

heed_status heed_directory_make(const char *path, heed_error *error)
{
    char *partial = heed_string_copy(path);
    if (!partial) return heed_fail_memory(error, strlen(path), path);
    heed_status status = HEED_OK;
    for (char *cursor = partial + 1; status == HEED_OK && *partial; cursor++) {
        char saved = *cursor;
        if (saved != '/' && saved != 0) continue;
        *cursor = 0;
        if (mkdir(partial, 0777) != 0 && !(errno == EEXIST && heed_path_is_directory(partial)))
            status = heed_fail_system(error, "make the folder", partial);
        *cursor = saved;
        if (saved == 0) break;
    }
    free(partial);
    return status;
}

heed_status heed_directory_remove(const char *path, heed_error *error)
{
    DIR *folder = opendir(path);
    if (!folder) return errno == ENOENT ? HEED_OK : heed_fail_system(error, "open the folder", path);
    heed_status status = HEED_OK;
    for (struct dirent *entry; status == HEED_OK && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *child = heed_path_join(path, entry->d_name);
        struct stat information;
        if (!child) status = heed_fail_memory(error, strlen(path), path);
        else if (lstat(child, &information) != 0) status = heed_fail_system(error, "inspect", child);
        else if (S_ISDIR(information.st_mode)) status = heed_directory_remove(child, error);
        else if (unlink(child) != 0) status = heed_fail_system(error, "remove", child);
        free(child);
    }
    closedir(folder);
    if (status == HEED_OK && rmdir(path) != 0) status = heed_fail_system(error, "remove the folder", path);
    return status;
}

heed_status heed_path_sync(const char *path, heed_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return heed_fail_system(error, "open", path);
    heed_status status = fsync(descriptor) == 0 ? HEED_OK : heed_fail_system(error, "sync", path);
    close(descriptor);
    return status;
}

heed_status heed_link_replace(const char *target, const char *link, heed_error *error)
{
    heed_buffer temporary = {0};
    heed_buffer_printf(&temporary, "%s.tmp", link);
    if (temporary.failed) return heed_fail_memory(error, strlen(link), link);
    heed_status status = HEED_OK;
    unlink(temporary.data);
    if (symlink(target, temporary.data) != 0) status = heed_fail_system(error, "make the link", temporary.data);
    else if (rename(temporary.data, link) != 0) {
        status = heed_fail_system(error, "put the link into place", link);
        unlink(temporary.data);
    }
    heed_buffer_free(&temporary);
    return status == HEED_OK ? sync_folder_of(link, error) : status;
}
