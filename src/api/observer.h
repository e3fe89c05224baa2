/* observer.h: sets the observer that the options of a context ask for on its backend. */
#ifndef HEED_API_OBSERVER_H
#define HEED_API_OBSERVER_H

#include "api/api_internal.h"

/* Begins to observe the context's backend as the options say. Nothing is observed if they are NULL
   or ask for nothing. */
void heed_observer_begin(heed_context *context, const heed_observer_options *options);

#endif
