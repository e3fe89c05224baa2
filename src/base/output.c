/* output.c: checks that a file can be written (output.h). */
#include "base/output.h"

#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

heed_status heed_path_check_output(const char *path, heed_error *error)
{
    struct stat found;
    heed_file_writer writer;
    bool other = stat(path, &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
    if (other) return access(path, W_OK) == 0 ? HEED_OK : heed_fail_system(error, "write", path);
    heed_status status = heed_file_writer_open(&writer, path, error);
    heed_file_writer_close(&writer);
    return status;
}
