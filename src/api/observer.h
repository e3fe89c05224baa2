/* observer.h: what a context was asked to look at, hung on its backend. */
#ifndef HEED_API_OBSERVER_H
#define HEED_API_OBSERVER_H

#include "api/api_internal.h"

/* From now on the context's backend is watched; options NULL: it is not. */
void heed_observer_begin(heed_context *context, const heed_observer_options *options);

#endif
