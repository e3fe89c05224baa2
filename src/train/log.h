/* log.h: RUN/log.jsonl, one JSON object a line and step, and what plots read back from it. */
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

/* Opens for appending; a last line that a kill cut short is removed first. */
heed_status heed_log_open(heed_log **log, const char *path, heed_error *error);
/* Appends one object in one write. Numbers are the shortest that read back to the same double; NaN
   and infinities become null. On a full disk the file keeps whole lines and the call fails with
   HEED_E_IO; the log keeps the line and writes it before the next one. */
heed_status heed_log_write(heed_log *log, const heed_log_field *fields, size_t count,
                           heed_error *error);
/* Writes the lines that are still kept. */
heed_status heed_log_flush(heed_log *log, heed_error *error);
void heed_log_close(heed_log *log); /* NULL is fine */

/* For resuming at `step`: drops every line whose "step" is larger, and a cut last line; the file is
   replaced in one piece. An absent file is fine. HEED_E_FORMAT with file and line when another line
   is not a JSON object. */
heed_status heed_log_truncate(const char *path, int64_t step, heed_error *error);

/* The points ("step", field) of a log in file order; lines without the field are skipped, null
   gives NaN. Free x and y with free(). */
typedef struct heed_log_series {
    double *x, *y;
    size_t count;
} heed_log_series;
heed_status heed_log_read(heed_log_series *series, const char *path, const char *field,
                          heed_error *error);
void heed_log_series_free(heed_log_series *series);

#endif
