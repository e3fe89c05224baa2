/* file.c: reads files, and makes, removes and syncs folders and links (file.h). */
#include "base/file.h"

#include "base/file_internal.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file for reading and returns its descriptor and its size. */
static heed_status open_regular(const char *path, int *descriptor, size_t *size, heed_error *error)
{
    struct stat information;
    /* O_NONBLOCK: opening a pipe must not wait, since it is refused below. */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

heed_status heed_file_reader_open(heed_file_reader *reader, const char *path, heed_error *error)
{
    struct stat information;
    *reader = (heed_file_reader){.path = heed_string_copy(path), .descriptor = -1};
    heed_status status = reader->path
                             ? open_regular(path, &reader->descriptor, &reader->size, error)
                             : heed_fail_memory(error, strlen(path) + 1, path);
    if (status == HEED_OK && fstat(reader->descriptor, &information) != 0)
        status = heed_fail_system(error, "inspect", path);
    if (status != HEED_OK) {
        heed_file_reader_close(reader);
        return status;
    }
    reader->size = (size_t)information.st_size;
    reader->changed_seconds = information.st_mtim.tv_sec;
    reader->changed_nanoseconds = information.st_mtim.tv_nsec;
    return HEED_OK;
}

heed_status heed_file_reader_check(const heed_file_reader *reader, heed_error *error)
{
    struct stat now;
    if (fstat(reader->descriptor, &now) != 0)
        return heed_fail_system(error, "inspect", reader->path);
    if ((size_t)now.st_size == reader->size && now.st_mtim.tv_sec == reader->changed_seconds &&
        now.st_mtim.tv_nsec == reader->changed_nanoseconds)
        return HEED_OK;
    return heed_fail(error, HEED_E_IO,
                     "%s: another program has changed the file while heed read it (%zu bytes at "
                     "first, %lld now); try again when it is complete",
                     reader->path, reader->size, (long long)now.st_size);
}

/* Fails because the file has no bytes at `offset`, although it had them when it was opened. */
static heed_status fail_short(const heed_file_reader *reader, size_t offset, heed_error *error)
{
    struct stat now;
    bool known = fstat(reader->descriptor, &now) == 0 && (size_t)now.st_size < offset;
    return heed_fail(error, HEED_E_IO,
                     "%s: the file ends at byte %zu, expected %zu bytes as it had when it was "
                     "opened: another program has cut it short; restore the file and try again",
                     reader->path, known ? (size_t)now.st_size : offset, reader->size);
}

heed_status heed_file_reader_get(const heed_file_reader *reader, size_t offset, void *bytes,
                                 size_t count, heed_error *error)
{
    char *at = bytes;
    for (size_t done = 0; done < count;) {
        off_t place = (off_t)(offset + done);
        ssize_t length = pread(reader->descriptor, at + done, count - done, place);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return heed_fail_system(error, "read", reader->path);
        if (length == 0) return fail_short(reader, offset + done, error);
        done += (size_t)length;
    }
    return HEED_OK;
}

void heed_file_reader_close(heed_file_reader *reader)
{
    if (reader->descriptor >= 0) close(reader->descriptor);
    free(reader->path);
    *reader = (heed_file_reader){.descriptor = -1};
}

/* Reads a regular file into `buffer`. Fails if it changes meanwhile. */
static heed_status read_regular(const char *path, heed_buffer *buffer, heed_error *error)
{
    heed_file_reader reader;
    HEED_TRY(heed_file_reader_open(&reader, path, error));
    size_t room = 0;
    heed_status status = HEED_OK;
    buffer->data = heed_add_size(reader.size, 1, &room) ? malloc(room) : NULL;
    if (!buffer->data) status = heed_fail_memory(error, reader.size, path);
    else status = heed_file_reader_get(&reader, 0, buffer->data, reader.size, error);
    if (status == HEED_OK) status = heed_file_reader_check(&reader, error);
    if (status == HEED_OK) buffer->data[reader.size] = 0;
    buffer->length = reader.size;
    heed_file_reader_close(&reader);
    return status;
}

/* Reads a descriptor to its end into `buffer`. */
static heed_status read_to_end(int descriptor, const char *path, heed_buffer *buffer,
                               heed_error *error)
{
    enum { CHUNK = 1 << 16 };
    char *chunk = malloc(CHUNK);
    if (!chunk) return heed_fail_memory(error, CHUNK, path);
    ssize_t count;
    while ((count = read(descriptor, chunk, CHUNK)) > 0)
        heed_buffer_append(buffer, chunk, (size_t)count);
    heed_status status = HEED_OK;
    if (count < 0 && errno == EINTR)
        status = heed_fail(error, HEED_E_CANCELLED, "%s: interrupted", path);
    else if (count < 0) status = heed_fail_system(error, "read", path);
    heed_buffer_append(buffer, "", 0); /* makes data non-NULL for an empty pipe */
    if (status == HEED_OK && buffer->failed) status = heed_fail_memory(error, buffer->length, path);
    free(chunk);
    return status;
}

/* Reads a pipe, a device or, for "-", standard input. */
static heed_status read_stream(const char *path, heed_buffer *buffer, heed_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    int descriptor = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return heed_fail_system(error, "open", path);
    heed_status status = read_to_end(descriptor, path, buffer, error);
    if (!standard) close(descriptor);
    return status;
}

heed_status heed_file_read_whole(const char *path, char **bytes, size_t *size, heed_error *error)
{
    struct stat information;
    heed_buffer buffer = {0};
    bool stream = strcmp(path, "-") == 0;
    if (!stream && stat(path, &information) == 0)
        stream = !S_ISREG(information.st_mode) && !S_ISDIR(information.st_mode);
    heed_status status = stream ? read_stream(path, &buffer, error)
                                : read_regular(path, &buffer, error);
    *bytes = status == HEED_OK ? buffer.data : NULL;
    *size = status == HEED_OK ? buffer.length : 0;
    if (status != HEED_OK) heed_buffer_free(&buffer);
    return status;
}

heed_status heed_file_read(const char *path, size_t limit, heed_buffer *buffer, heed_error *error)
{
    int descriptor = -1;
    size_t size = 0;
    HEED_TRY(open_regular(path, &descriptor, &size, error));
    heed_status status = HEED_OK;
    if (size > limit)
        status = heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected at most %zu", path, size,
                           limit);
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
        if (total > limit)
            status = heed_fail(error, HEED_E_FORMAT, "%s: more than %zu bytes", path, limit);
        else heed_buffer_append(buffer, chunk, (size_t)count);
    }
    if (status == HEED_OK && !buffer->data) heed_buffer_append(buffer, "", 0);
    if (status == HEED_OK && buffer->failed) status = heed_fail_memory(error, size, path);
    free(chunk);
    close(descriptor);
    return status;
}

