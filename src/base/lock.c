/* lock.c: locks files and folders with flock (lock.h). */
#include "base/lock.h"

#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fails because another process holds the lock, and names it if the file does. */
static heed_status refuse(int descriptor, const char *taken, heed_error *error)
{
    char holder[24] = "";
    ssize_t length = pread(descriptor, holder, sizeof holder - 1, 0);
    while (length > 0 && (holder[length - 1] < '0' || holder[length - 1] > '9')) length--;
    holder[length > 0 ? length : 0] = 0;
    return heed_fail(error, HEED_E_ARG,
                     "%s by %s%s: wait until it has ended, or choose another folder", taken,
                     *holder ? "process " : "another process", holder);
}

/* Returns whether the file contains what heed writes into its locks: nothing, or a process
   number. */
static bool is_lock(int descriptor)
{
    struct stat information;
    char text[24] = "";
    if (fstat(descriptor, &information) != 0 || !S_ISREG(information.st_mode)) return false;
    if (information.st_size >= (off_t)sizeof text) return false;
    if (pread(descriptor, text, sizeof text - 1, 0) != information.st_size) return false;
    size_t digits = strspn(text, "0123456789");
    return (size_t)information.st_size == digits + (text[digits] == '\n');
}

heed_status heed_lock_take(heed_lock *lock, const char *path, const char *taken, heed_error *error)
{
    char holder[24];
    lock->descriptor = -1;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (descriptor < 0) return heed_fail_system(error, "open the lock", path);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        heed_status status = errno == EWOULDBLOCK ? refuse(descriptor, taken, error) : HEED_OK;
        close(descriptor);
        return status;
    }
    if (!is_lock(descriptor)) {
        close(descriptor);
        return heed_fail(error, HEED_E_ARG, "%s: this is not a lock of heed's: move it away", path);
    }
    int length = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    bool named = ftruncate(descriptor, 0) == 0 &&
                 pwrite(descriptor, holder, (size_t)length, 0) == length;
    (void)named; /* If the disk is full, another process's message cannot name this one. */
    lock->descriptor = descriptor;
    return HEED_OK;
}

heed_status heed_lock_take_folder(heed_lock *lock, const char *folder, const char *taken,
                                  heed_error *error)
{
    lock->descriptor = -1;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return heed_fail_system(error, "open the folder", folder);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        heed_status status = errno == EWOULDBLOCK ? refuse(descriptor, taken, error) : HEED_OK;
        close(descriptor);
        return status;
    }
    lock->descriptor = descriptor;
    return HEED_OK;
}

void heed_lock_free(heed_lock *lock)
{
    if (lock->descriptor >= 0) close(lock->descriptor);
    lock->descriptor = -1;
}
