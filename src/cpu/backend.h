/* backend.h: the CPU as a backend: its kernels for one instruction set, a pool of threads, and the
   packed form of weights. */
#ifndef HEED_CPU_BACKEND_H
#define HEED_CPU_BACKEND_H

#include "cpu/gemm/gemm.h"
#include "graph/backend.h"

/* threads 0: as many as heed_thread_count says; 1 runs on the calling thread alone. isa: from
   heed_isa_choose, or any level that this machine has. Errors: HEED_E_ARG for an instruction set
   the machine lacks, HEED_E_NOMEM. The caller frees. */
heed_status heed_cpu_backend_new(heed_backend **backend, int threads, heed_isa isa,
                                 heed_error *error);
/* NULL is fine; no plan of it may run any more */
void heed_cpu_backend_free(heed_backend *backend);

/* The resident form of a weight W (rows,columns) that matmuls read, HEED_LAYOUT_PANELS (see
   gemm/gemm.h). dtype HEED_F32, HEED_F16 or HEED_BF16: what panels hold, whatever the source's
   type. Bytes are a multiple of 64; memory is 64-byte aligned. */
typedef struct heed_cpu_panels {
    void *data;
    heed_dtype dtype;
    int64_t rows, columns;
} heed_cpu_panels;
/* false: overflow */
bool heed_cpu_panels_bytes(const heed_backend *backend, heed_dtype dtype, int64_t rows,
                           int64_t columns, size_t *bytes);
/* Writes rows [first, first + count) of W from a source with its own strides (elements between its
   rows, and between the elements of a row), so that several tensors can share one weight, and
   tensors stored (columns,rows) need no copy. The call that writes the last row also fills up the
   last panel. */
void heed_cpu_panels_pack(const heed_backend *backend, const heed_cpu_panels *panels, int64_t first,
                          int64_t count, const heed_gemm_source *source);
/* The bf16 working copy of a trained weight W (rows,columns), HEED_LAYOUT_PANELS_BOTH: panels of W
   and of its transpose in bf16, each element as heed_round_operand has it. Bytes are a multiple of
   64. Rows come in runs of heed_cpu_copy_run: a call writes rows [first, first + count), floats
   that lie end to end, first and count multiples of that, but for a count that ends with the last
   row. */
void heed_cpu_copy_write(const heed_backend *backend, const heed_cpu_panels *copy, int64_t first,
                         int64_t count, const float *source);
/* false: overflow */
bool heed_cpu_copy_bytes(const heed_backend *backend, int64_t rows, int64_t columns, size_t *bytes);
int64_t heed_cpu_copy_run(const heed_backend *backend);
/* Row `row` of W, widened to f32: the way back to a file. */
void heed_cpu_panels_row(const heed_backend *backend, const heed_cpu_panels *panels, int64_t row,
                         float *out);

#endif
