/* api_internal.h: the objects that the handles of heed/heed.h stand for. This module turns public
   tasks into calls of the modules before it. */
#ifndef HEED_API_API_INTERNAL_H
#define HEED_API_API_INTERNAL_H

#include "base/cpu.h"
#include "cpu/backend.h"
#include "graph/plan.h"
#include <heed/heed.h>

struct heed_context {
    heed_backend *cpu; /* owned; NULL with the reference kernels */
    heed_backend reference;
    heed_backend *backend; /* the one in use */
    heed_threads threads;
    heed_observer_options asked; /* as asked for */
    heed_observer observer;      /* of the backend, when something was asked for */
    heed_profile profile;
    pthread_mutex_t turn; /* of the observer */
};

/* The type of weights called `name`; HEED_E_ARG, naming the known ones, when weights cannot be
   rounded to it. */
heed_status heed_weight_type_read(const char *name, heed_dtype *dtype, heed_error *error);

#endif
