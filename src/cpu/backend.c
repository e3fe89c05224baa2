/* backend.c: the tables of kernels by instruction set, and the CPU backend. */
#include "cpu/backend.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "cpu/kernels.h"
#include "cpu/pack.h"
#include "cpu/rules.h"
#include "cpu/update_internal.h"
#include <stdlib.h>

#define HEED_KERNEL_ENTRY(name) &heed_kernel_##name##_generic,
static const heed_kernel *const generic_kernels[] = {
#include "cpu/kernels.def"
};
#undef HEED_KERNEL_ENTRY

#if defined(__x86_64__)
#define HEED_KERNEL_ENTRY(name) &heed_kernel_##name##_avx2,
static const heed_kernel *const avx2_kernels[] = {
#include "cpu/kernels.def"
};
#undef HEED_KERNEL_ENTRY
#define HEED_KERNEL_ENTRY(name) &heed_kernel_##name##_avx512,
static const heed_kernel *const avx512_kernels[] = {
#include "cpu/kernels.def"
};
#undef HEED_KERNEL_ENTRY
#endif

static const heed_kernel *const *kernels_of(heed_isa isa)
{
#if defined(__x86_64__)
    if (isa == HEED_ISA_AVX512) return avx512_kernels;
    if (isa == HEED_ISA_AVX2) return avx2_kernels;
#endif
    (void)isa;
    return generic_kernels;
}

heed_status heed_cpu_backend_new(heed_backend **result, int threads, heed_isa isa,
                                 heed_error *error)
{
    *result = NULL;
    if (isa > heed_isa_detect())
        return heed_fail(error, HEED_E_ARG,
                         "this machine has no %s; its best instruction set is %s",
                         heed_isa_name(isa), heed_isa_name(heed_isa_detect()));
    heed_backend *backend = heed_allocate(1, sizeof *backend);
    if (!backend) return heed_fail_memory(error, sizeof *backend, "the CPU backend");
    *backend = (heed_backend){
        .name = "cpu",
        .isa = isa,
        .kernels = kernels_of(isa),
        .n_kernels = sizeof generic_kernels / sizeof *generic_kernels,
        .packing = &heed_cpu_packing,
        .updates = HEED_FOR_ISA(isa, heed_update),
        .rules = &heed_cpu_rules,
    };
    threads = heed_thread_count(threads);
    if (threads > 1) {
        heed_status status = heed_pool_new(&backend->pool, threads, error);
        if (status != HEED_OK) {
            free(backend);
            return status;
        }
    }
    *result = backend;
    return HEED_OK;
}

void heed_cpu_backend_free(heed_backend *backend)
{
    if (backend) heed_pool_free(backend->pool);
    free(backend);
}
