/* jinja.h: a safe interpreter for Jinja, the template language of chat templates. It follows Jinja
   3.1 with the settings of transformers 5: trim_blocks, lstrip_blocks, break and continue,
   immutable values, generation blocks, tojson without HTML escaping, raise_exception, strftime_now.
   Templates come from the model files of strangers: steps, memory, output and nesting are limited,
   only the given variables can be reached, and recursion is bounded.

   Inheritance and other files (block, extends, include, import, from), autoescape, translation, and
   filters that make HTML or draw random numbers are not supported, and an error names them. `e` and
   `safe` work on plain strings. */
#ifndef HEED_JINJA_JINJA_H
#define HEED_JINJA_JINJA_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include <stddef.h>
#include <stdint.h>

/* A compiled template. It is immutable, so threads may share it. */
typedef struct heed_jinja heed_jinja;

/* Compiles a template of at most 4 MiB. `where` begins messages and is copied. HEED_E_FORMAT with
   the line if the template is malformed; HEED_E_UNSUPPORTED for parts of Jinja that are not
   supported. The caller frees *jinja. */
heed_status heed_jinja_new(heed_jinja **jinja, const char *source, size_t length, const char *where,
                           heed_error *error);
void heed_jinja_free(heed_jinja *jinja); /* NULL is allowed */

/* The limits of a rendering. */
typedef struct heed_jinja_limits {
    /* units of work: nodes evaluated, elements touched, and bytes of text touched, at most 64 a
       unit */
    int64_t steps;
    size_t output; /* bytes of the result, and of any text captured on the way */
    size_t memory; /* bytes of values */
    int depth;     /* levels of nested evaluation; each takes less than 1 KiB of stack */
} heed_jinja_limits;
/* Returns 50 million steps, 64 MiB of output, 512 MiB of values and 1000 levels. */
heed_jinja_limits heed_jinja_default_limits(void);

/* A part of the output. */
typedef struct heed_jinja_span {
    size_t begin, end; /* byte offsets in the output */
} heed_jinja_span;

/* The result of a rendering. The caller zeroes it first and frees it in every case. */
typedef struct heed_jinja_output {
    heed_buffer text;
    heed_jinja_span *spans; /* the text of the generation blocks, in order */
    size_t span_count, span_capacity;
} heed_jinja_output;
void heed_jinja_output_free(heed_jinja_output *output);

/* Renders a template with an object of variables. `now` is the time for strftime_now, in seconds
   since 1970, which is shown in local time. `limits` may be NULL for the default. HEED_E_ARG if the
   template raised an exception, with its message; HEED_E_FORMAT, with the line, if values do not
   support an operation or a limit was reached; HEED_E_NOMEM if out of memory. */
heed_status heed_jinja_render(const heed_jinja *jinja, const json_t *variables, int64_t now,
                              const heed_jinja_limits *limits, heed_jinja_output *output,
                              heed_error *error);
/* Returns whether the template has generation blocks. */
bool heed_jinja_marks_generation(const heed_jinja *jinja);
/* Returns whether the template mentions a variable. */
bool heed_jinja_mentions(const heed_jinja *jinja, const char *name);

#endif
