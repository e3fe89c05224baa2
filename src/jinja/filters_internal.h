/* filters_internal.h: the tables that the filters stand in; each ends with a record without a
   name. */
#ifndef HEED_JINJA_FILTERS_INTERNAL_H
#define HEED_JINJA_FILTERS_INTERNAL_H

#include "jinja/value.h"

extern const jinja_builtin heed_jinja_text_filters[], heed_jinja_list_filters[],
    heed_jinja_order_filters[];

/* An argument, or what stands for it when it was not given. */
static inline bool jinja_flag(jinja_value value, bool otherwise)
{
    return value.kind == JINJA_MISSING ? otherwise : heed_jinja_truth(value);
}
/* An integer argument; false after a failure. */
bool heed_jinja_integer_argument(jinja_run *run, jinja_value value, const char *what,
                                 int64_t otherwise, int64_t *integer);
/* A list from elements: the walk's own, as a value of some style. */
jinja_value heed_jinja_of_items(jinja_run *run, jinja_style style, const jinja_value *items,
                                size_t count);
/* Text in lower case, for orders that ignore case; other values as they are. */
jinja_value heed_jinja_fold(jinja_run *run, jinja_value value);

#endif
