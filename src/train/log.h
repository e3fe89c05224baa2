/* log.h: RUN/log.jsonl, with one JSON object on a line for each logged step, and reading it back
   for plots. */
#ifndef HEED_TRAIN_LOG_H
#define HEED_TRAIN_LOG_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_log heed_log;

typedef enum heed_log_type { HEED_LOG_INTEGER, HEED_LOG_NUMBER, HEED_LOG_TEXT } heed_log_type;
typedef struct heed_log_field {
    const char *name;
    heed_log_type type;
    union {
        int64_t integer;
        double number;
        const char *text;
    } value;
} heed_log_field;

#define HEED_LOG_I(field_name, v) \
    ((heed_log_field){.name = (field_name), .type = HEED_LOG_INTEGER, .value.integer = (v)})
#define HEED_LOG_F(field_name, v) \
    ((heed_log_field){.name = (field_name), .type = HEED_LOG_NUMBER, .value.number = (v)})
#define HEED_LOG_T(field_name, v) \
    ((heed_log_field){.name = (field_name), .type = HEED_LOG_TEXT, .value.text = (v)})

/* Opens a log for appending. If a kill cut its last line short, that line is removed first. */
heed_status heed_log_open(heed_log **log, const char *path, heed_error *error);
/* Appends one object in one write. Numbers have the shortest spelling that reads back as the same
   double; NaN and infinities become null. If the disk is full, the file keeps whole lines and the
   call returns HEED_E_IO; the log keeps the line and writes it before the next one. */
heed_status heed_log_write(heed_log *log, const heed_log_field *fields, size_t count,
                           heed_error *error);
/* Writes the lines that could not be written before. */
heed_status heed_log_flush(heed_log *log, heed_error *error);
void heed_log_close(heed_log *log); /* NULL is fine */

/* Prepares a log for a training that resumes at `step`: drops every line with a larger "step", and
   a last line that is cut. The file is replaced as a whole. An absent file is no error. Errors:
   HEED_E_FORMAT with file and line if another line is not a JSON object. */
heed_status heed_log_truncate(const char *path, int64_t step, heed_error *error);

/* The points ("step", field) of a log in the order of the file. Lines without the field are
   skipped; null becomes NaN. Free x and y with free(). */
typedef struct heed_log_series {
    double *x, *y;
    size_t count;
} heed_log_series;
heed_status heed_log_read(heed_log_series *series, const char *path, const char *field,
                          heed_error *error);
void heed_log_series_free(heed_log_series *series);

#endif
