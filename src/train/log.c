#include "train/log.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/lines.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct heed_log {
    int descriptor;
    char *path;
    heed_buffer line; /* lines that are not yet in the file */
};

/* Cuts the file after its last newline. */
static heed_status cut_last_line(int descriptor, const char *path, heed_error *error)
{
    char chunk[4096];
    off_t end = lseek(descriptor, 0, SEEK_END), keep = end;
    while (keep > 0) {
        off_t from = keep > (off_t)sizeof chunk ? keep - (off_t)sizeof chunk : 0;
        ssize_t count = pread(descriptor, chunk, (size_t)(keep - from), from);
        if (count != (ssize_t)(keep - from)) return heed_fail_system(error, "read", path);
        while (count > 0 && chunk[count - 1] != '\n') count--;
        keep = from + count;
        if (count > 0) break;
    }
    if (keep != end && ftruncate(descriptor, keep) != 0)
        return heed_fail_system(error, "cut the unfinished last line", path);
    return HEED_OK;
}

heed_status heed_log_open(heed_log **result, const char *path, heed_error *error)
{
    *result = NULL;
    heed_log *log = heed_allocate(1, sizeof *log);
    if (!log) return heed_fail_memory(error, sizeof *log, path);
    log->descriptor = -1;
    log->path = heed_string_copy(path);
    if (log->path) log->descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    heed_status status = HEED_OK;
    if (!log->path) status = heed_fail_memory(error, strlen(path) + 1, path);
    else if (log->descriptor < 0) status = heed_fail_system(error, "open", path);
    else status = cut_last_line(log->descriptor, path, error);
    if (status == HEED_OK) *result = log;
    else heed_log_close(log);
    return status;
}

static void put_field(heed_buffer *line, const heed_log_field *field)
{
    heed_json_put_string(line, field->name, strlen(field->name));
    heed_buffer_byte(line, ':');
    switch (field->type) {
    case HEED_LOG_INTEGER: heed_buffer_printf(line, "%lld", (long long)field->value.integer); break;
    case HEED_LOG_NUMBER: heed_json_put_number(line, field->value.number); break;
    case HEED_LOG_TEXT:
        heed_json_put_string(line, field->value.text, strlen(field->value.text));
        break;
    }
}

/* Adds a line to the buffer; if memory is out, the buffer is unchanged. */
static heed_status put_line(heed_log *log, const heed_log_field *fields, size_t count,
                            heed_error *error)
{
    heed_buffer line = {0};
    heed_buffer_byte(&line, '{');
    for (size_t i = 0; i < count; i++) {
        if (i) heed_buffer_byte(&line, ',');
        put_field(&line, &fields[i]);
    }
    heed_buffer_text(&line, "}\n");
    bool ok = !line.failed;
    size_t before = log->line.length;
    if (ok) heed_buffer_append(&log->line, line.data, line.length);
    if (log->line.failed) {
        log->line.length = before;
        log->line.failed = ok = false;
    }
    heed_buffer_free(&line);
    return ok ? HEED_OK : heed_fail_memory(error, before + line.length, log->path);
}

heed_status heed_log_flush(heed_log *log, heed_error *error)
{
    const heed_buffer *line = &log->line;
    off_t before = lseek(log->descriptor, 0, SEEK_END);
    for (size_t done = 0; done < line->length;) {
        ssize_t written = write(log->descriptor, line->data + done, line->length - done);
        if (written > 0) done += (size_t)written;
        else if (written == 0 || errno != EINTR) {
            heed_status status = heed_fail_system(error, "write", log->path);
            int cut = done > 0 ? ftruncate(log->descriptor, before) : 0;
            (void)cut; /* if this fails, the next opening cuts the line */
            return status;
        }
    }
    heed_buffer_clear(&log->line);
    return HEED_OK;
}

heed_status heed_log_write(heed_log *log, const heed_log_field *fields, size_t count,
                           heed_error *error)
{
    HEED_TRY(put_line(log, fields, count, error));
    return heed_log_flush(log, error);
}

void heed_log_close(heed_log *log)
{
    if (!log) return;
    if (log->descriptor >= 0) close(log->descriptor);
    heed_buffer_free(&log->line);
    free(log->path);
    free(log);
}

/* Parses one line. *json stays NULL for an empty line, and for the last one if no newline ends
   it. */
static heed_status parse_line(json_t **json, const heed_lines *lines, heed_text line,
                              const char *path, heed_error *error)
{
    char where[300];
    *json = NULL;
    if (!lines->terminated || line.length == 0) return HEED_OK;
    snprintf(where, sizeof where, "%.250s, line %zu", path, lines->number);
    HEED_TRY(heed_json_parse(json, line.bytes, line.length, where, error));
    if (json_is_object(*json)) return HEED_OK;
    json_decref(*json);
    *json = NULL;
    return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object a line", where);
}

heed_status heed_log_truncate(const char *path, int64_t step, heed_error *error)
{
    char *bytes = NULL;
    size_t size = 0;
    heed_buffer kept = {0};
    if (!heed_path_exists(path)) return HEED_OK;
    HEED_TRY(heed_file_read_whole(path, &bytes, &size, error));
    heed_lines lines = {.rest = {bytes, size}};
    heed_text line;
    heed_status status = HEED_OK;
    while (status == HEED_OK && heed_lines_next(&lines, &line)) {
        json_t *json = NULL;
        int64_t found = INT64_MIN;
        status = parse_line(&json, &lines, line, path, error);
        if (json) status = heed_json_integer(json, "step", &found, path, error);
        if (status == HEED_OK && json && found <= step)
            heed_buffer_append(&kept, line.bytes, (size_t)(lines.rest.bytes - line.bytes));
        json_decref(json);
    }
    if (status == HEED_OK && kept.failed) status = heed_fail_memory(error, size, path);
    if (status == HEED_OK && kept.length != size)
        status = heed_file_write(path, kept.data ? kept.data : "", kept.length, error);
    free(bytes);
    heed_buffer_free(&kept);
    return status;
}

static heed_status add_point(heed_log_series *series, size_t capacity[2], double x, double y,
                             const char *path, heed_error *error)
{
    if (!heed_grow(&series->x, &capacity[0], series->count + 1, sizeof *series->x) ||
        !heed_grow(&series->y, &capacity[1], series->count + 1, sizeof *series->y))
        return heed_fail_memory(error, (series->count + 1) * sizeof *series->x, path);
    series->x[series->count] = x;
    series->y[series->count++] = y;
    return HEED_OK;
}

heed_status heed_log_read(heed_log_series *series, const char *path, const char *field,
                          heed_error *error)
{
    char *bytes = NULL;
    size_t size = 0;
    *series = (heed_log_series){0};
    HEED_TRY(heed_file_read_whole(path, &bytes, &size, error));
    heed_lines lines = {.rest = {bytes, size}};
    heed_text line;
    size_t capacity[2] = {0, 0};
    heed_status status = HEED_OK;
    while (status == HEED_OK && heed_lines_next(&lines, &line)) {
        json_t *json = NULL;
        status = parse_line(&json, &lines, line, path, error);
        const json_t *step = json_object_get(json, "step"), *value = json_object_get(json, field);
        if (json_is_number(step) && (json_is_number(value) || json_is_null(value)))
            status = add_point(series, capacity, json_number_value(step),
                               json_is_null(value) ? NAN : json_number_value(value), path, error);
        json_decref(json);
    }
    free(bytes);
    if (status != HEED_OK) heed_log_series_free(series);
    return status;
}

void heed_log_series_free(heed_log_series *series)
{
    free(series->x);
    free(series->y);
    *series = (heed_log_series){0};
}
