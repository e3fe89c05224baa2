/* methods.h: what the files of methods share. */
#ifndef HEED_JINJA_METHODS_H
#define HEED_JINJA_METHODS_H

#include "jinja/value.h"

/* Methods of strings; they end with a record without a name. */
extern const jinja_builtin heed_jinja_split_methods[];

/* An argument that must be a string, or an integer; false after a failure, which says `what` needs
   it. */
bool heed_jinja_needs_text(jinja_run *run, jinja_value value, const char *what);
bool heed_jinja_needs_whole(jinja_run *run, jinja_value value, const char *what, int64_t *whole);
static inline bool jinja_given(jinja_value value)
{
    return value.kind != JINJA_MISSING && value.kind != JINJA_NONE;
}

#endif
