/* data_lines.c: reads data files that consist of lines. */
#include "io/data_internal.h"
#include <string.h>
#include <sys/stat.h>

heed_status heed_data_fail_empty(const char *path, heed_error *error)
{
    return heed_fail(error, HEED_E_FORMAT, "%s: the file is empty, expected text or tokens", path);
}

/* Is this a regular file without bytes? */
static bool is_empty_file(const char *path)
{
    struct stat information;
    return strcmp(path, "-") && stat(path, &information) == 0 && S_ISREG(information.st_mode) &&
           information.st_size == 0;
}

heed_status heed_data_open_lines(heed_line_file **lines, const char *path, heed_error *error)
{
    HEED_TRY(heed_line_file_open(lines, path, error));
    if (!is_empty_file(path)) return HEED_OK;
    heed_line_file_close(*lines);
    *lines = NULL;
    return heed_data_fail_empty(path, error);
}

heed_status heed_data_next_line(const heed_data *data, heed_line_file *lines, heed_text *line,
                                bool *found, heed_error *error)
{
    enum { LINES_UNASKED = 256 };
    if (heed_line_file_number(lines) % LINES_UNASKED == 0)
        HEED_TRY(heed_cancel_check(data->cancel, "reading the data", error));
    return heed_line_file_next(lines, line, found, error);
}

heed_status heed_data_for_each_line(heed_data *data, const char *path, heed_data_line_reader *read,
                                    heed_error *error)
{
    heed_line_file *lines = NULL;
    HEED_TRY(heed_data_open_lines(&lines, path, error));
    heed_status status = HEED_OK;
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line = {0};
        status = heed_data_next_line(data, lines, &line, &found, error);
        heed_data_origin at = {path, heed_line_file_number(lines)};
        if (status == HEED_OK && found) status = read(data, line, at, error);
    }
    heed_line_file_close(lines);
    return status;
}
