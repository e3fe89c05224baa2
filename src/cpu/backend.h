/* backend.h: the CPU as a backend: a pool of threads, and for one instruction set its kernels, its
   packing of weights and its updates of parameters. */
#ifndef HEED_CPU_BACKEND_H
#define HEED_CPU_BACKEND_H

#include "graph/backend.h"

/* threads 0: as many as heed_thread_count says; 1 runs on the calling thread alone. isa: from
   heed_isa_choose, or any level that this machine has. Errors: HEED_E_ARG for an instruction set
   the machine lacks, HEED_E_NOMEM. The caller frees. */
heed_status heed_cpu_backend_new(heed_backend **backend, int threads, heed_isa isa,
                                 heed_error *error);
/* NULL is fine; no plan of it may run any more */
void heed_cpu_backend_free(heed_backend *backend);

#endif
