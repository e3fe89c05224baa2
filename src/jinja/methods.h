/* methods.h: what the files of methods share. */
#ifndef HEED_JINJA_METHODS_H
#define HEED_JINJA_METHODS_H

#include "jinja/value.h"

/* The methods of strings that search, and those that split and strip. The tables end with a record
   without a name. */
extern const jinja_builtin heed_jinja_find_methods[], heed_jinja_split_methods[];

/* Check that an argument is a string, or an integer. Return false after a failure, whose message
   says that `what` needs it. */
bool heed_jinja_needs_text(jinja_run *run, jinja_value value, const char *what);
bool heed_jinja_needs_whole(jinja_run *run, jinja_value value, const char *what, int64_t *whole);
/* Returns whether an argument was given and is not none. */
static inline bool jinja_given(jinja_value value)
{
    return value.kind != JINJA_MISSING && value.kind != JINJA_NONE;
}

#endif