heed_status heed_path_sync_folder_of(const char *path, heed_error *error)
{
    char *folder = heed_path_folder(path);
    if (!folder) return heed_fail_memory(error, strlen(path), path);
    heed_status status = heed_path_sync(folder, error);
    free(folder);
    return status;
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
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ENOENT ? HEED_OK : heed_fail_system(error, "open the folder", path);
    DIR *folder = fdopendir(descriptor);
    heed_status status = folder ? HEED_OK : heed_fail_system(error, "open the folder", path);
    if (!folder) close(descriptor);
    for (struct dirent *entry; status == HEED_OK && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *child = heed_path_join(path, entry->d_name);
        struct stat information;
        if (!child) status = heed_fail_memory(error, strlen(path), path);
        else if (lstat(child, &information) != 0)
            status = heed_fail_system(error, "inspect", child);
        else if (S_ISDIR(information.st_mode)) status = heed_directory_remove(child, error);
        else if (unlink(child) != 0) status = heed_fail_system(error, "remove", child);
        free(child);
    }
    if (folder) closedir(folder);
    if (status == HEED_OK && rmdir(path) != 0)
        status = heed_fail_system(error, "remove the folder", path);
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
    char *folder = heed_path_folder(link), *temporary = NULL;
    if (!folder) return heed_fail_memory(error, strlen(link), link);
    bool made = false;
    for (int i = 0; i < 100 && !made; i++) {
        free(temporary);
        temporary = heed_temporary_path(folder);
        if (!temporary) break;
        made = symlink(target, temporary) == 0;
        if (!made && errno != EEXIST) break;
    }
    heed_status status = HEED_OK;
    if (!temporary) status = heed_fail_memory(error, strlen(link), link);
    else if (!made) status = heed_fail_system(error, "make the link", link);
    else if (rename(temporary, link) != 0) {
        status = heed_fail_system(error, "put the link into place", link);
        unlink(temporary);
    }
    free(folder);
    free(temporary);
    return status == HEED_OK ? heed_path_sync_folder_of(link, error) : status;
}
