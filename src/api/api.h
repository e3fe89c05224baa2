/* api.h: what stands behind the handles of heed/heed.h. This room turns public tasks into calls of the rooms above it. */
#ifndef HEED_API_API_H
#define HEED_API_API_H

#include "cpu/backend.h"
#include "graph/backend.h"
#include <heed/heed.h>

struct heed_context {
    heed_backend *cpu;         /* owned; NULL with the reference kernels */
    heed_backend reference;
    const heed_backend *backend; /* the one in use */
    int threads;
};

#endif
