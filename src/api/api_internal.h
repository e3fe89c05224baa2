/* api_internal.h: the structs that the handles of heed/heed.h stand for. This module turns
   the tasks of the public interface into calls of the other modules. */
#ifndef HEED_API_API_INTERNAL_H
#define HEED_API_API_INTERNAL_H

#include "base/cpu.h"
#include "cpu/backend.h"
#include "graph/plan.h"
#include <heed/heed.h>

struct heed_context {
    heed_backend *cpu; /* owned; NULL if the reference kernels are used */
    heed_backend reference;
    heed_backend *backend; /* the backend in use: `cpu` or `reference` */
    heed_threads threads;
    heed_observer_options asked; /* the caller's options */
    heed_observer observer;      /* set on the backend if the options ask for anything */
    heed_profile profile;
    pthread_mutex_t turn; /* held while the observer works */
};

/* Finds the type of weights called `name`. HEED_E_ARG names the possible types if weights cannot be
   rounded to it. */
heed_status heed_weight_type_read(const char *name, heed_dtype *dtype, heed_error *error);

#endif
