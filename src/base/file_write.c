/* file_write.c: writes files. What a path names decides whether a file is replaced or written
   directly (heed_file_writer in file.h). */
#ifdef __linux__
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include "base/file.h"

#include "base/file_internal.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40, MOST_TRIES = 100 };

/* ---- what a path names ---- */

/* Returns the open descriptor that `path` names, or -1. Such a path is not opened again, because
   that would write a redirected file from its beginning. */
static int own_descriptor(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"};
    char mine[48];
    snprintf(mine, sizeof mine, "/proc/%ld/fd/", (long)getpid());
    const char *digits = NULL;
    if (!strcmp(path, "/dev/stdout")) return STDOUT_FILENO;
    if (!strcmp(path, "/dev/stderr")) return STDERR_FILENO;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !digits; i++)
        if (!strncmp(path, folders[i], strlen(folders[i]))) digits = path + strlen(folders[i]);
    if (!digits && !strncmp(path, mine, strlen(mine))) digits = path + strlen(mine);
    if (!digits || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) - 1 > 8)
        return -1;
    return atoi(digits);
}

/* Returns the target of the symbolic link `path`; the caller frees it. Returns NULL if `path` is
   not a link, or if out of memory (errno is ENOMEM then). */
static char *link_target(const char *path)
{
    char text[4097];
    ssize_t length = readlink(path, text, sizeof text - 1);
    if (length < 0) return NULL;
    text[length] = 0;
    char *folder = text[0] == '/' ? heed_string_copy("") : heed_path_folder(path);
    char *target = folder ? heed_path_join(folder, text) : NULL;
    free(folder);
    if (!target) errno = ENOMEM;
    return target;
}

/* Follows the symbolic links that `path` names. *target, which the caller frees, becomes the last
   path, which need not exist. If it names an open descriptor of this process, *descriptor becomes
   its number, otherwise -1. */
static heed_status follow_links(const char *path, char **target, int *descriptor, heed_error *error)
{
    char *current = heed_string_copy(path);
    if (!current) return heed_fail_memory(error, strlen(path) + 1, path);
    *descriptor = strcmp(path, "-") ? own_descriptor(path) : STDOUT_FILENO;
    for (int links = 0; *descriptor < 0; links++) {
        char *next = link_target(current);
        if (!next && errno != ENOMEM) break;
        free(current);
        if (!next) return heed_fail_memory(error, strlen(path) + 1, path);
        current = next;
        *descriptor = own_descriptor(current);
        if (links < MOST_LINKS) continue;
        free(current);
        errno = ELOOP;
        return heed_fail_system(error, "follow the links", path);
    }
    *target = current;
    return HEED_OK;
}

/* ---- writing directly ---- */

/* Duplicates an open descriptor of this process for the writer. */
static heed_status use_descriptor(heed_file_writer *writer, int descriptor, heed_error *error)
{
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return heed_fail_system(error, "write to the open descriptor", writer->path);
    if ((flags & O_ACCMODE) == O_RDONLY)
        return heed_fail(error, HEED_E_IO, "%s: the open descriptor %d is for reading only",
                         writer->path, descriptor);
    if (descriptor == STDOUT_FILENO && fflush(stdout) != 0)
        return heed_fail_system(error, "write", writer->path);
    writer->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return writer->descriptor < 0
               ? heed_fail_system(error, "write to the open descriptor", writer->path)
               : HEED_OK;
}

/* Opens a pipe, a terminal or a device for writing. */
static heed_status open_through(heed_file_writer *writer, int more_flags, heed_error *error)
{
    writer->descriptor = open(writer->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | more_flags);
    if (writer->descriptor >= 0) return HEED_OK;
    if (errno == EINTR)
        return heed_fail(error, HEED_E_CANCELLED, "%s: interrupted while nobody was reading it",
                         writer->path);
    return heed_fail_system(error, "open for writing", writer->path);
}

/* ---- a new file ---- */

/* Fails because no file could be created in `folder`. */
static heed_status fail_in_folder(const heed_file_writer *writer, const char *folder,
                                  heed_error *error)
{
    heed_buffer doing = {0};
    heed_buffer_printf(&doing, "create a file in the folder %s", folder);
    heed_status status = heed_fail_system(
        error, doing.failed ? "create a file in its folder" : doing.data, writer->path);
    heed_buffer_free(&doing);
    return status;
}

/* Returns whether the temporary name still names the locked file. Before the lock was taken,
   another process could remove the file as abandoned. */
