/* filters_internal.h: the tables of filters, each of which ends with a record without a name, and
   what the filters share. */
#ifndef HEED_JINJA_FILTERS_INTERNAL_H
#define HEED_JINJA_FILTERS_INTERNAL_H

#include "jinja/value.h"

extern const jinja_builtin heed_jinja_text_filters[], heed_jinja_list_filters[],
    heed_jinja_order_filters[];

/* Returns the truth of an argument, `otherwise` if it was not given. */
static inline bool jinja_flag(jinja_value value, bool otherwise)
{
    return value.kind == JINJA_MISSING ? otherwise : heed_jinja_truth(value);
}
/* Reads an integer argument; *integer is `otherwise` if it was not given. Returns false after a
   failure. */
bool heed_jinja_integer_argument(jinja_run *run, jinja_value value, const char *what,
                                 int64_t otherwise, int64_t *integer);
/* Makes a sequence of the given style from elements. */
jinja_value heed_jinja_of_items(jinja_run *run, jinja_style style, const jinja_value *items,
                                size_t count);
/* Returns text in lower case, for orders that ignore case, and other values unchanged. */
jinja_value heed_jinja_fold(jinja_run *run, jinja_value value);

#endif
