/* jinja.h: a safe interpreter of the template language that chat templates are written in: Jinja
   3.1 as transformers 5 sets it up (trim_blocks, lstrip_blocks, break and continue, immutable
   values, generation blocks, tojson without escaping, raise_exception, strftime_now). Templates
   come from model files of strangers: steps, memory, output and nesting are limited, nothing
   outside the given variables can be reached, nothing recurses without bound.

   Left out, with an error that names them: inheritance and other files (block, extends, include,
   import, from), autoescape, translation, and filters that make HTML or draw random numbers. `e`
   and `safe` work on plain strings. */
#ifndef HEED_JINJA_JINJA_H
#define HEED_JINJA_JINJA_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include <stddef.h>
#include <stdint.h>

/* A compiled template; immutable, may be shared by threads. */
typedef struct heed_jinja heed_jinja;

/* Compiles a template of at most 4 MiB. `where` begins messages and is copied. HEED_E_FORMAT with
   line and expectation; HEED_E_UNSUPPORTED for parts of Jinja that are left out. */
heed_status heed_jinja_new(heed_jinja **jinja, const char *source, size_t length, const char *where,
                           heed_error *error);
void heed_jinja_free(heed_jinja *jinja); /* NULL is fine */

typedef struct heed_jinja_limits {
    /* units of work: nodes evaluated, elements and bytes touched (64 bytes a unit) */
    int64_t steps;
    size_t output; /* bytes of the result, and of any text captured on the way */
    size_t memory; /* bytes of values */
    int depth;     /* levels of nested evaluation; each takes less than 1 KiB of stack */
} heed_jinja_limits;
/* 50 million steps, 64 MiB of output, 512 MiB of values, depth 1000. */
heed_jinja_limits heed_jinja_default_limits(void);

typedef struct heed_jinja_span {
    size_t begin, end; /* bytes of the output */
} heed_jinja_span;

/* What rendering gives. Zero-initialize, free in every case. */
typedef struct heed_jinja_output {
    heed_buffer text;
    heed_jinja_span *spans; /* what stood inside generation blocks, in order */
    size_t span_count, span_capacity;
} heed_jinja_output;
void heed_jinja_output_free(heed_jinja_output *output);

/* Renders with an object of variables. now: seconds since 1970 that strftime_now shows in local
   time. limits NULL: the default. HEED_E_ARG: the template raised an exception with a message for
   the user; HEED_E_FORMAT: an operation that its values do not have, or a limit, with the line;
   HEED_E_NOMEM. */
heed_status heed_jinja_render(const heed_jinja *jinja, const json_t *variables, int64_t now,
                              const heed_jinja_limits *limits, heed_jinja_output *output,
                              heed_error *error);
/* Does the template have generation blocks? */
bool heed_jinja_marks_generation(const heed_jinja *jinja);
/* Does the template mention a variable? */
bool heed_jinja_mentions(const heed_jinja *jinja, const char *name);

#endif
