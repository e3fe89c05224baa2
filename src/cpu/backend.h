/* backend.h: the CPU as a backend: a pool of threads, and for one instruction set its kernels, its
   packing of weights and its updates of parameters. */
#ifndef HEED_CPU_BACKEND_H
#define HEED_CPU_BACKEND_H

#include "graph/backend.h"

/* Makes a backend. threads: 0 means as many as heed_thread_count says, 1 means the calling thread
   alone. isa: from heed_isa_choose, or any level that this machine has. HEED_E_ARG if the machine
   lacks the instruction set; HEED_E_NOMEM. The caller frees the backend. */
heed_status heed_cpu_backend_new(heed_backend **backend, int threads, heed_isa isa,
                                 heed_error *error);
/* Frees the backend, which may be NULL. No plan may run on it any more. */
void heed_cpu_backend_free(heed_backend *backend);

#endif