static bool is_held(const heed_file_writer *writer)
{
    struct stat open_file, named;
    return fstat(writer->descriptor, &open_file) == 0 && lstat(writer->temporary, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Creates and locks a file with a temporary name. */
static heed_status create_named(heed_file_writer *writer, const char *folder, heed_error *error)
{
    for (int i = 0; i < MOST_TRIES; i++) {
        writer->temporary = heed_temporary_path(folder);
        if (!writer->temporary)
            return heed_fail_memory(error, strlen(folder) + HEED_TEMPORARY_NAME, writer->path);
        writer->descriptor = open(writer->temporary,
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (writer->descriptor >= 0) {
            /* If another process has the lock, it is about to remove the file as abandoned. On a
               file system without locks nobody removes abandoned files. */
            bool taken = flock(writer->descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
            if (taken && is_held(writer)) return HEED_OK;
            unlink(writer->temporary);
            close(writer->descriptor);
            writer->descriptor = -1;
        } else if (errno != EEXIST) {
            heed_status status = fail_in_folder(writer, folder, error);
            free(writer->temporary);
            writer->temporary = NULL;
            return status;
        }
        free(writer->temporary);
        writer->temporary = NULL;
    }
    return heed_fail(error, HEED_E_IO, "%s: no free name for a temporary file in the folder %s",
                     writer->path, folder);
}

/* Opens an unnamed file, which link_unnamed gives a name later. Returns HEED_OK and leaves the
   descriptor at -1 if the file system has no unnamed files. */
static heed_status create_unnamed(heed_file_writer *writer, const char *folder, heed_error *error)
{
#ifdef O_TMPFILE
    if (access("/proc/self/fd", X_OK) != 0) return HEED_OK; /* link_unnamed needs this folder */
    writer->descriptor = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (writer->descriptor >= 0) {
        (void)flock(writer->descriptor, LOCK_EX | LOCK_NB);
        return HEED_OK;
    }
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)
        return fail_in_folder(writer, folder, error);
#else
    (void)writer, (void)folder, (void)error;
#endif
    return HEED_OK;
}

/* Gives the new file owner, group and permissions of the old one. If the system refuses to set an
   owner or a group, the matching set-id bit is cleared. */
static heed_status keep_permissions(const heed_file_writer *writer, const struct stat *old,
                                    heed_error *error)
{
    struct stat now;
    mode_t mode = old->st_mode & 07777;
    if (fstat(writer->descriptor, &now) != 0)
        return heed_fail_system(error, "inspect", writer->path);
    if (now.st_gid != old->st_gid && fchown(writer->descriptor, (uid_t)-1, old->st_gid) != 0)
        mode &= (mode_t)~S_ISGID;
    if (now.st_uid != old->st_uid && fchown(writer->descriptor, old->st_uid, (gid_t)-1) != 0)
        mode &= (mode_t)~S_ISUID;
    if ((now.st_mode & 07777) == mode || fchmod(writer->descriptor, mode) == 0) return HEED_OK;
    return heed_fail_system(error, "keep the permissions", writer->path);
}

/* Creates the file that will become `target`. `old` describes the file to be replaced, NULL if
   there is none. */
static heed_status create(heed_file_writer *writer, const struct stat *old, bool unnamed,
                          heed_error *error)
{
    size_t length = strlen(writer->path);
    if (length == 0 || writer->path[length - 1] == '/')
        return heed_fail(error, HEED_E_IO, "\"%s\": expected the path of a file", writer->path);
    if (old && faccessat(AT_FDCWD, writer->target, W_OK, AT_EACCESS) != 0)
        return heed_fail_system(error, "replace", writer->path);
    char *folder = heed_path_folder(writer->target);
    if (!folder) return heed_fail_memory(error, strlen(writer->target), writer->path);
    heed_status status = unnamed ? create_unnamed(writer, folder, error) : HEED_OK;
    if (status == HEED_OK && writer->descriptor < 0) {
        heed_temporary_clean(folder);
        status = create_named(writer, folder, error);
    }
    free(folder);
    if (status == HEED_OK && old) status = keep_permissions(writer, old, error);
    return status;
}

/* Decides how `path` is written, and opens or creates what is written to. */
static heed_status begin(heed_file_writer *writer, bool unnamed, heed_error *error)
{
    struct stat found, last;
    int descriptor = -1;
    HEED_TRY(follow_links(writer->path, &writer->target, &descriptor, error));
    bool there = descriptor < 0 && stat(writer->path, &found) == 0;
    if (descriptor < 0 && !there && errno != ENOENT)
        return heed_fail_system(error, "create", writer->path);
    if (there && S_ISDIR(found.st_mode))
        return heed_fail(error, HEED_E_IO, "%s: this is a folder, expected the path of a file",
                         writer->path);
    bool through = descriptor >= 0 || (there && !S_ISREG(found.st_mode));
    /* A link in /proc to a deleted file has no valid target, but it can be opened. */
    bool unreachable = there && !through &&
                       (lstat(writer->target, &last) != 0 || last.st_ino != found.st_ino ||
                        last.st_dev != found.st_dev);
    if (!through && !unreachable) return create(writer, there ? &found : NULL, unnamed, error);
    free(writer->target);
    writer->target = NULL;
    if (descriptor >= 0) return use_descriptor(writer, descriptor, error);
    return open_through(writer, unreachable ? O_TRUNC : 0, error);
}

heed_status heed_file_writer_begin(heed_file_writer *writer, const char *path, bool unnamed,
                                   heed_error *error)
{
    *writer = (heed_file_writer){.path = heed_string_copy(path), .descriptor = -1};
    heed_status status = writer->path ? begin(writer, unnamed, error)
                                      : heed_fail_memory(error, strlen(path) + 1, path);
    if (status != HEED_OK) heed_file_writer_close(writer);
    return status;
}

heed_status heed_file_writer_open(heed_file_writer *writer, const char *path, heed_error *error)
{
    return heed_file_writer_begin(writer, path, true, error);
}

/* ---- bytes ---- */

heed_status heed_file_writer_put(heed_file_writer *writer, const void *bytes, size_t count,
                                 heed_error *error)
{
    const char *at = bytes;
    for (size_t left = count; left > 0;) {
        ssize_t written = write(writer->descriptor, at, left);
        if (written >= 0) {
            at += written;
            left -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = writer->descriptor, .events = POLLOUT};
            (void)poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return heed_fail_system(error, "write", writer->path);
        }
    }
    writer->written += count;
    return HEED_OK;
}

/* Links the unnamed file to `path`. Returns false on failure, with EEXIST in errno if `path`
   exists. */
static bool link_unnamed(const heed_file_writer *writer, const char *path)
{
    char open_file[48];
    snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", writer->descriptor);
    return linkat(AT_FDCWD, open_file, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

/* Links the unnamed file to a temporary name. */
static heed_status link_temporary(heed_file_writer *writer, heed_error *error)
{
    char *folder = heed_path_folder(writer->target);
    if (!folder) return heed_fail_memory(error, strlen(writer->target), writer->path);
    bool linked = false;
    for (int i = 0; i < MOST_TRIES && !linked; i++) {
        free(writer->temporary);
        writer->temporary = heed_temporary_path(folder);
        if (!writer->temporary) break;
        linked = link_unnamed(writer, writer->temporary);
        if (!linked && errno != EEXIST) break;
    }
    free(folder);
    if (linked) return HEED_OK;
    if (!writer->temporary) return heed_fail_memory(error, strlen(writer->target), writer->path);
    free(writer->temporary);
    writer->temporary = NULL;
    return heed_fail_system(error, "give the written file a name", writer->path);
}

/* Gives the file its name: directly if the name is free, otherwise by renaming it over the old
   file. */
static heed_status publish(heed_file_writer *writer, heed_error *error)
{
    if (!writer->temporary) {
        if (link_unnamed(writer, writer->target)) return HEED_OK;
        if (errno != EEXIST)
            return heed_fail_system(error, "give the written file its name", writer->path);
        HEED_TRY(link_temporary(writer, error));
    }
    if (rename(writer->temporary, writer->target) != 0)
        return heed_fail_system(error, "rename into place", writer->path);
    free(writer->temporary);
    writer->temporary = NULL;
    return HEED_OK;
}

heed_status heed_file_writer_finish(heed_file_writer *writer, heed_error *error)
{
    heed_status status = HEED_OK;
    if (writer->target && fsync(writer->descriptor) != 0)
        status = heed_fail_system(error, "sync", writer->path);
    if (writer->target && status == HEED_OK) status = publish(writer, error);
    bool closed = close(writer->descriptor) == 0;
    writer->descriptor = -1;
    if (!closed && status == HEED_OK) status = heed_fail_system(error, "close", writer->path);
    if (writer->temporary) unlink(writer->temporary);
    return status == HEED_OK && writer->target ? heed_path_sync_folder_of(writer->target, error)
                                               : status;
}

void heed_file_writer_close(heed_file_writer *writer)
{
    if (writer->descriptor >= 0) {
        if (writer->temporary) unlink(writer->temporary);
        close(writer->descriptor);
    }
    free(writer->path);
    free(writer->target);
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
