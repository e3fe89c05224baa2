/* lines.c: lines of files, and JSON, for the public interface. */
#include "base/json.h"
#include "base/lines.h"
#include <heed/heed.h>
#include <stdio.h>

heed_status heed_lines_open(heed_line_file **file, const char *path, heed_error *error)
{
    return heed_line_file_open(file, path, error);
}

heed_status heed_lines_read(heed_line_file *file, const char **line, size_t *length,
                            heed_error *error)
{
    heed_text text = {0};
    bool found = false;
    *line = NULL;
    *length = 0;
    HEED_TRY(heed_line_file_next(file, &text, &found, error));
    if (!found) return HEED_OK;
    *line = text.bytes;
    *length = text.length;
    return HEED_OK;
}

void heed_lines_place(const heed_line_file *file, char *place, size_t size)
{
    snprintf(place, size, "%.250s, line %zu", heed_line_file_name(file),
             heed_line_file_number(file));
}

void heed_lines_close(heed_line_file *file)
{
    heed_line_file_close(file);
}

heed_status heed_json_from_text(struct json_t **json, const char *text, size_t length,
                                const char *where, heed_error *error)
{
    return heed_json_parse(json, text, length, where, error);
}
